import { decodeUtf8 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import type { AbiValue } from "../ports.js";

type Cursor = {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly maxDepth: number;
  /** Keys, values and elements that may still come. */
  items: number;
  at: number;
};

/** Decodes one document of the msgpack profile (spec/abi.md). Throws EXO_MSGPACK with the byte offset. */
export function decodeDocument(bytes: Uint8Array, maxDepth: number, maxItems: number): AbiValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const cursor: Cursor = { bytes, view, maxDepth, items: maxItems, at: 0 };
  const value = readValue(cursor, 0);
  if (cursor.at !== bytes.length) throw fault(cursor, "has bytes after its end");
  return value;
}

function readValue(cursor: Cursor, depth: number): AbiValue {
  const head = readUint(cursor, 1);
  if (head <= 0x7f) return head;
  if (head >= 0xe0) return head - 0x100;
  if (head <= 0x8f) return readMap(cursor, head & 0x0f, depth);
  if (head <= 0x9f) return readArray(cursor, head & 0x0f, depth);
  if (head <= 0xbf) return readText(cursor, head & 0x1f);
  switch (head) {
    case 0xc0:
      return null;
    case 0xc2:
      return false;
    case 0xc3:
      return true;
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return take(cursor, readUint(cursor, 1 << (head - 0xc4))).slice();
    case 0xcb:
      return checkNumber(cursor, cursor.view.getFloat64(advance(cursor, 8)));
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
      return readUint(cursor, 1 << (head - 0xcc));
    case 0xd0:
      return cursor.view.getInt8(advance(cursor, 1));
    case 0xd1:
      return cursor.view.getInt16(advance(cursor, 2));
    case 0xd2:
      return cursor.view.getInt32(advance(cursor, 4));
    case 0xd3:
      return checkNumber(cursor, Number(cursor.view.getBigInt64(advance(cursor, 8))));
    case 0xd9:
    case 0xda:
    case 0xdb:
      return readText(cursor, readUint(cursor, 1 << (head - 0xd9)));
    case 0xdc:
    case 0xdd:
      return readArray(cursor, readUint(cursor, head === 0xdc ? 2 : 4), depth);
    case 0xde:
    case 0xdf:
      return readMap(cursor, readUint(cursor, head === 0xde ? 2 : 4), depth);
    default:
      throw fault(cursor, `has type 0x${head.toString(16)}, which the profile lacks`);
  }
}

function readArray(cursor: Cursor, count: number, depth: number): AbiValue {
  enter(cursor, count, depth);
  const items: AbiValue[] = [];
  for (let i = 0; i < count; i++) items.push(readValue(cursor, depth + 1));
  return items;
}

function readMap(cursor: Cursor, count: number, depth: number): AbiValue {
  enter(cursor, count * 2, depth);
  const map: Record<string, AbiValue> = {};
  for (let i = 0; i < count; i++) {
    const key = readValue(cursor, depth + 1);
    if (typeof key !== "string") throw fault(cursor, "has a map key that is not a string");
    if (key === "__proto__") throw fault(cursor, "has the key __proto__");
    if (Object.hasOwn(map, key)) throw fault(cursor, "has a map key twice");
    map[key] = readValue(cursor, depth + 1);
  }
  return map;
}

/** Every item takes a byte at least, so a count beyond the bytes left is refused before anything is made for it. */
function enter(cursor: Cursor, items: number, depth: number): void {
  if (depth >= cursor.maxDepth) throw fault(cursor, `nests deeper than ${cursor.maxDepth} levels`);
  if (items > cursor.bytes.length - cursor.at) throw fault(cursor, "ends early");
  cursor.items -= items;
  if (cursor.items < 0) throw fault(cursor, "has too many values");
}

function readText(cursor: Cursor, length: number): string {
  const text = decodeUtf8(take(cursor, length));
  if (text === undefined) throw fault(cursor, "has a string that is not well-formed UTF-8");
  return text;
}

function readUint(cursor: Cursor, size: number): number {
  if (size === 8) return checkNumber(cursor, Number(cursor.view.getBigUint64(advance(cursor, 8))));
  const at = advance(cursor, size);
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + cursor.view.getUint8(at + i);
  return value;
}

function checkNumber(cursor: Cursor, value: number): number {
  if (isAbiNumber(value)) return value;
  throw fault(cursor, "has a number that is -0, not finite, or an integer beyond 2^53-1");
}

/** True for the numbers of the profile, which are those with a canonical JSON form. */
export function isAbiNumber(value: number): boolean {
  if (!Number.isFinite(value) || Object.is(value, -0)) return false;
  return !Number.isInteger(value) || Number.isSafeInteger(value) || Math.abs(value) >= 1e21;
}

function take(cursor: Cursor, length: number): Uint8Array {
  const at = advance(cursor, length);
  return cursor.bytes.subarray(at, at + length);
}

/** Moves past `length` bytes and returns where they begin. */
function advance(cursor: Cursor, length: number): number {
  const { at } = cursor;
  if (length > cursor.bytes.length - at) throw fault(cursor, "ends early");
  cursor.at = at + length;
  return at;
}

function fault(cursor: Cursor, what: string): ExoArmurError {
  return new ExoArmurError("EXO_MSGPACK", `The document ${what} (byte ${cursor.at}).`, { offset: cursor.at });
}
