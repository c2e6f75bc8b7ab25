import { describe, expect, it } from "vitest";
import { kernelImports } from "../../src/sandbox/kernel.js";
import { program, runHere } from "../sandbox/support.js";

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
};

const bounds = { status: "trapped", error: { code: "EXO_KERNEL_BOUNDS" } };

describe("a wild address ends the run", () => {
  it("covers every kernel function that takes one", () => {
    const none = ["alloc", "input_offset", "input_length", "get_log_level"];
    const covered = new Set(Object.keys(uses).map((use) => use.split(" ")[0]));
    expect(Object.keys(kernelImports).filter((name) => !covered.has(name))).toEqual(none);
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
