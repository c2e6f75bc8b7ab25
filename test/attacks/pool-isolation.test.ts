import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SandboxHost } from "../../src/ports.js";
import { createPool, guest, job, number, program } from "../sandbox/support.js";
import { realPool } from "../support/real.js";
import { checkStore, endOf, openRig } from "../support/rig.js";
import { hostilePlugin } from "./support.js";

/** Little-endian bytes of an i64, as an input. */
const word = (value: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(value).buffer);
const every = (count: number, body: string): string =>
  `(local.set $i (i32.const 0)) (loop $l ${body}
    (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const ${count}))))`;

let pool: SandboxHost;
beforeAll(() => {
  // One worker: whatever could stay behind would be met by the next run.
  pool = createPool({ size: 1 });
});
afterAll(() => pool.close());

describe("what one run leaves for the next", () => {
  it("memory, globals, tables, dropped segments, grown memory and variables are as at the first", async () => {
    const module = guest(`(global $g (mut i64) (i64.const 5)) (table $t 2 funcref) (elem $e func $f) (data $d "\\07")
      (func $f) (func $key (result i64) (call $text (i32.const 8) (i32.const 4)))
      (func (export "run") (result i32)
        (memory.init $d (i32.const 16) (i32.const 0) (i32.const 1))
        (table.init $t $e (i32.const 1) (i32.const 0) (i32.const 1))
        (call $show (i64.or (i64.or (i64.or (i64.load (i32.const 0)) (i64.shl (global.get $g) (i64.const 8)))
          (i64.or (i64.shl (i64.extend_i32_u (ref.is_null (table.get $t (i32.const 0)))) (i64.const 16))
            (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 24))))
          (i64.or (i64.shl (call $var_get (call $key)) (i64.const 32))
            (i64.shl (i64.load8_u (i32.const 16)) (i64.const 56)))))
        (i64.store (i32.const 0) (i64.const 99)) (global.set $g (i64.const 77))
        (table.set $t (i32.const 0) (ref.func $f)) (data.drop $d) (elem.drop $e) (drop (memory.grow (i32.const 2)))
        (call $var_set (call $key) (call $alloc (i64.const 8)))
        (i32.const 0))`);
    const first = await pool.run(job(module));
    expect(number(first)).toBe(0x0700_0000_0101_0500n);
    for (let turn = 0; turn < 5; turn += 1) expect(await pool.run(job(module))).toEqual(first);
  });

  const secret = 0x5ec2_e700_5ec2_e700n;
  /** Fills many blocks with a secret and tells where one of them is. */
  const owner = program(`${every(
    200,
    `(local.set $a (call $alloc (i64.const 1024)))
      (local.set $b (i64.const 0))
      (loop $m (call $store_u64 (i64.add (local.get $a) (local.get $b)) (i64.const ${secret}))
        (br_if $m (i64.lt_u (local.tee $b (i64.add (local.get $b) (i64.const 8))) (i64.const 1024))))`,
  )}
    (call $show (local.get $a))`);

  it("a block's address of another run is an address outside of blocks", async () => {
    const address = number(await pool.run(job(owner)));
    const thief = program("(call $show (call $load_u64 (call $input_load_u64 (i64.const 0))))");
    const outcome = await pool.run(job(thief, { input: word(address) }));
    expect(outcome).toMatchObject({ status: "trapped", error: { code: "EXO_KERNEL_BOUNDS" } });
    expect(outcome.output).toBeUndefined();
  });

  it("a new block is nought where another run's secret was, at the same address and everywhere else", async () => {
    const address = number(await pool.run(job(owner, { input: word(0n) })));
    // As many blocks as there were; the sum of all words, and whether the address is met again.
    const sum = program(`${every(
      200,
      `(local.set $a (call $alloc (i64.const 1024)))
      (local.set $b (i64.const 0))
      (loop $m (i64.store (i32.const 0) (i64.or (i64.load (i32.const 0)) (call $load_u64 (i64.add (local.get $a) (local.get $b)))))
        (br_if $m (i64.lt_u (local.tee $b (i64.add (local.get $b) (i64.const 8))) (i64.const 1024))))`,
    )}
      (if (i64.eq (local.get $a) (call $input_load_u64 (i64.const 0))) (then (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1)))))
      (call $show (i64.load (i32.const 0)))`);
    expect(number(await pool.run(job(sum, { input: word(address) })))).toBe(1n);
  });

  it("outputs, errors and variables of the run before are nobody's", async () => {
    const loud = program(
      `(call $all (call $text (i32.const 0) (i32.const 6))) (call $error_set (call $text (i32.const 0) (i32.const 6)))
       (call $var_set (call $text (i32.const 0) (i32.const 6)) (call $text (i32.const 0) (i32.const 6)))
       (return (i32.const 1))`,
      `(data (i32.const 0) "secret")`,
    );
    const quiet = program("");
    const failing = program("(return (i32.const 1))");
    const asking = program(
      "(call $show (call $var_get (call $text (i32.const 0) (i32.const 6))))",
      `(data (i32.const 0) "secret")`,
    );
    for (let turn = 0; turn < 3; turn += 1) {
      expect(await pool.run(job(loud))).toMatchObject({ status: "guest_error", error: { message: "secret" } });
      expect((await pool.run(job(quiet))).output).toEqual(new Uint8Array(0));
      expect((await pool.run(job(failing))).error).toEqual({ code: "EXO_GUEST_ERROR" });
      expect(number(await pool.run(job(asking)))).toBe(0n);
    }
  });

  it("a run that was ended by its deadline leaves nothing for the worker that replaces it", async () => {
    const module = guest(`(global $g (mut i64) (i64.const 0)) (func (export "run") (result i32)
      (call $show (global.get $g)) (global.set $g (i64.const 1)) (i64.store (i32.const 0) (i64.const 1))
      (if (i64.ne (call $input_length) (i64.const 0)) (then (loop $l (br $l)))) (i32.const 0))`);
    const limits = { fuel: 9_000_000_000_000_000, timeoutMs: 100 };
    const ended = await pool.run(job(module, { input: word(1n), limits }));
    expect(ended).toMatchObject({ status: "timed_out", error: { code: "EXO_TIMED_OUT" } });
    expect(number(await pool.run(job(module)))).toBe(0n);
  });
});

