/**
 * How kernels are written: endless loops in WebAssembly text, each of which does one kind of thing until its fuel is
 * spent.
 *
 * A kernel is {name, group, body} and, where needed: `bare` (the body is a loop itself), `fields` (of the module),
 * `imports`, `pages` (of memory, 16 unless said), `touched` (memory is written to before), `simd`, `fuel` (all it may
 * burn: what can't go on for ever is measured in many short runs).
 */

/** Numbers at the start of every run; results go to memory at the end of a pass, so that none is dead. */
const locals = `
  (local $p i32) (local $a i32) (local $b i32) (local $c i32) (local $d i32)
  (local $x i64) (local $y i64) (local $f f64) (local $g f64) (local $s f32) (local $t f32)`;
const start = `
  (local.set $a (i32.const 12345)) (local.set $b (i32.const 77)) (local.set $x (i64.const 0x123456789abcdef))
  (local.set $y (i64.const 0x7fedcba987)) (local.set $f (f64.const 1.5)) (local.set $g (f64.const 0.9999999))
  (local.set $s (f32.const 1.5)) (local.set $t (f32.const 0.99999))`;
const keep = `
  (i32.store (i32.const 0) (i32.add (local.get $a) (local.get $c)))
  (i32.store (i32.const 4) (i32.add (local.get $b) (local.get $d)))
  (i64.store (i32.const 8) (i64.add (local.get $x) (local.get $y)))
  (f64.store (i32.const 16) (local.get $f)) (f32.store (i32.const 24) (local.get $s))`;
const vectorLocals = "(local $v v128) (local $w v128)";
const vectorStart = `
  (local.set $v (v128.const i32x4 0x3f800001 0x3f900002 0x3fa00003 0x3fb00004))
  (local.set $w (v128.const i32x4 0x3f700005 0x3f600006 0x3f500007 0x3f400008))`;
const vectorKeep = "(v128.store (i32.const 32) (local.get $v))";

/** A text so many times in a row, with the number of each in the place of @. */
export const times = (count, text) =>
  Array.from({ length: count }, (_none, at) => text.replaceAll("@", String(at))).join("\n");

/** The next of a linear congruential sequence in $a, for what must not be foreseen. */
export const next = "(local.set $a (i32.add (i32.mul (local.get $a) (i32.const 1664525)) (i32.const 1013904223)))";
/** An operation on one local, again and again. */
export const chain = (local, expression) => `(local.set ${local} ${expression})`;

/** `local op other` and `op local`, back into the local. */
export const binary = (local, op, other) => chain(`$${local}`, `(${op} (local.get $${local}) (local.get $${other}))`);
export const unary = (local, op) => chain(`$${local}`, `(${op} (local.get $${local}))`);
/** A kernel's module in WebAssembly text; it exports `run`. */
export function moduleText({ imports, fields, pages, body, bare, simd: vectors }) {
  const loop = `${start} ${vectors ? vectorStart : ""} (loop $pass ${body} ${keep} ${vectors ? vectorKeep : ""} (br $pass))`;
  return `(module
    (type $unary (func (param i32) (result i32)))
    ${imports ?? ""}
    (memory (export "memory") ${pages ?? 16} 1024)
    (data $data "${"0123456789abcdef".repeat(64)}")
    (table $functions 4 4 funcref)
    (table $slots 8192 8192 funcref)
    (elem (table $functions) (i32.const 0) func $leaf $other $third $fourth)
    (elem $elements func ${times(64, "$leaf").replaceAll("\n", " ")})
    (func $leaf (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func $other (param i32) (result i32) (i32.xor (local.get 0) (i32.const 3)))
    (func $third (param i32) (result i32) (i32.mul (local.get 0) (i32.const 5)))
    (func $fourth (param i32) (result i32) (i32.sub (i32.const 7) (local.get 0)))
    ${fields ?? ""}
    (func (export "run") ${locals} ${vectors ? vectorLocals : ""}
      ${bare ? body : loop}))`;
}
