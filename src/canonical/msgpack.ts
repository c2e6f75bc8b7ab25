import { Packr } from "msgpackr/pack";
import { isWellFormed } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import type { AbiValue } from "../ports.js";
import { decodeDocument, isAbiNumber } from "./msgpack-reader.js";

/** Nesting of a document unless the caller asks for less: a bare scalar has depth 0, `[]` depth 1. */
const defaultMaxDepth = 32;

/** Bound of a document's bytes where the caller sets none: 16 MiB. */
const defaultMaxBytes = 16_777_216;

/** Plain maps, no records and no extension types, and map headers of the least size. */
const packr = new Packr({ useRecords: false, variableMapSize: true });

/**
 * Encodes a value in the msgpack profile (spec/abi.md). Map keys are sorted by UTF-16 code unit, so one value has one
 * encoding; integers beyond 32 bits travel as float64. For the host-guest ABI alone, never under a hash of its own.
 * Throws EXO_MSGPACK for what the profile lacks: NaN, infinities, -0, integers beyond 2^53-1, undefined, lone
 * surrogates, the key `__proto__`, objects that are not plain, nesting over 32.
 */
export function encodeAbi(value: AbiValue): Uint8Array {
  return Uint8Array.from(packr.pack(prepare(value, 0)));
}

/**
 * Decodes one document of the profile and refuses everything else with EXO_MSGPACK and the byte offset: extension types,
 * float32, NaN, infinities, -0, integers beyond 2^53-1, invalid UTF-8, keys that are not strings, duplicate keys,
 * `__proto__`, nesting over `maxDepth` (32), more than `maxBytes` (16 MiB), more than `maxItems` keys, values and
 * elements in all (no bound), trailing bytes. Integers may have any width.
 */
export function decodeAbi(
  bytes: Uint8Array,
  options: { readonly maxBytes?: number; readonly maxDepth?: number; readonly maxItems?: number } = {},
): AbiValue {
  const { maxBytes = defaultMaxBytes, maxDepth = defaultMaxDepth, maxItems = Number.POSITIVE_INFINITY } = options;
  if (bytes.length > maxBytes) throw refused(`is larger than ${maxBytes} bytes`);
  return decodeDocument(bytes, maxDepth, maxItems);
}

/** True for a map of the profile. */
export function isAbiMap(value: unknown): value is Readonly<Record<string, AbiValue>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** A copy msgpackr encodes inside the profile: objects become Maps in the order of their keys. */
function prepare(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "boolean":
      return value;
    case "string":
      return checkText(value);
    case "number":
      if (isAbiNumber(value)) return value;
      throw refused("has a number that is -0, not finite, or an integer beyond 2^53-1");
    case "object":
      return value === null || value instanceof Uint8Array ? prepareBytes(value) : prepareContainer(value, depth);
    default:
      throw refused(`has a value of type ${typeof value}`);
  }
}

function prepareBytes(value: Uint8Array | null): unknown {
  return value === null ? null : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

function prepareContainer(value: object, depth: number): unknown {
  if (depth >= defaultMaxDepth) throw refused(`nests deeper than ${defaultMaxDepth} levels`);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Array.isArray(value)) return Array.from(value, (item: unknown) => prepare(item, depth + 1));
  if (prototype !== Object.prototype && prototype !== null) throw refused("has an object that is not plain");
  const map = new Map<string, unknown>();
  const keys = Object.keys(value);
  if (Reflect.ownKeys(value).length !== keys.length) throw refused("has an object with hidden or symbol members");
  for (const key of keys.sort()) {
    if (key === "__proto__") throw refused("has the key __proto__");
    map.set(checkText(key), prepare((value as Record<string, unknown>)[key], depth + 1));
  }
  return map;
}

function checkText(text: string): string {
  if (!isWellFormed(text)) throw refused("has a string with a lone surrogate");
  return text;
}

function refused(what: string): ExoArmurError {
  return new ExoArmurError("EXO_MSGPACK", `The document ${what}.`);
}
