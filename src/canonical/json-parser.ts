import { isWellFormed } from "../crypto/encoding.js";
import { type ErrorCode, ExoArmurError } from "../errors.js";
import { maxDepth as depthCeiling, type JsonValue } from "./jcs.js";

/** A JSON document whose numbers are read as `N`. */
export type JsonTree<N> =
  | null
  | boolean
  | string
  | N
  | readonly JsonTree<N>[]
  | { readonly [key: string]: JsonTree<N> };

/** Reads a number's literal; `integer` says that it has neither fraction nor exponent. Undefined refuses it. */
export type NumberReader<N> = (literal: string, integer: boolean) => N | undefined;

/** Where the parser is in the text. Positions are UTF-16 code units; errors report bytes. */
type Cursor<N> = {
  readonly text: string;
  readonly maxDepth: number;
  readonly numberOf: NumberReader<N>;
  at: number;
};

type Place = Pick<Cursor<unknown>, "text" | "at">;

/**
 * The strict JSON reader (spec/canonical-bytes.md, untrusted input) over well-formed text. Use readJson or
 * parseCanonical, which decode and bound the bytes first. Throws EXO_JSON_* with byte offset and line.
 */
export function parseText(text: string, maxDepth: number = depthCeiling): JsonValue {
  return parseTextWith(text, exactDouble, maxDepth);
}

/** parseText with another reading of numbers, for documents whose digests depend on how a number is written. */
export function parseTextWith<N>(
  text: string,
  numberOf: NumberReader<N>,
  maxDepth: number = depthCeiling,
): JsonTree<N> {
  const cursor: Cursor<N> = { text, maxDepth: Math.min(maxDepth, depthCeiling), numberOf, at: 0 };
  skipSpace(cursor);
  const value = parseValue(cursor, 0);
  skipSpace(cursor);
  if (cursor.at < text.length) throw unexpected(cursor, "the end");
  return value;
}

function parseValue<N>(cursor: Cursor<N>, depth: number): JsonTree<N> {
  const first = cursor.text.charCodeAt(cursor.at);
  switch (first) {
    case 0x7b:
      return parseObject(cursor, depth);
    case 0x5b:
      return parseArray(cursor, depth);
    case 0x22:
      return parseString(cursor);
    case 0x74:
      return parseLiteral(cursor, "true", true);
    case 0x66:
      return parseLiteral(cursor, "false", false);
    case 0x6e:
      return parseLiteral(cursor, "null", null);
    default:
      return parseNumber(cursor);
  }
}

function parseObject<N>(cursor: Cursor<N>, depth: number): JsonTree<N> {
  enter(cursor, depth);
  const object: Record<string, JsonTree<N>> = {};
  if (take(cursor, "}")) return object;
  do {
    skipSpace(cursor);
    const start = cursor.at;
    if (cursor.text[start] !== '"') throw unexpected(cursor, "a key in double quotes");
    const key = parseString(cursor);
    if (key === "__proto__") throw fault(cursor, start, "EXO_JSON_FORBIDDEN_KEY", "The key __proto__ is refused");
    if (Object.hasOwn(object, key)) throw fault(cursor, start, "EXO_JSON_DUPLICATE_KEY", "An object has a key twice");
    if (!take(cursor, ":")) throw unexpected(cursor, "a colon");
    skipSpace(cursor);
    object[key] = parseValue(cursor, depth + 1);
  } while (take(cursor, ","));
  if (!take(cursor, "}")) throw unexpected(cursor, "a comma or }");
  return object;
}

function parseArray<N>(cursor: Cursor<N>, depth: number): JsonTree<N> {
  enter(cursor, depth);
  const array: JsonTree<N>[] = [];
  if (take(cursor, "]")) return array;
  do {
    skipSpace(cursor);
    array.push(parseValue(cursor, depth + 1));
  } while (take(cursor, ","));
  if (!take(cursor, "]")) throw unexpected(cursor, "a comma or ]");
  return array;
}

function enter(cursor: Cursor<unknown>, depth: number): void {
  if (depth >= cursor.maxDepth) {
    throw fault(cursor, cursor.at, "EXO_JSON_DEPTH", `Nesting is deeper than ${cursor.maxDepth} levels`);
  }
  cursor.at++;
}

