import { describe, expect, test } from "vitest";
import {
  assemble,
  binary,
  type Call,
  instantiate,
  isValid,
  pick,
  refusal,
  runOriginal,
  runSealed,
  seal,
  simpleHost,
  stackGiven,
} from "../wasm/support.js";

const trap = "trap: unreachable";

function run(source: string, calls: readonly Call[], fuel = 1_000_000n, options = {}) {
  return runSealed(seal(assemble(source), options), calls, fuel);
}

describe("fuel", () => {
  test.each([
    ["empty loop", `(module (func (export "f") (loop $l (br $l))))`],
    ["loop by br_if", `(module (func (export "f") (loop $l (br_if $l (i32.const 1)))))`],
    ["loop by br_table", `(module (func (export "f") (loop $l (br_table $l $l (i32.const 0)))))`],
    ["loop in a loop", `(module (func (export "f") (loop $l (loop $m (br $l)))))`],
    ["loop through an if", `(module (func (export "f") (loop $l (if (i32.const 0) (then) (else (br $l))))))`],
    ["loop with block parameters", `(module (func (export "f") (i32.const 1) (loop $l (param i32) (br $l))))`],
    ["nops only", `(module (func (export "f") (loop $l ${"(nop)".repeat(50)} (br $l))))`],
  ])("an endless loop ends: %s", (_, source) => {
    const ended = run(source, [["f"]]);
    expect(ended.results).toEqual(["started", trap]);
    expect(ended.fuel).toBeLessThan(0n);
  });

  test("an endless loop in the start section ends", () => {
    const ended = run(`(module (start $s) (func $s (loop $l (br $l))))`, []);
    expect(ended.results).toEqual([trap]);
    expect(ended.fuel).toBeLessThan(0n);
  });

  test("a start section that runs before the host gave fuel does nothing", () => {
    const sealed = seal(
      assemble(`(module (import "extism:host/env" "free" (func $f (param i64))) (start $s)
      (func $s (call $f (i64.const 1))))`),
    );
    const host = simpleHost();
    const exports = instantiate(sealed.bytes, host.imports);
    expect(host.log).toEqual([]);
    expect(() => pick(exports, "exo:start")()).toThrow("unreachable");
    expect(host.log).toEqual([]);
  });

  test("the guest cannot name the fuel global: invalid before, valid after", () => {
    // global.set 0 with no global: after metering, global 0 would be the fuel.
    const refill = binary(
      [1, [1, 0x60, 0, 0]],
      [3, [1, 0]],
      [7, [1, 1, 0x66, 0, 0]],
      [10, [1, 8, 0, 0x42, 0xff, 0xff, 0x03, 0x24, 0, 0x0b]],
    );
    expect(isValid(refill)).toBe(false);
    expect(refusal(refill)).toMatch(/^EXO_WASM_INVALID /);
  });

  test("nor an appended function, nor an appended type", () => {
    const call = binary([1, [1, 0x60, 0, 0]], [3, [1, 0]], [10, [1, 4, 0, 0x10, 1, 0x0b]]);
    expect(refusal(call)).toBe("EXO_WASM_INVALID there is no function 1 (at byte 24)");
    const type = binary([1, [1, 0x60, 0, 0]], [3, [1, 0]], [10, [1, 6, 0, 0x02, 1, 0x0b, 0x0b]]);
    expect(refusal(type)).toMatch(/^EXO_WASM_INVALID /);
    const exported = binary([1, [1, 0x60, 0, 0]], [3, [1, 0]], [7, [1, 1, 0x66, 3, 0]], [10, [1, 2, 0, 0x0b]]);
    expect(refusal(exported)).toMatch(/^EXO_WASM_INVALID /);
    const element = binary(
      [1, [1, 0x60, 0, 0]],
      [3, [1, 0]],
      [4, [1, 0x70, 0, 1]],
      [9, [1, 0, 0x41, 0, 0x0b, 1, 1]],
      [10, [1, 2, 0, 0x0b]],
    );
    expect(refusal(element)).toBe("EXO_WASM_INVALID there is no function 1 (at byte 32)");
  });

  test("no host call starts with fuel below zero, however it is reached", () => {
    const source = `(module (import "extism:host/env" "alloc" (func $a (param i64) (result i64)))
      (table 1 funcref) (elem (i32.const 0) func $a) (export "again" (func $a))
      (func (export "direct") (loop $l (drop (call $a (i64.const 80))) (br $l)))
      (func (export "table") (loop $l (drop (call_indirect (param i64) (result i64) (i64.const 80) (i32.const 0))) (br $l))))`;
    const sealed = seal(assemble(source));
    for (const name of ["direct", "table"]) {
      for (let fuel = 0n; fuel < 120n; fuel += 1n) {
        let seen = 0n;
        const host = simpleHost();
        const exports = instantiate(sealed.bytes, {
          "extism:host/env": {
            ...host.imports["extism:host/env"],
            alloc: () => {
              seen = pick(exports, "exo:fuel").value as bigint;
              expect(seen).toBeGreaterThanOrEqual(0n);
              return 1n;
            },
          },
        });
        pick(exports, "exo:fuel").value = fuel;
        pick(exports, "exo:stack").value = stackGiven;
        expect(() => pick(exports, name)()).toThrow("unreachable");
        expect(pick(exports, "exo:fuel").value).toBeLessThan(0n);
      }
    }
  });

  test("an import costs the same direct, through a table and as an export", () => {
    const source = `(module (import "extism:host/env" "alloc" (func $a (param i64) (result i64)))
      (table 1 funcref) (elem (i32.const 0) func $a) (export "again" (func $a))
      (func (export "direct") (result i64) (call $a (i64.const 800)))
      (func (export "table") (result i64) (call_indirect (param i64) (result i64) (i64.const 800) (i32.const 0))))`;
    const used = (name: string, ...args: unknown[]) => 1_000_000n - run(source, [[name, ...args]]).fuel;
    expect(used("again", 800n)).toBe(110n);
    expect(used("direct")).toBe(1n + 2n + 110n);
    expect(used("table")).toBe(2n + 4n + 110n);
  });

  test.each([
    ["alloc of -1", `(call $alloc (i64.const -1)) (drop)`],
    ["alloc of the least i64", `(call $alloc (i64.const 0x8000000000000000)) (drop)`],
    ["output_set of -1", `(call $out (i64.const 0) (i64.const -1))`],
    ["memory.fill of 4 GiB", `(memory.fill (i32.const 0) (i32.const 0) (i32.const -1))`],
    ["memory.copy of 4 GiB", `(memory.copy (i32.const 0) (i32.const 0) (i32.const -1))`],
  ])("a hostile length is charged before the call and never wraps: %s", (_, body) => {
    const source = `(module (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
      (import "extism:host/env" "output_set" (func $out (param i64 i64))) (memory 1) (func (export "f") ${body}))`;
    for (const fuel of [1_000n, 1_000_000n]) {
      const ended = run(source, [["f"]], fuel);
      expect(ended.results).toEqual(["started", trap]);
      expect(ended.log).toEqual([]);
      expect(ended.fuel).toBeLessThan(0n);
    }
    const rich = run(source, [["f"]], 2n ** 62n);
    expect(rich.fuel).toBeLessThan(2n ** 62n);
  });

  test("a large memory.fill is charged by its size", () => {
    const source = `(module (memory 16) (func (export "f") (param i32) (memory.fill (i32.const 0) (i32.const 7) (local.get 0))))`;
    const used = (size: number) => 10_000_000n - run(source, [["f", size]], 10_000_000n).fuel;
    expect(used(1_048_576) - used(0)).toBe(131_072n);
    expect(used(7)).toBe(used(0));
  });

  test("table operations are charged by element", () => {
    const source = `(module (table 1000 funcref) (elem $e func ${"$f ".repeat(500)}) (func $f)
      (func (export "init") (param i32) (table.init $e (i32.const 0) (i32.const 0) (local.get 0)))
      (func (export "fill") (param i32) (table.fill (i32.const 0) (ref.null func) (local.get 0)))
      (func (export "copy") (param i32) (table.copy (i32.const 1) (i32.const 0) (local.get 0))))`;
    for (const name of ["init", "fill", "copy"]) {
      const used = (size: number) => 1_000_000n - run(source, [[name, size]]).fuel;
      expect(used(500) - used(0)).toBe(32_000n);
    }
  });

  test("a function pays at entry for the locals the engine zeroes", () => {
    const source = (locals: number) => `(module (func (export "f") (local ${"i64 ".repeat(locals)})))`;
    const used = (locals: number) => 1_000_000n - run(source(locals), [["f"]]).fuel;
    expect(used(4000) - used(0)).toBe(1000n);
  });
});

