import { describe, expect, it } from "vitest";
import type { SandboxOutcome } from "../../src/ports.js";
import { Kernel } from "../../src/sandbox/imports/kernel.js";
import { bytes, createPool, job, number, program, runHere, text } from "../sandbox/support.js";

/** How each kernel function that takes an address is called with the wild address in `$a`; `$b` is a good block of 16 bytes. */
const uses: Readonly<Record<string, string>> = {
  free: "(call $free (local.get $a))",
  length: "(drop (call $length (local.get $a)))",
  length_unsafe: "(drop (call $length_unsafe (local.get $a)))",
  load_u8: "(drop (call $load_u8 (local.get $a)))",
  load_u64: "(drop (call $load_u64 (local.get $a)))",
  store_u8: "(call $store_u8 (local.get $a) (i32.const 1))",
  store_u64: "(call $store_u64 (local.get $a) (i64.const 1))",
  input_load_u8: "(drop (call $input_load_u8 (local.get $a)))",
  input_load_u64: "(drop (call $input_load_u64 (local.get $a)))",
  output_set: "(call $output_set (local.get $a) (i64.const 8))",
  error_set: "(call $error_set (local.get $a))",
  config_get: "(drop (call $config_get (local.get $a)))",
  var_get: "(drop (call $var_get (local.get $a)))",
  "var_set key": "(call $var_set (local.get $a) (local.get $b))",
  "var_set value": "(call $var_set (local.get $b) (local.get $a))",
  log_trace: "(call $log_trace (local.get $a))",
  log_debug: "(call $log_debug (local.get $a))",
  log_info: "(call $log_info (local.get $a))",
  log_warn: "(call $log_warn (local.get $a))",
  log_error: "(call $log_error (local.get $a))",
  clock_now: "(drop (call $clock_now (local.get $a)))",
};

/** Addresses that are no block's; `$b` is the address of a live block of 16 bytes, the last block there is. */
const wild: Readonly<Record<string, string>> = {
  "a small number": "(i64.const 24)",
  "an offset without a block": "(i64.const 0xffffffff)",
  "the next slot": "(i64.add (local.get $b) (i64.const 0x100000000))",
  "another generation": "(i64.add (local.get $b) (i64.const 0x1000000000000))",
  "the last address": "(i64.const -1)",
  "the sign bit": "(i64.xor (local.get $b) (i64.const 0x8000000000000000))",
  "the end of a block": "(i64.add (local.get $b) (i64.const 16))",
  "far behind a block": "(i64.add (local.get $b) (i64.const 0xfffffff8))",
  "before a block": "(i64.sub (local.get $b) (i64.const 1))",
  "the last word of a block's half": "(i64.add (local.get $b) (i64.const 0xffffffff))",
  "the slot of no block": "(i64.const 0x1000000000000)",
  "the tag that no block has": "(i64.const 0xffffffff00000000)",
};

const bounds = { status: "trapped", error: { code: "EXO_KERNEL_BOUNDS" } };

describe("a wild address ends the run", () => {
  it("covers every kernel function that takes one", () => {
    const none = ["alloc", "input_offset", "input_length", "get_log_level"];
    const covered = new Set(Object.keys(uses).map((use) => use.split(" ")[0]));
    const names = Object.keys(new Kernel().functions["extism:host/env"] ?? {});
    expect(names.filter((name) => !covered.has(name))).toEqual(none);
  });

  for (const [use, call] of Object.entries(uses)) {
    it(use, async () => {
      for (const [kind, address] of Object.entries(wild)) {
        const module = program(`(local.set $b (call $alloc (i64.const 16))) (local.set $a ${address}) ${call}`);
        const outcome = await runHere(module, { input: new Uint8Array(20) });
        expect(outcome, kind).toMatchObject({ ...bounds, hostCalls: 0 });
        expect(outcome.output).toBeUndefined();
        expect(await runHere(module, { input: new Uint8Array(20) })).toEqual(outcome);
      }
    });
  }
});

