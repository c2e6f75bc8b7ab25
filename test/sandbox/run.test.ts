import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/errors.js";
import { engine, type WasmModule } from "../../src/sandbox/engine.js";
import { compileGuest, exportName } from "../../src/sandbox/extism.js";
import { describeGuest, runGuest } from "../../src/sandbox/run.js";
import { extismVersion } from "../../src/sandbox/settings.js";
import { assemble, seal } from "../wasm/support.js";
import { guest, limits, number, program, runHere } from "./support.js";

const budgets = `(global (export "exo:fuel") (mut i64) (i64.const 0)) (global (export "exo:stack") (mut i32) (i32.const 0))`;
const state = `(global $state (export "exo:state") (mut i32) (i32.const 0))`;

/** Runs a module that is instrumented by hand. */
async function runRaw(source: string, faults: string[] = []): ReturnType<typeof runGuest> {
  const described = describeGuest(await compileGuest(assemble(source)));
  const job = { function: "run", input: new Uint8Array(0), limits };
  return runGuest(
    described,
    job,
    () => ({ kind: "answer", response: new Uint8Array(0) }),
    (text) => faults.push(text),
  );
}

describe("the order of a run", () => {
  const order = guest(`
    (global $n (mut i64) (i64.const 1))
    (func $note (param i64) (global.set $n (i64.add (i64.mul (global.get $n) (i64.const 10)) (local.get 0))))
    (func $start (call $note (i64.const 2)))
    (start $start)
    (func (export "_initialize") (call $note (i64.const 3)))
    (func (export "_start") (call $note (i64.const 4)))
    (func (export "hs_init") (call $note (i64.const 5)))
    (func (export "run") (result i32) (call $note (i64.const 6)) (call $show (global.get $n)) (i32.const 0))
    (func (export "other") (call $show (global.get $n)))`);

  it("is start section, initializers, function; a command's entry point is not called", async () => {
    expect(number(await runHere(order))).toBe(12356n);
    expect(number(await runHere(order, { function: "other" }))).toBe(1235n);
  });

  it("takes entry points for functions by their own names", async () => {
    for (const name of ["_initialize", "_start", "hs_init"]) {
      expect(await runHere(order, { function: name })).toMatchObject({ status: "completed" });
      expect(exportName(name)).toMatch(/^exo:/);
      expect(exportName(name)).toHaveLength(name.length);
    }
  });

  it("calls an initializer that is the function once", async () => {
    const module = guest(`(global $n (mut i64) (i64.const 0))
      (func (export "_initialize") (global.set $n (i64.add (global.get $n) (i64.const 1))) (call $show (global.get $n)))`);
    expect(number(await runHere(module, { function: "_initialize" }))).toBe(1n);
  });

  it("charges all of them", async () => {
    const loop = "(loop $l (br $l))";
    const starved = { status: "out_of_fuel", error: { code: "EXO_OUT_OF_FUEL" }, fuelUsed: limits.fuel };
    for (const body of [`(func $s ${loop}) (start $s)`, `(func (export "_initialize") ${loop})`]) {
      expect(await runHere(guest(`${body} (func (export "run"))`))).toMatchObject(starved);
    }
  });
});

