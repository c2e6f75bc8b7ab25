/** Guests of the corpus, as WAT. Each imports what it needs of the kernel; `run` is what is called unless a case says more. */

const list = (items, item) => items.map(item).join("\n");
const range = (count) => [...Array(count).keys()];
const hex = (bytes) => [...bytes].map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("");

/** A module with a memory of two pages that can send the first bytes of it as its output. */
function guest(body, { memory = "2 32", imports = "" } = {}) {
  return `(module
    (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
    (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
    (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
    ${imports}
    (memory (export "memory") ${memory})
    (func $send (param $length i32) (local $block i64) (local $at i32)
      (local.set $block (call $alloc (i64.extend_i32_u (local.get $length))))
      (loop $next
        (call $store_u64 (i64.add (local.get $block) (i64.extend_i32_u (local.get $at))) (i64.load (local.get $at)))
        (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (local.get $length))))
      (call $output_set (local.get $block) (i64.extend_i32_u (local.get $length))))
    ${body})`;
}

const special = [
  "7ff8000000000000",
  "fff8000000000000",
  "7ff8deadbeef0001",
  "fffc00000000cafe",
  "7ff0000000000001",
  "0000000000000000",
  "8000000000000000",
  "3ff0000000000000",
  "bff8000000000000",
  "7ff0000000000000",
  "fff0000000000000",
  "0000000000000001",
  "7fefffffffffffff",
  "47efffffffffffff",
  "36a0000000000000",
];
const special32 = [
  "7fc00000",
  "ffc00000",
  "7fdeadbe",
  "fff0cafe",
  "7f800001",
  "00000000",
  "80000000",
  "3f800000",
  "bfc00000",
  "7f800000",
  "ff800000",
  "00000001",
  "7f7fffff",
  "4f000000",
  "5effffff",
];
const little = (text) => Buffer.from(text, "hex").reverse();
const count = special.length;

const unary = ["sqrt", "ceil", "floor", "trunc", "nearest", "abs", "neg"];
const binary = ["add", "sub", "mul", "div", "min", "max", "copysign"];
const lanes = ["add", "sub", "mul", "div", "min", "max", "pmin", "pmax"];

/**
 * Every float instruction over all pairs of special values, so many times over that the compilers change below it.
 * Results are mixed into a sum of their bits, in order, and those of the last pass are the output.
 */
