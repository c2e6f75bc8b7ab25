/** What Cedar's recursive reader is spared, by bounds far below those at which it was seen to run out of stack. */
export const scanBounds = { nesting: 32, conditionals: 64, statements: 1000 } as const;

/** One statement of a Cedar text: its first word after the annotations. */
export type Statement = { readonly keyword: string };

const closers: ReadonlyMap<string, string> = new Map([
  ["(", ")"],
  ["[", "]"],
  ["{", "}"],
]);

/**
 * Reads a Cedar text, policies or schema, as far as brackets, strings and comments go, before its own reader sees it: that
 * one recurses, and a text nested deep enough ends the engine for good. Returns the statements, or what is wrong.
 */
export function scanCedar(text: string): readonly Statement[] | string {
  // What ends a line, and with it a comment, must not be open to two readings.
  if (control.test(text)) return "there is a control character other than tab and line end";
  const statements: Statement[] = [];
  const open: string[] = [];
  let keyword = "";
  let conditionals = 0;
  // An annotation's name is no keyword.
  let annotated = false;
  for (const [token] of text.matchAll(tokens)) {
    if (token === "" || token.startsWith("//")) continue;
    if (token.startsWith('"')) {
      if (token.length < 2 || !token.endsWith('"')) return "a string is not closed";
    } else if (closers.has(token)) {
      open.push(closers.get(token) ?? "");
      if (open.length > scanBounds.nesting) return `brackets are nested more than ${scanBounds.nesting} deep`;
    } else if (token === ")" || token === "]" || token === "}") {
      if (open.pop() !== token) return `a ${token} closes nothing`;
    } else if (token === "@") {
      annotated = true;
    } else if (token === ";" && open.length === 0) {
      if (keyword === "") return "a statement is empty";
      statements.push({ keyword });
      if (statements.length > scanBounds.statements) return `there are more than ${scanBounds.statements} statements`;
      [keyword, conditionals] = ["", 0];
    } else {
      if (token === "if" && ++conditionals > scanBounds.conditionals) {
        return `a statement has more than ${scanBounds.conditionals} conditionals`;
      }
      if (!annotated && open.length === 0 && keyword === "" && isWord(token)) keyword = token;
      if (isWord(token)) annotated = false;
    }
  }
  if (open.length > 0) return `a ${open.at(-1)} is missing`;
  return keyword === "" ? statements : "the last statement has no semicolon";
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029]|\r(?!\n)/;

/** Comments, strings with their escapes (the last may be unclosed), words, and every other character but white space. */
const tokens = /\/\/[^\n\r]*|"(?:[^"\\]|\\[\s\S])*"?|[A-Za-z_][A-Za-z0-9_]*|[^\sA-Za-z_]/g;

function isWord(token: string): boolean {
  return /^[A-Za-z_]/.test(token);
}