describe("an access that begins inside and ends outside ends the run", () => {
  const partly: Readonly<Record<string, string>> = {
    load_u64: "(drop (call $load_u64 (i64.add (local.get $b) (i64.const 9))))",
    store_u64: "(call $store_u64 (i64.add (local.get $b) (i64.const 9)) (i64.const 1))",
    input_load_u64: "(drop (call $input_load_u64 (i64.const 13)))",
    "input_load_u64 wrapped": "(drop (call $input_load_u64 (i64.const -4)))",
    output_set: "(call $output_set (local.get $b) (i64.const 17))",
    "output_set inside": "(call $output_set (i64.add (local.get $b) (i64.const 15)) (i64.const 2))",
    "output_set into the next block":
      "(drop (call $alloc (i64.const 64))) (call $output_set (local.get $b) (i64.const 40))",
    "output_set of nothing": "(call $output_set (i64.const 0) (i64.const 1))",
    "output_set of no bytes nowhere": "(call $output_set (i64.const 8) (i64.const 0))",
  };
  for (const [use, call] of Object.entries(partly)) {
    it(use, async () => {
      const module = program(`(local.set $b (call $alloc (i64.const 16))) ${call}`);
      expect(await runHere(module, { input: new Uint8Array(20) })).toMatchObject(bounds);
    });
  }
});

describe("an address inside a block is not the block", () => {
  for (const [use, call] of Object.entries(uses)) {
    if (/load_|store_|output_set/.test(use)) {
      continue;
    }
    it(use, async () => {
      const body = `(local.set $b (call $alloc (i64.const 16))) (local.set $a (i64.add (local.get $b) (i64.const 8))) ${call}`;
      expect(await runHere(program(body))).toMatchObject(bounds);
    });
  }
});

describe("a freed block is dead", () => {
  for (const [use, call] of Object.entries(uses)) {
    if (/^(free|length|length_unsafe|input_)/.test(use)) {
      continue;
    }
    it(use, async () => {
      const body = `(local.set $b (call $alloc (i64.const 16))) (local.set $a (call $alloc (i64.const 16)))
        (call $free (local.get $a)) (drop (call $alloc (i64.const 16))) ${call}`;
      expect(await runHere(program(body))).toMatchObject(bounds);
    });
  }
});

describe("lengths beyond everything", () => {
  const out = { status: "out_of_memory", error: { code: "EXO_OUT_OF_MEMORY" } };
  for (const length of ["1048577", "0x100000000", "0x100000010", "0x200000008", "0x1000000000000"]) {
    it(`a block of ${length} bytes`, async () => {
      const module = program(`(drop (call $alloc (i64.const ${length})))`);
      expect(await runHere(module, { limits: { fuel: 2 ** 53 - 1 } })).toMatchObject(out);
    });
    it(`an output of ${length} bytes`, async () => {
      const module = program(`(call $output_set (call $alloc (i64.const 16)) (i64.const ${length}))`);
      const limits = { fuel: 2 ** 53 - 1, outputBytes: 1_048_576 };
      expect(await runHere(module, { limits })).toMatchObject({
        status: "output_limit",
        error: { code: "EXO_OUTPUT_LIMIT" },
      });
    });
  }

  it("a block the host has no memory for is the host's fault, whatever the guest makes of it", async () => {
    const module = program("(drop (call $alloc (i64.const 0x100000000))) (return (i32.const 1))");
    expect(await runHere(module, { limits: { fuel: 2 ** 53 - 1, kernelBytes: 2 ** 40 } })).toMatchObject({
      status: "host_fault",
      error: { code: "EXO_HOST_FAULT" },
    });
  });

  it("an input that wraps around", async () => {
    for (const offset of [20, 13, 0xffff_ffff, 0x1_0000_0000, -1, -8, -9, -20]) {
      const module = program(`(drop (call $input_load_u64 (i64.const ${offset})))`);
      expect(await runHere(module, { input: new Uint8Array(20) }), String(offset)).toMatchObject(bounds);
    }
  });
});

/** WAT: does `body` `count` times, counting in memory at 0. */
const times = (count: number, body: string): string => `(i32.store (i32.const 0) (i32.const 0))
  (loop $times ${body}
    (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
    (br_if $times (i32.lt_u (i32.load (i32.const 0)) (i32.const ${count}))))`;