/** Skips space and then `mark`, if it is there. */
function take(cursor: Place, mark: string): boolean {
  skipSpace(cursor);
  if (cursor.text[cursor.at] !== mark) return false;
  cursor.at++;
  return true;
}

function skipSpace(cursor: Place): void {
  for (;;) {
    const code = cursor.text.charCodeAt(cursor.at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    cursor.at++;
  }
}

function parseLiteral<T extends JsonValue>(cursor: Place, word: string, value: T): T {
  if (!cursor.text.startsWith(word, cursor.at)) throw unexpected(cursor, "a JSON value");
  cursor.at += word.length;
  return value;
}

// The lookahead makes a leading zero a syntax error rather than a 0 with something after it.
const numberForm = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?(?!\d)/y;

function parseNumber<N>(cursor: Cursor<N>): N {
  const start = cursor.at;
  numberForm.lastIndex = start;
  const match = numberForm.exec(cursor.text);
  if (match === null) throw unexpected(cursor, "a JSON value");
  const [literal, fraction, exponent] = match;
  cursor.at += literal.length;
  const value = cursor.numberOf(literal, fraction === undefined && exponent === undefined);
  if (value === undefined) {
    throw fault(cursor, start, "EXO_JSON_NUMBER", "A number is -0, beyond a double, or an integer beyond 2^53-1");
  }
  return value;
}

/** Integers by form must be exact; other forms are doubles, but their canonical form may be an integer all the same. */
function exactDouble(literal: string, integer: boolean): number | undefined {
  const value = Number(literal);
  const inexact = Number.isInteger(value) && !Number.isSafeInteger(value);
  const refused =
    !Number.isFinite(value) ||
    Object.is(value, -0) ||
    (inexact && (Math.abs(value) < 1e21 || integer)) ||
    (value === 0 && /[1-9]/.test(literal.split(/[eE]/, 1)[0] ?? ""));
  return refused ? undefined : value;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON strings may not hold these bare.
const plainRun = /[^"\\\0-\x1f]*/y;

function parseString(cursor: Place): string {
  const start = cursor.at;
  let out = "";
  let escaped = false;
  cursor.at++;
  for (;;) {
    plainRun.lastIndex = cursor.at;
    plainRun.exec(cursor.text);
    out += cursor.text.slice(cursor.at, plainRun.lastIndex);
    cursor.at = plainRun.lastIndex;
    const mark = cursor.text[cursor.at];
    if (mark === '"') break;
    if (mark !== "\\")
      throw unexpected(cursor, mark === undefined ? "the end of a string" : "an escape for a control character");
    out += parseEscape(cursor);
    escaped = true;
  }
  cursor.at++;
  // The text itself is well-formed, so only escapes can have brought in half a pair.
  if (escaped && !isWellFormed(out)) {
    throw fault(cursor, start, "EXO_JSON_SURROGATE", "A string holds a lone surrogate");
  }
  return out;
}

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};
const hexForm = /^[0-9a-fA-F]{4}$/;

function parseEscape(cursor: Place): string {
  const mark = cursor.text[cursor.at + 1] ?? "";
  if (mark === "u") {
    const hex = cursor.text.slice(cursor.at + 2, cursor.at + 6);
    if (!hexForm.test(hex)) throw unexpected(cursor, "four hexadecimal digits after \\u");
    cursor.at += 6;
    return String.fromCharCode(Number.parseInt(hex, 16));
  }
  const character = Object.hasOwn(escapes, mark) ? escapes[mark] : undefined;
  if (character === undefined) throw unexpected(cursor, "one of JSON's escapes");
  cursor.at += 2;
  return character;
}

function unexpected(cursor: Place, expected: string): ExoArmurError {
  const found = cursor.text.codePointAt(cursor.at);
  const shown = found === undefined ? "the end" : `U+${found.toString(16).toUpperCase().padStart(4, "0")}`;
  return fault(cursor, cursor.at, "EXO_JSON_SYNTAX", `Expected ${expected}, found ${shown}`);
}

function fault(cursor: Place, at: number, code: ErrorCode, message: string): ExoArmurError {
  const before = cursor.text.slice(0, at);
  const offset = new TextEncoder().encode(before).length;
  const line = before.split("\n").length;
  return new ExoArmurError(code, `${message} (line ${line}, byte ${offset}).`, { offset, line });
}
