import { ByteWriter } from "./byte-writer";

/** Writes the msgpack subset of capability requests, every item in its shortest form. Write a map's keys in sorted order. */
export class MsgpackWriter {
  out: ByteWriter = new ByteWriter();

  /** Starts a map of `size` entries: then key() and a value, `size` times. */
  map(size: u32): void {
    if (size < 16) this.out.u8(0x80 | size);
    else if (size <= 0xffff) this.tagged16(0xde, size);
    else this.tagged32(0xdf, size);
  }

  /** Starts an array of `size` items. */
  array(size: u32): void {
    if (size < 16) this.out.u8(0x90 | size);
    else if (size <= 0xffff) this.tagged16(0xdc, size);
    else this.tagged32(0xdd, size);
  }

  key(name: string): void {
    this.text(name);
  }

  text(text: string): void {
    const utf8 = String.UTF8.encode(text);
    this.textFrom(changetype<usize>(utf8), utf8.byteLength);
  }

  /** A string from well-formed UTF-8 bytes. */
  textFrom(start: usize, length: usize): void {
    if (length < 32) this.out.u8(0xa0 | <u32>length);
    else if (length <= 0xff) this.tagged8(0xd9, <u32>length);
    else if (length <= 0xffff) this.tagged16(0xda, <u32>length);
    else this.tagged32(0xdb, <u32>length);
    this.out.bytes(start, length);
  }

  binary(start: usize, length: usize): void {
    if (length <= 0xff) this.tagged8(0xc4, <u32>length);
    else if (length <= 0xffff) this.tagged16(0xc5, <u32>length);
    else this.tagged32(0xc6, <u32>length);
    this.out.bytes(start, length);
  }

  integer(value: i64): void {
    if (value >= 0) this.unsigned(<u64>value);
    else if (value >= -32) this.out.u8(<u32>value & 0xff);
    else if (value >= -0x80) this.tagged8(0xd0, <u32>value & 0xff);
    else if (value >= -0x8000) this.tagged16(0xd1, <u32>value & 0xffff);
    else if (value >= -0x80000000) this.tagged32(0xd2, <u32>value);
    else {
      this.out.u8(0xd3);
      this.out.u64(<u64>value);
    }
  }

  number(value: f64): void {
    this.out.u8(0xcb);
    this.out.u64(reinterpret<u64>(value));
  }

  boolean(value: bool): void {
    this.out.u8(value ? 0xc3 : 0xc2);
  }

  nil(): void {
    this.out.u8(0xc0);
  }

  private unsigned(value: u64): void {
    if (value < 0x80) this.out.u8(<u32>value);
    else if (value <= 0xff) this.tagged8(0xcc, <u32>value);
    else if (value <= 0xffff) this.tagged16(0xcd, <u32>value);
    else if (value <= 0xffffffff) this.tagged32(0xce, <u32>value);
    else {
      this.out.u8(0xcf);
      this.out.u64(value);
    }
  }

  private tagged8(tag: u32, value: u32): void {
    this.out.u8(tag);
    this.out.u8(value);
  }

  private tagged16(tag: u32, value: u32): void {
    this.out.u8(tag);
    this.out.u16(value);
  }

  private tagged32(tag: u32, value: u32): void {
    this.out.u8(tag);
    this.out.u32(value);
  }
}
