import { binary, type Program } from "./corpus-parts.js";

/** Memory, tables, references, traps, integers. */
export const memoryPrograms: readonly Program[] = [
  {
    name: "memory: loads, stores, data, bounds",
    source: `(module (memory (export "memory") 1) (data (i32.const 8) "exo\\00armur")
      (func (export "sum") (result i32) (local i32 i32)
        (loop $l (local.set 1 (i32.add (local.get 1) (i32.load8_u offset=8 (local.get 0))))
          (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 9))))
        (i64.store (i32.const 64) (i64.const -2)) (i32.store16 (i32.const 100) (i32.const 0x1234))
        (f32.store (i32.const 128) (f32.const 1.5)) (i64.store32 (i32.const 130) (i64.const 77))
        (local.get 1))
      (func (export "at") (param i32) (result i64) (i64.load align=1 (local.get 0)))
      (func (export "past") (result i32) (i32.load offset=0xffffffff (i32.const 1))))`,
    calls: [["sum"], ["at", 64], ["at", 65529], ["at", -1], ["past"]],
  },
  {
    name: "bulk memory: init, drop, copy, fill",
    source: `(module (memory (export "memory") 1) (data $p "passive bytes")
      (func (export "init") (param i32 i32 i32) (memory.init $p (local.get 0) (local.get 1) (local.get 2)))
      (func (export "drop") (data.drop $p))
      (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
      (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2))))`,
    calls: [
      ["init", 10, 0, 13],
      ["copy", 12, 10, 13],
      ["fill", 40, 7, 9],
      ["copy", 0, 65530, 100],
      ["init", 0, 10, 9],
      ["fill", 65536, 0, 0],
      ["drop"],
      ["init", 0, 0, 0],
      ["init", 0, 0, 1],
    ],
  },
  {
    name: "tables: call_indirect, get, set, size, fill, copy, init, drop",
    source: `(module (type $t (func (param i32) (result i32)))
      (table $a 8 funcref) (table $b 4 8 funcref) (table $x 2 externref)
      (elem (table $a) (i32.const 1) func $inc $dec) (elem $p func $inc $dec $inc) (elem declare func $neg)
      (elem $e funcref (ref.null func) (ref.func $neg))
      (func $inc (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
      (func $dec (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)))
      (func $neg (param i32) (result i32) (i32.sub (i32.const 0) (local.get 0)))
      (func $other (result i64) (i64.const 1))
      (func (export "call") (param i32 i32) (result i32) (call_indirect $a (type $t) (local.get 1) (local.get 0)))
      (func (export "callb") (param i32 i32) (result i32) (call_indirect $b (type $t) (local.get 1) (local.get 0)))
      (func (export "wrong") (result i64) (call_indirect $a (result i64) (i32.const 1)))
      (func (export "set") (param i32) (table.set $a (local.get 0) (ref.func $neg)))
      (func (export "move") (table.set $b (i32.const 0) (table.get $a (i32.const 2))))
      (func (export "isnull") (param i32) (result i32) (ref.is_null (table.get $a (local.get 0))))
      (func (export "size") (result i32) (i32.add (table.size $a) (table.size $x)))
      (func (export "fill") (param i32) (table.fill $a (local.get 0) (ref.func $neg) (i32.const 2)))
      (func (export "copy") (table.copy $b $a (i32.const 1) (i32.const 1) (i32.const 2)))
      (func (export "init") (param i32) (table.init $a $p (local.get 0) (i32.const 0) (i32.const 3)))
      (func (export "inite") (table.init $b $e (i32.const 2) (i32.const 0) (i32.const 2)))
      (func (export "drop") (elem.drop $p)))`,
    calls: [
      ["call", 1, 10],
      ["call", 2, 10],
      ["call", 0, 10],
      ["call", 8, 10],
      ["call", -1, 1],
      ["wrong"],
      ["set", 5],
      ["set", 99],
      ["call", 5, 10],
      ["move"],
      ["callb", 0, 5],
      ["isnull", 0],
      ["isnull", 1],
      ["size"],
      ["fill", 6],
      ["fill", 7],
      ["call", 7, 3],
      ["copy"],
      ["callb", 1, 1],
      ["init", 3],
      ["init", 6],
      ["call", 4, 1],
      ["inite"],
      ["callb", 3, 2],
      ["callb", 2, 2],
      ["drop"],
      ["init", 0],
    ],
  },
  {
    name: "references: select t, null, func, locals of reference type",
    source: `(module (table 2 funcref) (elem declare func $f) (func $f (result i32) (i32.const 42))
      (func (export "a") (param i32) (result i32) (local funcref externref)
        (local.set 1 (select (result funcref) (ref.func $f) (ref.null func) (local.get 0)))
        (table.set (i32.const 1) (local.get 1))
        (i32.add (ref.is_null (local.get 1)) (ref.is_null (local.get 2))))
      (func (export "b") (result i32) (call_indirect (result i32) (i32.const 1)))
      (func (export "c") (param i32) (result i64) (select (i64.const 1) (i64.const 2) (local.get 0)))
      (global $g funcref (ref.func $f)) (global $n (mut externref) (ref.null extern))
      (func (export "d") (result i32) (table.set (i32.const 0) (global.get $g)) (call_indirect (result i32) (i32.const 0))))`,
    calls: [["a", 0], ["b"], ["a", 1], ["b"], ["c", 0], ["c", 1], ["d"]],
  },
  {
    name: "traps: division, remainder, conversion, unreachable",
    source: `(module ${["div_s", "div_u", "rem_s", "rem_u"].map((name) => binary("i32", name) + binary("i64", name)).join("")}
      (func (export "trunc") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
      (func (export "sat") (param f64) (result i32) (i32.trunc_sat_f64_s (local.get 0)))
      (func (export "sat64") (param f32) (result i64) (i64.trunc_sat_f32_u (local.get 0)))
      (func (export "stop") (unreachable)))`,
    calls: [
      ["i32.div_s", 7, -2],
      ["i32.div_s", 1, 0],
      ["i32.div_s", -2147483648, -1],
      ["i32.rem_s", -2147483648, -1],
      ["i32.rem_u", 7, 0],
      ["i64.div_u", -1n, 3n],
      ["i64.rem_s", 5n, 0n],
      ["trunc", 1e10],
      ["trunc", Number.NaN],
      ["trunc", -3.7],
      ["sat", 1e10],
      ["sat", Number.NaN],
      ["sat64", -1],
      ["stop"],
    ],
  },
  {
    name: "integers: sign extension, rotation, counting, comparison",
    source: `(module ${["rotl", "shr_s", "shr_u", "and", "or", "xor"].map((name) => binary("i64", name)).join("")}
      (func (export "ext") (param i64) (result i64) (i64.add (i64.extend8_s (local.get 0)) (i64.add (i64.extend16_s (local.get 0)) (i64.extend32_s (local.get 0)))))
      (func (export "ext32") (param i32) (result i32) (i32.mul (i32.extend8_s (local.get 0)) (i32.extend16_s (local.get 0))))
      (func (export "bits") (param i64) (result i64) (i64.add (i64.clz (local.get 0)) (i64.add (i64.ctz (local.get 0)) (i64.popcnt (local.get 0)))))
      (func (export "cmp") (param i64 i64) (result i32) (i32.add (i64.lt_s (local.get 0) (local.get 1)) (i32.shl (i64.lt_u (local.get 0) (local.get 1)) (i32.const 1)))))`,
    calls: [
      ["ext", 0x80n],
      ["ext", 0x8000_8080n],
      ["ext32", 0xff80],
      ["bits", 0n],
      ["bits", 40n],
      ["cmp", -1n, 1n],
      ["cmp", 1n, -1n],
      ["i64.rotl", 1n, 65n],
      ["i64.shr_s", -8n, 1n],
      ["i64.shr_u", -8n, 1n],
    ],
  },
];
