import { describe, expect, test } from "vitest";
import { assemble, type Call, instantiate, pick, seal, simpleHost } from "../support.js";

const simd = { simd: true };

/** Runs `f` of a sealed module; a bigint of the 64 bits it returns. */
function run(source: string, ...calls: Call[]): { results: bigint[]; nans: number } {
  const sealed = seal(assemble(source, simd));
  const exports = instantiate(sealed.bytes, simpleHost().imports);
  pick(exports, "exo:fuel").value = 10n ** 9n;
  pick(exports, "exo:stack").value = 32_768;
  return {
    results: calls.map(([name, ...args]) => BigInt.asUintN(64, BigInt(String(pick(exports, name)(...args))))),
    nans: sealed.charges.nans,
  };
}

const canonical = 0x7ff8000000000000n;
const payload = 0x7ff8dead0000beefn;
const zeroOverZero = "(f64.div (local.get $z) (local.get $z))";

/** A function `f` of a zero that returns bits, and the number of places where a NaN is made canonical. */
const places: readonly (readonly [name: string, body: string, nans: number, bits?: bigint])[] = [
  ["reinterpreted at once", `(i64.reinterpret_f64 ${zeroOverZero})`, 1],
  [
    "arithmetic on arithmetic: only the last",
    `(i64.reinterpret_f64 (f64.add (f64.mul ${zeroOverZero} (f64.const 2)) (f64.const 1)))`,
    1,
  ],
  ["compared", `(i64.extend_i32_u (f64.lt ${zeroOverZero} (f64.const 1)))`, 0, 0n],
  ["converted", `(i64.trunc_sat_f64_s ${zeroOverZero})`, 0, 0n],
  ["dropped", `(drop ${zeroOverZero}) (i64.const 3)`, 0, 3n],
  ["the absolute value", `(i64.reinterpret_f64 (f64.abs ${zeroOverZero}))`, 1],
  [
    "negated: canonical first, so the sign is the negation's",
    `(i64.reinterpret_f64 (f64.neg ${zeroOverZero}))`,
    1,
    canonical | (1n << 63n),
  ],
  [
    "copysign, magnitude",
    `(i64.reinterpret_f64 (f64.copysign ${zeroOverZero} (f64.const -1)))`,
    1,
    canonical | (1n << 63n),
  ],
  ["copysign, sign", `(i64.reinterpret_f64 (f64.copysign (f64.const 2) ${zeroOverZero}))`, 1, 0x4000000000000000n],
  ["stored", `(f64.store (i32.const 0) ${zeroOverZero}) (i64.load (i32.const 0))`, 1],
  ["a global", `(global.set $g ${zeroOverZero}) (i64.reinterpret_f64 (global.get $g))`, 1],
  ["an argument", `(call $bits ${zeroOverZero})`, 1],
  ["through a local", `(local.set $x ${zeroOverZero}) (i64.reinterpret_f64 (local.get $x))`, 1],
  [
    "through a local, twice: at the source",
    `(local.set $x ${zeroOverZero}) (f64.store (i32.const 0) (local.get $x)) (i64.reinterpret_f64 (local.get $x))`,
    1,
  ],
  [
    "selected",
    `(i64.reinterpret_f64 (select ${zeroOverZero} (f64.sub (local.get $z) (f64.const 1)) (i32.const 1)))`,
    1,
  ],
  [
    "selected beside a load: at the source",
    `(i64.reinterpret_f64 (select ${zeroOverZero} (f64.load (i32.const 16)) (i32.const 1)))`,
    1,
  ],
  [
    "what was only loaded is left alone",
    `(local.set $x (f64.load (i32.const 16))) (f64.store (i32.const 0) (local.get $x)) (i64.load (i32.const 0))`,
    0,
    payload,
  ],
  [
    "what was loaded stays beside arithmetic",
    `(i64.reinterpret_f64 (select ${zeroOverZero} (f64.load (i32.const 16)) (i32.const 0)))`,
    1,
    payload,
  ],
  [
    "a constant NaN stays",
    `(i64.reinterpret_f64 (select ${zeroOverZero} (f64.const nan:0xdead0000beef) (i32.const 0)))`,
    1,
    0x7ff0dead0000beefn,
  ],
  [
    "joined by a block",
    `(i64.reinterpret_f64 (block $b (result f64) (drop (br_if $b ${zeroOverZero} (i32.const 1))) (f64.sqrt (f64.const -1))))`,
    1,
  ],
  [
    "joined by an if",
    `(i64.reinterpret_f64 (if (result f64) (i32.const 1) (then ${zeroOverZero}) (else (f64.const 2))))`,
    1,
  ],
  [
    "joined by an if through a local",
    `(if (i32.const 1) (then (local.set $x ${zeroOverZero}))) (i64.reinterpret_f64 (local.get $x))`,
    1,
  ],
  [
    "joined by br_table",
    `(i64.reinterpret_f64 (block $a (result f64) (block $b (result f64) (br_table $a $b ${zeroOverZero} (i32.const 0))) (f64.add (f64.const 1))))`,
    1,
  ],
  [
    "after a loop, not in it",
    `(loop $l (local.set $x (f64.add (local.get $x) ${zeroOverZero})) (br_if $l (i32.eqz (global.get $once))  (global.set $once (i32.const 1)))) (i64.reinterpret_f64 (local.get $x))`,
    1,
  ],
  [
    "in a loop that repeats it: at the source before it",
    `(local.set $x ${zeroOverZero}) (loop $l (f64.store (i32.const 0) (local.get $x)) (br_if $l (i32.eqz (global.get $once)) (global.set $once (i32.const 1)))) (i64.load (i32.const 0))`,
    1,
  ],
  ["demoted and promoted", `(i64.reinterpret_f64 (f64.promote_f32 (f32.demote_f64 ${zeroOverZero})))`, 1],
  ["f32", `(i64.extend_i32_u (i32.reinterpret_f32 (f32.demote_f64 ${zeroOverZero})))`, 1, 0x7fc00000n],
  [
    "two results of a block: at the source",
    `(block (result f64 f64) ${zeroOverZero} (f64.const 1)) (drop) (i64.reinterpret_f64)`,
    1,
  ],
  ["dead code", `(br 0 (i64.const 5)) (i64.reinterpret_f64 ${zeroOverZero})`, 0, 5n],
  // vectors
  ["a lane", `(i64x2.extract_lane 0 (f64x2.div (f64x2.splat (local.get $z)) (f64x2.splat (local.get $z))))`, 1],
  [
    "the same shape again",
    `(i64x2.extract_lane 1 (f64x2.add (f64x2.div (f64x2.splat (local.get $z)) (f64x2.splat (local.get $z))) (f64x2.splat (f64.const 1))))`,
    1,
  ],
  [
    "another shape sees bits",
    `(i64x2.extract_lane 0 (f32x4.mul (f64x2.div (f64x2.splat (local.get $z)) (f64x2.splat (local.get $z))) (v128.const f32x4 1 1 1 1)))`,
    2,
    0x7fc0000000000000n,
  ],
  [
    "compared in its shape",
    `(i64x2.extract_lane 0 (f64x2.eq (f64x2.div (f64x2.splat (local.get $z)) (f64x2.splat (local.get $z))) (v128.const i64x2 0 0)))`,
    0,
    0n,
  ],
  ["a scalar into a vector", `(i64x2.extract_lane 0 (f64x2.splat ${zeroOverZero}))`, 1],
  [
    "an accumulator from zero",
    `(local.set $v (f64x2.add (local.get $v) (f64x2.splat (f64.div (local.get $z) (local.get $z))))) (i64x2.extract_lane 0 (local.get $v))`,
    2,
  ],
  [
    "demoted lanes",
    `(i64x2.extract_lane 0 (f32x4.demote_f64x2_zero (f64x2.div (f64x2.splat (local.get $z)) (f64x2.splat (local.get $z)))))`,
    1,
    0x7fc000007fc00000n,
  ],
  [
    "bits of a vector",
    `(i64x2.extract_lane 0 (v128.not (f64x2.div (f64x2.splat (local.get $z)) (f64x2.splat (local.get $z)))))`,
    1,
    canonical ^ 0xffffffffffffffffn,
  ],
  [
    "pmin picks bits",
    `(i64x2.extract_lane 0 (f64x2.pmin (f64x2.div (f64x2.splat (local.get $z)) (f64x2.splat (local.get $z))) (v128.const i64x2 0 0)))`,
    1,
  ],
];

