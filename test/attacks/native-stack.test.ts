import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assemble, shapesOf } from "../../scripts/stability/shapes.mjs";
import type { SandboxHost } from "../../src/ports.js";
import { createPool, type JobDraft, job } from "../sandbox/support.js";
import { refusal, seal } from "../wasm/support.js";

const greatest = 262_144;

/** Guests that recurse without an end, with frames of every shape: locals, parameters, operands, results, widths, ways. */
describe("the counted stack ends before the native one", () => {
  let pool: SandboxHost;
  beforeAll(() => {
    pool = createPool();
  });
  afterAll(() => pool.close());

  const shapes = shapesOf(true).filter(({ warm }) => !warm);

  it("there are shapes of 1,000 locals in every width", () => {
    for (const type of ["i32", "i64", "f64", "v128"]) {
      expect(shapes.some(({ name }) => name.includes(` ${type}: 1000 locals`))).toBe(true);
    }
  });

  for (const { name, source } of shapes) {
    it(name, async () => {
      const module = seal(assemble(source));
      const run = (stackBytes: number) => {
        const draft: JobDraft = { limits: { stackBytes, fuel: 1_000_000_000_000 } };
        return pool.run(job(module, draft));
      };
      const outcome = await run(greatest);
      expect(outcome).toMatchObject({ status: "stack_overflow", error: { code: "EXO_STACK_OVERFLOW" } });
      expect(await run(greatest)).toEqual(outcome);
      // Three times the stack a run gets, in a worker as it is started: the factor that is to be kept.
      expect(await run(3 * greatest)).toMatchObject({ status: "stack_overflow" });
    });
  }

  it("a frame that no counted stack holds is not admitted", () => {
    const locals = (count: number): string =>
      `(module (func $f (local ${"i64 ".repeat(count)}) (call $f)) (export "run" (func $f)))`;
    expect(refusal(assemble(locals(17_000)))).toMatch(/^EXO_WASM_LIMIT /);
    expect(() => seal(assemble(locals(16_000)))).not.toThrow();
  });
});
