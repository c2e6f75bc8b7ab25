/** Every exported function, class, constant and type of src has a docstring right above it. `check-docs.mjs [FOLDER]` */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { blank, listFiles } from "./source.mjs";

const root = process.argv[2] ?? "src";
const declaration =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|let|type|interface) ([\w$]+)/;
/** Several implementations of one set of functions, which is documented where it is offered. */
const implementations = /^crypto\/(?:backend-|codecs-portable)/;
const files = listFiles(root, /(?<!\.d)\.tsx?$/).filter((path) => !implementations.test(path));
let problems = 0;

for (const path of files) {
  const text = readFileSync(join(root, path), "utf8");
  const lines = text.split("\n");
  let previous = "";
  for (const [index, line] of blank(text).split("\n").entries()) {
    const name = declaration.exec(line)?.[1];
    if (name === undefined) continue;
    // Further overloads of one function share the first one's docstring.
    if (name !== previous && !lines[index - 1]?.trimEnd().endsWith("*/")) {
      console.error(`${root}/${path}:${index + 1} ${name} has no docstring`);
      problems++;
    }
    previous = name;
  }
}

console.log(`docs: ${files.length} files, ${problems} problems`);
process.exitCode = problems > 0 || files.length === 0 ? 1 : 0;