describe("an address kept until its place is used again", () => {
  const stale = (uses: number, rest: string) =>
    program(`(local.set $a (call $alloc (i64.const 16))) (call $free (local.get $a))
      ${times(uses, "(call $free (local.get $b)) (local.set $b (call $alloc (i64.const 16)))")} ${rest}`);
  const limits = { fuel: 1_000_000_000 };

  it("is dead for 65,535 uses", async () => {
    for (const uses of [1, 1000, 65_535]) {
      expect(await runHere(stale(uses, "(drop (call $load_u8 (local.get $a)))"), { limits })).toMatchObject(bounds);
      const kept = stale(uses, "(call $free (local.get $a)) (call $show (call $length (local.get $b)))");
      expect(number(await runHere(kept, { limits }))).toBe(16n);
    }
  });

  it("is the new block's then, and that of the one before stays dead", async () => {
    const same = stale(65_536, "(call $show (i64.sub (local.get $a) (local.get $b)))");
    expect(number(await runHere(same, { limits }))).toBe(0n);
    const before = "(i64.add (local.get $a) (i64.const 0xffff000000000000))";
    const dead = stale(65_536, `(drop (call $load_u8 ${before}))`);
    expect(await runHere(dead, { limits })).toMatchObject(bounds);
    const freed = stale(65_536, `(call $free ${before}) (call $show (call $length ${before}))`);
    expect(number(await runHere(freed, { limits }))).toBe(0n);
  });
});

