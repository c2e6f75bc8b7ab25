/** Files of at most 400 lines; functions over 60 lines are named but allowed. `check-size.mjs [FOLDER...]` */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { listFiles } from "./source.mjs";

const maxFileLines = 400;
const maxFunctionLines = 60;
const start = /^(\s*)(?:export )?(?:async )?(?:static |private )?(?:function\*? [\w$]+|[\w$]+ ?\([^;]*\)[^;]*) ?.*\{$/;
const notFunction = /^\s*(?:if|for|while|switch|catch|return|else|do|try|with)\b/;

const folders = process.argv.length > 2 ? process.argv.slice(2) : ["src", "plugins", "scripts"];
let files = 0;
let problems = 0;

for (const folder of folders.filter((name) => existsSync(name))) {
  for (const path of listFiles(folder, /\.(?:ts|tsx|mjs|js)$/)) {
    const lines = readFileSync(join(folder, path), "utf8").trimEnd().split("\n");
    files++;
    if (lines.length > maxFileLines) {
      console.error(`${folder}/${path}:${maxFileLines + 1} has ${lines.length} lines, more than ${maxFileLines}`);
      problems++;
    }
    for (const [index, line] of lines.entries()) {
      const indent = notFunction.test(line) ? undefined : start.exec(line)?.[1];
      if (indent === undefined) continue;
      const length = lines.slice(index).findIndex((other, at) => at > 0 && other.startsWith(`${indent}}`)) + 1;
      if (length > maxFunctionLines)
        console.error(`${folder}/${path}:${index + 1} function of ${length} lines (allowed)`);
    }
  }
}

console.log(`size: ${files} files, ${problems} problems`);
process.exitCode = problems > 0 || files === 0 ? 1 : 0;
