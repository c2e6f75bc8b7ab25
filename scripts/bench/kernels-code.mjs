/** Kernels of the fuel section that are about control, numbers, calls and the host. */
import { binary, chain, next, times, unary } from "./kernel-text.mjs";

/** A switch with so many labels to eight places, by the upper bits of $a. */
const switchOf = (labels, shift) => `
  ${times(8, "(block")} (br_table ${times(labels / 8, "0 1 2 3 4 5 6 7")} (i32.shr_u (local.get $a) (i32.const ${shift})))
  ${times(8, ") (local.set $c (i32.add (local.get $c) (i32.const @)))")}`;

const simd = (name, expression, count = 24) => ({
  name,
  group: "SIMD",
  simd: true,
  body: times(count, chain("$v", expression)),
});
const lanes = (op) => simd(op, `(${op} (local.get $v) (local.get $w))`);

/** A call of an import, with what it takes; `imports` has its type. */
const host = (name, params, result, call) => ({
  name: `host call, ${name}`,
  group: "host calls",
  imports: `(import "extism:host/env" "${name}" (func $host (param ${params}) ${result}))`,
  body: times(4, call),
});

/** See kernel-text.mjs for what is in a kernel. */
export const codeKernels = [
  { name: "empty loop", group: "control", bare: true, body: "(loop $l (br $l))" },
  {
    name: "counting loop",
    group: "control",
    bare: true,
    body: "(loop $l (br_if $l (local.tee $a (i32.add (local.get $a) (i32.const 1)))) (br $l))",
  },
  {
    name: "if, unforeseeable",
    group: "control",
    body: times(
      8,
      `${next} (if (i32.lt_s (local.get $a) (i32.const 0)) (then ${binary("c", "i32.xor", "b")}) (else ${binary("d", "i32.add", "a")}))`,
    ),
  },
  { name: "br_table of 8, unforeseeable", group: "control", body: times(4, `${next} ${switchOf(8, 29)}`) },
  { name: "br_table of 1,024, unforeseeable", group: "control", body: times(4, `${next} ${switchOf(1024, 22)}`) },
  {
    name: "select",
    group: "control",
    body: times(
      12,
      `${next} (local.set $c (select (local.get $b) (local.get $c) (i32.lt_s (local.get $a) (i32.const 0))))`,
    ),
  },
  {
    name: "i32, dense",
    group: "integer",
    body: times(
      8,
      `${binary("a", "i32.add", "b")} ${binary("b", "i32.xor", "a")} ${chain("$c", "(i32.rotl (local.get $c) (local.get $a))")} ${binary("d", "i32.sub", "c")}`,
    ),
  },
  {
    name: "i64, dense",
    group: "integer",
    body: times(12, `${binary("x", "i64.add", "y")} ${binary("y", "i64.xor", "x")}`),
  },
  {
    name: "i32.mul",
    group: "integer",
    body: times(24, `${binary("a", "i32.mul", "b")} ${binary("b", "i32.xor", "a")}`),
  },
  {
    name: "i64.mul",
    group: "integer",
    body: times(24, `${binary("x", "i64.mul", "y")} ${binary("y", "i64.xor", "x")}`),
  },
  {
    name: "i32.div_u, one chain",
    group: "integer",
    body: times(
      12,
      chain("$a", "(i32.sub (local.get $b) (i32.div_u (local.get $a) (i32.or (local.get $a) (i32.const 3))))"),
    ),
  },
  {
    name: "i32.rem_s, one chain",
    group: "integer",
    body: times(12, chain("$a", "(i32.sub (i32.const -7) (i32.rem_s (local.get $a) (i32.const 1000003)))")),
  },
  {
    name: "i64.div_s, one chain",
    group: "integer",
    body: times(
      12,
      chain(
        "$x",
        "(i64.xor (local.get $y) (i64.div_s (i64.const -9123456789123456789) (i64.or (local.get $x) (i64.const 3))))",
      ),
    ),
  },
  {
    name: "i64.rem_u, one chain",
    group: "integer",
    body: times(
      12,
      chain("$x", "(i64.xor (local.get $y) (i64.rem_u (i64.const -123456789) (i64.or (local.get $x) (i64.const 3))))"),
    ),
  },
  {
    name: "clz, ctz, popcnt",
    group: "integer",
    body: times(
      8,
      `${chain("$a", "(i32.add (i32.clz (local.get $a)) (i32.const 99))")} ${chain("$a", "(i32.add (i32.ctz (local.get $a)) (local.get $b))")} ${chain("$x", "(i64.add (i64.popcnt (local.get $x)) (local.get $y))")}`,
    ),
  },
  {
    name: "sign extension",
    group: "integer",
    body: times(
      12,
      `${chain("$a", "(i32.extend8_s (i32.add (local.get $a) (local.get $b)))")} ${chain("$x", "(i64.extend32_s (i64.add (local.get $x) (local.get $y)))")}`,
    ),
  },
  { name: "call of a leaf", group: "calls", body: times(12, chain("$a", "(call $leaf (local.get $a))")) },
  {
    name: "call of a loop",
    group: "calls",
    fields:
      "(func $once (param i32) (result i32) (loop $l (br_if $l (i32.eq (local.get 0) (i32.const -1)))) (i32.xor (local.get 0) (i32.const 5)))",
    body: times(12, chain("$a", "(call $once (local.get $a))")),
  },
  {
    name: "call with 100 parameters",
    group: "calls",
    fields: `(func $many (param ${times(100, "i64").replaceAll("\n", " ")}) (result i64) (i64.add (local.get 0) (local.get 99)))`,
    body: times(2, chain("$x", `(call $many ${times(100, "(local.get $x)")})`)),
  },
  {
    name: "call with 1,000 live locals",
    group: "calls",
    fields: `(func $wide (local ${times(1000, "i32").replaceAll("\n", " ")})
      ${times(1000, "(local.set @ (i32.load offset=@ (i32.const 1024)))")}
      ${times(1000, "(i32.store offset=@ (i32.const 4096) (local.get @))")})`,
    body: "(call $wide)",
  },
  {
    name: "call with 10,000 zeroed locals",
    group: "calls",
    fields: `(func $zeroed (param i64) (result i64) (local ${times(10_000, "i64").replaceAll("\n", " ")}) (loop $l (br_if $l (i64.eq (local.get 0) (local.get 9999)))) (local.get 0))`,
    body: chain("$x", "(call $zeroed (i64.const 5))"),
  },
  {
    name: "recursion",
    group: "calls",
    fields:
      "(func $down (param i32) (result i32) (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1)) (else (i32.add (call $down (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))))",
    body: chain("$c", "(call $down (i32.const 100))"),
  },
  {
    name: "call_indirect, one target",
    group: "calls",
    body: times(8, chain("$a", "(call_indirect $functions (type $unary) (local.get $a) (i32.const 0))")),
  },
  {
    name: "call_indirect, unforeseeable",
    group: "calls",
    body: times(
      8,
      `${next} ${chain("$c", "(call_indirect $functions (type $unary) (local.get $c) (i32.shr_u (local.get $a) (i32.const 30)))")}`,
    ),
  },
  { name: "f64.add, one chain", group: "float", body: times(24, binary("f", "f64.add", "g")) },
  { name: "f64.mul, one chain", group: "float", body: times(24, binary("f", "f64.mul", "g")) },
  {
    name: "f64.mul, subnormal",
    group: "float",
    body: times(
      12,
      chain("$f", "(f64.add (f64.mul (f64.const 1e-310) (local.get $g)) (f64.mul (local.get $f) (f64.const 0.3)))"),
    ),
  },
  { name: "f64.div, one chain", group: "float", body: times(24, binary("f", "f64.div", "g")) },
  {
    name: "f64.sqrt, one chain",
    group: "float",
    body: times(24, chain("$f", "(f64.sqrt (f64.add (local.get $f) (local.get $g)))")),
  },
  {
    name: "f64.min, f64.max",
    group: "float",
    body: times(12, `${binary("f", "f64.min", "g")} ${chain("$f", "(f64.max (local.get $f) (f64.const 0.5))")}`),
  },
  {
    name: "f64.floor, f64.nearest",
    group: "float",
    body: times(12, `${unary("f", "f64.floor")} ${unary("f", "f64.nearest")}`),
  },
  {
    name: "f32.mul, f32.div",
    group: "float",
    body: times(12, `${binary("s", "f32.mul", "t")} ${binary("s", "f32.div", "t")}`),
  },
  {
    name: "f32.sqrt, one chain",
    group: "float",
    body: times(24, chain("$s", "(f32.sqrt (f32.add (local.get $s) (local.get $t)))")),
  },
  {
    name: "f64 stores, each checked for NaN",
    group: "float",
    body: times(
      12,
      `(f64.store (i32.const @00) ${"(f64.mul (local.get $f) (local.get $g))"}) ${binary("f", "f64.add", "g")}`,
    ),
  },
  {
    name: "conversions",
    group: "float",
    body: times(
      8,
      `${chain("$f", "(f64.convert_i64_s (local.get $x))")} ${chain("$x", "(i64.trunc_sat_f64_s (f64.mul (local.get $f) (local.get $g)))")}`,
    ),
  },
  {
    name: "conversions, unsigned",
    group: "float",
    body: times(
      8,
      `${chain("$f", "(f64.convert_i64_u (local.get $x))")} ${chain("$x", "(i64.trunc_sat_f64_u (f64.mul (local.get $f) (local.get $g)))")}`,
    ),
  },
  {
    name: "promote, demote",
    group: "float",
    body: times(
      8,
      `${chain("$f", "(f64.promote_f32 (local.get $s))")} ${chain("$s", "(f32.demote_f64 (local.get $f))")}`,
    ),
  },
  lanes("i8x16.add"),
  lanes("i16x8.mul"),
  lanes("i64x2.mul"),
  lanes("i8x16.swizzle"),
  lanes("i16x8.q15mulr_sat_s"),
  lanes("i8x16.narrow_i16x8_s"),
  lanes("i8x16.avgr_u"),
  lanes("f32x4.add"),
  lanes("f32x4.div"),
  lanes("f32x4.pmin"),
  lanes("f64x2.mul"),
  lanes("f64x2.div"),
  lanes("f64x2.max"),
  simd("f32x4.sqrt", "(f32x4.sqrt (local.get $v))"),
  simd("f64x2.nearest", "(f64x2.nearest (local.get $v))"),
  simd("i8x16.popcnt", "(i8x16.popcnt (local.get $v))"),
  simd("i64x2.shr_s", "(i64x2.shr_s (local.get $v) (i32.const 3))"),
  simd("i8x16.shl", "(i8x16.shl (local.get $v) (local.get $b))"),
  simd("i32x4.trunc_sat_f64x2_u_zero", "(i32x4.trunc_sat_f64x2_u_zero (local.get $v))"),
  simd("i32x4.trunc_sat_f32x4_u", "(i32x4.trunc_sat_f32x4_u (local.get $v))"),
  simd("f32x4.convert_i32x4_u", "(f32x4.convert_i32x4_u (local.get $v))"),
  simd("i8x16.shuffle", "(i8x16.shuffle 3 17 5 2 31 0 9 8 22 21 1 4 30 7 6 15 (local.get $v) (local.get $w))"),
  simd("i8x16 lanes", "(i8x16.replace_lane 5 (local.get $v) (i8x16.extract_lane_u 9 (local.get $v)))"),
  simd("v128.bitselect", "(v128.bitselect (local.get $v) (local.get $w) (local.get $v))"),
  simd("v128.load", "(v128.xor (local.get $v) (v128.load offset=@00 (i32.const 64)))"),
  {
    name: "all_true, bitmask",
    group: "SIMD",
    simd: true,
    body: times(
      12,
      "(local.set $c (i32.add (i8x16.all_true (local.get $v)) (i8x16.bitmask (i8x16.add (local.get $v) (i8x16.splat (local.get $c))))))",
    ),
  },
  host("input_length", "", "(result i64)", "(local.set $x (i64.add (local.get $x) (call $host)))"),
  host("load_u64", "i64", "(result i64)", "(local.set $x (i64.add (local.get $x) (call $host (i64.const 8))))"),
  host("store_u64", "i64 i64", "", "(call $host (i64.const 8) (local.get $x))"),
  host("alloc", "i64", "(result i64)", "(local.set $x (i64.add (local.get $x) (call $host (i64.const 64))))"),
];
