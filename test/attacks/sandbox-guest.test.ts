import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ExecutionStatus, GuestAnswer, SandboxHost } from "../../src/ports.js";
import { createPool, guest, type JobDraft, job, limits, program, workerUrl } from "../sandbox/support.js";
import { assemble, seal } from "../wasm/support.js";

type Attack = {
  readonly module: { readonly digest: string; readonly bytes: Uint8Array };
  readonly status: ExecutionStatus;
  readonly code: string;
  readonly message?: string;
  readonly draft?: JobDraft;
};

const forever = (body: string): string => `(loop $l ${body} (br $l))`;
const start = (body: string) => guest(`(func $s ${body}) (start $s) (func (export "run"))`);

/** Everything here is deterministic: the same end with the same fuel, every time. */
const attacks: Readonly<Record<string, Attack>> = {
  "an endless loop": { module: program(forever("")), status: "out_of_fuel", code: "EXO_OUT_OF_FUEL" },
  "an endless start section": { module: start(forever("")), status: "out_of_fuel", code: "EXO_OUT_OF_FUEL" },
  "an endless initializer": {
    module: guest(`(func (export "_initialize") ${forever("")}) (func (export "run"))`),
    status: "out_of_fuel",
    code: "EXO_OUT_OF_FUEL",
  },
  "a trap": { module: program("unreachable"), status: "trapped", code: "EXO_TRAPPED" },
  "a trap in the start section": { module: start("unreachable"), status: "trapped", code: "EXO_TRAPPED" },
  "host calls from the start section": {
    module: start(forever("(drop (call $clock_now (i64.const 0)))")),
    status: "host_call_limit",
    code: "EXO_HOST_CALL_LIMIT",
  },
  "a memory bomb": {
    module: program(forever("(if (i32.lt_s (memory.grow (i32.const 1)) (i32.const 0)) (then unreachable))")),
    status: "out_of_memory",
    code: "EXO_OUT_OF_MEMORY",
  },
  "blocks without an end": {
    module: program(forever("(drop (call $alloc (i64.const 65536)))")),
    status: "out_of_memory",
    code: "EXO_OUT_OF_MEMORY",
  },
  "a million tiny blocks": {
    module: program(`(loop $l (drop (call $alloc (i64.const 1)))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000000))))`),
    status: "out_of_memory",
    code: "EXO_OUT_OF_MEMORY",
    draft: { limits: { fuel: 1_000_000_000, kernelBytes: 64_000_000 } },
  },
  "one block of all bytes there are": {
    module: program("(drop (call $alloc (i64.const 0x1000000)))"),
    status: "out_of_memory",
    code: "EXO_OUT_OF_MEMORY",
  },
  "one block of 2^63 bytes": {
    module: program("(drop (call $alloc (i64.const 0x8000000000000000)))"),
    status: "out_of_fuel",
    code: "EXO_OUT_OF_FUEL",
  },
  "variables without an end": {
    module: program(
      forever(`(i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1)))
      (call $var_set (call $text (i32.const 0) (i32.const 8)) (call $alloc (i64.const 1)))`),
    ),
    status: "out_of_memory",
    code: "EXO_OUT_OF_MEMORY",
  },
  "a huge output": {
    module: program("(call $all (call $alloc (i64.const 1000000)))"),
    status: "output_limit",
    code: "EXO_OUTPUT_LIMIT",
  },
  "an output from nowhere": {
    module: program("(call $output_set (i64.const 0x123456789) (i64.const 100))"),
    status: "trapped",
    code: "EXO_KERNEL_BOUNDS",
  },
  "endless recursion": {
    module: program(
      "(drop (call $f (i64.const 1)))",
      "(func $f (param i64) (result i64) (i64.add (local.get 0) (call $f (local.get 0))))",
    ),
    status: "stack_overflow",
    code: "EXO_STACK_OVERFLOW",
  },
  "a flood of host calls": {
    module: program(forever("(drop (call $random_bytes (i64.const 0)))")),
    status: "host_call_limit",
    code: "EXO_HOST_CALL_LIMIT",
  },
  "a flood of log lines": {
    module: program(forever("(call $log_debug (call $alloc (i64.const 9)))")),
    status: "host_call_limit",
    code: "EXO_HOST_CALL_LIMIT",
  },
  "an answer larger than the kernel": {
    module: program("(drop (call $clock_now (i64.const 0)))"),
    status: "out_of_memory",
    code: "EXO_OUT_OF_MEMORY",
    draft: { call: () => ({ kind: "answer", response: new Uint8Array(2_000_000) }) },
  },
  "an error that is not UTF-8": {
    module: program(
      "(call $error_set (call $text (i32.const 0) (i32.const 3))) (return (i32.const 1))",
      `(data (i32.const 0) "\\c3\\28\\ff")`,
    ),
    status: "guest_error",
    code: "EXO_GUEST_ERROR",
    message: "(the message is not UTF-8)",
  },
};