describe("ends", () => {
  it("a function without result completes, one with 0 too", async () => {
    expect(await runHere(guest(`(func (export "run"))`))).toMatchObject({ status: "completed" });
    expect(await runHere(program(""))).toMatchObject({ status: "completed" });
  });

  it("a trap is a trap, without the engine's text", async () => {
    const trapped = { status: "trapped", error: { code: "EXO_TRAPPED" }, hostCalls: 0 };
    for (const body of [
      "unreachable",
      "(drop (i32.div_s (i32.const 1) (i32.const 0)))",
      "(drop (i32.load (i32.const -9)))",
    ]) {
      const outcome = await runHere(program(body));
      expect(outcome).toMatchObject(trapped);
      expect(outcome.error).toEqual({ code: "EXO_TRAPPED" });
    }
  });

  it("a segment that does not fit traps before anything runs", async () => {
    const module = program("", `(data (i32.const 65530) "too far over")`);
    expect(await runHere(module)).toEqual({
      status: "trapped",
      error: { code: "EXO_TRAPPED" },
      fuelUsed: 0,
      memoryPeakPages: 0,
      hostCalls: 0,
    });
  });

  it("a failure after memory was refused is out of memory; a success is not", async () => {
    const grow = "(if (i32.ge_s (memory.grow (i32.const 500)) (i32.const 0)) (then unreachable))";
    const out = { status: "out_of_memory", error: { code: "EXO_OUT_OF_MEMORY" } };
    expect(await runHere(program(`${grow} unreachable`))).toMatchObject(out);
    expect(await runHere(program(`${grow} (return (i32.const 1))`))).toMatchObject(out);
    expect(await runHere(program(`${grow} (drop (call $load_u8 (i64.const 0)))`))).toMatchObject(out);
    expect(await runHere(program(grow))).toMatchObject({ status: "completed", memoryPeakPages: 1 });
  });

  it("memory the host could not give is its fault, not the guest's", async () => {
    const faults: string[] = [];
    const source = `(module ${budgets} ${state} (func (export "run") (global.set $state (i32.const 2)) unreachable))`;
    expect(await runRaw(source, faults)).toMatchObject({ status: "host_fault", error: { code: "EXO_HOST_FAULT" } });
    expect(faults).toHaveLength(1);
  });

  it("nesting beyond the counted stack is a stack overflow", async () => {
    const module = program("(call $f)", "(func $f (call $f) (call $f))");
    const over = { status: "stack_overflow", error: { code: "EXO_STACK_OVERFLOW" } };
    const deep = await runHere(module);
    expect(deep).toMatchObject(over);
    const shallow = await runHere(module, { limits: { stackBytes: 4096 } });
    expect(shallow).toMatchObject(over);
    expect(shallow.fuelUsed).toBeLessThan(deep.fuelUsed / 10);
  });

  it("counts the memory's pages at the end", async () => {
    const module = program("(drop (memory.grow (i32.const 2)))");
    expect(await runHere(module)).toMatchObject({ status: "completed", memoryPeakPages: 3 });
  });

  it("counts them where the guest keeps its memory to itself, and 0 where it has none", async () => {
    const grown = seal(assemble(`(module (memory 2 9) (func (export "run") (drop (memory.grow (i32.const 3)))))`));
    expect(await runHere(grown)).toMatchObject({ status: "completed", memoryPeakPages: 5 });
    const none = seal(assemble(`(module (func (export "run")))`));
    expect(await runHere(none)).toMatchObject({ status: "completed", memoryPeakPages: 0 });
  });

  it("a native stack that runs out is the host's fault", async () => {
    const source = `(module ${budgets} ${state} (func $f (export "run") (call $f)))`;
    expect(await runRaw(source)).toMatchObject({ status: "host_fault", error: { code: "EXO_HOST_FAULT" } });
  });

  it("a call that throws is the host's fault", async () => {
    const faults: string[] = [];
    const described = describeGuest(await compileGuest(program("(drop (call $clock_now (i64.const 0)))").bytes));
    const thrower = (): never => {
      throw new TypeError("broken");
    };
    const job = { function: "run", input: new Uint8Array(0), limits };
    const outcome = await runGuest(described, job, thrower, (text) => faults.push(text));
    expect(outcome).toMatchObject({ status: "host_fault", error: { code: "EXO_HOST_FAULT" }, hostCalls: 1 });
    expect(faults).toEqual(["TypeError: broken"]);
  });

  it("a function that is not there is the host's fault", async () => {
    expect(await runHere(program(""), { function: "missing" })).toMatchObject({ status: "host_fault", fuelUsed: 0 });
    expect(await runHere(program(""), { function: "memory" })).toMatchObject({ status: "host_fault", fuelUsed: 0 });
    expect(await runHere(program(""), { function: "toString" })).toMatchObject({ status: "host_fault", fuelUsed: 0 });
  });
});