describe("many at once", () => {
  const shared = realPool({ size: 2 });

  it("of one plugin see their own parameters, memory and answers only", async () => {
    let asked = 0;
    const rig = await openRig({
      sandbox: shared,
      plugins: [
        // Keeps its input in linear memory over a host call, and says it afterwards.
        hostilePlugin("keeper", {
          body: `(call $take (i32.const 64)) (drop (call $clock_now (call $text (i32.const 0) (i32.const 1))))
            (call $say (i32.const 64) (i32.wrap_i64 (call $input_length)))`,
          rest: `(data (i32.const 0) "\\80")`,
          capabilities: ["clock_now"],
          output: "json",
        }),
      ],
      rules: [{ id: "all", match: {}, verdict: "allow" }],
      grants: { keeper: { clock_now: {} } },
      performers: {
        clock_now: {
          perform: async () => {
            await sleep((asked++ * 7) % 5);
            return { outcome: "ok", value: { ms: 1 } };
          },
        },
      },
    });
    const secrets = Array.from({ length: 60 }, (_, turn) => ({ secret: `secret of ${turn} ${"x".repeat(turn * 7)}` }));
    const results = await Promise.all(
      secrets.map((parameters) => rig.pipeline.execute({ actor: "a", action: "attack.keeper", parameters })),
    );
    expect(results.map((result) => (result.status === "executed" ? result.output : endOf(result)))).toEqual(secrets);
    checkStore(rig);
  });
});

