/** A growing byte string. */
export class Bytes {
  readonly out: number[] = [];

  raw(...bytes: readonly number[]): void {
    for (const byte of bytes) {
      this.out.push(byte);
    }
  }

  append(bytes: readonly number[] | Uint8Array): void {
    for (const byte of bytes) {
      this.out.push(byte);
    }
  }

  /** Unsigned LEB128 of at least `least` bytes. */
  u32(value: number, least = 1): void {
    let rest = value;
    for (let count = 1; ; count += 1) {
      const low = rest % 128;
      rest = Math.floor(rest / 128);
      if (rest === 0 && count >= least) {
        this.out.push(low);
        return;
      }
      this.out.push(low + 128);
    }
  }

  /** Signed LEB128. */
  signed(value: bigint): void {
    let rest = value;
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && low < 0x40) || (rest === -1n && low >= 0x40)) {
        this.out.push(low);
        return;
      }
      this.out.push(low | 0x80);
    }
  }

  name(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u32(bytes.length);
    this.append(bytes);
  }

  /** A length-prefixed byte string. */
  sized(content: Bytes): void {
    this.u32(content.out.length);
    this.append(content.out);
  }
}
