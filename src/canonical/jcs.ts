import { encodeUtf8, isWellFormed } from "../crypto/encoding.js";
import { type ErrorCode, ExoArmurError } from "../errors.js";

/** What has a canonical form (spec/canonical-bytes.md). */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** `maxBytes` bounds the canonical bytes; the default is `defaultMaxBytes`. */
export type CanonicalOptions = { readonly maxBytes?: number };

/** Bound of a document's bytes where the caller sets none: 64 MiB. */
export const defaultMaxBytes = 67_108_864;

/** Nesting that is still accepted: `[]` has depth 1. */
export const maxDepth = 128;

/** Revision of the canonical encoding, recorded in bundles. */
export const canonicalRevision = 1;

/**
 * The canonical bytes of a value: strict RFC 8785, revision 1 (spec/canonical-bytes.md). Nothing is dropped and nothing
 * coerced: whatever has no exact JSON form is refused with EXO_JSON_TYPE, _NUMBER, _SURROGATE, _FORBIDDEN_KEY, _DEPTH
 * or _SIZE, and `place.pointer` says where.
 */
export function canonicalize(value: unknown, options: CanonicalOptions = {}): Uint8Array {
  const maxBytes = options.maxBytes ?? defaultMaxBytes;
  const bytes = encodeUtf8(write(value, maxBytes, false));
  if (bytes.length > maxBytes) throw tooLarge(maxBytes);
  return bytes;
}

/** The canonical form as text. `maxBytes` and the refusals are those of canonicalize. */
export function canonicalText(value: unknown, options: CanonicalOptions = {}): string {
  const maxBytes = options.maxBytes ?? defaultMaxBytes;
  const text = write(value, maxBytes, false);
  if (text.length * 3 > maxBytes && encodeUtf8(text).length > maxBytes) throw tooLarge(maxBytes);
  return text;
}

/**
 * canonicalText for a value JSON.parse has just made: such a value has no accessors, symbols or classes, so the checks
 * for them are left out. For the reader in this folder alone.
 */
export function canonicalTextOfParsed(value: unknown, maxBytes: number): string {
  return write(value, maxBytes, true);
}

/**
 * canonicalize for a document this program has put together itself, of literals and of what a reader gave: such a
 * document has no accessors, symbols or hidden members, and looking for them is a third of the work. Never for a value
 * that a caller handed in.
 */
export function canonicalizeOwn(value: unknown): Uint8Array {
  const bytes = encodeUtf8(write(value, defaultMaxBytes, true));
  if (bytes.length > defaultMaxBytes) throw tooLarge(defaultMaxBytes);
  return bytes;
}

/** State of one call: bounds, and where the walk is. `path` below `depth` is current, above it is left over. */
type Walk = { readonly maxBytes: number; readonly parsed: boolean; readonly path: (string | number)[] };

function write(value: unknown, maxBytes: number, parsed: boolean): string {
  return writeValue(value, 0, { maxBytes, parsed, path: [] });
}

function writeValue(value: unknown, depth: number, walk: Walk): string {
  switch (typeof value) {
    case "string":
      return quote(value, depth, walk);
    case "number":
      return writeNumber(value, depth, walk);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      if (depth >= maxDepth) throw fault("EXO_JSON_DEPTH", `Nesting is deeper than ${maxDepth} levels`, depth, walk);
      return Array.isArray(value) ? writeArray(value, depth, walk) : writeObject(value, depth, walk);
    default:
      throw fault("EXO_JSON_TYPE", `A value of type ${typeof value} has no JSON form`, depth, walk);
  }
}

function writeObject(object: object, depth: number, walk: Walk): string {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) {
    throw fault("EXO_JSON_TYPE", "An object that is not plain has no JSON form", depth, walk);
  }
  const keys = walk.parsed ? Object.keys(object) : ownKeys(object, depth, walk);
  sortKeys(keys);
  let out = "{";
  for (const key of keys) {
    walk.path[depth] = key;
    if (key === "__proto__") throw fault("EXO_JSON_FORBIDDEN_KEY", "The key __proto__ is refused", depth + 1, walk);
    const name = quote(key, depth + 1, walk);
    const text = writeValue(readMember(object, key, depth, walk), depth + 1, walk);
    out += out.length === 1 ? `${name}:${text}` : `,${name}:${text}`;
    if (out.length > walk.maxBytes) throw tooLarge(walk.maxBytes);
  }
  return `${out}}`;
}