describe("branches that depend on the bits of a NaN", () => {
  const nan = "(f64.reinterpret_i64 (i64.const 0xfff4000000000123))";
  const nan32 = "(f32.reinterpret_i32 (i32.const 0xffa00123))";
  const zero = "(f64.load (i32.const 512))";
  const zero32 = "(f32.load (i32.const 512))";
  const infinite = "(f64.div (f64.const 1) (f64.load (i32.const 512)))";
  const zeros = "(v128.load (i32.const 528))";
  /** Ways to make a NaN of which the engine chooses sign and payload. */
  const makings: readonly string[] = [
    `(f64.div ${zero} ${zero})`,
    `(f64.sub ${infinite} ${infinite})`,
    `(f64.mul ${infinite} ${zero})`,
    `(f64.sqrt (f64.const -1))`,
    `(f64.add ${nan} ${zero})`,
    `(f64.add ${zero} ${nan})`,
    `(f64.add ${nan} (f64.div ${zero} ${zero}))`,
    `(f64.min ${nan} ${zero})`,
    `(f64.max ${zero} ${nan})`,
    `(f64.nearest ${nan})`,
    `(f64.promote_f32 ${nan32})`,
    `(f64.promote_f32 (f32.div ${zero32} ${zero32}))`,
    `(f64.promote_f32 (f32.demote_f64 ${nan}))`,
    `(f64.mul (f64.sub ${nan} ${zero}) (f64.ceil ${nan}))`,
    `(f64x2.extract_lane 1 (f64x2.div ${zeros} ${zeros}))`,
    `(f64x2.extract_lane 0 (f64x2.sqrt (f64x2.splat (f64.const -1))))`,
    `(f64x2.extract_lane 1 (f64x2.min (f64x2.splat ${nan}) ${zeros}))`,
    `(f64.promote_f32 (f32x4.extract_lane 3 (f32x4.mul (f32x4.splat ${nan32}) ${zeros})))`,
    `(f64x2.extract_lane 0 (f64x2.promote_low_f32x4 (f32x4.div ${zeros} ${zeros})))`,
  ];
  /** Ways in which the bits of a NaN `$x` can steer a guest: each gives an i64. */
  const looks: readonly string[] = [
    "(i64.reinterpret_f64 (local.get $x))",
    "(i64.reinterpret_f64 (f64.neg (local.get $x)))",
    "(i64.reinterpret_f64 (f64.abs (local.get $x)))",
    "(i64.reinterpret_f64 (f64.copysign (f64.const 2) (local.get $x)))",
    "(i64.extend_i32_u (i32.reinterpret_f32 (f32.demote_f64 (local.get $x))))",
    "(i64.trunc_sat_f64_s (f64.copysign (f64.const 9) (local.get $x)))",
    "(f64.store (i32.const 520) (local.get $x)) (i64.load (i32.const 520))",
    "(f64.store (i32.const 520) (local.get $x)) (i64.load8_u (i32.const 527))",
    "(global.set $g (local.get $x)) (i64.reinterpret_f64 (global.get $g))",
    "(i64.reinterpret_f64 (call $through (local.get $x)))",
    "(i64x2.extract_lane 1 (f64x2.splat (local.get $x)))",
    "(i64x2.extract_lane 0 (f64x2.add (f64x2.splat (local.get $x)) (f64x2.splat (local.get $x))))",
    "(i64.extend_i32_u (i8x16.bitmask (f64x2.neg (f64x2.splat (local.get $x)))))",
    "(i64.reinterpret_f64 (select (local.get $x) (f64.const 0) (i32.const 1)))",
    "(if (result i64) (i64.lt_s (i64.reinterpret_f64 (local.get $x)) (i64.const 0)) (then (i64.const 1)) (else (i64.const 2)))",
  ];
  const canonical = 0x7ff8_0000_0000_0000n;
  const sign = 1n << 63n;
  const expected: readonly bigint[] = [
    canonical,
    canonical | sign,
    canonical,
    0x4000_0000_0000_0000n,
    0x7fc0_0000n,
    9n,
    canonical,
    0x7fn,
    canonical,
    canonical,
    canonical,
    canonical,
    // The sign bytes of two negated NaNs: ff f8 in each.
    0xc0c0n,
    canonical,
    2n,
  ];
  const functions = looks.map(
    (look, at) => `(func $look${at} (param $m i32) (result i64) (local $x f64)
      ${makings.map((making, way) => `(if (i32.eq (local.get $m) (i32.const ${way})) (then (local.set $x ${making})))`).join("\n")}
      ${look})`,
  );

  it("take the same way in every tier, however the NaN was made and is looked at", async () => {
    // Each look at each NaN, long enough to be compiled anew while it runs; a difference inside a run is a trap.
    const module = guest(`(global $g (mut f64) (f64.const 0)) (func $through (param f64) (result f64) (local.get 0))
      ${functions.join("\n")}
      (func (export "run") (result i32) (local $m i32) (local $i i32) (local $first i64) (local $block i64)
        (local.set $block (call $alloc (i64.const ${8 * looks.length})))
        ${looks
          .map(
            (_, at) => `(local.set $first (call $look${at} (i32.const 0))) (local.set $i (i32.const 0))
          (loop $again (local.set $m (i32.const 0))
            (loop $way
              (if (i64.ne (call $look${at} (local.get $m)) (local.get $first)) (then unreachable))
              (br_if $way (i32.lt_u (local.tee $m (i32.add (local.get $m) (i32.const 1))) (i32.const ${makings.length}))))
            (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1500))))
          (call $store_u64 (i64.add (local.get $block) (i64.const ${8 * at})) (local.get $first))`,
          )
          .join("\n")}
        (call $all (local.get $block)) (i32.const 0))`);
    const limits = { fuel: 1_000_000_000 };
    const first = await pool.run(job(module, { limits }));
    expect(first).toMatchObject({ status: "completed" });
    expect([...new BigUint64Array((first.output as Uint8Array).slice().buffer)]).toEqual(expected);
    for (let turn = 0; turn < 4; turn += 1) expect(await pool.run(job(module, { limits }))).toEqual(first);
    const fresh = createPool({ size: 1 });
    expect(await fresh.run(job(module, { limits }))).toEqual(first);
    await fresh.close();
  });

  it("a NaN that only passes through memory keeps its payload", async () => {
    const module = program(`(i64.store (i32.const 0) (i64.const 0x7ff4000000000abc))
      (f64.store (i32.const 8) (f64.load (i32.const 0))) (call $show (i64.load (i32.const 8)))`);
    expect(number(await pool.run(job(module)))).toBe(0x7ff4_0000_0000_0abcn);
  });
});