describe("stack", () => {
  test.each([
    ["plain", `(module (func $f (export "f") (call $f)))`],
    ["mutual", `(module (func $f (export "f") (call $g)) (func $g (call $h)) (func $h (call $f)))`],
    ["1,000 locals a frame", `(module (func $f (export "f") (local ${"i64 ".repeat(1000)}) (call $f)))`],
    [
      "1,000 live floats a frame",
      `(module (func $f (export "f") (result f64) ${"(call $f) ".repeat(1000)} ${"(f64.add) ".repeat(999)}))`,
    ],
    [
      "through a table",
      `(module (table 1 funcref) (elem (i32.const 0) func $f) (func $f (export "f") (call_indirect (i32.const 0))))`,
    ],
    [
      "with parameters",
      `(module (func $f (param ${"i64 ".repeat(50)}) (call $f ${Array.from({ length: 50 }, (_, i) => `(local.get ${i})`).join("")}))
      (func (export "f") (call $f ${"(i64.const 1)".repeat(50)})))`,
    ],
    ["in a loop", `(module (func $f (export "f") (loop $l (call $f) (br $l))))`],
    ["in the start section", `(module (start $f) (func $f (export "f") (call $f)))`],
  ])("recursion ends at the counter, not at the native stack: %s", (_, source) => {
    const ended = run(source, [["f"]], 1_000_000_000n);
    expect(ended.results.at(-1)).toBe(trap);
    expect(ended.stack).toBeLessThan(0);
    expect(ended.fuel).toBeGreaterThan(0n);
  });

  test("the same depth after optimization", () => {
    const source = `(module (global $n (mut i32) (i32.const 0)) (func $f (param i32) (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))))))
      (func (export "warm") (local i32) (loop $l (call $f (i32.const 100)) (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 2000)))))
      (func (export "f") (result i32) (global.set $n (i32.const 0)) (call $f (i32.const -1)) (global.get $n)) (func (export "n") (result i32) (global.get $n)))`;
    const sealed = seal(assemble(source));
    const cold = runSealed(sealed, [["f"], ["n"]]);
    const warm = runSealed(sealed, [["warm"], ["f"], ["n"]]);
    expect(cold.results[2]).toBe(warm.results[3]);
    expect(Number(cold.results[2])).toBeGreaterThan(1000);
    expect(cold.stack).toBe(warm.stack);
  });

  test("the counter returns to where it was on every way out", () => {
    const source = `(module (func $f (param i32) (result i32) (block $b (if (i32.eq (local.get 0) (i32.const 0)) (then (return (i32.const 1))))
        (br_if $b (i32.eq (local.get 0) (i32.const 1)))
        (drop (br_if 1 (i32.const 9) (i32.eq (local.get 0) (i32.const 2))))
        (br_table $b 1 $b (i32.const 4) (i32.const 0))) (i32.const 7))
      (func (export "f") (param i32) (result i32) (call $f (local.get 0))))`;
    const bytes = assemble(source.replace("(br_table $b 1 $b (i32.const 4) (i32.const 0))", "(br $b)"));
    const ended = runSealed(seal(bytes), [
      ["f", 0],
      ["f", 1],
      ["f", 2],
      ["f", 3],
    ]);
    expect(ended.results.slice(1)).toEqual(["1", "7", "9", "7"]);
    expect(ended.stack).toBe(stackGiven);
  });

  test("a frame beyond 16 Ki words is refused", () => {
    expect(refusal(assemble(`(module (func (local ${"i64 ".repeat(16_373)})))`))).toMatch(
      /^EXO_WASM_LIMIT a function's frame takes 16385 words, at most 16384 are admitted \(at byte \d+\)$/,
    );
    expect(seal(assemble(`(module (func (local ${"i64 ".repeat(16_372)})))`)).exports).toEqual([]);
  });
});

