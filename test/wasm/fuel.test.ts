import { describe, expect, test } from "vitest";
import { ByteReader } from "../../src/wasm/decode/reader.js";
import { inspectModule } from "../../src/wasm/inspect.js";
import { assemble, refusal, runSealed, seal } from "./support.js";

/** Fuel of one call, computed by hand in every row below. */
function fuelOf(body: string, argument: number): number {
  const source = `(module (memory 1) (func $leaf (param i32) (result i32) (local.get 0))
    (type $t (func (param i32) (result i32))) (table 1 funcref) (elem (i32.const 0) func $leaf)
    (func (export "f") (param i32) (local i32) ${body}))`;
  const run = runSealed(seal(assemble(source)), [["f", argument]], 1_000_000n);
  expect(run.results[1]).not.toMatch(/^other/);
  return Number(1_000_000n - run.fuel);
}

const four = "(nop) (nop) (nop) (nop)";

describe("literal fuel", () => {
  test.each([
    // whatever way is taken, the longest is paid for
    ["block left early", `(block (br_if 0 (local.get 0)) ${four}) ${four}`, 1, 2 + 4 + 4],
    ["block not left", `(block (br_if 0 (local.get 0)) ${four}) ${four}`, 0, 2 + 4 + 4],
    ["block nobody leaves", `(block ${four}) ${four}`, 0, 8],
    ["left by br from inside an if", `(block (if (local.get 0) (then (br 1))) ${four}) ${four}`, 1, 2 + 4 + 4],
    ["not left by br from inside an if", `(block (if (local.get 0) (then (br 1))) ${four}) ${four}`, 0, 2 + 4 + 4],
    // both arms and what follows
    ["then", `(if (local.get 0) (then (nop)) (else ${four})) (nop) (nop)`, 1, 2 + 4 + 2],
    ["else", `(if (local.get 0) (then (nop)) (else ${four})) (nop) (nop)`, 0, 2 + 4 + 2],
    ["if without else, taken", `(if (local.get 0) (then ${four})) (nop)`, 1, 2 + 4 + 1],
    ["if without else, not taken", `(if (local.get 0) (then ${four})) (nop)`, 0, 2 + 4 + 1],
    // loops: header 4, then the body's own instructions
    ["loop run once", `(loop (nop) (br_if 0 (i32.const 0))) ${four}`, 0, 4 + 3 + 4],
    [
      "loop run n times",
      `(loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (nop)`,
      10,
      10 * (4 + 5) + 1,
    ],
    ["loop whose end follows its start", `(loop (nop)) ${four}`, 0, 4 + 5],
    ["loop left through its block", `(block (loop (br_if 1 (local.get 0)) ${four})) ${four}`, 1, 4 + 2 + 4 + 4],
    // br_table: 3, and one for every 16 labels
    ["br_table", `(block (block (br_table 0 1 (local.get 0))) ${four}) (nop)`, 0, 4 + 4 + 1],
    ["br_table, default", `(block (block (br_table 0 1 (local.get 0))) ${four}) (nop)`, 5, 4 + 4 + 1],
    ["br_table of 32", `(block (br_table ${"0 ".repeat(32)} 0 (local.get 0)))`, 0, 4 + 2],
    ["br_table of 31", `(block (br_table ${"0 ".repeat(31)} 0 (local.get 0)))`, 0, 4 + 1],
    // ways out
    ["return", `(if (local.get 0) (then (nop) (return))) ${four}`, 1, 2 + 4],
    ["a long way out", `(if (local.get 0) (then ${four} ${four} (return))) ${four}`, 0, 2 + 9],
    ["unreachable is paid for", `(nop) (unreachable)`, 0, 2],
    ["br to the function's end", `(nop) (br 0)`, 0, 2],
    ["nothing", "", 0, 0],
    // calls
    ["call", `(drop (call $leaf (local.get 0)))`, 0, 1 + 2 + 1 + 1],
    ["call_indirect", `(drop (call_indirect (type $t) (local.get 0) (i32.const 0)))`, 0, 2 + 4 + 1 + 1],
    [
      "a call that fails is charged with its block",
      `(drop (call_indirect (type $t) (local.get 0) (i32.const 9))) (nop)`,
      0,
      2 + 4 + 1 + 1 + 1,
    ],
    // sizes
    ["memory.fill of 80", `(memory.fill (i32.const 0) (i32.const 1) (i32.const 80))`, 0, 13 + 10],
    ["memory.copy of 87", `(memory.copy (i32.const 0) (i32.const 1) (i32.const 87))`, 0, 13 + 10],
    ["a fill that traps is charged", `(memory.fill (i32.const -1) (i32.const 1) (i32.const 80))`, 0, 13 + 10],
    ["dead code is free", `(br 0) ${four}`, 0, 1],
    [
      "a value block",
      `(drop (block (result i32) (drop (br_if 0 (i32.const 7) (local.get 0))) (i32.const 1))) (nop)`,
      1,
      3 + 2 + 2,
    ],
    [
      "a value block, to its end",
      `(drop (block (result i32) (drop (br_if 0 (i32.const 7) (local.get 0))) (i32.const 1))) (nop)`,
      0,
      3 + 2 + 2,
    ],
  ])("%s", (_, body, argument, expected) => {
    expect(fuelOf(body, argument)).toBe(expected);
  });
});

