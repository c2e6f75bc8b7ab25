/**
 * Modules that recurse without an end, by the shape of their frames: attacks on the native stack. Every value of a frame
 * is loaded from memory before the call and added up behind it, so that no compiler can leave one out or make it again.
 */

const bytesOf = { i32: 4, i64: 8, f32: 4, f64: 8, v128: 16 };
const adds = { v128: "i64x2.add" };
/** Where the number of calls left stands; loads read below it. */
const counter = 131_064;

const list = (count, item) => Array.from({ length: count }, (_, index) => item(index));
const load = (type, index) => `(${type}.load offset=${(index * bytesOf[type]) % 65_536} (local.get $zero))`;
const addOf = (type) => adds[type] ?? `${type}.add`;

/** How a frame comes to call the next: the call itself, and how many functions there are. */
const ways = {
  self: { functions: 1, call: () => "(call $f0)" },
  mutual: { functions: 2, call: (own) => `(call $f${1 - own})` },
  ring: { functions: 5, call: (own) => `(call $f${(own + 1) % 5})` },
  indirect: { functions: 1, call: () => "(call_indirect (type $frame) (i32.const 0))" },
  // Which of the eight is known at run time only.
  table: {
    functions: 8,
    call: () => `(call_indirect (type $frame) (i32.and (i32.load (i32.const ${counter})) (i32.const 7)))`,
  },
  // A small function between two large ones.
  between: { functions: 1, call: () => "(call $small)", small: "(call $f0)" },
};

/** The name of a shape, which says all of it. */
export function nameOf({ through, type, locals, params, operands, results, ...rest }) {
  const { loop = false, host = false, chain = 0, phases = [] } = rest;
  const more = [
    loop ? "in a loop" : "",
    host ? "with host calls" : "",
    chain > 0 ? `over a chain of ${chain}` : "",
    phases.length > 0 ? `then as many ${phases.join(" and ")}` : "",
  ];
  const counts = `${locals} locals, ${params} parameters, ${operands} operands, ${results} results`;
  return [`${through} ${type}: ${counts}`, ...more.filter(Boolean)].join(", ");
}

/**
 * The module in WAT. `run` recurses without an end; `warm` recurses 20 deep. A shape has `through` (one of the ways),
 * `type`, and the counts of `locals`, `params`, `operands` below the call and `results`; `loop` calls from inside a loop,
 * `host` calls an import in every frame, `chain` puts so many functions that do not recurse, with frames of the same
 * locals and operands, on top of every frame, and `phases` names types of which a frame keeps as many operands later on.
 */
export function frames(shape) {
  const { through, type, params, results, host = false, chain = 0, phases = [] } = shape;
  const way = ways[through];
  const entry = (name, depth) => `(func (export "${name}") (result i32) (local $zero i32)
    (i32.store (i32.const ${counter}) (i32.const ${depth}))
    ${list(params, (index) => load(type, index)).join(" ")} (call $f0) ${"drop ".repeat(results)} (i32.const 0))`;
  const small = (words) =>
    `(func $small (type $frame) ${list(params, (index) => `(local.get ${index})`).join(" ")} ${words})`;
  return `(module
    ${host ? '(import "extism:host/env" "input_length" (func $host (result i64)))' : ""}
    (type $frame (func ${typesOf("param", type, params)} ${typesOf("result", type, results)}))
    (memory (export "memory") 2)
    (table ${way.functions} funcref) (elem (i32.const 0) ${list(way.functions, (own) => `$f${own}`).join(" ")})
    ${list(way.functions, (own) => frame(`$f${own}`, shape, way.call(own))).join("\n")}
    ${way.small === undefined ? "" : small(way.small)}
    ${list(chain, (link) => chainLink(shape, link, chain)).join("\n")}
    ${phases.length === 0 ? "" : "(func $touch (i32.store offset=65700 (i32.const 0) (i32.const 1)))"}
    ${entry("run", 2_000_000_000)} ${entry("warm", 20)})`;
}

function typesOf(word, type, count) {
  return count === 0 ? "" : `(${word} ${list(count, () => type).join(" ")})`;
}

