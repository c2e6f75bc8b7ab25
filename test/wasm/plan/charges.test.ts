import { describe, expect, test } from "vitest";
import { assemble, runSealed, seal } from "../support.js";

/** Fuel of each call, and the charge points of the module. */
function charges(source: string, ...calls: readonly (readonly [name: string, ...args: unknown[]])[]) {
  const sealed = seal(assemble(source));
  const fuel = calls.map((call) => {
    const run = runSealed(sealed, [call], 1_000_000n);
    expect(run.results[1]).not.toMatch(/^(other|trap)/);
    return Number(1_000_000n - run.fuel);
  });
  return { points: sealed.charges.points, fuel };
}

const nops = (count: number) => "(nop) ".repeat(count);

describe("who pays for a function", () => {
  test("a silent function has no charge of its own; its callers pay its longest path", () => {
    const source = `(module (func $leaf (param i32) (if (local.get 0) (then ${nops(30)})))
      (func (export "f") (param i32) (call $leaf (local.get 0))))`;
    // local.get, call, then local.get, if, 30
    expect(charges(source, ["f", 1], ["f", 0])).toEqual({ points: 1, fuel: [35, 35] });
  });

  test("up to 200 a function is silent, beyond it charges for itself and its callers for its entry", () => {
    const source = (count: number) => `(module (func $leaf ${nops(count)}) (func (export "f") (call $leaf)))`;
    expect(charges(source(200), ["f"])).toEqual({ points: 1, fuel: [202] });
    expect(charges(source(201), ["f"])).toEqual({ points: 2, fuel: [203] });
  });

  test("a chain of silent functions is silent as long as its whole path is", () => {
    const source = (count: number) =>
      `(module (func $a ${nops(90)}) (func $b (call $a) ${nops(count)}) (func (export "f") (call $b)))`;
    expect(charges(source(108), ["f"])).toEqual({ points: 1, fuel: [2 + 2 + 90 + 108] });
    expect(charges(source(109), ["f"]).points).toBe(2);
  });

  test("a metered function's first block is paid for by its caller", () => {
    // $g loops, so it is metered: the point at the loop is its own, the two instructions before it the caller's.
    const source = `(module (func $g (param i32) (nop) (nop) (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
      (func (export "f") (param i32) (call $g (local.get 0))))`;
    expect(charges(source, ["f", 1], ["f", 5])).toEqual({ points: 2, fuel: [3 + 2 + 9, 3 + 2 + 5 * 9] });
  });

  test("an export pays for itself, whoever calls it", () => {
    const source = `(module (func $g (export "g") (nop) (nop)) (func (export "f") (call $g)))`;
    expect(charges(source, ["g"], ["f"])).toEqual({ points: 2, fuel: [2, 2 + 2] });
  });

  test("an indirect call pays for the dearest of its type", () => {
    const source = `(module (table 2 funcref) (elem (i32.const 0) func $a $b) (func $a) (func $b ${nops(40)}) (func $other (param i32) ${nops(70)})
      (elem declare func $other) (func (export "f") (param i32) (call_indirect (local.get 0))))`;
    expect(charges(source, ["f", 0], ["f", 1])).toEqual({ points: 1, fuel: [1 + 4 + 40, 1 + 4 + 40] });
  });

  test("recursion charges every time", () => {
    const source = `(module (func $f (export "f") (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))))))`;
    const { fuel } = charges(source, ["f", 0], ["f", 1], ["f", 100]);
    expect((fuel[2] as number) - (fuel[1] as number)).toBe(99 * ((fuel[1] as number) - (fuel[0] as number)));
    expect((fuel[1] as number) - (fuel[0] as number)).toBeGreaterThanOrEqual(5);
  });

  test("a function with many locals pays for them itself", () => {
    const source = (locals: number) =>
      `(module (func $g (local ${"i64 ".repeat(locals)})) (func (export "f") (call $g)))`;
    expect(charges(source(67), ["f"])).toEqual({ points: 1, fuel: [2 + 16] });
    expect(charges(source(68), ["f"])).toEqual({ points: 2, fuel: [2 + 17] });
  });
});

describe("where a function is charged", () => {
  test("a block of more than 16 is charged by itself, and then only when it runs", () => {
    const source = (count: number) =>
      `(module (func (export "f") (param i32) (if (local.get 0) (then ${nops(count)}))))`;
    expect(charges(source(16), ["f", 0], ["f", 1])).toEqual({ points: 1, fuel: [18, 18] });
    expect(charges(source(17), ["f", 0], ["f", 1])).toEqual({ points: 2, fuel: [2, 19] });
  });

  test("a path of more than 96 is charged anew", () => {
    const step = `(if (local.get 0) (then ${nops(10)})) `;
    const source = (steps: number) => `(module (func (export "f") (param i32) ${step.repeat(steps)}))`;
    expect(charges(source(8), ["f", 0])).toEqual({ points: 1, fuel: [96] });
    // 9 x 12 = 108: beyond 96 the next block, the last arm or what follows, is a point.
    expect(charges(source(10), ["f", 0]).points).toBeGreaterThan(1);
  });

  test("a block of more than a million is charged in pieces", () => {
    const source = `(module (memory 1) (func (export "f") (i32.const 0) ${"(memory.grow) ".repeat(3000)} (drop)))`;
    const sealed = seal(assemble(source));
    // 1 for the constant, 1,000 each: pieces end with the first instruction beyond a million.
    expect(sealed.charges.points).toBe(3);
    const run = runSealed(sealed, [["f"]], 10_000_000n);
    expect(run.results[1]).toMatch(/^undefined$|^trap/);
    expect(runSealed(sealed, [["f"]], 1_000_000n).fuel).toBe(-1n);
  });

  test("what follows a loop is paid once, not once a pass", () => {
    const source = `(module (func (export "f") (param i32) (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) ${nops(12)}))`;
    expect(charges(source, ["f", 1], ["f", 11])).toEqual({ points: 2, fuel: [12 + 9, 12 + 11 * 9] });
  });

  test("so is what follows several loops left at once", () => {
    const source = `(module (func (export "f") (param i32) (block $out (loop $a (loop $b (br_if $out (i32.eqz (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (br $b)))) ${nops(12)}))`;
    // Two headers of 4; in the inner loop 4 to the i32.eqz, its branch and br: 4 + 7 a pass.
    const { fuel } = charges(source, ["f", 1], ["f", 11]);
    expect(fuel).toEqual([12 + 4 + 11, 12 + 4 + 11 * 11]);
  });

  test("a loop without an exit ends by fuel", () => {
    const sealed = seal(assemble(`(module (func (export "f") (loop $l (br $l))))`));
    const run = runSealed(sealed, [["f"]], 1000n);
    expect(run).toMatchObject({ results: ["started", "trap: unreachable"], fuel: -5n });
  });
});
