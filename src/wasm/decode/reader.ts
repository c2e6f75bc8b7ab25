import { Malformed } from "../reasons.js";

// A byte order mark is part of a name, never dropped: the engine compares names with it.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads a WebAssembly binary forwards. Every read is bounds-checked against `end`; LEB128 numbers must fit their width
 * (over-long forms within the width are the standard's and pass). Throws Malformed with the byte offset.
 */
export class ByteReader {
  readonly bytes: Uint8Array;
  at: number;
  end: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** Stops with a message at an offset, by default the present one. */
  fail(message: string, offset = this.at): never {
    throw new Malformed(message, offset);
  }

  get left(): number {
    return this.end - this.at;
  }

  u8(): number {
    if (this.at >= this.end) {
      this.fail("unexpected end");
    }
    return this.bytes[this.at++] as number;
  }

  /** The next byte without taking it. */
  peek(): number {
    if (this.at >= this.end) {
      this.fail("unexpected end");
    }
    return this.bytes[this.at] as number;
  }

  u32(): number {
    const first = this.u8();
    if (first < 0x80) {
      return first;
    }
    let value = first & 0x7f;
    for (let shift = 7; ; shift += 7) {
      const byte = this.u8();
      if (shift === 28 && byte > 0x0f) {
        this.fail("a number is longer than 32 bits", this.at - 1);
      }
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        return value >>> 0;
      }
    }
  }

  /** Skips a signed LEB128 of 32 or 64 bits. */
  skipSigned(bits: 32 | 64): void {
    const whole = bits === 32 ? 4 : 9;
    const spare = bits === 32 ? 0x78 : 0x7f;
    for (let count = 0; ; count += 1) {
      const byte = this.u8();
      if (count === whole) {
        if (byte !== (byte & 0x7f) || ((byte & spare) !== 0 && (byte & spare) !== spare)) {
          this.fail(`a number is longer than ${bits} bits`, this.at - 1);
        }
        return;
      }
      if (byte < 0x80) {
        return;
      }
    }
  }

  /** A signed LEB128 of 33 bits, as block types use. */
  s33(): number {
    let value = 0;
    for (let count = 0; ; count += 1) {
      const byte = this.u8();
      const low = byte & 0x7f;
      if (count === 4 && (byte >= 0x80 || ((low & 0x70) !== 0 && (low & 0x70) !== 0x70))) {
        this.fail("a number is longer than 33 bits", this.at - 1);
      }
      value += (byte < 0x80 && low >= 0x40 ? low - 0x80 : low) * 2 ** (7 * count);
      if (byte < 0x80) {
        return value;
      }
    }
  }

  skip(count: number): void {
    if (count > this.left) {
      this.fail("unexpected end");
    }
    this.at += count;
  }

  /** A count of entries that take at least one byte each. */
  count(what: string): number {
    const at = this.at;
    const count = this.u32();
    if (count > this.left) {
      this.fail(`${what} count ${count} is larger than what is left`, at);
    }
    return count;
  }

  name(): string {
    const length = this.count("name byte");
    const at = this.at;
    this.skip(length);
    try {
      return utf8.decode(this.bytes.subarray(at, at + length));
    } catch {
      return this.fail("a name is not UTF-8", at);
    }
  }
}
