import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { buildKernel } from "../../../scripts/build-kernel.mjs";
import { Blocks } from "../../../src/sandbox/imports/blocks.js";
import { Kernel, returnKernel, takeKernel } from "../../../src/sandbox/imports/kernel.js";
import { Stop } from "../../../src/sandbox/stop.js";

/** The kernel functions as JavaScript calls them. */
type Functions = {
  readonly alloc: (length: bigint) => bigint;
  readonly free: (address: bigint) => void;
  readonly length: (address: bigint) => bigint;
  readonly load_u8: (address: bigint) => number;
  readonly load_u64: (address: bigint) => bigint;
  readonly store_u8: (address: bigint, value: number) => void;
  readonly store_u64: (address: bigint, value: bigint) => void;
  readonly input_offset: () => bigint;
  readonly input_length: () => bigint;
  readonly input_load_u8: (offset: bigint) => number;
  readonly input_load_u64: (offset: bigint) => bigint;
  readonly output_set: (address: bigint, length: bigint) => void;
  readonly error_set: (address: bigint) => void;
  readonly config_get: (key: bigint) => bigint;
};

// The sources have no type library for WebAssembly.
declare const WebAssembly: {
  readonly Table: new (type: { element: "anyfunc"; initial: number }) => { set(index: number, value: unknown): void };
};

const pageBytes = 65_536;

/** Pages of a new kernel: its table and one page of blocks. */
const firstPages = 17;

function functionsOf(blocks: Blocks): Functions {
  return blocks.functions as unknown as Functions;
}

function begin(kernelBytes: number, blocks = new Blocks(), input = new Uint8Array(0)): Blocks & { f: Functions } {
  blocks.begin({ kernelBytes, outputBytes: 1000 }, input);
  return Object.assign(blocks, { f: functionsOf(blocks) });
}

/** Much faster than toEqual. */
function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

/** How `body` ends the run, "none" if it does not. The kernel can be used on. */
function stopOf(blocks: Blocks, body: () => unknown): string {
  try {
    body();
  } catch (error) {
    const { stop } = blocks;
    (blocks.functions["fault"] as unknown as { value: number }).value = 0;
    if (stop === undefined) {
      throw error;
    }
    return stop instanceof Stop ? `${stop.status} ${stop.code}` : stop.message;
  }
  return "none";
}

const bounds = "trapped EXO_KERNEL_BOUNDS";
const memory = "out_of_memory EXO_OUT_OF_MEMORY";

describe("the kernel's code", () => {
  it("is what kernel.wat builds to", async () => {
    const built = readFileSync(new URL("../../../src/sandbox/imports/kernel-code.ts", import.meta.url), "utf8");
    expect(await buildKernel()).toBe(built);
  });

  it("is what guests are linked to, with nothing of JavaScript in between", () => {
    const table = new WebAssembly.Table({ element: "anyfunc", initial: 1 });
    const functions = new Kernel().functions["extism:host/env"] as Record<string, (...args: never[]) => unknown>;
    const linked = (name: string): boolean => {
      try {
        // The SDK passes on what bind returns, and a table takes functions of WebAssembly only.
        table.set(0, (functions[name] as () => void).bind(null));
        return true;
      } catch {
        return false;
      }
    };
    expect(Object.keys(functions).filter((name) => !linked(name))).toEqual([
      "var_get",
      "var_set",
      "log_trace",
      "log_debug",
      "log_info",
      "log_warn",
      "log_error",
    ]);
  });
});