describe("frames", () => {
  test("parameters count twice, results once", () => {
    const params = (locals: number) =>
      assemble(`(module (func (param ${"i64 ".repeat(1000)}) (local ${"i64 ".repeat(locals)})))`);
    expect(seal(params(14_372)).exports).toEqual([]);
    expect(refusal(params(14_373))).toMatch(/^EXO_WASM_LIMIT a function's frame takes 16385 words/);
    const results = (locals: number) =>
      assemble(
        `(module (func (result ${"i32 ".repeat(50)}) (local ${"i64 ".repeat(locals)}) ${"(i32.const 0) ".repeat(50)}))`,
      );
    expect(seal(results(16_272)).exports).toEqual([]);
    expect(refusal(results(16_273))).toMatch(/^EXO_WASM_LIMIT a function's frame takes 16385 words/);
  });

  test("a vector counts twice, as a local, a parameter, a result and an operand", () => {
    const words = (source: string) =>
      /frame takes (\d+) words/.exec(
        refusal(assemble(`(module (func (local ${"i64 ".repeat(20_000)})) ${source})`)),
      )?.[1];
    expect(words("")).toBe("20012");
    const simd = (locals: number) =>
      assemble(`(module (func (param v128) (result v128) (local v128 ${"i64 ".repeat(locals)}) (local.get 0)))`, {
        simd: true,
      });
    // 12, twice 2 for the parameter, 2 for the result, 2 for the local, 2 for the operand
    expect(seal(simd(16_384 - 22)).exports).toEqual([]);
    expect(refusal(simd(16_384 - 21))).toMatch(/^EXO_WASM_LIMIT a function's frame takes 16385 words/);
  });

  test("only a frame from which the function can be called again is counted", () => {
    const exact = (source: string, argument: number) => {
      const sealed = seal(assemble(source));
      let least = 0;
      while (runSealed(sealed, [["f", argument]], 100_000n, least).stack < 0) least += 1;
      return least;
    };
    const leaf = `(func $leaf (param i32) (result i32) (local.get 0))`;
    expect(exact(`(module ${leaf} (func (export "f") (param i32) (result i32) (call $leaf (local.get 0))))`, 1)).toBe(
      0,
    );
    const down = `(if (result i32) (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 1)))`;
    const frame = 12 + 2 + 1 + 2;
    for (const [depth, words] of [
      [0, 0],
      [1, frame],
      [7, 7 * frame],
    ] as const) {
      expect(exact(`(module (func $f (export "f") (param i32) (result i32) ${down}))`, depth)).toBe(words);
    }
  });

  test("frames beside one another take no more than one frame may; beyond that every frame is counted", () => {
    const chain = (functions: number) =>
      `(module ${Array.from({ length: functions }, (_, at) => `(func $f${at} ${at === 0 ? '(export "f")' : ""} (local ${"i64 ".repeat(988)}) ${at + 1 < functions ? `(call $f${at + 1})` : ""})`).join("")})`;
    expect(seal(assemble(chain(16))).charges.frames).toBe(0);
    const long = seal(assemble(chain(17)));
    expect(long.charges.frames).toBe(16);
    expect(runSealed(long, [["f"]], 1_000_000n, 16_000).results[1]).toBe("undefined");
    expect(runSealed(long, [["f"]], 1_000_000n, 15_999)).toMatchObject({
      results: ["started", "trap: unreachable"],
      stack: -1,
    });
  });
});

describe("sealed sizes", () => {
  test.each([
    ["(memory 1 65536) (table 2 50000 funcref)", 64, 1000],
    ["(memory 1) (table 2 funcref)", 64, 1000],
    ["(memory 1 3) (table 2 5 funcref)", 3, 5],
  ])("%s", (source, pages, elements) => {
    const { memory, tables } = inspectModule(seal(assemble(`(module ${source})`)).bytes);
    expect(memory).toEqual({ initial: 1, maximum: pages });
    expect(tables).toEqual([{ type: "funcref", initial: 2, maximum: elements }]);
  });
});

describe("numbers", () => {
  const reader = (...bytes: number[]) => new ByteReader(Uint8Array.from(bytes));

  test.each([
    [[0x00], 0],
    [[0x7f], 127],
    [[0x80, 0x01], 128],
    [[0x80, 0x80, 0x00], 0],
    [[0xff, 0xff, 0xff, 0xff, 0x0f], 0xffff_ffff],
    [[0x80, 0x80, 0x80, 0x80, 0x08], 0x8000_0000],
  ])("u32 %o is %d", (bytes, value) => {
    expect(reader(...bytes).u32()).toBe(value);
  });

  test.each([
    [[0x40], -64],
    [[0x3f], 63],
    [[0x80, 0x7f], -128],
    [[0xff, 0xff, 0xff, 0xff, 0x0f], 0xffff_ffff],
    [[0x80, 0x80, 0x80, 0x80, 0x70], -(2 ** 32)],
  ])("s33 %o is %d", (bytes, value) => {
    expect(reader(...bytes).s33()).toBe(value);
  });

  test.each([
    ["u32 of 33 bits", () => reader(0xff, 0xff, 0xff, 0xff, 0x1f).u32()],
    ["u32 of six bytes", () => reader(0x80, 0x80, 0x80, 0x80, 0x80, 0x00).u32()],
    ["u32 cut off", () => reader(0x80).u32()],
    ["s33 of 34 bits", () => reader(0xff, 0xff, 0xff, 0xff, 0x2f).s33()],
    ["s33 of six bytes", () => reader(0x80, 0x80, 0x80, 0x80, 0x80, 0x00).s33()],
    ["i32 of 33 bits", () => reader(0xff, 0xff, 0xff, 0xff, 0x0f).skipSigned(32)],
    ["i64 of 65 bits", () => reader(...Array.from({ length: 9 }, () => 0xff), 0x01).skipSigned(64)],
    ["i64 of eleven bytes", () => reader(...Array.from({ length: 10 }, () => 0x80), 0x00).skipSigned(64)],
    ["a name beyond the end", () => reader(5, 0x61).name()],
    ["a name that is not UTF-8", () => reader(2, 0xc3, 0x28).name()],
  ])("%s is refused", (_, read) => {
    expect(read).toThrow(
      /^a number is longer than \d\d bits$|^unexpected end$|^name byte count 5 is larger|^a name is not UTF-8$/,
    );
  });

  test("signed numbers of full width pass", () => {
    for (const [bits, bytes] of [
      [32, [0x80, 0x80, 0x80, 0x80, 0x78]],
      [32, [0xff, 0xff, 0xff, 0xff, 0x07]],
      [64, [...Array.from({ length: 9 }, () => 0x80), 0x7f]],
      [64, [...Array.from({ length: 9 }, () => 0xff), 0x00]],
    ] as const) {
      const read = reader(...bytes);
      read.skipSigned(bits);
      expect(read.left).toBe(0);
    }
  });
});
