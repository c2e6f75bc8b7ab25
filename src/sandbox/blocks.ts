import { boundsStop, memoryStop } from "./stop.js";

/** Least a live block counts against the byte cap, however small it is (spec/abi.md). */
const blockFloor = 64;

/** Most blocks that can be live at once (spec/abi.md). */
export const maxBlocks = 0xffff;

const slotMask = 0xffff;

// One 64-bit cell seen as a whole and as two halves: storing a BigInt and reading numbers back costs an engine two
// moves, where Number(bigint) is a call. The halves follow the machine's byte order, hence LOW and HIGH.
const whole = new BigUint64Array(1);
const halves = new Uint32Array(whole.buffer);
whole[0] = 1n;
const LOW = halves[0] === 1 ? 0 : 1;
const HIGH = 1 - LOW;

/** A live piece of kernel memory. Its address is `tag * 2^32`; `view` covers exactly its bytes. */
export class Block {
  readonly tag: number;
  readonly view: DataView;

  constructor(tag: number, view: DataView) {
    this.tag = tag;
    this.view = view;
  }

  /** Address of the first byte, as the guest sees it. */
  get address(): bigint {
    return BigInt(this.tag) << 32n;
  }

  /** Its bytes themselves. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.view.buffer, this.view.byteOffset, this.view.byteLength);
  }

  /** A copy of `length` bytes from `offset`; the caller has checked that they are inside. */
  copy(offset: number, length: number): Uint8Array {
    return new Uint8Array(this.view.buffer, this.view.byteOffset + offset, length).slice();
  }
}

/**
 * The blocks of one run. The upper half of an address is a tag (16 bits of generation, 16 bits of slot), the lower half
 * an offset, so a look-up is one index and one comparison, and the address of a freed block stays dead until its slot
 * has been used 65,535 times more. Slot 0 is never used: no address is 0.
 */
export class BlockTable {
  readonly #slots: (Block | undefined)[] = [undefined];
  readonly #generations: number[] = [0];
  readonly #free: number[] = [];
  /** Cells of 64 bytes, one for every slot in use: a buffer of its own for every small block would cost far more. */
  readonly #slabs: ArrayBuffer[] = [];
  readonly #limit: number;
  #bytes = 0;

  /** @param limit Cap of the live bytes, each block counting at least {@link blockFloor}. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Counts `length` bytes against the cap. Throws the out_of_memory stop when they do not fit. */
  charge(length: number): void {
    const cost = length < blockFloor ? blockFloor : length;
    if (cost > this.#limit - this.#bytes) {
      throw memoryStop();
    }
    this.#bytes += cost;
  }

  /** Gives back what {@link charge} counted. */
  refund(length: number): void {
    this.#bytes -= length < blockFloor ? blockFloor : length;
  }

  /** A new zeroed block. Throws the out_of_memory stop at the byte cap and at {@link maxBlocks}. */
  allocate(length: number): Block {
    this.charge(length);
    const slot = this.#nextSlot();
    return this.#place(slot, length > blockFloor ? new DataView(new ArrayBuffer(length)) : this.#cell(slot, length));
  }

  /** A block over `bytes` themselves, not a copy: the guest may overwrite them. */
  adopt(bytes: Uint8Array): Block {
    this.charge(bytes.byteLength);
    return this.#place(this.#nextSlot(), new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  #nextSlot(): number {
    const slot = this.#free.pop() ?? this.#slots.length;
    if (slot > maxBlocks) {
      throw memoryStop();
    }
    return slot;
  }

  /** The slot's cell, zeroed. */
  #cell(slot: number, length: number): DataView {
    const index = slot >>> 6;
    let slab = this.#slabs[index];
    if (slab === undefined) {
      slab = new ArrayBuffer(64 * blockFloor);
      this.#slabs[index] = slab;
    }
    const view = new DataView(slab, (slot & 63) * blockFloor, length);
    for (let at = 0; at < length; at++) {
      view.setUint8(at, 0);
    }
    return view;
  }

  #place(slot: number, view: DataView): Block {
    const generation = ((this.#generations[slot] ?? -1) + 1) & slotMask;
    const block = new Block(generation * 0x10000 + slot, view);
    this.#slots[slot] = block;
    this.#generations[slot] = generation;
    return block;
  }

  /**
   * The live block that holds all of `length` bytes from `address`; {@link offset} then tells where in it they start.
   * Throws the bounds stop when there is none.
   */
  within(address: bigint, length: number): Block {
    whole[0] = address;
    const tag = halves[HIGH] as number;
    const block = this.#slots[tag & slotMask];
    if (block === undefined || block.tag !== tag || (halves[LOW] as number) + length > block.view.byteLength) {
      throw boundsStop();
    }
    return block;
  }

  /** Offset of the address that {@link within} looked up last. */
  offset(): number {
    return halves[LOW] as number;
  }

  /** The live block that starts at `address`. Throws the bounds stop when there is none. */
  at(address: bigint): Block {
    const block = this.within(address, 0);
    if (this.offset() !== 0) {
      throw boundsStop();
    }
    return block;
  }

  /**
   * The live block that starts at `address`, or undefined for address 0 and for a block that has been freed. Throws the
   * bounds stop for an address that never was a block's.
   */
  find(address: bigint): Block | undefined {
    whole[0] = address;
    const tag = halves[HIGH] as number;
    const slot = tag & slotMask;
    if (halves[LOW] !== 0 || (slot === 0 && tag !== 0) || slot >= this.#slots.length) {
      throw boundsStop();
    }
    const block = this.#slots[slot];
    if (block?.tag === tag || slot === 0) {
      return block;
    }
    if (tag >>> 16 > (this.#generations[slot] as number)) {
      throw boundsStop();
    }
    return undefined;
  }

  /** A block with the bytes of `block`, which stay as they are when `block` is freed and its place is used again. */
  keep(block: Block): Block {
    const { length } = block.bytes;
    return length > blockFloor ? block : new Block(block.tag, new DataView(block.copy(0, length).buffer));
  }

  /** Frees a live block. */
  release(block: Block): void {
    const slot = block.tag & slotMask;
    this.#slots[slot] = undefined;
    this.#free.push(slot);
    this.refund(block.view.byteLength);
  }
}

/** The value of an unsigned 64-bit argument, or Infinity when it is 2^53 or more. */
export function toLength(value: bigint): number {
  whole[0] = value;
  const high = halves[HIGH] as number;
  return high > 0x1fffff ? Number.POSITIVE_INFINITY : high * 0x100000000 + (halves[LOW] as number);
}