function floatTable(passes, vectors) {
  const mix = (bits) =>
    `(local.set $sum (i64.rotl (i64.xor (i64.mul (local.get $sum) (i64.const 0x100000001b3)) ${bits}) (i64.const 7)))`;
  const f64 = (name) => `(f64.load (local.get $${name}))`;
  const f32 = (name) => `(f32.load offset=1024 (i32.shr_u (local.get $${name}) (i32.const 1)))`;
  const bits64 = (value) => `(i64.reinterpret_f64 ${value})`;
  const bits32 = (value) => `(i64.extend_i32_u (i32.reinterpret_f32 ${value}))`;
  const wide = (name) => `(v128.load (local.get $${name}))`;
  const pair = (value) =>
    `(local.set $v ${value}) ${mix("(i64x2.extract_lane 0 (local.get $v))")} ${mix("(i64x2.extract_lane 1 (local.get $v))")}`;
  const scalar = `
    ${list(binary, (op) => mix(bits64(`(f64.${op} ${f64("a")} ${f64("b")})`)))}
    ${list(binary, (op) => mix(bits32(`(f32.${op} ${f32("a")} ${f32("b")})`)))}
    ${list(unary, (op) => mix(bits64(`(f64.${op} ${f64("a")})`)))}
    ${list(unary, (op) => mix(bits32(`(f32.${op} ${f32("a")})`)))}
    ${mix(bits32(`(f32.demote_f64 ${f64("a")})`))} ${mix(bits64(`(f64.promote_f32 ${f32("a")})`))}
    ${mix(bits64(`(f64.mul (f64.add ${f64("a")} ${f64("b")}) (f64.sub ${f64("b")} ${f64("a")}))`))}
    ${mix(bits64(`(f64.neg (f64.div ${f64("a")} ${f64("b")}))`))}
    ${mix(bits64(`(f64.abs (f64.sub ${f64("a")} ${f64("b")}))`))}
    ${mix(bits64(`(select ${f64("a")} (f64.sqrt ${f64("b")}) (f64.lt ${f64("a")} ${f64("b")}))`))}
    ${mix(bits64(`(f64.promote_f32 (f32.demote_f64 (f64.mul ${f64("a")} ${f64("b")})))`))}
    ${mix(`(i64.trunc_sat_f64_s (f64.add ${f64("a")} ${f64("b")}))`)} ${mix(`(i64.trunc_sat_f32_u ${f32("a")})`)}
    ${mix(`(i64.extend_i32_u (f64.eq ${f64("a")} ${f64("b")}))`)} ${mix(`(i64.extend_i32_u (f32.ge ${f32("a")} ${f32("b")}))`)}
    ${mix(bits64("(call $through " + f64("a") + " " + f64("b") + ")"))}`;
  const vector = `
    ${list(lanes, (op) => pair(`(f64x2.${op} ${wide("a")} ${wide("b")})`))}
    ${list(lanes, (op) => pair(`(f32x4.${op} ${wide("a")} ${wide("b")})`))}
    ${list(unary, (op) => pair(`(f64x2.${op} ${wide("a")})`))}
    ${list(unary, (op) => pair(`(f32x4.${op} ${wide("b")})`))}
    ${pair(`(f32x4.demote_f64x2_zero ${wide("a")})`)} ${pair(`(f64x2.promote_low_f32x4 ${wide("a")})`)}
    ${pair(`(f32x4.convert_i32x4_u ${wide("a")})`)} ${pair(`(i32x4.trunc_sat_f32x4_s ${wide("b")})`)}
    ${pair(`(f64x2.mul (f64x2.add ${wide("a")} ${wide("b")}) (f64x2.neg (f64x2.sub ${wide("b")} ${wide("a")})))`)}
    ${pair(`(f64x2.eq (f64x2.div ${wide("a")} ${wide("b")}) ${wide("a")})`)}
    ${mix(bits64(`(f64x2.extract_lane 1 (f64x2.add ${wide("a")} ${wide("b")}))`))}
    ${pair(`(i8x16.shuffle 0 17 2 19 4 21 6 23 8 25 10 27 12 29 14 31 (f32x4.mul ${wide("a")} ${wide("b")}) ${wide("a")})`)}
    ${pair(`(i8x16.swizzle ${wide("a")} (f64x2.sqrt ${wide("b")}))`)} ${pair(`(i16x8.q15mulr_sat_s ${wide("a")} ${wide("b")})`)}`;
  return guest(`
    (data (i32.const 0) "${hex(Buffer.concat(special.map(little)))}")
    (data (i32.const 1024) "${hex(Buffer.concat(special32.map(little)))}")
    (func $through (param f64 f64) (result f64) (f64.sub (f64.add (local.get 0) (local.get 1)) (local.get 1)))
    (func $row (param $a i32) (param $sum i64) (result i64) (local $b i32) ${vectors ? "(local $v v128)" : ""}
      (loop $columns
        ${vectors ? vector : scalar}
        (br_if $columns (i32.lt_u (local.tee $b (i32.add (local.get $b) (i32.const 8))) (i32.const ${8 * count}))))
      (local.get $sum))
    (func (export "run") (result i32) (local $a i32) (local $pass i32) (local $sum i64)
      (loop $passes
        (local.set $a (i32.const 0))
        (loop $rows
          (local.set $sum (call $row (local.get $a) (local.get $sum)))
          (i64.store offset=2048 (local.get $a) (local.get $sum))
          (br_if $rows (i32.lt_u (local.tee $a (i32.add (local.get $a) (i32.const 8))) (i32.const ${8 * count}))))
        (br_if $passes (i32.lt_u (local.tee $pass (i32.add (local.get $pass) (i32.const 1))) (i32.const ${passes}))))
      (call $send (i32.const 2560)) (i32.const 0))`);
}

