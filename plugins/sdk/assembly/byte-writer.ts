/**
 * A growing byte buffer. It lives outside the garbage-collected heap and is never freed: an instance serves one call.
 * With the stub runtime a buffer that is the newest allocation grows in place.
 */
export class ByteWriter {
  start: usize;
  length: usize = 0;
  private capacity: usize;

  constructor(capacity: usize = 256) {
    this.capacity = capacity;
    this.start = heap.alloc(capacity);
  }

  /** Makes room for `more` bytes and returns the address where they go. */
  reserve(more: usize): usize {
    const needed = this.length + more;
    if (needed > this.capacity) {
      this.capacity = max(needed, this.capacity << 1);
      this.start = heap.realloc(this.start, this.capacity);
    }
    return this.start + this.length;
  }

  u8(value: u32): void {
    store<u8>(this.reserve(1), value);
    this.length += 1;
  }

  /** Big-endian, as msgpack wants it. */
  u16(value: u32): void {
    store<u16>(this.reserve(2), bswap<u16>(<u16>value));
    this.length += 2;
  }

  u32(value: u32): void {
    store<u32>(this.reserve(4), bswap<u32>(value));
    this.length += 4;
  }

  u64(value: u64): void {
    store<u64>(this.reserve(8), bswap<u64>(value));
    this.length += 8;
  }

  bytes(source: usize, length: usize): void {
    memory.copy(this.reserve(length), source, length);
    this.length += length;
  }

  /** Appends the text's UTF-8 form. */
  text(text: string): void {
    const room = this.reserve(<usize>text.length * 3);
    this.length += String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, room);
  }
}