function source(body: string): string {
  return `(module (memory (export "memory") 1) (data (i32.const 16) "\\ef\\be\\00\\00\\ad\\de\\f8\\7f")
    (global $g (mut f64) (f64.const 0)) (global $once (mut i32) (i32.const 0))
    (func $bits (param f64) (result i64) (i64.reinterpret_f64 (local.get 0)))
    (func (export "f") (param $z f64) (result i64) (local $x f64) (local $v v128) ${body}))`;
}

describe("NaNs are made canonical where their bits come to light", () => {
  test.each(places.map(([name, ...rest]) => [name, rest] as const))("%s", (_, [body, nans, bits = canonical]) => {
    const ran = run(source(body), ["f", 0]);
    expect(ran.results[0]?.toString(16)).toBe(bits.toString(16));
    expect(ran.nans).toBe(nans);
  });

  test("a function too tangled to follow is made canonical at every source", () => {
    // 300 locals at 1,000 branches: more steps than the instructions pay for.
    const locals = Array.from(
      { length: 300 },
      (_, at) => `(local.set $x${at} (f64.add (local.get $x${at}) (local.get $z)))`,
    ).join(" ");
    const branches = Array.from({ length: 1000 }, () => `(br_if 0 (i32.const 0))`).join(" ");
    const tangled = `(module (func (export "f") (param $z f64) (result i64) ${Array.from({ length: 300 }, (_, at) => `(local $x${at} f64)`).join(" ")}
      (block ${locals} ${branches}) (i64.const 1)))`;
    expect(run(tangled, ["f", 0])).toEqual({ results: [1n], nans: 300 });
    expect(run(tangled.replace(branches, ""), ["f", 0])).toEqual({ results: [1n], nans: 0 });
  });
});
