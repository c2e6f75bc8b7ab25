import { holds, KeySet } from "./key-set";
import { parseNumber } from "./number-parse";
import { encodeCodePoint, isUtf8 } from "./utf8";
import { KIND_ARRAY, KIND_BOOLEAN, KIND_NULL, KIND_NUMBER, KIND_OBJECT, KIND_TEXT, slice, Value } from "./value";

/** Deepest nesting accepted, as in canonical JSON (spec/canonical-bytes.md). */
export const MAX_JSON_DEPTH: i32 = 128;
/** From this many keys on repeated ones are found by hash: comparing each with all would cost their square. */
const MANY_KEYS: i32 = 32;

/**
 * Reads one JSON document (RFC 8259). Refuses duplicate keys, lone surrogates, numbers out of range, bytes after the document
 * and nesting beyond `maxDepth`. Text values point into `bytes` or into a copy of their own, so leave `bytes` unchanged.
 */
export class JsonReader {
  /** Why read() returned null, with the byte offset. */
  problem: string = "";
  private at: usize;
  private base: usize;
  private end: usize;

  constructor(private bytes: Uint8Array, private maxDepth: i32 = MAX_JSON_DEPTH) {
    // Values point into the bytes, which a garbage collector would not see.
    __pin(changetype<usize>(bytes));
    this.base = bytes.dataStart;
    this.at = this.base;
    this.end = this.base + bytes.length;
  }

  /** The document, or null: see `problem`. */
  read(): Value | null {
    if (!isUtf8(this.base, this.bytes.length)) return this.refuse("not UTF-8");
    const value = this.value(0);
    if (value === null) return null;
    this.skipSpace();
    return this.at == this.end ? value : this.refuse("text after the document");
  }

  private value(depth: i32): Value | null {
    this.skipSpace();
    const c = this.peek();
    if ((c == 0x7b || c == 0x5b) && depth >= this.maxDepth) return this.refuse("nested too deep");
    if (c == 0x7b) return this.object(depth);
    if (c == 0x5b) return this.array(depth);
    if (c == 0x22) return this.text();
    if (c == 0x74) return this.word("true", KIND_BOOLEAN, true);
    if (c == 0x66) return this.word("false", KIND_BOOLEAN, false);
    if (c == 0x6e) return this.word("null", KIND_NULL, false);
    return this.number();
  }

  private object(depth: i32): Value | null {
    const object = new Value(KIND_OBJECT);
    this.at++;
    this.skipSpace();
    if (this.take(0x7d)) return object;
    let seen: KeySet | null = null;
    while (true) {
      this.skipSpace();
      const key = this.peek() == 0x22 ? this.text() : this.refuse("expected a key");
      if (key === null) return null;
      if (seen === null && object.keys.length >= MANY_KEYS) seen = new KeySet(object.keys);
      if (seen !== null ? !seen.add(key) : holds(object.keys, key)) return this.refuse("a key occurs twice");
      this.skipSpace();
      if (!this.take(0x3a)) return this.refuse("expected ':'");
      const value = this.value(depth + 1);
      if (value === null) return null;
      object.put(key, value);
      this.skipSpace();
      if (this.take(0x7d)) return object;
      if (!this.take(0x2c)) return this.refuse("expected ',' or '}'");
    }
  }

  private array(depth: i32): Value | null {
    const array = new Value(KIND_ARRAY);
    this.at++;
    this.skipSpace();
    if (this.take(0x5d)) return array;
    while (true) {
      const value = this.value(depth + 1);
      if (value === null) return null;
      array.items.push(value);
      this.skipSpace();
      if (this.take(0x5d)) return array;
      if (!this.take(0x2c)) return this.refuse("expected ',' or ']'");
    }
  }