/** One recursive function. The values a frame keeps: its locals, and operands that stay on the stack below the call. */
function frame(name, shape, call) {
  const { type, locals, params, operands, results, loop = false, host = false, chain = 0, phases = [] } = shape;
  const add = addOf(type);
  const first = params + 2;
  const result = (index) => load(type, locals + operands + params + index);
  const values = list(results, result).join(" ");
  const next = `(if ${typesOf("result", type, results)} (i32.gt_s (i32.load (i32.const ${counter})) (i32.const 0))
      (then ${list(params, (index) => load(type, locals + operands + index)).join(" ")} ${call}) (else ${values}))`;
  // A loop of one pass, which only the counter knows.
  const repeat = `(br_if $again (i32.lt_s (i32.load (i32.const ${counter})) (i32.const -2000000000)))`;
  return `(func ${name} (type $frame) (local $zero i32) (local $sum ${type}) ${list(locals, () => `(local ${type})`).join(" ")}
    (i32.store (i32.const ${counter}) (i32.sub (i32.load (i32.const ${counter})) (i32.const 1)))
    ${host ? "(drop (call $host))" : ""} ${chain > 0 ? "(call $c0)" : ""}
    ${list(locals, (index) => `(local.set ${first + index} ${load(type, index)})`).join("\n")}
    ${loop ? "(loop $again" : ""}
    ${list(operands, (index) => load(type, locals + index)).join("\n")}
    ${next}
    ${fold(add, results + operands, type)}
    (local.set $sum) ${loop ? `${repeat})` : ""}
    ${list(locals, (index) => `(local.set $sum (${add} (local.get $sum) (local.get ${first + index})))`).join("\n")}
    ${list(params, (index) => `(local.set $sum (${add} (local.get $sum) (local.get ${index})))`).join("\n")}
    (${type}.store offset=65536 (local.get $zero) (local.get $sum))
    ${phases.map((other) => phase(other, operands)).join("\n")}
    ${values})`;
}

/** Keeps so many values of a type below a call: slots of another width, in the frame that the recursion is in. */
function phase(type, count) {
  return `(local.get $zero) ${list(count, (index) => load(type, index)).join("\n")} (call $touch)
    ${fold(addOf(type), count, type)} ${type}.store offset=65600`;
}

/** Adds up so many values on the stack to one; none become one too. */
function fold(add, count, type) {
  return count === 0 ? load(type, 0) : `${add} `.repeat(count - 1);
}

/** One function of the chain that every frame calls and that calls no frame. */
function chainLink({ type, locals, operands }, link, chain) {
  const add = addOf(type);
  const call = link + 1 < chain ? `(call $c${link + 1})` : "";
  return `(func $c${link} (local $zero i32) (local $sum ${type}) ${list(locals, () => `(local ${type})`).join(" ")}
    ${list(locals, (index) => `(local.set ${2 + index} ${load(type, index)})`).join("\n")}
    ${list(operands, (index) => load(type, locals + index)).join("\n")}
    ${call}
    ${fold(add, operands, type)} (local.set $sum)
    ${list(locals, (index) => `(local.set $sum (${add} (local.get $sum) (local.get ${2 + index})))`).join("\n")}
    (${type}.store offset=65536 (local.get $zero) (local.get $sum)))`;
}

/**
 * Recursion through a frame that is small by its own count and large once a compiler has put the functions it calls
 * into it: a chain of `chain` small functions that keep `operands` values each while the next runs. `pad` instructions
 * make the recursive function long, and so raise what V8 is willing to inline into it. `warm` recurses 20 deep, as often
 * as it takes for the optimizing compiler to notice, `run` without an end.
 */
export function inlinedFrames({ type, operands, chain, pad }) {
  const add = addOf(type);
  const at = (index) => `(${type}.load offset=${(index * bytesOf[type]) % 65_536} (i32.const 0))`;
  const link = (own) => `(func $c${own} ${list(operands, (index) => at(own * operands + index)).join(" ")}
    ${own + 1 < chain ? `(call $c${own + 1})` : "(i32.store offset=100000 (i32.const 0) (i32.const 1))"}
    ${`${add} `.repeat(operands - 1)} (global.set $sum))`;
  const zero = type === "v128" ? "(v128.const i64x2 0 0)" : `(${type}.const 0)`;
  return `(module
    (memory (export "memory") 2) (global $sum (mut ${type}) ${zero})
    ${list(chain, link).join("\n")}
    (func $f
      ${list(pad, (index) => `(i64.store offset=${100_104 + 8 * (index % 500)} (i32.const 0) (i64.load offset=${8 * (index % 8000)} (i32.const 0)))`).join("\n")}
      (i32.store (i32.const ${counter}) (i32.sub (i32.load (i32.const ${counter})) (i32.const 1)))
      (call $c0) (call $c0)
      (if (i32.gt_s (i32.load (i32.const ${counter})) (i32.const 0))
        (then (call $f) (i32.store offset=100004 (i32.const 0) (i32.const 1)))))
    (func (export "warm") (local $left i32)
      (local.set $left (i32.const 300))
      (loop $again
        (i32.store (i32.const ${counter}) (i32.const 20))
        (call $f)
        (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))
    (func (export "run") (i32.store (i32.const ${counter}) (i32.const 2000000000)) (call $f)))`;
}
