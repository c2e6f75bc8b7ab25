import { ByteWriter } from "./byte-writer";
import { writeOutputFrom } from "./io";
import { formatNumber, MAX_SAFE_INTEGER } from "./number-format";
import { keyOrder } from "./order";
import { KIND_ARRAY, KIND_BOOLEAN, KIND_NULL, KIND_NUMBER, KIND_OBJECT, KIND_TEXT, Value } from "./value";

const HEX = "0123456789abcdef";

/**
 * Writes compact JSON as UTF-8. Escapes and numbers have the one form of canonical JSON (spec/canonical-bytes.md), so a caller
 * that writes an object's keys in sorted order writes canonical bytes.
 */
export class JsonWriter {
  private out: ByteWriter = new ByteWriter(1024);
  private comma: bool = false;

  beginObject(): void {
    this.open(0x7b);
  }

  endObject(): void {
    this.close(0x7d);
  }

  beginArray(): void {
    this.open(0x5b);
  }

  endArray(): void {
    this.close(0x5d);
  }

  key(name: string): void {
    this.text(name);
    this.out.u8(0x3a);
    this.comma = false;
  }

  /** A key from a text value. */
  keyFrom(name: Value): void {
    this.textFrom(name.start, name.length);
    this.out.u8(0x3a);
    this.comma = false;
  }

  /** A string. Lone surrogates have no UTF-8 form and become U+FFFD. */
  text(text: string): void {
    const utf8 = String.UTF8.encode(text);
    this.textFrom(changetype<usize>(utf8), utf8.byteLength);
  }

  /** A string from UTF-8 bytes, which must be well-formed. */
  textFrom(start: usize, length: usize): void {
    this.separate();
    this.out.u8(0x22);
    const end = start + length;
    let run = start;
    for (let at = start; at < end; at++) {
      const c = <u32>load<u8>(at);
      if (c >= 0x20 && c != 0x22 && c != 0x5c) continue;
      this.out.bytes(run, at - run);
      this.escape(c);
      run = at + 1;
    }
    this.out.bytes(run, end - run);
    this.out.u8(0x22);
  }

  /** A string of bytes that need no escape, such as base64. */
  plainFrom(start: usize, length: usize): void {
    this.separate();
    this.out.u8(0x22);
    this.out.bytes(start, length);
    this.out.u8(0x22);
  }

  /** A whole number; beyond 2^53-1 it is written as a decimal string, as canonical JSON wants large integers. */
  integer(value: i64): void {
    this.separate();
    const quoted = value > 9007199254740991 || value < -9007199254740991;
    this.out.text(quoted ? '"' + value.toString() + '"' : value.toString());
  }

  /**
   * A number in its shortest form. One that is not finite is written as null; one whose form is an integer literal beyond
   * 2^53-1 is written as a decimal string, since canonical JSON refuses the literal.
   */
  number(value: f64): void {
    this.separate();
    if (!isFinite(value)) this.out.text("null");
    else if (abs(value) > MAX_SAFE_INTEGER && abs(value) < 1e21) this.out.text('"' + formatNumber(value) + '"');
    else this.out.text(formatNumber(value));
  }

  boolean(value: bool): void {
    this.separate();
    this.out.text(value ? "true" : "false");
  }

  nil(): void {
    this.separate();
    this.out.text("null");
  }

  /**
   * A whole document in canonical form, keys sorted. An integer beyond 2^53-1 becomes a decimal string with the digits it was
   * read with. Bytes, which JSON has no form for, are a broken invariant.
   */
  value(value: Value): void {
    const kind = value.kind;
    if (kind == KIND_NULL) this.nil();
    else if (kind == KIND_BOOLEAN) this.boolean(value.flag);
    else if (kind == KIND_NUMBER) this.numberFrom(value);
    else if (kind == KIND_TEXT) this.textFrom(value.start, value.length);
    else if (kind == KIND_ARRAY) {
      this.beginArray();
      for (let i = 0; i < value.items.length; i++) this.value(value.items[i]);
      this.endArray();
    } else {
      assert(kind == KIND_OBJECT);
      const order = keyOrder(value.keys);
      this.beginObject();
      for (let i = 0; i < order.length; i++) {
        const key = value.keys[order[i]];
        this.keyFrom(key);
        this.value(value.items[order[i]]);
      }
      this.endObject();
    }
  }

  /** Address of what was written so far; it moves when more is written. */
  get start(): usize {
    return this.out.start;
  }

  /** Bytes written so far. */
  get length(): usize {
    return this.out.length;
  }

  /** Hands the document to the host as the call's output and returns the success code 0. */
  finish(): i32 {
    return writeOutputFrom(this.out.start, this.out.length);
  }

  private numberFrom(value: Value): void {
    if (value.number == 0 || !isInteger(value)) return this.number(value.number);
    if (abs(value.number) > MAX_SAFE_INTEGER) return this.plainFrom(value.start, value.length);
    // Without minus zero the literal of an integer is its canonical form.
    this.separate();
    this.out.bytes(value.start, value.length);
  }

  private open(bracket: u32): void {
    this.separate();
    this.out.u8(bracket);
    this.comma = false;
  }

  private close(bracket: u32): void {
    this.out.u8(bracket);
    this.comma = true;
  }

  private separate(): void {
    if (this.comma) this.out.u8(0x2c);
    this.comma = true;
  }

  private escape(c: u32): void {
    this.out.u8(0x5c);
    if (c == 0x22 || c == 0x5c) this.out.u8(c);
    else if (c == 8) this.out.u8(0x62);
    else if (c == 9) this.out.u8(0x74);
    else if (c == 10) this.out.u8(0x6e);
    else if (c == 12) this.out.u8(0x66);
    else if (c == 13) this.out.u8(0x72);
    else {
      this.out.text("u00");
      this.out.u8(HEX.charCodeAt(c >> 4));
      this.out.u8(HEX.charCodeAt(c & 15));
    }
  }
}

/** Whether a number was read from an integer literal. */
function isInteger(value: Value): bool {
  if (value.length == 0) return false;
  for (let i: usize = load<u8>(value.start) == 0x2d ? 1 : 0; i < value.length; i++) {
    if (<u32>(load<u8>(value.start + i) - 0x30) > 9) return false;
  }
  return true;
}