/** Eight bodies that pull at each other, and a picture of 32 x 32 points: float code whose every bit counts. */
const orbits = guest(`
  (func $pull (param $i i32) (param $j i32) (local $d f64)
    (local.set $d (f64.sub (f64.load (local.get $i)) (f64.load (local.get $j))))
    (f64.store offset=8 (local.get $i) (f64.sub (f64.load offset=8 (local.get $i))
      (f64.div (f64.mul (local.get $d) (f64.const 0.001)) (f64.sqrt (f64.add (f64.const 0.01) (f64.mul (local.get $d) (local.get $d))))))))
  (func $point (param $cx f64) (param $cy f64) (result i32) (local $x f64) (local $y f64) (local $t f64) (local $n i32)
    (block $out (loop $more
      (br_if $out (i32.ge_u (local.get $n) (i32.const 100)))
      (local.set $t (f64.add (f64.sub (f64.mul (local.get $x) (local.get $x)) (f64.mul (local.get $y) (local.get $y))) (local.get $cx)))
      (local.set $y (f64.add (f64.mul (f64.mul (f64.const 2) (local.get $x)) (local.get $y)) (local.get $cy)))
      (local.set $x (local.get $t))
      (br_if $out (f64.gt (f64.add (f64.mul (local.get $x) (local.get $x)) (f64.mul (local.get $y) (local.get $y))) (f64.const 4)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br $more)))
    (local.get $n))
  (func (export "run") (result i32) (local $i i32) (local $j i32) (local $step i32)
    (loop $fill
      (f64.store (local.get $i) (f64.div (f64.convert_i32_u (local.get $i)) (f64.const 7)))
      (br_if $fill (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 16))) (i32.const 128))))
    (loop $steps
      (local.set $i (i32.const 0))
      (loop $is
        (local.set $j (i32.const 0))
        (loop $js
          (call $pull (local.get $i) (local.get $j))
          (br_if $js (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 16))) (i32.const 128))))
        (f64.store (local.get $i) (f64.add (f64.load (local.get $i)) (f64.load offset=8 (local.get $i))))
        (br_if $is (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 16))) (i32.const 128))))
      (br_if $steps (i32.lt_u (local.tee $step (i32.add (local.get $step) (i32.const 1))) (i32.const 600))))
    (local.set $i (i32.const 0))
    (loop $points
      (i32.store8 offset=128 (local.get $i)
        (call $point
          (f64.sub (f64.div (f64.convert_i32_u (i32.and (local.get $i) (i32.const 31))) (f64.const 12)) (f64.const 2))
          (f64.sub (f64.div (f64.convert_i32_u (i32.shr_u (local.get $i) (i32.const 5))) (f64.const 14)) (f64.const 1.1))))
      (br_if $points (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1024))))
    (call $send (i32.const 1152)) (i32.const 0))`);

/** Hash of four million steps through a switch and a table of functions: long enough to change compilers in one run. */
const hot = guest(`
  (type $step (func (param i64) (result i64)))
  (table 4 funcref) (elem (i32.const 0) $s0 $s1 $s2 $s3)
  (func $s0 (type $step) (i64.mul (local.get 0) (i64.const 0x100000001b3)))
  (func $s1 (type $step) (i64.rotr (local.get 0) (i64.const 13)))
  (func $s2 (type $step) (i64.sub (i64.const 7) (local.get 0)))
  (func $s3 (type $step) (i64.xor (local.get 0) (i64.shr_u (local.get 0) (i64.const 31))))
  (func $thousand (param $x i64) (result i64) (local $n i32)
    (loop $again
      (block $c (block $b (block $a (br_table $a $b $c (i32.and (i32.wrap_i64 (local.get $x)) (i32.const 3))))
        (local.set $x (i64.add (local.get $x) (i64.const 0x9e3779b97f4a7c15))))
        (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 9)))))
      (local.set $x (call_indirect (type $step) (local.get $x) (i32.and (local.get $n) (i32.const 3))))
      (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000))))
    (local.get $x))
  (func $many (param $left i32) (local $x i64)
    (loop $again
      (local.set $x (call $thousand (i64.add (local.get $x) (i64.extend_i32_u (local.get $left)))))
      (i64.store (i32.const 0) (local.get $x))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (call $send (i32.const 8)))
  (func (export "run") (result i32) (call $many (i32.const 4000)) (i32.const 0))
  (func (export "short") (result i32) (call $many (i32.const 20)) (i32.const 0))`);