describe("a hostile guest ends with its code, and the pool goes on", () => {
  let pool: SandboxHost;
  beforeAll(() => {
    pool = createPool();
  });
  afterAll(() => pool.close());

  for (const [name, { module, status, code, message, draft }] of Object.entries(attacks)) {
    it(name, async () => {
      const outcome = await pool.run(job(module, draft));
      expect(outcome.status).toBe(status);
      expect(outcome.error).toEqual(message === undefined ? { code } : { code, message });
      expect(outcome.output).toBeUndefined();
      expect(await pool.run(job(module, draft))).toEqual(outcome);
      expect(outcome.fuelUsed).toBeLessThanOrEqual(draft?.limits?.fuel ?? limits.fuel);
      expect(await pool.run(job(program("")))).toMatchObject({ status: "completed" });
    });
  }

  it("an import nobody serves is the host's fault, and nothing of the guest runs", async () => {
    const bytes = assemble(`(module (import "extism:host/env" "exec" (func))
      (global (export "exo:fuel") (mut i64) (i64.const 0))
      (global (export "exo:stack") (mut i32) (i32.const 0))
      (global (export "exo:state") (mut i32) (i32.const 0))
      (func (export "run") ${forever("")}))`);
    expect(await pool.run(job({ digest: "sha256:unserved", bytes }))).toMatchObject({
      status: "host_fault",
      error: { code: "EXO_HOST_FAULT" },
      fuelUsed: 0,
    });
  });

  it("a module that was never sealed is not run", async () => {
    const bytes = assemble(`(module (func (export "run") ${forever("")}))`);
    expect(await pool.run(job({ digest: "sha256:bare", bytes }))).toMatchObject({ status: "host_fault", fuelUsed: 0 });
  });
});

describe("the counted stack ends before the native one", () => {
  const list = (count: number, item: (i: number) => string): string =>
    Array.from({ length: count }, (_, i) => item(i)).join(" ");
  const shapes: Readonly<Record<string, string>> = {
    "no locals": "(func $f (call $f) (call $f)) (func $go (call $f))",
    "an operand kept": `(func $f (param i64) (result i64) (i64.add (call $f (local.get 0)) (local.get 0)))
      (func $go (drop (call $f (i64.const 1))))`,
    "200 locals": `(func $f (param i64) (result i64) (local ${list(200, () => "i64")}) (local.set 50 (local.get 0))
      (i64.add (call $f (local.get 0)) (local.get 50))) (func $go (drop (call $f (i64.const 1))))`,
    "60 parameters": `(func $f (param ${list(60, () => "i64")}) (result i64)
      (i64.add (call $f ${list(60, (i) => `(local.get ${(i + 1) % 60})`)}) (local.get 3)))
      (func $go (drop (call $f ${list(60, () => "(i64.const 1)")})))`,
    "100 operands": `(func $f (param i64) (result i64) ${list(100, () => "(local.get 0)")} (call $f (local.get 0)) ${list(100, () => "i64.add")})
      (func $go (drop (call $f (i64.const 1))))`,
    "through a table": `(table 1 funcref) (elem (i32.const 0) $f)
      (func $f (param i64) (result i64) (i64.add (call_indirect (param i64) (result i64) (local.get 0) (i32.const 0)) (local.get 0)))
      (func $go (drop (call $f (i64.const 1))))`,
    "two functions": `(func $f (param i64) (result i64) (i64.add (call $g (local.get 0) (i64.const 1)) (local.get 0)))
      (func $g (param i64 i64) (result i64) (i64.mul (call $f (local.get 0)) (local.get 1)))
      (func $go (drop (call $f (i64.const 1))))`,
  };

  // Three times the stack a run gets, in a worker as it is started: the factor that is to be kept.
  for (const [name, functions] of Object.entries(shapes)) {
    it(name, async () => {
      const pool = createPool();
      const module = seal(assemble(`(module ${functions} (func (export "run") (call $go)))`));
      const draft = { limits: { stackBytes: 3 * 262_144, fuel: 1_000_000_000 } };
      expect(await pool.run(job(module, draft))).toMatchObject({ status: "stack_overflow" });
      await pool.close();
    });
  }
});

describe("time", () => {
  const spin = program(forever(""));
  const tight = { fuel: 9_000_000_000_000_000, timeoutMs: 100 };

  it("ends a run that its fuel would not end", async () => {
    const pool = createPool();
    const started = performance.now();
    const outcome = await pool.run(job(spin, { limits: tight }));
    expect(outcome).toEqual({
      status: "timed_out",
      error: { code: "EXO_TIMED_OUT" },
      fuelUsed: 0,
      memoryPeakPages: 0,
      hostCalls: 0,
    });
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(await pool.run(job(program("")))).toMatchObject({ status: "completed" });
    await pool.close();
  });

  it("ends a call that is never answered, and tells whoever answers", async () => {
    const pool = createPool();
    let signal: AbortSignal | undefined;
    const outcome = await pool.run(
      job(program("(drop (call $clock_now (i64.const 0)))"), {
        limits: { timeoutMs: 1000 },
        call: (_, given) => {
          signal = given;
          return new Promise<GuestAnswer>(() => {});
        },
      }),
    );
    expect(outcome).toMatchObject({ status: "timed_out", error: { code: "EXO_TIMED_OUT" }, hostCalls: 1 });
    expect(outcome.fuelUsed).toBeGreaterThan(0);
    expect(signal?.aborted).toBe(true);
    expect(await pool.run(job(program("")))).toMatchObject({ status: "completed" });
    await pool.close();
  });
});

describe("300 hostile jobs in a row", () => {
  it("leave the pool answering and its memory steady", async () => {
    expect(workerUrl.protocol).toBe("file:");
    const pool = createPool({ size: 2 });
    const bombs = Object.values(attacks).filter(({ status }) => status !== "out_of_fuel");
    const round = async (count: number): Promise<void> => {
      await Promise.all(
        Array.from({ length: count }, async (_, i) => {
          const { module, status, draft } = bombs[i % bombs.length] as Attack;
          expect((await pool.run(job(module, draft))).status).toBe(status);
        }),
      );
    };
    await round(100);
    const before = process.memoryUsage.rss();
    await round(200);
    expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1_048_576);
    expect(await pool.run(job(program("")))).toMatchObject({ status: "completed" });
    expect(pool.load()).toMatchObject({ running: 0, queued: 0 });
    await pool.close();
  });
});
