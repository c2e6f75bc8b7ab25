import { memoryPrograms } from "./corpus-memory.js";
import { binary, type Program } from "./corpus-parts.js";
import type { Call } from "./support.js";

/** Programs that must behave alike before and after metering. */
export const programs: readonly Program[] = [
  {
    name: "loops: factorial, sum, nested",
    source: `(module
      (func (export "fact") (param i64) (result i64) (local i64)
        (local.set 1 (i64.const 1))
        (block $out (loop $l
          (br_if $out (i64.eqz (local.get 0)))
          (local.set 1 (i64.mul (local.get 1) (local.get 0)))
          (local.set 0 (i64.sub (local.get 0) (i64.const 1)))
          (br $l)))
        (local.get 1))
      (func (export "grid") (param i32) (result i32) (local $i i32) (local $j i32) (local $s i32)
        (loop $a
          (local.set $j (i32.const 0))
          (loop $b
            (local.set $s (i32.add (local.get $s) (i32.xor (local.get $i) (local.get $j))))
            (br_if $b (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (local.get 0)))
          )
          (br_if $a (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get 0)))
        )
        (local.get $s)))`,
    calls: [
      ["fact", 0n],
      ["fact", 5n],
      ["fact", 20n],
      ["grid", 1],
      ["grid", 17],
    ],
  },
  {
    name: "recursion: fibonacci, mutual",
    source: `(module
      (func $fib (export "fib") (param i32) (result i32)
        (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
          (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
      (func $even (export "even") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
        (call $odd (i32.sub (local.get 0) (i32.const 1))))
      (func $odd (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
        (return (call $even (i32.sub (local.get 0) (i32.const 1))))))`,
    calls: [
      ["fib", 15],
      ["even", 100],
      ["even", 101],
    ],
  },
  {
    name: "br_table: value, default only, to a loop, nested",
    source: `(module
      (func (export "pick") (param i32) (result i32)
        (block $c (result i32) (block $b (result i32) (block $a (result i32)
          (br_table $a $b $c $a (i32.const 100) (local.get 0)))
          (drop) (i32.const 1) (br $c)) (i32.const 7) (i32.add)))
      (func (export "only") (param i32) (result i32)
        (block $a (br_table $a (local.get 0))) (i32.const 3))
      (func (export "count") (param i32) (result i32) (local i32)
        (block $done (loop $l
          (local.set 1 (i32.add (local.get 1) (i32.const 1)))
          (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
          (br_table $done $l $done (i32.gt_s (local.get 0) (i32.const 0)))))
        (local.get 1))
      (func (export "exit") (param i32) (result i32)
        (i32.const 5) (local.get 0) (br_table 0 0 0)))`,
    calls: [
      ["pick", 0],
      ["pick", 1],
      ["pick", 2],
      ["pick", 3],
      ["pick", -1],
      ["only", 0],
      ["only", 9],
      ["count", 6],
      ["exit", 1],
    ],
  },
  {
    name: "dead code after br, br_table, return, unreachable",
    source: `(module
      (func (export "a") (result i32) (block (result i32) (i32.const 1) (br 0) (i32.add) (drop) (i32.const 2)))
      (func (export "b") (result i32) (return (i32.const 2)) (i64.add) (i32.wrap_i64))
      (func (export "c") (result i32) (unreachable) (select) (drop) (f64.sqrt) (drop) (i32.const 1))
      (func (export "d") (param i32) (result i32)
        (block $x (br_table $x $x (local.get 0))
          (block (loop (if (i32.const 1) (then (br 0)) (else (br 1)))) (br 0)) (memory.size) (drop))
        (i32.const 4))
      (func (export "e") (param i32) (result i32)
        (if (result i32) (local.get 0) (then (return (i32.const 5)) (block (unreachable))) (else (i32.const 6) (br 0) (i32.eqz))))
      (func (export "f") (result i32) (loop (result i32) (return (i32.const 8)) (br 0) (unreachable)))
      (func (export "g") (block (unreachable)) (drop (i32.const 1)))
      (func (export "h") (result i32) (block (result i32) (loop (br 1 (i32.const 3)) (br 0)) (unreachable)) (i32.const 1) (i32.add))
      (memory 1))`,
    calls: [["a"], ["b"], ["c"], ["d", 0], ["d", 5], ["e", 0], ["e", 1], ["f"], ["g"], ["h"]],
  },
  {
    name: "if: without else, with parameters and results, both arms dead",
    source: `(module
      (func (export "a") (param i32) (result i32) (local i32)
        (if (local.get 0) (then (local.set 1 (i32.const 9)))) (local.get 1))
      (func (export "b") (param i32) (result i32)
        (i32.const 10) (local.get 0) (if (param i32) (result i32) (then (i32.const 1) (i32.add)) (else (i32.const 2) (i32.mul))))
      (func (export "c") (param i32) (result i32)
        (i32.const 20) (local.get 0) (if (param i32) (result i32) (then (i32.const 1) (i32.add))))
      (func (export "d") (param i32) (result i32)
        (if (local.get 0) (then (return (i32.const 1))) (else (return (i32.const 2)))) (i32.const 3))
      (func (export "e") (param i32) (result i32)
        (block $o (if (local.get 0) (then (br $o)) (else)) (return (i32.const 1))) (i32.const 2))
      (func (export "f") (param i32) (result i32) (if (local.get 0) (then)) (i32.const 1)))`,
    calls: ["a", "b", "c", "d", "e", "f"].flatMap((name): Call[] => [
      [name, 0],
      [name, 1],
    ]),
  },
  {
    name: "multi-value: blocks, loops, functions, block parameters",
    source: `(module
      (func $swap (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
      (func (export "a") (result i32) (i32.const 3) (i64.const 4) (call $swap) (drop) (i32.wrap_i64))
      (func (export "b") (param i32) (result i32)
        (i32.const 1) (local.get 0)
        (loop $l (param i32 i32) (result i32)
          (local.set 0) (i32.const 2) (i32.mul) (local.get 0) (i32.const 1) (i32.sub) (local.tee 0)
          (local.get 0) (br_if $l) (drop)))
      (func (export "c") (result i32 i32) (i32.const 1) (block (param i32) (result i32 i32) (i32.const 2)) (return))
      (func (export "d") (param i32) (result i32 i64 f64) (local.get 0)
        (if (param) (result i32 i64 f64) (then (i32.const 1) (i64.const 2) (f64.const 3)) (else (i32.const 4) (i64.const 5) (f64.const 6)))))`,
    calls: [["a"], ["b", 5], ["c"], ["d", 0], ["d", 1]],
  },
  {
    name: "floats: arithmetic, rounding, conversion, neg and copysign of NaN",
    source: `(module ${["add", "sub", "mul", "div", "min", "max", "copysign"].map((name) => binary("f64", name) + binary("f32", name)).join("")}
      ${["ceil", "floor", "trunc", "nearest", "sqrt", "abs", "neg"].map((name) => `(func (export "${name}") (param f64) (result f64) (f64.${name} (local.get 0)))`).join("")}
      (func (export "demote") (param f64) (result f32) (f32.demote_f64 (local.get 0)))
      (func (export "promote") (param f32) (result f64) (f64.promote_f32 (local.get 0)))
      (func (export "neg0") (result i64) (i64.reinterpret_f64 (f64.neg (f64.div (f64.const 0) (f64.const 0)))))
      (func (export "horner") (param f64) (result f64) (local f64 i32)
        (loop $l (local.set 1 (f64.add (f64.mul (local.get 1) (local.get 0)) (f64.convert_i32_s (local.get 2))))
          (br_if $l (i32.lt_s (local.tee 2 (i32.add (local.get 2) (i32.const 1))) (i32.const 30)))) (local.get 1)))`,
    calls: [
      ["f64.add", 0.1, 0.2],
      ["f32.div", 1, 3],
      ["f64.min", -0, 0],
      ["f64.max", Number.NaN, 1],
      ["f64.copysign", 2, -0],
      ["ceil", 1.2],
      ["nearest", 2.5],
      ["sqrt", -1],
      ["sqrt", 2],
      ["neg", Number.NaN],
      ["demote", 1e300],
      ["promote", 0.1],
      ["horner", 1.01],
    ],
  },
  {
    name: "float memory copies keep the payload of a NaN",
    source: `(module (memory (export "memory") 1) (data (i32.const 0) "\\01\\02\\03\\04\\05\\06\\f0\\7f\\01\\02\\a0\\7f\\01\\00\\00\\00")
      (func (export "copy") (f64.store (i32.const 32) (f64.load (i32.const 0))) (f32.store (i32.const 40) (f32.load (i32.const 8)))
        (i64.store (i32.const 48) (i64.reinterpret_f64 (f64.load (i32.const 0)))))
      (func (export "sign") (f64.store (i32.const 64) (f64.neg (f64.abs (f64.neg (f64.load (i32.const 0)))))))
      (func (export "choose") (param i32) (f64.store (i32.const 72) (select (f64.load (i32.const 0)) (f64.const 1) (local.get 0)))))`,
    calls: [["copy"], ["sign"], ["choose", 1]],
  },
  {
    name: "memory.grow and size",
    source: `(module (memory (export "memory") 1 4)
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))) (func (export "size") (result i32) (memory.size))
      (func (export "poke") (param i32) (i32.store8 (local.get 0) (i32.const 1))))`,
    calls: [
      ["size"],
      ["poke", 70000],
      ["grow", 2],
      ["size"],
      ["poke", 70000],
      ["grow", 2],
      ["grow", -1],
      ["grow", 0],
      ["grow", 1],
      ["size"],
    ],
  },
  {
    name: "globals, mutable and exported",
    source: `(module (global $g (export "g") (mut i32) (i32.const 5)) (global $h i64 (i64.const -9)) (global $f (mut f32) (f32.const 1.5))
      (func (export "bump") (result i32) (global.set $g (i32.mul (global.get $g) (i32.const 3))) (global.get $g))
      (func (export "h") (result i64) (global.get $h)) (func (export "f") (result f32) (global.set $f (f32.add (global.get $f) (global.get $f))) (global.get $f)))`,
    calls: [["bump"], ["bump"], ["h"], ["f"], ["f"]],
  },
  {
    name: "imports: direct, twice the same, in the table, exported again",
    source: `(module
      (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64))) (import "extism:host/env" "alloc" (func $again (param i64) (result i64)))
      (import "extism:host/env" "output_set" (func $out (param i64 i64))) (import "extism:host/env" "get_log_level" (func $level (result i32)))
      (import "extism:host/env" "load_u8" (func $load (param i64) (result i32)))
      (table 4 funcref) (elem (i32.const 0) func $alloc $again $own) (elem (i32.const 3) funcref (ref.func $load))
      (global $g funcref (ref.func $level)) (export "level" (func $level))
      (func $own (param i64) (result i64) (i64.mul (local.get 0) (i64.const 3)))
      (func (export "direct") (result i64) (call $out (call $alloc (i64.const 24)) (i64.const 16)) (call $again (i64.const 1)))
      (func (export "table") (param i32) (result i64) (call_indirect (param i64) (result i64) (i64.const 5) (local.get 0)))
      (func (export "load") (result i32) (call_indirect (param i64) (result i32) (i64.const 261) (i32.const 3)))
      (func (export "global") (result i32) (table.set (i32.const 0) (global.get $g)) (call_indirect (result i32) (i32.const 0)))
      (func (export "ref") (result i32) (table.set (i32.const 1) (ref.func $level)) (call_indirect (result i32) (i32.const 1))))`,
    calls: [["direct"], ["table", 0], ["table", 1], ["table", 2], ["load"], ["level"], ["global"], ["ref"]],
  },
  {
    name: "start section",
    source: `(module (import "extism:host/env" "input_length" (func $len (result i64))) (memory (export "memory") 1) (global $g (mut i64) (i64.const 0))
      (start $s) (func $s (global.set $g (call $len)) (i64.store (i32.const 8) (global.get $g)))
      (func (export "g") (result i64) (global.get $g)))`,
    calls: [["g"]],
  },
  {
    name: "start section that names an import",
    source: `(module (import "extism:host/env" "free" (func (param i64))) (func $s) (start $s) (func (export "f") (result i32) (i32.const 1)))`,
    calls: [["f"]],
  },
  {
    name: "start section that traps",
    source: `(module (start 0) (func (unreachable)) (func (export "f")))`,
    calls: [["f"]],
  },
  { name: "empty module", source: "(module)", calls: [] },
  {
    name: "empty functions",
    source: `(module (func (export "a")) (func (export "b") (block)) (func (export "c") (loop)) (func (export "d") (nop) (return)))`,
    calls: [["a"], ["b"], ["c"], ["d"]],
  },
  {
    name: "deep nesting and branches across it",
    source: `(module (func (export "f") (param i32) (result i32) ${"(block ".repeat(40)} (br_table ${Array.from({ length: 40 }, (_, i) => i).join(" ")} (local.get 0)) ${") (local.set 0 (i32.add (local.get 0) (i32.const 1)))".repeat(40)} (local.get 0)))`,
    calls: [
      ["f", 0],
      ["f", 20],
      ["f", 39],
      ["f", 1000],
    ],
  },
  {
    name: "many locals, long straight code, high operand stack",
    source: `(module (func $big (export "f") (param i32) (result i32) (local ${"i32 i64 f32 f64 ".repeat(100)})
        ${"(local.set 1 (i32.add (local.get 1) (local.get 0)))".repeat(400)} (local.get 1))
      (func (export "g") (result i32) ${"(i32.const 1) ".repeat(500)} ${"(i32.add) ".repeat(499)})
      (func (export "h") (result i32) (i32.add (call $big (i32.const 2)) (call $big (i32.const 3)))))`,
    calls: [["f", 3], ["g"], ["h"]],
  },
  {
    name: "calls inside loops inside conditions",
    source: `(module (func $step (param i32) (result i32) (if (result i32) (i32.and (local.get 0) (i32.const 1))
          (then (i32.add (i32.mul (local.get 0) (i32.const 3)) (i32.const 1))) (else (i32.shr_u (local.get 0) (i32.const 1)))))
      (func (export "collatz") (param i32) (result i32) (local i32)
        (block $done (loop $l (br_if $done (i32.eq (local.get 0) (i32.const 1)))
          (local.set 0 (call $step (local.get 0))) (local.set 1 (i32.add (local.get 1) (i32.const 1)))
          (if (i32.gt_u (local.get 1) (i32.const 200)) (then (return (i32.const -1)))) (br $l)))
        (local.get 1)))`,
    calls: [
      ["collatz", 1],
      ["collatz", 7],
      ["collatz", 27],
      ["collatz", 871],
      ["collatz", 6171],
    ],
  },
  ...memoryPrograms,
];
