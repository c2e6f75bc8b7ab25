import { Halt } from "../reasons.js";

/** Greatest size of a sealed module, in bytes. */
export const maxSealedBytes = 268_435_456;

/** Grows a byte string. Throws Halt beyond maxSealedBytes. */
export class ByteWriter {
  #bytes: Uint8Array;
  length = 0;

  constructor(capacity = 1024) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Empties the writer and keeps its buffer. */
  clear(): void {
    this.length = 0;
  }

  #reserve(more: number): void {
    const need = this.length + more;
    if (need <= this.#bytes.length) {
      return;
    }
    if (need > maxSealedBytes) {
      throw new Halt();
    }
    const grown = new Uint8Array(Math.max(need, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
  }

  u8(byte: number): void {
    if (this.length === this.#bytes.length) {
      this.#reserve(1);
    }
    this.#bytes[this.length++] = byte;
  }

  u32(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.u8(rest);
  }

  /** Signed LEB128 of an integer within 32 bits. */
  s32(value: number): void {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && low < 0x40) || (rest === -1 && low >= 0x40)) {
        this.u8(low);
        return;
      }
      this.u8(low | 0x80);
    }
  }

  /** Bytes given one by one. */
  raw(...bytes: readonly number[]): void {
    for (const byte of bytes) {
      this.u8(byte);
    }
  }

  /** A range of other bytes. */
  copy(from: Uint8Array, start = 0, end = from.length): void {
    const size = end - start;
    this.#reserve(size);
    if (size < 24) {
      for (let index = start; index < end; index += 1) {
        this.#bytes[this.length++] = from[index] as number;
      }
      return;
    }
    this.#bytes.set(from.subarray(start, end), this.length);
    this.length += size;
  }

  /** A length-prefixed byte string. */
  sized(content: ByteWriter): void {
    this.u32(content.length);
    this.append(content);
  }

  /** Everything another writer holds. */
  append(content: ByteWriter): void {
    this.copy(content.#bytes, 0, content.length);
  }

  name(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u32(bytes.length);
    this.copy(bytes);
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }
}