/** Memory: growth to the cap, bulk instructions, segments, every width of load and store. */
const memory = guest(
  `(data $text "the quick brown fox jumps over the lazy dog")
  (func (export "grow") (result i32) (local $at i32)
    (loop $more
      (i32.store (local.get $at) (memory.grow (i32.const 3)))
      (br_if $more (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4))) (i32.const 80))))
    (i32.store (i32.const 80) (memory.size)) (call $send (i32.const 88)) (i32.const 0))
  (func (export "bulk") (result i32) (local $n i32)
    (loop $more
      (memory.init $text (i32.mul (local.get $n) (i32.const 43)) (i32.const 0) (i32.const 43))
      (memory.copy (i32.add (i32.mul (local.get $n) (i32.const 97)) (i32.const 11)) (local.get $n) (i32.const 4099))
      (memory.fill (i32.mul (local.get $n) (i32.const 613)) (local.get $n) (i32.and (local.get $n) (i32.const 31)))
      (br_if $more (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 100))))
    (data.drop $text) (memory.fill (i32.const 1000) (i32.const 1) (i32.const 0))
    (call $send (i32.const 65528)) (i32.const 0))
  (func (export "dropped") (data.drop $text) (memory.init $text (i32.const 0) (i32.const 0) (i32.const 1)))
  (func (export "widths") (result i32) (local $n i32)
    (i64.store (i32.const 3) (i64.const 0x8899aabbccddeeff))
    (loop $more
      (i64.store offset=64 (i32.mul (local.get $n) (i32.const 8)) (i64.add (i64.add
        (i64.load8_s (local.get $n)) (i64.extend_i32_s (i32.load16_s (local.get $n))))
        (i64.add (i64.load32_s (local.get $n)) (i64.extend8_s (i64.load16_u (local.get $n))))))
      (br_if $more (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 16))))
    (call $send (i32.const 256)) (i32.const 0))
  (func (export "past") (memory.fill (i32.const 131000) (i32.const 1) (i32.const 100)))
  (func (export "edge") (i64.store (i32.const 131065) (i64.const 1)))
  (func (export "hungry") (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable))`,
);

/** Tables: all their instructions, and calls through them that go wrong in each way. */
const tables = guest(`
  (type $number (func (result i32)))
  (table $t 20 100 funcref) (elem (i32.const 1) $one $two $word)
  (elem $more funcref (ref.func $two) (ref.null func) (ref.func $one))
  (func $one (type $number) (i32.const 1)) (func $two (type $number) (i32.const 2))
  (func $word (result i64) (i64.const 3))
  (func (export "run") (result i32)
    (table.init $t $more (i32.const 10) (i32.const 0) (i32.const 3))
    (table.copy $t $t (i32.const 5) (i32.const 1) (i32.const 2))
    (table.fill $t (i32.const 15) (ref.func $one) (i32.const 4))
    (table.set $t (i32.const 19) (table.get $t (i32.const 2)))
    (elem.drop $more)
    (i32.store (i32.const 0) (call_indirect (type $number) (i32.const 10)))
    (i32.store (i32.const 4) (call_indirect (type $number) (i32.const 19)))
    (i32.store (i32.const 8) (ref.is_null (table.get $t (i32.const 11))))
    (i32.store (i32.const 12) (table.size $t)) (call $send (i32.const 16)) (i32.const 0))
  (func (export "null") (result i32) (call_indirect (type $number) (i32.const 0)))
  (func (export "type") (result i32) (call_indirect (type $number) (i32.const 3)))
  (func (export "beyond") (result i32) (call_indirect (type $number) (i32.const 20)))
  (func (export "set") (table.set $t (i32.const 20) (ref.null func)))`);

