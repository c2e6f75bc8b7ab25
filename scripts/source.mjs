/** What the source checks share: listing files, and seeing code without its comments and strings. */
import { readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";

/** Files under `folder` that match `pattern`, as sorted slash paths relative to it; skips node_modules and dist. */
export function listFiles(folder, pattern) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((path) => pattern.test(path) && !/(^|\/)(node_modules|dist)\//.test(path))
    .sort();
}

/** 1-based line of an offset. */
export function lineOf(text, offset) {
  return text.slice(0, offset).split("\n").length;
}

const beforeRegex = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|void|await|yield|delete|throw))$/;
const tokens = {
  comment: /\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y,
  string: /"(?:\\[\s\S]|[^"\\\n])*"?|'(?:\\[\s\S]|[^'\\\n])*'?/y,
  regex: /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/y,
  template: /(?:\\[\s\S]|\$(?!\{)|[^`\\$])*(?:`|\$\{|$)/y,
};

/**
 * `text` with the content of comments, strings, templates and regular expressions turned to spaces, offsets and line
 * breaks kept. Quotes stay (so that `from "..."` is still seen) and so does the code inside `${}`.
 */
export function blank(text) {
  let code = "";
  const nesting = [];
  const take = (token, keep) => {
    tokens[token].lastIndex = code.length;
    const found = tokens[token].exec(text)?.[0];
    if (!found) return false;
    const spaces = found.replace(/[^\n]/g, " ");
    code += keep ? found[0] + spaces.slice(1, -1) + (found.length > 1 ? found.at(-1) : "") : spaces;
    return true;
  };
  const template = () => {
    take("template", false);
    if (text[code.length - 1] === "`") code = `${code.slice(0, -1)}\``;
    else nesting.push(0);
  };
  while (code.length < text.length) {
    const char = text[code.length];
    if (take("comment", false) || take("string", true)) continue;
    if (char === "/" && beforeRegex.test(code.slice(-200).trimEnd()) && take("regex", false)) continue;
    code += char;
    if (char === "`") template();
    else if (char === "{" && nesting.length > 0) nesting[nesting.length - 1]++;
    else if (char === "}" && nesting.length > 0 && nesting[nesting.length - 1]-- === 0) {
      nesting.pop();
      template();
    }
  }
  return code;
}