describe("blocks", () => {
  it("give exactly the bytes of live blocks", () => {
    const blocks = begin(1000);
    const { f } = blocks;
    const first = f.alloc(16n);
    const second = f.alloc(3n);
    expect(f.load_u8(first + 15n)).toBe(0);
    expect(f.load_u64(first + 8n)).toBe(0n);
    expect(f.load_u8(second + 2n)).toBe(0);
    for (const address of [
      first + 16n,
      first - 1n,
      first + 0xffff_ffffn,
      second + 3n,
      0n,
      1n,
      -1n,
      -8n,
      1n << 63n,
      3n << 32n,
      0xffff_ffff_0000_0000n,
    ]) {
      expect(
        stopOf(blocks, () => f.load_u8(address)),
        String(address),
      ).toBe(bounds);
    }
    for (const address of [first + 9n, first + 15n, first - 8n, first + 0xffff_fff8n, second, second + 1n, -1n]) {
      expect(
        stopOf(blocks, () => f.load_u64(address)),
        String(address),
      ).toBe(bounds);
    }
  });

  it("refuse addresses inside a block where a block is asked for", () => {
    const blocks = begin(1000);
    const { f } = blocks;
    const block = f.alloc(16n);
    for (const use of [f.free, f.length, f.error_set, f.config_get, (address: bigint) => blocks.read(address)]) {
      expect(stopOf(blocks, () => use(block + 8n))).toBe(bounds);
      expect(stopOf(blocks, () => use(0xffff_ffffn))).toBe(bounds);
      expect(stopOf(blocks, () => use(0n))).toBe("none");
    }
    expect(f.length(block)).toBe(16n);
  });

  it("tell a freed block from one that never was", () => {
    const blocks = begin(1000);
    const { f } = blocks;
    const block = f.alloc(16n);
    f.free(block);
    expect(f.length(block)).toBe(0n);
    expect(stopOf(blocks, () => f.free(block))).toBe("none");
    expect(stopOf(blocks, () => f.load_u8(block))).toBe(bounds);
    expect(stopOf(blocks, () => f.error_set(block))).toBe(bounds);
    for (const address of [block + (1n << 48n), 2n << 32n, 1n << 48n, 1n << 63n]) {
      expect(stopOf(blocks, () => f.length(address))).toBe(bounds);
      expect(stopOf(blocks, () => f.free(address))).toBe(bounds);
    }
  });

  it("do not get a freed address again soon, and one that is 65,535 uses old is still a freed one", () => {
    const blocks = begin(1000);
    const { f } = blocks;
    const seen = new Set<bigint>();
    for (let i = 0; i < 65_536; i++) {
      const block = f.alloc(8n);
      seen.add(block);
      f.free(block);
    }
    expect(seen.size).toBe(65_536);
    const again = f.alloc(8n);
    expect(again).toBe([...seen][0]);
    for (const address of [...seen].slice(1)) {
      if (f.length(address) !== 0n || stopOf(blocks, () => f.free(address)) !== "none") {
        expect.fail(`${address} is not a freed block`);
      }
    }
    expect(stopOf(blocks, () => f.load_u8([...seen][65_535] as bigint))).toBe(bounds);
    expect(f.length(again)).toBe(8n);
    let last = 0n;
    for (let i = 0; i < 2 * 65_536 + 1; i++) {
      last = f.alloc(1n);
      f.free(last);
    }
    expect(f.length(last + (0xfffen << 48n))).toBe(0n);
    expect(f.length(again)).toBe(8n);
    expect(blocks.pages).toBe(firstPages);
  });

  it("count at least 64 bytes each, and are given back when freed", () => {
    const blocks = begin(640);
    const { f } = blocks;
    const ten = Array.from({ length: 10 }, () => f.alloc(1n));
    expect(stopOf(blocks, () => f.alloc(1n))).toBe(memory);
    begin(640, blocks);
    for (const address of Array.from({ length: 10 }, () => f.alloc(1n))) {
      expect(ten).toContain(address);
    }
    f.free(ten[3] as bigint);
    expect(f.length(f.alloc(64n))).toBe(64n);
    f.free(ten[4] as bigint);
    expect(stopOf(blocks, () => f.alloc(65n))).toBe(memory);
    begin(640, blocks);
    expect(stopOf(blocks, () => f.alloc(641n))).toBe(memory);
    begin(640, blocks);
    expect(stopOf(blocks, () => f.alloc(-1n))).toBe(memory);
    expect(stopOf(blocks, () => begin(640, blocks, new Uint8Array(641)))).toBe(memory);
    begin(640, blocks, new Uint8Array(640));
    expect(stopOf(blocks, () => f.alloc(1n))).toBe(memory);
  });

  it("are at most 65,535, however many bytes there are", () => {
    const blocks = begin(2 ** 40);
    const { f } = blocks;
    for (let i = 0; i < 65_535; i++) {
      f.alloc(1n);
    }
    expect(stopOf(blocks, () => f.alloc(1n))).toBe(memory);
    begin(2 ** 40, blocks);
    expect(f.alloc(1n)).toBe(1n << 32n);
    expect(stopOf(blocks, () => f.load_u8(2n << 32n))).toBe(bounds);
    expect(stopOf(blocks, () => f.length(2n << 32n))).toBe(bounds);
  });

  it("below the cap that the host has no memory for are the host's fault", () => {
    const blocks = begin(2 ** 50);
    const fault = "no memory for the blocks of a guest that is below its cap";
    for (const length of [
      (1n << 30n) - 16n * 65_536n,
      (1n << 32n) - 72n,
      1n << 32n,
      (1n << 33n) + 1n,
      1n << 39n,
      1n << 48n,
    ]) {
      expect(
        stopOf(blocks, () => blocks.f.alloc(length)),
        String(length),
      ).toBe(fault);
      begin(2 ** 50, blocks);
    }
    expect(blocks.pages).toBe(firstPages);
  });
});