/** A switch of a thousand labels over 40 blocks, and functions with many parameters and results. */
const control = guest(`
  (type $many (func (param ${"i32 ".repeat(200)}) (result ${"i32 ".repeat(100)})))
  (func $turn (type $many) ${list(range(100), (i) => `(i32.add (local.get ${i}) (local.get ${199 - i}))`)})
  (func $case (param $x i32) (result i32)
    ${"block ".repeat(40)} local.get $x br_table ${range(1000)
      .map((label) => (label * 7) % 40)
      .join(" ")}
    ${list(range(40), (i) => `end (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 31)) (i32.const ${i})))`)}
    (local.get $x))
  (func (export "run") (result i32) (local $n i32)
    (loop $more
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (call $case (local.get $n))))
      (br_if $more (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 7))) (i32.const 1100))))
    ${list(range(200), (i) => `(i32.mul (i32.load (i32.const 0)) (i32.const ${i * 2 + 1}))`)} (call $turn)
    ${list(range(100), (i) => `(local.set $n) (i32.store offset=${8 + 4 * i} (i32.const 0) (local.get $n))`)}
    (call $send (i32.const 408)) (i32.const 0))`);

/** Recursion to a depth that the input does not choose: plain, between two functions, through a table; all of it returns. */
const recursion = guest(`
  (type $down (func (param i32) (result i32))) (table 1 funcref) (elem (i32.const 0) $table)
  (func $fib (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0)) (else
      (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func $even (type $down) (if (result i32) (local.get 0) (then (i32.add (i32.const 3) (call $odd (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 1))))
  (func $odd (type $down) (local i64 i64 i64) (if (result i32) (local.get 0) (then (i32.mul (i32.const 5) (call $even (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
  (func $table (type $down) (if (result i32) (local.get 0) (then (i32.xor (local.get 0) (call_indirect (type $down) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))) (else (i32.const 9))))
  (func $ackermann (param i32 i32) (result i32)
    (if (result i32) (i32.eqz (local.get 0)) (then (i32.add (local.get 1) (i32.const 1))) (else
      (if (result i32) (i32.eqz (local.get 1)) (then (call $ackermann (i32.sub (local.get 0) (i32.const 1)) (i32.const 1))) (else
        (call $ackermann (i32.sub (local.get 0) (i32.const 1)) (call $ackermann (local.get 0) (i32.sub (local.get 1) (i32.const 1)))))))))
  (func (export "run") (result i32)
    (i32.store (i32.const 0) (call $fib (i32.const 19))) (i32.store (i32.const 4) (call $even (i32.const 500)))
    (i32.store (i32.const 8) (call $table (i32.const 700))) (i32.store (i32.const 12) (call $ackermann (i32.const 2) (i32.const 40)))
    (call $send (i32.const 16)) (i32.const 0))`);

/** Traps of every class that the other programs leave out. */
const traps = `(module (memory (export "memory") 1) (global $zero (mut i32) (i32.const 0))
  (func (export "unreachable") (unreachable))
  (func (export "divide") (result i32) (i32.div_u (i32.const 1) (global.get $zero)))
  (func (export "remainder") (result i32) (i32.wrap_i64 (i64.rem_s (i64.const 1) (i64.extend_i32_u (global.get $zero)))))
  (func (export "overflow") (result i32) (i32.div_s (i32.const 0x80000000) (i32.sub (global.get $zero) (i32.const 1))))
  (func (export "truncate") (result i32) (i32.trunc_f64_s (f64.div (f64.convert_i32_u (global.get $zero)) (f64.convert_i32_u (global.get $zero)))))
  (func (export "large") (result i32) (i32.trunc_f32_u (f32.const 1e20)))
  (func (export "load") (result i32) (i32.load offset=65533 (global.get $zero)))
  (func (export "wrapped") (result i32) (i32.load offset=0xffffffff (i32.const 0xffffffff))))`;