function writeArray(array: readonly unknown[], depth: number, walk: Walk): string {
  const { length } = array;
  if (Object.getPrototypeOf(array) !== Array.prototype) {
    throw fault("EXO_JSON_TYPE", "An array of another class has no JSON form", depth, walk);
  }
  // A dense array without further members owns its indexes and `length`, nothing else.
  if (!walk.parsed && Reflect.ownKeys(array).length !== length + 1) {
    throw fault("EXO_JSON_TYPE", "An array with holes or further members has no JSON form", depth, walk);
  }
  let out = "[";
  for (let i = 0; i < length; i++) {
    walk.path[depth] = i;
    const text = writeValue(readMember(array, i, depth, walk), depth + 1, walk);
    out += i === 0 ? text : `,${text}`;
    if (out.length > walk.maxBytes) throw tooLarge(walk.maxBytes);
  }
  return `${out}]`;
}

function ownKeys(object: object, depth: number, walk: Walk): string[] {
  const keys = Reflect.ownKeys(object);
  for (const key of keys) {
    if (typeof key === "symbol") throw fault("EXO_JSON_TYPE", "A symbol key has no JSON form", depth, walk);
  }
  return keys as string[];
}

/** Reads a member once and through its descriptor, so that no accessor runs and none is taken for data. */
function readMember(holder: object, key: string | number, depth: number, walk: Walk): unknown {
  if (walk.parsed) return (holder as Record<string | number, unknown>)[key];
  const descriptor = Object.getOwnPropertyDescriptor(holder, key);
  if (descriptor === undefined || !("value" in descriptor) || descriptor.enumerable !== true) {
    throw fault("EXO_JSON_TYPE", "An accessor, a hole or a hidden member has no JSON form", depth + 1, walk);
  }
  return descriptor.value;
}

function writeNumber(value: number, depth: number, walk: Walk): string {
  if (Number.isSafeInteger(value) && !(value === 0 && Object.is(value, -0))) return `${value}`;
  // From 1e21 on, the canonical form has an exponent and is a double by form; below, it would be an inexact integer.
  if (!Number.isFinite(value) || value === 0 || (Number.isInteger(value) && Math.abs(value) < 1e21)) {
    const shown = Object.is(value, -0) ? "-0" : String(value);
    throw fault(
      "EXO_JSON_NUMBER",
      `A number is finite, not -0 and no integer beyond 2^53-1; this is ${shown}`,
      depth,
      walk,
    );
  }
  return `${value}`;
}

/** JSON.stringify writes strings as RFC 8785 does; most need no escape, and finding that out is quicker. */
function quote(text: string, depth: number, walk: Walk): string {
  if (text.length > 100 ? !special.test(text) : isOrdinary(text)) return `"${text}"`;
  if (!isWellFormed(text)) throw fault("EXO_JSON_SURROGATE", "A string holds a lone surrogate", depth, walk);
  return JSON.stringify(text);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters JSON escapes.
const special = /[\0-\x1f"\\\ud800-\udfff]/;

/** `!special.test(text)`, which is slower to start than this loop. */
function isOrdinary(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code === 0x22 || code === 0x5c || (code >= 0xd800 && code < 0xe000)) return false;
  }
  return true;
}

/** Sorts by UTF-16 code unit. Insertion beats sort() on the few and often sorted keys objects have. */
function sortKeys(keys: string[]): void {
  if (keys.length > 24) {
    keys.sort();
    return;
  }
  for (let i = 1; i < keys.length; i++) {
    const key = keys[i] ?? "";
    let at = i;
    for (; at > 0 && (keys[at - 1] ?? "") > key; at--) keys[at] = keys[at - 1] ?? "";
    keys[at] = key;
  }
}

function fault(code: ErrorCode, message: string, depth: number, walk: Walk): ExoArmurError {
  const pointer = toPointer(walk.path.slice(0, depth));
  return new ExoArmurError(code, `${message} (at ${pointer === "" ? "the top" : shorten(pointer)}).`, { pointer });
}

function tooLarge(maxBytes: number): ExoArmurError {
  return new ExoArmurError("EXO_JSON_SIZE", `The document is larger than ${maxBytes} bytes.`);
}

/** RFC 6901 JSON pointer of a path. */
export function toPointer(path: readonly (string | number)[]): string {
  return path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function shorten(text: string): string {
  return text.length <= 100 ? text : `${text.slice(0, 100)}...`;
}
