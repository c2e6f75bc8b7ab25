import { decodeUtf8 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import { canonicalTextOfParsed, defaultMaxBytes, type JsonValue, maxDepth } from "./jcs.js";
import { parseText } from "./json-parser.js";

/** Texts up to this length are parsed as they come: no nesting of theirs takes much. */
const smallLength = 65_536;

/** Bounds of a reading. `maxBytes` defaults to 64 MiB, `maxDepth` to 128, which is also its ceiling. */
export type ReadOptions = { readonly maxBytes?: number; readonly maxDepth?: number };

/**
 * Reads canonical bytes, and refuses any others (spec/canonical-bytes.md, the reader rule): the canonical form of what
 * was read must be these bytes. Throws EXO_JSON_SIZE, _UTF8, _SYNTAX, the refusals of canonicalize, and
 * EXO_JSON_NOT_CANONICAL with the first byte that differs in `place.offset`.
 */
export function parseCanonical(bytes: Uint8Array, options: { readonly maxBytes?: number } = {}): JsonValue {
  const maxBytes = options.maxBytes ?? defaultMaxBytes;
  const text = decode(bytes, maxBytes);
  // Our own reader says so, before the engine's takes gigabytes for the nesting of a large text.
  if (text.length > smallLength && isTooDeep(text)) parseText(text);
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    // The engine's message differs by version and may quote the input; our own reader says where, and always the same.
    parseText(text);
    throw new ExoArmurError("EXO_JSON_SYNTAX", "The bytes are not well-formed JSON.");
  }
  const canonical = canonicalTextOfParsed(value, maxBytes);
  if (canonical !== text) {
    const offset = firstDifference(canonical, text);
    throw new ExoArmurError("EXO_JSON_NOT_CANONICAL", `The bytes differ from their canonical form at byte ${offset}.`, {
      offset,
    });
  }
  return value;
}

/**
 * Reads untrusted JSON (RFC 8259) strictly: UTF-8 without a byte order mark, no duplicate key, no `__proto__`, no lone
 * surrogate, no number canonicalize would refuse, bounded depth and size. Throws EXO_JSON_*, with the byte offset and
 * the line (from 1) in `place`. What it returns has a canonical form.
 */
export function readJson(bytes: Uint8Array, options: ReadOptions = {}): JsonValue {
  return parseText(decode(bytes, options.maxBytes ?? defaultMaxBytes), options.maxDepth);
}

function decode(bytes: Uint8Array, maxBytes: number): string {
  if (bytes.length > maxBytes) {
    throw new ExoArmurError("EXO_JSON_SIZE", `The document has ${bytes.length} bytes, at most ${maxBytes} are read.`);
  }
  const text = decodeUtf8(bytes);
  if (text === undefined) {
    const offset = firstMalformed(bytes);
    throw new ExoArmurError("EXO_JSON_UTF8", `The bytes are not well-formed UTF-8 at byte ${offset}.`, {
      offset,
      line: countLines(bytes, offset),
    });
  }
  return text;
}

/** Does a text open more than it may at once? Looks at brackets outside strings, whether or not it is JSON. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) at = endOfString(text, at);
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > maxDepth) return true;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return false;
}

/** Where the string that begins at a quote ends: at its last quote, or at the end of the text. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let escapes = end;
    while (text.charCodeAt(escapes - 1) === 0x5c) escapes--;
    if ((end - escapes) % 2 === 0) return end;
  }
  return text.length;
}

/** The longest well-formed prefix's length, by halving: prefixes that end inside a character count as well-formed. */
function firstMalformed(bytes: Uint8Array): number {
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1;
    if (isPrefix(bytes.subarray(0, middle))) good = middle;
    else bad = middle;
  }
  return isPrefix(bytes) ? bytes.length : good;
}

function isPrefix(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function countLines(bytes: Uint8Array, offset: number): number {
  let line = 1;
  for (let i = 0; i < offset; i++) if (bytes[i] === 0x0a) line++;
  return line;
}

/** Byte offset of the first character in which two well-formed texts differ. */
function firstDifference(a: string, b: string): number {
  let i = 0;
  while (i < a.length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  return new TextEncoder().encode(a.slice(0, i)).length;
}