/** Everything the kernel and the capabilities offer, in one run: variables, log lines, errors, clock, random bytes. */
const host = guest(
  `(data (i32.const 1024) "\\80") (data (i32.const 1032) "\\81\\a6length\\20") (data (i32.const 1048) "name of a variable")
  (func $block (param $at i32) (param $length i32) (result i64) (local $block i64) (local $n i32)
    (local.set $block (call $alloc (i64.extend_i32_u (local.get $length))))
    (loop $next
      (call $store_u8 (i64.add (local.get $block) (i64.extend_i32_u (local.get $n))) (i32.load8_u (i32.add (local.get $at) (local.get $n))))
      (br_if $next (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (local.get $length))))
    (local.get $block))
  (func (export "run") (result i32) (local $answer i64) (local $n i32)
    (loop $more
      (local.set $answer (call $clock_now (call $block (i32.const 1024) (i32.const 1))))
      (i64.store (i32.mul (local.get $n) (i32.const 24)) (call $length (local.get $answer)))
      (i64.store offset=8 (i32.mul (local.get $n) (i32.const 24)) (call $load_u64 (local.get $answer)))
      (call $free (local.get $answer))
      (local.set $answer (call $random_bytes (call $block (i32.const 1032) (i32.const 9))))
      (i64.store offset=16 (i32.mul (local.get $n) (i32.const 24)) (call $load_u64 (i64.add (local.get $answer) (i64.const 8))))
      (call $log_info (call $block (i32.const 1048) (i32.add (local.get $n) (i32.const 1))))
      (call $var_set (call $block (i32.const 1048) (i32.const 4)) (call $block (i32.const 1050) (i32.const 8)))
      (i64.store offset=512 (i32.const 0) (i64.add (i64.load offset=512 (i32.const 0)) (call $length (call $var_get (call $block (i32.const 1048) (i32.const 4))))))
      (br_if $more (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 8))))
    (call $send (i32.const 520)) (i32.const 0))
  (func (export "flood") (loop $more (drop (call $clock_now (call $block (i32.const 1024) (i32.const 1)))) (br $more)))
  (func (export "refuse") (result i32) (call $error_set (call $block (i32.const 1048) (i32.const 18))) (i32.const 7))
  (func (export "outside") (drop (call $load_u64 (i64.const 0x123456789))))
  (func (export "spill") (call $output_set (call $alloc (i64.const 100000)) (i64.const 100000)))
  (func (export "hoard") (loop $more (drop (call $alloc (i64.const 4096))) (br $more)))
  (func (export "code") (result i32) (i32.const 5))`,
  {
    imports: `
    (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
    (import "extism:host/env" "free" (func $free (param i64)))
    (import "extism:host/env" "length" (func $length (param i64) (result i64)))
    (import "extism:host/env" "load_u64" (func $load_u64 (param i64) (result i64)))
    (import "extism:host/env" "error_set" (func $error_set (param i64)))
    (import "extism:host/env" "var_get" (func $var_get (param i64) (result i64)))
    (import "extism:host/env" "var_set" (func $var_set (param i64 i64)))
    (import "extism:host/env" "log_info" (func $log_info (param i64)))
    (import "extism:host/user" "clock_now" (func $clock_now (param i64) (result i64)))
    (import "extism:host/user" "random_bytes" (func $random_bytes (param i64) (result i64)))`,
  },
);

/** A command as C and Rust toolchains make them: clock, random bytes, arguments, standard output, and an exit. */
const wasi = `(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1) (data (i32.const 64) "0123456789abcdef") (data (i32.const 0) "\\50\\00\\00\\00\\21\\00\\00\\00")
  (func (export "_start") (local $at i32)
    (drop (call $random (i32.const 32) (i32.const 16))) (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 48)))
    (drop (call $args (i32.const 56) (i32.const 60)))
    (loop $hex
      (i32.store8 offset=80 (local.get $at) (i32.load8_u offset=64 (i32.and (i32.load8_u offset=32 (local.get $at)) (i32.const 15))))
      (br_if $hex (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 32))))
    (i32.store8 (i32.const 112) (i32.const 10))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 56)))
    (call $exit (i32.const 3))))`;

/** Runs before the function that is asked for: a start section and an initializer, and segments that do not fit. */
const beginnings = {
  started: guest(`(func $start (i32.store (i32.const 0) (i32.const 41))) (start $start)
    (func (export "_initialize") (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))))
    (func (export "run") (result i32) (call $send (i32.const 8)) (i32.const 0))`),
  "endless start": guest('(func $start (loop $l (br $l))) (start $start) (func (export "run"))'),
  "segment outside": '(module (memory (export "memory") 1) (data (i32.const 65530) "too long") (func (export "run")))',
};

/** WAT by name. Those of `vectors` need SIMD. */
export const programs = {
  floats: floatTable(40, false),
  orbits,
  hot,
  memory,
  tables,
  control,
  recursion,
  traps,
  host,
  wasi,
  ...beginnings,
};

/** WAT that needs SIMD. */
export const vectors = floatTable(40, true);
