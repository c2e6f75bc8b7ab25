/**
 * Bounds on what Cedar's reader and evaluator are given: both recurse, on a stack of their own, and were seen to run out of
 * it at 150 brackets and 250 operators inside one another. `depth`: operators and brackets inside one another.
 */
const scanBounds = { nesting: 32, depth: 100, statements: 1000 } as const;

/** One statement of a Cedar text: its first word after the annotations, and whether a comma stands outside brackets. */
export type Statement = { readonly keyword: string; readonly isList: boolean };

/** What is open: a bracket, or a whole statement. Figures are of the expression since the last comma. */
type Level = {
  readonly closer: string;
  chain: number;
  member: number;
  longestMember: number;
  inner: number;
  deepest: number;
};

const closers: ReadonlyMap<string, string> = new Map([
  ["(", ")"],
  ["[", "]"],
  ["{", "}"],
]);

/** What puts an expression inside another without a bracket. Cedar joins the conditions of a policy into one expression. */
const joining: ReadonlySet<string> = new Set("+ - * ! && || if then else when unless Set".split(" "));

/** A bracket with what compares its content. */
const bracketDepth = 2;

/**
 * Reads a Cedar text, policies or schema, as far as brackets, strings and comments go, before Cedar's own reader sees it: a
 * text nested deep enough ends the engine for good. Returns the statements, or what is wrong.
 */
export function scanCedar(text: string): readonly Statement[] | string {
  // What ends a line, and with it a comment, must not be open to two readings.
  if (control.test(text)) return "there is a control character other than tab and line end";
  const statements: Statement[] = [];
  let levels: [Level, ...Level[]] = [opened("")];
  let keyword = "";
  let isList = false;
  // An annotation's name is no keyword.
  let annotated = false;
  for (const [token] of text.matchAll(tokens)) {
    if (token.startsWith("//")) continue;
    if (token.startsWith('"') && (token.length < 2 || !token.endsWith('"'))) return "a string is not closed";
    const outermost = levels.length === 1;
    const closer = closers.get(token);
    if (closer !== undefined) levels.push(opened(closer));
    else if (token === ")" || token === "]" || token === "}") {
      const level = outermost ? undefined : levels.pop();
      if (level?.closer !== token) return `a ${token} closes nothing`;
      const above = levels.at(-1) ?? levels[0];
      above.inner = Math.max(above.inner, depthOf(level) + bracketDepth);
    } else if (token === ";" && outermost) {
      if (keyword === "") return "a statement is empty";
      statements.push({ keyword, isList });
      if (statements.length > scanBounds.statements) return `there are more than ${scanBounds.statements} statements`;
      [keyword, isList, levels] = ["", false, [opened("")]];
    } else {
      read(token, levels.at(-1) ?? levels[0]);
      if (token === "," && outermost) isList = true;
      if (token === "@") annotated = true;
      else if (isWord(token)) {
        if (!annotated && outermost && keyword === "") keyword = token;
        annotated = false;
      }
    }
    if (levels.length > scanBounds.nesting + 1) return `brackets are nested more than ${scanBounds.nesting} deep`;
    if (levels.reduce((sum, level) => sum + depthOf(level), 0) > scanBounds.depth) {
      return `operators are nested more than ${scanBounds.depth} deep`;
    }
  }
  const missing = levels.at(-1)?.closer;
  if (missing !== undefined && missing !== "") return `a ${missing} is missing`;
  return keyword === "" ? statements : "the last statement has no semicolon";
}

function opened(closer: string): Level {
  return { closer, chain: 0, member: 0, longestMember: 0, inner: 0, deepest: 0 };
}

/** Takes one word or sign into the figures of its level. */
function read(token: string, level: Level): void {
  if (token === ",") {
    level.deepest = depthOf(level);
    level.chain = level.member = level.longestMember = level.inner = 0;
  } else if (token === ".") {
    level.member += 1;
    level.longestMember = Math.max(level.longestMember, level.member);
  } else if (joining.has(token)) {
    level.chain += 1;
    level.member = 0;
  } else if (!isWord(token)) {
    level.member = 0;
  }
}

function depthOf({ chain, longestMember, inner, deepest }: Level): number {
  return Math.max(deepest, chain + longestMember + inner);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029]|\r(?!\n)/;

/** Comments, strings with their escapes (the last may be unclosed), words, and every other character but white space. */
const tokens = /\/\/[^\n\r]*|"(?:[^"\\]|\\[\s\S])*"?|[A-Za-z_][A-Za-z0-9_]*|&&|\|\||[^\sA-Za-z_]/g;

function isWord(token: string): boolean {
  return /^[A-Za-z_]/.test(token);
}