describe("a guest that frees a lot", () => {
  const limits = { fuel: 3_000_000_000, kernelBytes: 8_388_608 };

  it("cannot make the kernel's work grow faster than its fuel", async () => {
    const module = program(`
      ${times(60_000, "(local.set $b (call $alloc (i64.const 1)))")}
      ${times(1_000_000, "(call $free (local.get $a)) (local.set $a (call $alloc (i64.const 1)))")}
      (call $show (call $length (local.get $b)))`);
    const started = performance.now();
    expect(number(await runHere(module, { limits }))).toBe(1n);
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  it("gets all its bytes in one piece, however small the pieces it freed were", async () => {
    // Every other of 40,000 blocks is freed, and what is left of the cap but 64 bytes is asked for as one block.
    const module = program(`
      ${times(
        40_000,
        `(local.set $b (local.get $a)) (local.set $a (call $alloc (i64.const 100)))
        (call $store_u8 (local.get $a) (i32.load (i32.const 0)))
        (if (i32.and (i32.load (i32.const 0)) (i32.const 1)) (then (call $free (local.get $b))))`,
      )}
      (local.set $b (call $alloc (i64.const ${8_388_608 - 2_000_064})))
      (call $store_u8 (i64.add (local.get $b) (i64.const ${8_388_608 - 2_000_065})) (i32.const 255))
      (if (i32.ne (call $load_u8 (local.get $a)) (i32.const ${39_999 & 0xff})) (then unreachable))
      (call $show (call $load_u64 (i64.add (local.get $b) (i64.const ${8_388_608 - 2_000_072}))))`);
    const first = await runHere(module, { limits });
    expect(number(first)).toBe(0xff00_0000_0000_0000n);
    expect(await runHere(module, { limits })).toEqual(first);
    const more = { ...limits, kernelBytes: limits.kernelBytes - 1 };
    expect(await runHere(module, { limits: more })).toMatchObject({ status: "out_of_memory" });
  });
});

describe("what a run leaves behind", () => {
  const secret = 0x5ec5_e75e_c5e7_5ec5n;
  const leave = (end: string) =>
    program(`
      ${times(
        200,
        `(local.set $a (call $alloc (i64.const 2000))) (local.set $b (i64.const 0))
        (loop $fill
          (call $store_u64 (i64.add (local.get $a) (local.get $b)) (i64.const ${secret}))
          (br_if $fill (i64.lt_u (local.tee $b (i64.add (local.get $b) (i64.const 8))) (i64.const 2000))))`,
      )}
      (call $output_set (local.get $a) (i64.const 2000)) (call $error_set (local.get $a))
      (call $var_set (call $text (i32.const 8) (i32.const 1)) (call $text (i32.const 8) (i32.const 8))) ${end}`);
  // Reads every byte of blocks of all sizes, the variable, and tries the first address of the run before.
  const look = program(`
    ${times(
      150,
      `(local.set $a (call $alloc (i64.extend_i32_u (i32.mul (i32.const 9) (i32.add (i32.const 1) (i32.load (i32.const 0)))))))
      (local.set $i (i32.wrap_i64 (call $length (local.get $a))))
      (loop $read
        (local.set $i (i32.sub (local.get $i) (i32.const 1)))
        (if (call $load_u8 (i64.add (local.get $a) (i64.extend_i32_u (local.get $i)))) (then unreachable))
        (br_if $read (local.get $i)))`,
    )}
    (if (i64.ne (call $var_get (call $text (i32.const 8) (i32.const 1))) (i64.const 0)) (then unreachable))
    (if (i64.ne (call $input_length) (i64.const 0)) (then unreachable))`);
  const peek = (address: string) => program(`(drop (call $load_u8 (i64.const ${address})))`);
  const ends: Readonly<Record<string, string>> = {
    // An error was set.
    guest_error: "",
    trapped: "unreachable",
    out_of_fuel: "(loop $l (br $l))",
    out_of_memory: "(drop (call $alloc (i64.const 1048576)))",
    output_limit: "(call $output_set (local.get $a) (i64.const 65537))",
  };
  const input = new Uint8Array(5000).fill(0x5e);

  async function check(run: (module: ReturnType<typeof program>, input?: Uint8Array) => Promise<SandboxOutcome>) {
    const clean = await run(look);
    expect(clean).toMatchObject({ status: "completed", output: new Uint8Array(0) });
    for (const [status, end] of Object.entries(ends)) {
      expect((await run(leave(end), input)).status).toBe(status);
      expect(await run(look), status).toEqual(clean);
      for (const address of ["0x100000000", "0x200000000", "0xc800000000"]) {
        await run(leave(end), input);
        expect(await run(peek(address)), status).toMatchObject(bounds);
      }
    }
  }

  it("is not to be seen by the next one in the same thread", () =>
    check((module, given = new Uint8Array(0)) => runHere(module, { input: given })));

  it("is not to be seen by the next one in the same worker", async () => {
    const pool = createPool();
    await check((module, given = new Uint8Array(0)) => pool.run(job(module, { input: given })));
    await pool.close();
  });
});

describe("an output and what it shares", () => {
  const run = (body: string, data = "") =>
    runHere(program(body, `(data (i32.const 8) "${data}")`), { input: bytes("the input") });

  it("with the input is what the input is at the end", async () => {
    const body = `(call $output_set (i64.add (call $input_offset) (i64.const 4)) (i64.const 5))
      (call $store_u8 (i64.add (call $input_offset) (i64.const 4)) (i32.const 73))`;
    expect(text((await run(body)).output)).toBe("Input");
    const freed = `${body} (call $free (call $input_offset)) (local.set $a (call $alloc (i64.const 9)))
      (call $store_u64 (local.get $a) (i64.const -1)) (call $store_u8 (local.get $a) (i32.const 1))`;
    expect(text((await run(freed)).output)).toBe("Input");
  });

  it("with the error, both of a block that was freed", async () => {
    const body = `(local.set $a (call $text (i32.const 8) (i32.const 6)))
      (call $output_set (local.get $a) (i64.const 3)) (call $error_set (local.get $a)) (call $free (local.get $a))
      ${times(100, `(local.set $b (call $alloc (i64.const 64))) (call $store_u64 (local.get $b) (i64.const -1))`)}`;
    expect(await run(body, "shared")).toMatchObject({ status: "guest_error", error: { message: "shared" } });
    expect(text((await run(`${body} (call $error_set (i64.const 0))`, "shared")).output)).toBe("sha");
  });

  it("with nobody: the last of many is the one", async () => {
    const body = `${times(
      300,
      `(local.set $a (call $alloc (i64.const 5000)))
      (call $store_u64 (i64.add (local.get $a) (i64.const 4990)) (i64.extend_i32_u (i32.load (i32.const 0))))
      (call $output_set (i64.add (local.get $a) (i64.const 4990)) (i64.const 8)) (call $free (local.get $a))`,
    )}`;
    expect(number(await run(body))).toBe(299n);
  });

  it("is the run's own copy: a later run does not change it", async () => {
    const module = program("(call $all (call $text (i32.const 8) (i32.const 4)))", `(data (i32.const 8) "mine")`);
    const first = await runHere(module);
    await runHere(program("(call $store_u64 (call $alloc (i64.const 8)) (i64.const -1))"));
    expect(text(first.output)).toBe("mine");
    expect(first.output?.buffer.byteLength).toBe(4);
  });
});