describe("modules that are not sealed", () => {
  const codeOf = (module: WasmModule): ErrorCode | "described" => {
    try {
      describeGuest(module);
    } catch (error) {
      return (error as { code: ErrorCode }).code;
    }
    return "described";
  };
  const refused = async (source: string) => codeOf(await compileGuest(assemble(source)));

  it("are refused before anything of them runs", async () => {
    expect(await refused(`(module (func (export "run")))`)).toBe("EXO_WASM_EXPORT");
    expect(await refused(`(module ${budgets} (func (export "run")))`)).toBe("EXO_WASM_EXPORT");
    expect(await refused(`(module ${budgets} (func (export "exo:state")))`)).toBe("EXO_WASM_EXPORT");
    expect(await refused(`(module ${budgets} ${state})`)).toBe("described");
  });

  it("are refused while they export what the SDK would call", async () => {
    for (const name of ["_initialize", "_start", "hs_init"]) {
      const sealed = assemble(`(module ${budgets} ${state} (func (export "${name}")))`);
      expect(codeOf(await engine.compile(sealed))).toBe("EXO_WASM_EXPORT");
      expect(codeOf(await compileGuest(sealed))).toBe("described");
    }
  });

  it("may import kernel and capabilities only", async () => {
    for (const from of [
      `"extism:host/env" "http_get" (func)`,
      `"extism:host/env" "toString" (func)`,
      `"extism:host/env" "alloc" (memory 1)`,
      `"extism:host/user" "clock_now" (global i32)`,
      `"wasi_snapshot_preview1" "proc_exit" (func)`,
      `"env" "abort" (func)`,
    ]) {
      expect(await refused(`(module (import ${from}) ${budgets} ${state})`), from).toBe("EXO_WASM_IMPORT");
    }
  });
});

describe("one function, one instance", () => {
  it("keeps nothing from one run to the next", async () => {
    const module = program(
      `(global.set $g (i64.add (global.get $g) (i64.const 1)))
       (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1)))
       (if (i64.ne (call $var_get (call $text (i32.const 8) (i32.const 1))) (i64.const 0)) (then unreachable))
       (call $var_set (call $text (i32.const 8) (i32.const 1)) (call $text (i32.const 8) (i32.const 1)))
       (call $show (i64.add (i64.mul (global.get $g) (i64.const 100)) (i64.load (i32.const 0))))`,
      `(global $g (mut i64) (i64.const 0)) (data (i32.const 8) "v")`,
    );
    const first = await runHere(module);
    expect(number(first)).toBe(101n);
    expect(await runHere(module)).toEqual(first);
  });

  it("keeps runs apart that overlap in one thread, also when one of them uses up its kernel", async () => {
    const module = program(`
      (local.set $a (call $alloc (call $input_load_u64 (i64.const 0))))
      (call $store_u8 (local.get $a) (call $input_load_u8 (i64.const 1)))
      (call $show (i64.add (call $length (local.get $a)) (i64.extend_i32_u (call $load_u8 (local.get $a)))))`);
    const sizes = [300, 20_000_000, 70_000, 30_000_000, 8];
    const run = (size: number) =>
      runHere(module, {
        input: new Uint8Array(new BigUint64Array([BigInt(size)]).buffer),
        limits: { kernelBytes: 40_000_000 },
      });
    const outcomes = await Promise.all(sizes.map(run));
    expect(outcomes.map(number)).toEqual(sizes.map((size) => BigInt(size + ((size >> 8) & 0xff))));
    for (const [at, size] of sizes.entries()) {
      expect(await run(size)).toEqual(outcomes[at]);
    }
  });

  it("gives every run of a seal the same fuel, pages and calls", async () => {
    const module = seal(assemble(readFixture("echo.wat")));
    const input = new Uint8Array(1000).fill(7);
    const first = await runHere(module, { function: "echo", input });
    expect(first).toMatchObject({ status: "completed", output: input });
    expect(await runHere(module, { function: "echo", input })).toEqual(first);
  });
});

describe("settings", () => {
  it("name the pinned SDK", () => {
    const pinned = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      dependencies: Record<string, string>;
    };
    expect(pinned.dependencies["@extism/extism"]).toBe(extismVersion);
  });
});

function readFixture(name: string): string {
  return readFileSync(new URL(`../fixtures/${name}`, import.meta.url), "utf8");
}