describe("memory", () => {
  test("a memory bomb stops at the cap and says so", () => {
    const source = `(module (memory (export "memory") 1) (func (export "f") (result i32)
      (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (memory.size)))`;
    const ended = run(source, [["f"]], 10_000_000n, { memoryPages: 20 });
    expect(ended.results).toEqual(["started", "20"]);
    expect(ended.state).toBe(1);
  });

  test("a request far past the cap is answered -1 and not charged as if granted", () => {
    const source = `(module (memory 1 100) (func (export "f") (result i32) (memory.grow (i32.const -1))))`;
    const ended = run(source, [["f"]]);
    expect(ended.results).toEqual(["started", "-1"]);
    expect(1_000_000n - ended.fuel).toBe(1001n);
    expect(ended.state).toBe(1);
  });

  test("pages that are granted cost 20,000 each, before they are there", () => {
    const source = `(module (memory (export "memory") 1) (func (export "f") (param i32) (result i32) (memory.grow (local.get 0))))`;
    expect(1_000_000n - run(source, [["f", 3]]).fuel).toBe(61_001n);
    const poor = runSealed(seal(assemble(source)), [["f", 3]], 61_000n);
    expect(poor.results).toEqual(["started", trap]);
    expect(poor.fuel).toBe(-1n);
    expect(poor.state).toBe(0);
  });

  test("a declared maximum beyond the cap is lowered, one below it stays", () => {
    const size = (source: string) =>
      run(
        `(module (memory ${source}) (func (export "f") (result i32) (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (memory.size)))`,
        [["f"]],
        10_000_000n,
      );
    expect(size("1 65536").results[1]).toBe("64");
    expect(size("1 3").results[1]).toBe("3");
    expect(size("0").results[1]).toBe("64");
  });

  test("a failure of the host to grow below the cap ends the run and leaves bit 2", () => {
    const sealed = seal(assemble(`(module (memory 1) (func (export "f") (result i32) (memory.grow (i32.const 1))))`), {
      memoryPages: 4,
    });
    // The engine's own maximum is lowered beneath the one the code knows, which stands for a host short of memory.
    const section = [5, 4, 1, 1, 1, 4];
    const at = sealed.bytes.findIndex((_, start) =>
      section.every((byte, index) => sealed.bytes[start + index] === byte),
    );
    const bytes = sealed.bytes.slice();
    bytes[at + 5] = 2;
    const ended = runSealed({ ...sealed, bytes }, [["f"], ["f"]]);
    expect(ended.results).toEqual(["started", "1", trap]);
    expect(ended.state).toBe(2);
    expect(ended.fuel).toBeGreaterThan(0n);
    expect(ended.stack).toBeGreaterThan(0);
  });
});