  /** A string without escapes is a slice of the input; one with escapes is decoded into a copy, which is never longer. */
  private text(): Value | null {
    const start = ++this.at;
    while (this.peek() != 0x22 && this.peek() != 0x5c && this.peek() >= 0x20) this.at++;
    if (this.take(0x22)) return slice(KIND_TEXT, start, this.at - 1 - start);
    let close = this.at;
    while (close < this.end && load<u8>(close) != 0x22) close += load<u8>(close) == 0x5c ? 2 : 1;
    if (close >= this.end) return this.refuse("unterminated or malformed string");
    const copy = heap.alloc(close - start);
    let to = copy + (this.at - start);
    memory.copy(copy, start, this.at - start);
    while (this.at < close) {
      const c = this.peek();
      if (c < 0x20) return this.refuse("control character in a string");
      this.at++;
      if (c != 0x5c) {
        store<u8>(to++, c);
        continue;
      }
      const codePoint = this.escape();
      if (codePoint < 0) return this.refuse("malformed escape");
      to += encodeCodePoint(codePoint, to);
    }
    this.at = close + 1;
    return slice(KIND_TEXT, copy, to - copy);
  }

  /** The code point of the escape after a backslash, -1 when it is malformed or a lone surrogate. */
  private escape(): i32 {
    const c = this.peek();
    this.at++;
    if (c == 0x22 || c == 0x5c || c == 0x2f) return c;
    if (c == 0x62) return 8;
    if (c == 0x74) return 9;
    if (c == 0x6e) return 10;
    if (c == 0x66) return 12;
    if (c == 0x72) return 13;
    if (c != 0x75) return -1;
    const unit = this.hex4();
    if (unit < 0xd800 || unit > 0xdfff) return unit;
    if (unit > 0xdbff || !this.take(0x5c) || !this.take(0x75)) return -1;
    const low = this.hex4();
    if (low < 0xdc00 || low > 0xdfff) return -1;
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
  }

  private hex4(): i32 {
    let unit: i32 = 0;
    for (let i = 0; i < 4; i++) {
      const c = this.peek();
      const letter = c | 0x20;
      if (c >= 0x30 && c <= 0x39) unit = (unit << 4) | (c - 0x30);
      else if (letter >= 0x61 && letter <= 0x66) unit = (unit << 4) | (letter - 0x57);
      else return -1;
      this.at++;
    }
    return unit;
  }

  /** JSON's grammar is narrower than parseNumber's: no plus sign, no leading zero, digits on both sides of the point. */
  private number(): Value | null {
    const start = this.at;
    this.take(0x2d);
    const whole = this.digits();
    if (whole == 0) return this.refuse("expected a value");
    if (whole > 1 && load<u8>(this.at - whole) == 0x30) return this.refuse("a number starts with 0");
    if (this.take(0x2e) && this.digits() == 0) return this.refuse("expected a digit");
    if ((this.peek() | 0x20) == 0x65) {
      this.at++;
      if (!this.take(0x2b)) this.take(0x2d);
      if (this.digits() == 0) return this.refuse("expected a digit");
    }
    const value = slice(KIND_NUMBER, start, this.at - start);
    value.number = parseNumber(start, this.at - start);
    return isFinite(value.number) ? value : this.refuse("a number is out of range");
  }

  private digits(): usize {
    const start = this.at;
    while (<u32>(this.peek() - 0x30) < 10) this.at++;
    return this.at - start;
  }

  private word(text: string, kind: i32, flag: bool): Value | null {
    for (let i = 0; i < text.length; i++) {
      if (!this.take(text.charCodeAt(i))) return this.refuse("expected " + text);
    }
    const value = new Value(kind);
    value.flag = flag;
    return value;
  }

  /** The byte at hand, -1 at the end. */
  private peek(): i32 {
    return this.at < this.end ? <i32>load<u8>(this.at) : -1;
  }

  private take(c: i32): bool {
    if (this.peek() != c) return false;
    this.at++;
    return true;
  }

  private skipSpace(): void {
    for (let c = this.peek(); c == 0x20 || c == 0x0a || c == 0x0d || c == 0x09; c = this.peek()) this.at++;
  }

  private refuse(what: string): Value | null {
    this.problem = what + " at byte " + (this.at - this.base).toString();
    return null;
  }
}