describe("output and error", () => {
  it("are the bytes that were there when their block was freed, wherever blocks have moved since", () => {
    const blocks = begin(400_000);
    const { f } = blocks;
    f.alloc(3000n);
    const output = f.alloc(500n);
    const error = f.alloc(70n);
    f.store_u64(output + 100n, 0x1122_3344_5566_7788n);
    f.store_u8(error + 69n, 9);
    f.output_set(output + 100n, 8n);
    f.error_set(error);
    f.free(1n << 32n);
    f.free(output);
    f.free(error);
    for (let i = 0; i < 50; i++) {
      const filler = f.alloc(100_000n);
      for (let at = 0n; at < 100_000n; at += 1000n) {
        f.store_u64(filler + at, -1n);
      }
      f.free(filler);
    }
    expect(blocks.output).toEqual(new Uint8Array([0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]));
    expect(blocks.error(1000)).toEqual(new Uint8Array(70).fill(9, 69));
    expect(blocks.error(5)).toEqual(new Uint8Array(5));
  });

  it("of a freed block count until another takes their place, and then no more", () => {
    const blocks = begin(640);
    const { f } = blocks;
    const output = f.alloc(300n);
    f.output_set(output, 10n);
    f.error_set(output);
    f.free(output);
    f.free(output);
    expect(stopOf(blocks, () => f.alloc(341n))).toBe(memory);
    begin(640, blocks);
    const again = f.alloc(300n);
    f.output_set(again, 10n);
    f.error_set(again);
    f.free(again);
    f.error_set(0n);
    const rest = f.alloc(340n);
    f.output_set(rest, 10n);
    f.free(f.alloc(300n));
    f.output_set(0n, 0n);
    f.free(rest);
    expect(f.length(f.alloc(640n))).toBe(640n);
    expect(blocks.output).toEqual(new Uint8Array(0));
    expect(blocks.error(1)).toBeUndefined();
  });

  it("that change places cost no memory", () => {
    const blocks = begin(1_000_000);
    const { f } = blocks;
    for (let i = 0; i < 2000; i++) {
      const block = f.alloc(100_000n);
      f.output_set(block, 1000n);
      f.free(block);
    }
    expect(blocks.pages).toBeLessThan(firstPages + 10);
  });
});

describe("a kernel that has served a run", () => {
  it("is like a new one: same addresses, zeroed blocks, no output, no error, no input", () => {
    const used = begin(1_000_000, new Blocks(), new Uint8Array(1000).fill(0xaa));
    used.f.output_set(1n << 32n, 1n);
    used.f.error_set(1n << 32n);
    begin(1_000_000, used);
    for (let i = 0; i < 10; i++) {
      used.f.free(used.f.alloc(1_000_000n));
    }
    for (let i = 0; i < 500; i++) {
      const block = used.f.alloc(BigInt(1 + i * 3));
      for (let at = 0n; at < BigInt(1 + i * 3); at++) {
        used.f.store_u8(block + at, 0xaa);
      }
      used.f.output_set(block, 1n);
      used.f.error_set(block);
      if (i % 3 === 0) {
        used.f.free(block);
      }
    }
    begin(1_000_000, used);
    const fresh = begin(1_000_000);
    for (const blocks of [used, fresh]) {
      expect(blocks.output).toEqual(new Uint8Array(0));
      expect(blocks.error(10)).toBeUndefined();
      expect(blocks.stop).toBeUndefined();
      expect([blocks.f.input_offset(), blocks.f.input_length()]).toEqual([0n, 0n]);
      expect(stopOf(blocks, () => blocks.f.input_load_u8(0n))).toBe(bounds);
      expect(stopOf(blocks, () => blocks.f.length(1n << 32n))).toBe(bounds);
    }
    for (const blocks of [used, fresh]) {
      for (let i = 0; i < 10; i++) {
        blocks.f.free(blocks.f.alloc(1_000_000n));
      }
    }
    for (let i = 0; i < 300; i++) {
      const address = used.f.alloc(BigInt(1 + i * 7));
      expect(address).toBe(fresh.f.alloc(BigInt(1 + i * 7)));
      expect(same(used.read(address), new Uint8Array(1 + i * 7))).toBe(true);
    }
  });
});