describe("NaN", () => {
  const bits = (body: string) => `(module (func $z (result f64) (f64.const 0)) (func $y (result f32) (f32.const 0))
    (func $nan (result f64) (f64.reinterpret_i64 (i64.const 0xfff4000000000123))) (func $nan32 (result f32) (f32.reinterpret_i32 (i32.const 0xffa00123)))
    (func $one (result i64) ${body})
    (func (export "f") (result i64) (local $i i32) (local $or i64) (local $and i64) (local.set $and (i64.const -1))
      (loop $l (local.set $or (i64.or (local.get $or) (call $one))) (local.set $and (i64.and (local.get $and) (call $one)))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100000))))
      (if (i64.ne (local.get $or) (local.get $and)) (then (unreachable))) (local.get $or)))`;
  const canonical64 = String(0x7ff8_0000_0000_0000n);
  const canonical32 = String(0x7fc0_0000n);
  const operand64 = "(call $nan)";
  const operand32 = "(call $nan32)";

  test.each([
    ...["add", "sub", "mul", "div", "min", "max"].map((name) => [
      `f64.${name}`,
      `(f64.${name} ${operand64} (call $z))`,
    ]),
    ...["add", "sub", "mul", "div", "min", "max"].map((name) => [
      `f64.${name} right`,
      `(f64.${name} (call $z) ${operand64})`,
    ]),
    ...["ceil", "floor", "trunc", "nearest", "sqrt"].map((name) => [`f64.${name}`, `(f64.${name} ${operand64})`]),
    ["f64 0/0", "(f64.div (call $z) (call $z))"],
    ["f64 constant 0/0", "(f64.div (f64.const 0) (f64.const 0))"],
    ["f64 inf-inf", "(f64.sub (f64.const inf) (f64.const inf))"],
    ["f64 sqrt(-1)", "(f64.sqrt (f64.sub (call $z) (f64.const 1)))"],
    ["f64 promote", `(f64.promote_f32 ${operand32})`],
  ])("%s gives the canonical bits 100,000 times", (_, body) => {
    expect(run(bits(`(i64.reinterpret_f64 ${body})`), [["f"]], 1_000_000_000n).results[1]).toBe(canonical64);
  });

  test.each([
    ...["add", "sub", "mul", "div", "min", "max"].map((name) => [
      `f32.${name}`,
      `(f32.${name} ${operand32} (call $y))`,
    ]),
    ...["ceil", "floor", "trunc", "nearest", "sqrt"].map((name) => [`f32.${name}`, `(f32.${name} ${operand32})`]),
    ["f32 0/0", "(f32.div (call $y) (call $y))"],
    ["f32 demote", `(f32.demote_f64 ${operand64})`],
  ])("%s gives the canonical bits 100,000 times", (_, body) => {
    expect(run(bits(`(i64.extend_i32_u (i32.reinterpret_f32 ${body}))`), [["f"]], 1_000_000_000n).results[1]).toBe(
      canonical32,
    );
  });

  test.each([
    ["neg", "(f64.neg (call $nan))", 0x7ff4_0000_0000_0123n],
    ["abs", "(f64.abs (call $nan))", 0x7ff4_0000_0000_0123n],
    ["copysign", "(f64.copysign (call $nan) (f64.const 1))", 0x7ff4_0000_0000_0123n],
    ["select", "(select (call $nan) (f64.const 1) (i32.const 1))", -0x000b_ffff_ffff_feddn],
    ["neg of 0/0", "(f64.neg (f64.div (call $z) (call $z)))", -0x0008_0000_0000_0000n],
  ])("%s keeps or flips bits and nothing else", (_, body, expected) => {
    const source = bits(`(i64.reinterpret_f64 ${body})`);
    expect(run(source, [["f"]], 1_000_000_000n).results[1]).toBe(String(expected));
  });

  test("without metering the same division is free to differ; the sealed one is not", () => {
    const bytes = assemble(bits("(i64.reinterpret_f64 (f64.div (call $z) (call $z)))"));
    expect([canonical64, String(BigInt.asIntN(64, 0xfff8_0000_0000_0000n)), trap]).toContain(
      runOriginal(bytes, [["f"]]).results[1],
    );
    expect(runSealed(seal(bytes), [["f"]], 1_000_000_000n).results[1]).toBe(canonical64);
  });
});
