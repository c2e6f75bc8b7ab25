export const KIND_NULL: i32 = 0;
export const KIND_BOOLEAN: i32 = 1;
export const KIND_NUMBER: i32 = 2;
export const KIND_TEXT: i32 = 3;
export const KIND_BYTES: i32 = 4;
export const KIND_ARRAY: i32 = 5;
export const KIND_OBJECT: i32 = 6;

/** The kind in words, for messages. */
export function kindName(kind: i32): string {
  if (kind == KIND_NULL) return "null";
  if (kind == KIND_BOOLEAN) return "a boolean";
  if (kind == KIND_NUMBER) return "a number";
  if (kind == KIND_TEXT) return "a string";
  if (kind == KIND_BYTES) return "bytes";
  return kind == KIND_ARRAY ? "an array" : "an object";
}

/** Shared by all values that have no members: a long listing is mostly leaves. */
const NONE: Value[] = [];

/** A node of a document read from JSON or msgpack. Text and bytes stay UTF-8 or raw bytes in memory, at `start`. */
export class Value {
  flag: bool = false;
  number: f64 = 0;
  /** Of text and bytes; of a number that was read from JSON, where it is written. */
  start: usize = 0;
  length: usize = 0;
  /** An array's items or an object's values. */
  items: Value[];
  /** An object's keys, all of kind text, in document order. */
  keys: Value[];

  constructor(public kind: i32) {
    this.items = kind >= KIND_ARRAY ? [] : NONE;
    this.keys = kind == KIND_OBJECT ? [] : NONE;
  }

  /** The member of an object, null when it is absent or this is no object. `name` is ASCII. */
  get(name: string): Value | null {
    for (let i = 0; i < this.keys.length; i++) {
      if (this.keys[i].is(name)) return this.items[i];
    }
    return null;
  }

  /** The member of an object under any key; null when it is absent or this is no object. */
  member(key: Value): Value | null {
    for (let i = 0; i < this.keys.length; i++) {
      if (unchecked(this.keys[i]).equals(key)) return this.items[i];
    }
    return null;
  }

  /** Adds a member to an object, without looking whether it has one of that name. */
  put(key: Value, value: Value): void {
    this.keys.push(key);
    this.items.push(value);
  }

  /** Whether this is exactly the ASCII text. */
  is(ascii: string): bool {
    if (this.kind != KIND_TEXT || this.length != <usize>ascii.length) return false;
    for (let i = 0; i < ascii.length; i++) {
      if (<i32>load<u8>(this.start + i) != ascii.charCodeAt(i)) return false;
    }
    return true;
  }

  /** Whether this is a whole number from 0 to 2^53 - 1. */
  isCount(): bool {
    const n = this.number;
    return this.kind == KIND_NUMBER && n >= 0 && n <= 9007199254740991 && n == Math.floor(n);
  }

  /** Whether this has the same text or bytes as another value. */
  equals(other: Value): bool {
    return this.length == other.length && memory.compare(this.start, other.start, this.length) == 0;
  }

  /** A text as an AssemblyScript string. */
  text(): string {
    return String.UTF8.decodeUnsafe(this.start, this.length);
  }

  /** A copy of the text's UTF-8 form or of the bytes. */
  bytes(): Uint8Array {
    const copy = new Uint8Array(<i32>this.length);
    memory.copy(copy.dataStart, this.start, this.length);
    return copy;
  }
}

/** A text or bytes value over memory that outlives it. */
export function slice(kind: i32, start: usize, length: usize): Value {
  const value = new Value(kind);
  value.start = start;
  value.length = length;
  return value;
}

/** A text value of an AssemblyScript string. */
export function textValue(text: string): Value {
  const utf8 = String.UTF8.encode(text);
  // The value points into the buffer, which a garbage collector would not see.
  return slice(KIND_TEXT, __pin(changetype<usize>(utf8)), utf8.byteLength);
}
