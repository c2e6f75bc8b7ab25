import { isUtf8 } from "./utf8";
import { KIND_ARRAY, KIND_BOOLEAN, KIND_BYTES, KIND_NULL, KIND_NUMBER, KIND_OBJECT, KIND_TEXT, slice, Value } from "./value";

const MAX_DEPTH: i32 = 32;

/**
 * Reads one msgpack document: nil, booleans, integers, floats, strings, binary, arrays and maps with string keys. Refuses
 * extension types, strings that are not UTF-8, repeated keys, bytes after the document and nesting beyond 32.
 * Integers are read as f64: what the host sends (sizes, times) is below 2^53. Text and bytes point into the given memory.
 */
export class MsgpackReader {
  private at: usize;
  private end: usize;

  constructor(start: usize, length: usize) {
    this.at = start;
    this.end = start + length;
  }

  /** The document, or null when it is malformed. */
  read(): Value | null {
    const value = this.value(0);
    return this.at == this.end ? value : null;
  }

  private value(depth: i32): Value | null {
    if (depth > MAX_DEPTH || !this.has(1)) return null;
    const tag = <u32>load<u8>(this.at++);
    if (tag < 0x80) return number(<f64>tag);
    if (tag < 0x90) return this.map(tag & 15, depth);
    if (tag < 0xa0) return this.array(tag & 15, depth);
    if (tag < 0xc0) return this.slice(KIND_TEXT, tag & 31);
    if (tag >= 0xe0) return number(<f64>(<i8>tag));
    if (tag == 0xc0) return new Value(KIND_NULL);
    if (tag == 0xc2 || tag == 0xc3) return boolean(tag == 0xc3);
    if (tag >= 0xc4 && tag <= 0xc6) return this.sized(tag - 0xc4, tag, depth);
    if (tag >= 0xd9 && tag <= 0xdb) return this.sized(tag - 0xd9, tag, depth);
    if (tag >= 0xdc && tag <= 0xdf) return this.sized(1 + (tag & 1), tag, depth);
    if (tag >= 0xca && tag <= 0xd3) return this.scalar(tag);
    return null;
  }

  /** Strings, binary, arrays and maps with a length of 1 << `log` bytes before them. */
  private sized(log: u32, tag: u32, depth: i32): Value | null {
    const width: usize = 1 << log;
    if (!this.has(width)) return null;
    const length = <u32>this.unsigned(width);
    if (tag <= 0xc6) return this.slice(KIND_BYTES, length);
    if (tag <= 0xdb) return this.slice(KIND_TEXT, length);
    return tag <= 0xdd ? this.array(length, depth) : this.map(length, depth);
  }

  private scalar(tag: u32): Value | null {
    const width: usize = tag == 0xca ? 4 : tag == 0xcb ? 8 : 1 << (tag & 3);
    if (!this.has(width)) return null;
    const bits = this.unsigned(width);
    if (tag == 0xca) return number(<f64>reinterpret<f32>(<u32>bits));
    if (tag == 0xcb) return number(reinterpret<f64>(bits));
    if (tag <= 0xcf) return number(<f64>bits);
    const unused: u64 = 64 - (<u64>width << 3);
    return number(<f64>((<i64>(bits << unused)) >> unused));
  }

  private map(size: u32, depth: i32): Value | null {
    const map = new Value(KIND_OBJECT);
    for (let i: u32 = 0; i < size; i++) {
      const key = this.value(depth + 1);
      if (key === null || key.kind != KIND_TEXT) return null;
      for (let j = 0; j < map.keys.length; j++) {
        if (map.keys[j].equals(key)) return null;
      }
      const value = this.value(depth + 1);
      if (value === null) return null;
      map.keys.push(key);
      map.items.push(value);
    }
    return map;
  }

  private array(size: u32, depth: i32): Value | null {
    const array = new Value(KIND_ARRAY);
    for (let i: u32 = 0; i < size; i++) {
      const value = this.value(depth + 1);
      if (value === null) return null;
      array.items.push(value);
    }
    return array;
  }

  private slice(kind: i32, length: usize): Value | null {
    if (!this.has(length)) return null;
    const start = this.at;
    this.at += length;
    return kind == KIND_TEXT && !isUtf8(start, length) ? null : slice(kind, start, length);
  }

  private unsigned(width: usize): u64 {
    let value: u64 = 0;
    for (let i: usize = 0; i < width; i++) value = (value << 8) | load<u8>(this.at++);
    return value;
  }

  private has(length: usize): bool {
    return this.end - this.at >= length;
  }
}

function number(value: f64): Value {
  const node = new Value(KIND_NUMBER);
  node.number = value;
  return node;
}

function boolean(flag: bool): Value {
  const node = new Value(KIND_BOOLEAN);
  node.flag = flag;
  return node;
}
