import { describe, expect, it } from "vitest";
import { BlockTable, maxBlocks, toLength } from "../../src/sandbox/blocks.js";
import { Stop } from "../../src/sandbox/stop.js";

/** Status and code of the stop that `body` throws. */
function stopOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof Stop) {
      return `${error.status} ${error.code}`;
    }
    throw error;
  }
  return "none";
}

const bounds = "trapped EXO_KERNEL_BOUNDS";
const memory = "out_of_memory EXO_OUT_OF_MEMORY";

describe("the block table", () => {
  it("finds exactly the bytes of live blocks", () => {
    const table = new BlockTable(1000);
    const first = table.allocate(16);
    const second = table.allocate(3);
    expect(table.within(first.address + 15n, 1)).toBe(first);
    expect(table.offset()).toBe(15);
    expect(table.within(first.address + 16n, 0)).toBe(first);
    expect(table.within(second.address, 3)).toBe(second);
    for (const [address, length] of [
      [first.address + 15n, 2],
      [first.address + 16n, 1],
      [first.address - 1n, 1],
      [first.address + 0xffff_ffffn, 8],
      [second.address + 1n, 8],
      [0n, 0],
      [0n, 1],
      [1n, 1],
      [-1n, 1],
      [-1n, 8],
      [1n << 63n, 1],
      [3n << 32n, 1],
    ] as const) {
      expect(
        stopOf(() => table.within(address, length)),
        `${address} ${length}`,
      ).toBe(bounds);
    }
  });

  it("refuses addresses inside a block where a block is asked for", () => {
    const table = new BlockTable(1000);
    const block = table.allocate(16);
    expect(table.at(block.address)).toBe(block);
    expect(stopOf(() => table.at(block.address + 8n))).toBe(bounds);
    expect(stopOf(() => table.find(block.address + 8n))).toBe(bounds);
    expect(stopOf(() => table.at(0n))).toBe(bounds);
    expect(table.find(0n)).toBeUndefined();
  });

  it("tells a freed block from one that never was", () => {
    const table = new BlockTable(1000);
    const block = table.allocate(16);
    table.release(block);
    expect(table.find(block.address)).toBeUndefined();
    expect(stopOf(() => table.within(block.address, 1))).toBe(bounds);
    expect(stopOf(() => table.find(block.address + (1n << 48n)))).toBe(bounds);
    expect(stopOf(() => table.find(2n << 32n))).toBe(bounds);
    expect(stopOf(() => table.find(1n << 48n))).toBe(bounds);
  });

  it("does not give a freed address out again soon", () => {
    const table = new BlockTable(1000);
    const seen = new Set<bigint>();
    for (let i = 0; i < 65_536; i++) {
      const block = table.allocate(8);
      seen.add(block.address);
      table.release(block);
    }
    expect(seen.size).toBe(65_536);
  });

  it("counts at least 64 bytes a block, and gives back what is freed", () => {
    const table = new BlockTable(640);
    const blocks = Array.from({ length: 10 }, () => table.allocate(1));
    expect(stopOf(() => table.allocate(1))).toBe(memory);
    table.release(blocks[3] as (typeof blocks)[0]);
    expect(stopOf(() => table.allocate(65))).toBe(memory);
    expect(table.allocate(64).view.byteLength).toBe(64);
    expect(stopOf(() => table.adopt(new Uint8Array(1)))).toBe(memory);
  });

  it("has at most 65,535 live blocks, however many bytes there are", () => {
    const table = new BlockTable(2 ** 40);
    for (let i = 0; i < maxBlocks; i++) {
      table.allocate(1);
    }
    expect(stopOf(() => table.allocate(1))).toBe(memory);
  });
});

describe("lengths", () => {
  it("are unsigned, and beyond 2^53 they are too large for everything", () => {
    expect(toLength(0n)).toBe(0);
    expect(toLength(4_294_967_303n)).toBe(4_294_967_303);
    expect(toLength((1n << 53n) - 1n)).toBe(Number.MAX_SAFE_INTEGER);
    expect(toLength(1n << 53n)).toBe(Number.POSITIVE_INFINITY);
    expect(toLength(-1n)).toBe(Number.POSITIVE_INFINITY);
  });
});
