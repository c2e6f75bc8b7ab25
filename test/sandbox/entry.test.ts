import { describe, expect, it } from "vitest";
import { answerWasi, probe, wasiGuest, write, written } from "./imports/wasi-support.js";
import { runHere } from "./support.js";

describe("proc_exit", () => {
  const exit = (code: number): string => `(call $proc_exit (i32.const ${code}))`;

  it("0 completes, with the output set so far", async () => {
    const { outcome } = await probe(`(call $show) ${exit(0)} unreachable`, 0);
    expect(outcome.status).toBe("completed");
    expect(outcome.output).toHaveLength(2048);
  });

  it.each([
    [1, "the guest called proc_exit(1)"],
    [255, "the guest called proc_exit(255)"],
    [-1, "the guest called proc_exit(4294967295)"],
  ])("%i is a guest error", async (code, message) => {
    const { outcome } = await probe(`(call $show) ${exit(code)}`, 0);
    expect(outcome).toMatchObject({ status: "guest_error", error: { code: "EXO_GUEST_ERROR", message } });
    expect(outcome.output).toBeUndefined();
  });

  it("after an error was set is that error, whatever the code", async () => {
    const error = `(call $store_u8 (call $alloc (i64.const 1)) (i32.const 0)) (call $error_set (call $text))`;
    const text = `(func $text (result i64) (local $b i64) (local.set $b (call $alloc (i64.const 1)))
      (call $store_u8 (local.get $b) (i32.const 33)) (local.get $b))`;
    for (const code of [0, 7]) {
      const { outcome } = await probe(`${error} ${exit(code)}`, 0, { before: text });
      expect(outcome).toMatchObject({ status: "guest_error", error: { code: "EXO_GUEST_ERROR", message: "!" } });
    }
  });

  it.each([
    ["the start section", `(func $s ${exit(0)}) (start $s)`],
    ["_initialize", `(func (export "_initialize") ${exit(0)})`],
    ["__wasm_call_ctors", `(func (export "__wasm_call_ctors") ${exit(0)})`],
    ["hs_init", `(func (export "hs_init") ${exit(0)})`],
  ])("in %s never completes", async (_, before) => {
    const { outcome } = await probe("(call $show)", 0, { before });
    const message = "the guest called proc_exit(0) before its function was called";
    expect(outcome).toMatchObject({ status: "guest_error", error: { code: "EXO_GUEST_ERROR", message } });
  });

  it("says what waits for its line end", async () => {
    const { outcome, calls } = await probe(`${written("bye")} ${write(1)} ${exit(3)}`, 1);
    expect(outcome.status).toBe("guest_error");
    expect(calls.map(([, request]) => request)).toEqual([{ level: "info", message: "bye" }]);
  });

  it("comes after the budgets", async () => {
    const { outcome } = await probe(`(loop $l (br $l)) ${exit(0)}`, 0);
    expect(outcome.status).toBe("out_of_fuel");
  });

  it("in a failure after refused memory is out of memory", async () => {
    const { outcome } = await probe(`(drop (memory.grow (i32.const 500))) ${exit(1)}`, 0);
    expect(outcome).toMatchObject({ status: "out_of_memory", error: { code: "EXO_OUT_OF_MEMORY" } });
  });
});

describe("initializers", () => {
  const note = (digit: number): string =>
    `(i32.store8 (i32.const 0) (i32.add (i32.mul (i32.load8_u (i32.const 0)) (i32.const 4)) (i32.const ${digit})))`;
  const seen = async (before: string, name = "run"): Promise<number | undefined> => {
    const outcome = await runHere(wasiGuest("", `${before} (func (export "_start") (call $show))`), { function: name });
    return outcome.output?.[0];
  };
  const initialize = `(func (export "_initialize") ${note(1)})`;
  const constructors = `(func (export "__wasm_call_ctors") ${note(2)})`;
  const haskell = `(func (export "hs_init") (param i32 i32) ${note(3)}
    (if (i32.or (local.get 0) (local.get 1)) (then unreachable)))`;

  it("are the reactor's, then Haskell's with no arguments", async () => {
    expect(await seen("")).toBe(0);
    expect(await seen(initialize)).toBe(1);
    expect(await seen(haskell)).toBe(3);
    expect(await seen(`${haskell} ${initialize}`)).toBe(1 * 4 + 3);
  });

  it("are the constructors where there is no _initialize", async () => {
    expect(await seen(constructors)).toBe(2);
    expect(await seen(`${constructors} ${initialize}`)).toBe(1);
    expect(await seen(`${constructors} ${haskell}`)).toBe(2 * 4 + 3);
  });

  it("are not the constructors for a command, whose _start calls them", async () => {
    expect(await seen(constructors, "_start")).toBe(0);
    expect(await seen(initialize, "_start")).toBe(1);
  });

  it("run for every function once, and are charged", async () => {
    const loop = "(loop $l (br $l))";
    for (const name of ["_initialize", "__wasm_call_ctors", "hs_init"]) {
      const outcome = await runHere(wasiGuest("", `(func (export "${name}") ${loop})`), { answer: answerWasi });
      expect(outcome).toMatchObject({ status: "out_of_fuel" });
    }
  });
});