describe("a block that is larger than all there were", () => {
  it("is zeroed where they were and where none was", () => {
    for (const length of [1, 63, 64, 65, 999, 1000, 1008, 70_000]) {
      const blocks = begin(1_000_000);
      const small = blocks.f.alloc(BigInt(length));
      for (let at = 0n; at < BigInt(length); at++) {
        blocks.f.store_u8(small + at, 0xaa);
      }
      begin(1_000_000, blocks);
      expect(same(blocks.read(blocks.f.alloc(100_000n)), new Uint8Array(100_000)), String(length)).toBe(true);
    }
  });
});

describe("a thread's kernel", () => {
  it("serves run after run until one has made it large", () => {
    const kernel = takeKernel();
    begin(268_435_456, kernel.blocks).f.alloc(1_000_000n);
    returnKernel(kernel);
    expect(takeKernel()).toBe(kernel);
    begin(268_435_456, kernel.blocks).f.alloc(20_000_000n);
    expect(takeKernel()).toBe(kernel);
    returnKernel(kernel);
    const next = takeKernel();
    expect(next).not.toBe(kernel);
    returnKernel(kernel);
    expect(takeKernel()).toBe(next);
    expect(next.blocks.pages).toBe(firstPages);
  });

  it("does nothing for a guest outside a run", () => {
    const { functions } = new Kernel();
    const call = functions["extism:host/user"]?.["clock_now"] as unknown as (address: bigint) => bigint;
    expect(() => call(0n)).toThrow(expect.objectContaining({ code: "EXO_INTERNAL" }));
  });
});

/** A small generator of its own, so that a failure can be run again. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe("any order of calls", () => {
  // What a guest may see is told by a map from addresses to bytes; nothing of the heap's own bookkeeping is in it.
  it("keeps every block's bytes and gives the addresses a new kernel gives", () => {
    const cap = 300_000;
    const used = new Blocks();
    for (let seed = 1; seed <= 12; seed++) {
      const next = random(seed);
      const blocks = begin(cap, used);
      const fresh = begin(cap);
      const model = new Map<bigint, Uint8Array>();
      const freed: bigint[] = [];
      let count = 0;
      const cost = (length: number): number => Math.max(64, length);
      let output: Uint8Array | undefined;
      for (let step = 0; step < 2000; step++) {
        const addresses = [...model.keys()];
        const address = addresses[next(addresses.length)] as bigint;
        const kind = next(10);
        if (kind < 4 || addresses.length === 0) {
          const length = 1 + next([16, 64, 200, 5000, 60_000][next(5)] as number);
          if (count + cost(length) > cap) {
            continue;
          }
          const given = blocks.f.alloc(BigInt(length));
          expect(given).toBe(fresh.f.alloc(BigInt(length)));
          expect(model.has(given)).toBe(false);
          expect(same(blocks.read(given), new Uint8Array(length))).toBe(true);
          model.set(given, new Uint8Array(length));
          count += cost(length);
        } else if (kind < 7) {
          const bytes = model.get(address) as Uint8Array;
          const at = next(bytes.length);
          bytes[at] = 1 + next(255);
          blocks.f.store_u8(address + BigInt(at), bytes[at]);
        } else if (kind < 9) {
          for (const one of [blocks, fresh]) {
            one.f.free(address);
          }
          freed.push(address);
          count -= cost((model.get(address) as Uint8Array).length);
          model.delete(address);
        } else if (output === undefined) {
          const bytes = model.get(address) as Uint8Array;
          const at = next(bytes.length);
          output = bytes.subarray(at, at + 1000);
          blocks.f.output_set(address + BigInt(at), BigInt(output.length));
          // The block may be freed and then counts on.
          count += cost(bytes.length);
        }
      }
      for (const [address, bytes] of model) {
        expect(same(blocks.read(address), bytes)).toBe(true);
        expect(stopOf(blocks, () => blocks.f.load_u8(address + BigInt(bytes.length)))).toBe(bounds);
      }
      for (const address of freed) {
        expect(blocks.f.length(address)).toBe(0n);
      }
      expect(same(blocks.output, output as Uint8Array)).toBe(true);
      expect(blocks.pages * pageBytes).toBeLessThan(firstPages * pageBytes + 2.5 * cap);
    }
  });
});
