import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import type { GuestAnswer, Logger, SandboxHost, SandboxOutcome } from "../../src/ports.js";
import { createSandboxPool, type SandboxPoolOptions } from "../../src/sandbox/pool.js";
import { bytes, createPool, job, program, text, workerUrl } from "./support.js";

const pools: SandboxHost[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

function open(options: Omit<SandboxPoolOptions, "workerUrl"> = {}): SandboxHost {
  const pool = createPool(options);
  pools.push(pool);
  return pool;
}

const done = { status: "completed" };
const idle = program("");
const spin = program("(loop $l (br $l))");
const copy = program(`
  (local.set $a (call $input_offset))
  (call $output_set (local.get $a) (call $input_length))`);
const ask = program("(call $all (call $clock_now (call $input_offset)))");
const answer = (content: string): GuestAnswer => ({ kind: "answer", response: bytes(content) });
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A gate that holds host calls until it is opened. */
function gate(): { readonly call: () => Promise<GuestAnswer>; readonly open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { call: () => opened.then(() => answer("late")), open: () => open() };
}

describe("jobs", () => {
  it("200 at once over two workers get their own answers", async () => {
    const pool = open({ size: 2 });
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        pool.run(
          job(ask, {
            input: bytes(`question ${i}`),
            call: async ({ request, seq, capability }) => {
              await sleep((i * 7) % 5);
              return answer(`${capability} ${seq} ${text(request)} answer ${i}`);
            },
          }),
        ),
      ),
    );
    outcomes.forEach((outcome, i) => {
      expect(text(outcome.output)).toBe(`clock_now 0 question ${i} answer ${i}`);
    });
  });

  it("of one module share no memory, and of many modules neither", async () => {
    const pool = open({ size: 1 });
    const modules = Array.from({ length: 70 }, (_, i) =>
      program(
        `(call $show (i64.add (i64.const ${i}) (i64.load (i32.const 0)))) (i64.store (i32.const 0) (i64.const 1000))`,
      ),
    );
    for (const turn of [0, 1]) {
      for (const [i, module] of modules.entries()) {
        const { output } = await pool.run(job(module));
        expect(output?.[0], `turn ${turn}`).toBe(i);
      }
    }
  });

  it("may be views of larger buffers, small or large, and stay the caller's", async () => {
    const pool = open();
    for (const size of [5, 16_383, 16_384, 60_000]) {
      const whole = new Uint8Array(size + 100).fill(1);
      const input = whole.subarray(50, 50 + size).fill(2);
      const { output } = await pool.run(job(copy, { input }));
      expect(output).toEqual(input);
      expect(whole.byteLength).toBe(size + 100);
      const response = Buffer.from(input);
      const asked = await pool.run(job(ask, { input, call: () => ({ kind: "answer", response }) }));
      expect(asked.output).toEqual(input);
      expect(response.byteLength).toBe(size);
    }
    const exact = new Uint8Array(50_000).fill(3);
    await pool.run(job(program("(call $store_u8 (call $input_offset) (i32.const 9))"), { input: exact }));
    expect(exact[0]).toBe(3);
    expect(exact.byteLength).toBe(50_000);
  });

  it("whose module does not compile are a host fault, each time", async () => {
    const pool = open();
    const broken = { digest: "sha256:broken", bytes: new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 9]) };
    const fault = { status: "host_fault", error: { code: "EXO_HOST_FAULT" } };
    expect(await pool.run(job(broken))).toMatchObject(fault);
    expect(await pool.run(job(broken))).toMatchObject(fault);
    expect(await pool.run(job(idle))).toMatchObject(done);
  });
});

describe("host calls", () => {
  it("that throw, reject or answer nonsense are a host fault, and the worker lives on", async () => {
    const lines: string[] = [];
    const logger: Logger = { log: (level, message) => lines.push(`${level} ${message}`) };
    const pool = open({ logger });
    const fault = { status: "host_fault", error: { code: "EXO_HOST_FAULT" }, hostCalls: 1 };
    const thrower = (): never => {
      throw new Error("broken");
    };
    expect(await pool.run(job(ask, { call: thrower }))).toMatchObject(fault);
    expect(await pool.run(job(ask, { call: () => Promise.reject(new Error("broken")) }))).toMatchObject(fault);
    expect(await pool.run(job(ask, { call: () => undefined as never }))).toMatchObject(fault);
    expect(await pool.run(job(ask, { call: () => ({ kind: "answer", response: (() => 1) as never }) }))).toMatchObject(
      fault,
    );
    expect(await pool.run(job(ask, { call: () => answer("fine") }))).toMatchObject(done);
    expect(lines.filter((line) => line.includes("worker lost"))).toEqual([]);
    expect(lines).toContain("error sandbox: a host call failed");
  });

  it("tell the fuel that was used, and can order the run to stop", async () => {
    const pool = open();
    let fuel = -1;
    const outcome = await pool.run(
      job(ask, {
        call: (call) => {
          fuel = call.fuel;
          return { kind: "stop", status: "in_doubt", code: "EXO_EFFECT_UNKNOWN", message: "who knows" };
        },
      }),
    );
    expect(outcome).toMatchObject({ status: "in_doubt", error: { code: "EXO_EFFECT_UNKNOWN", message: "who knows" } });
    expect(fuel).toBeGreaterThan(0);
    expect(outcome.fuelUsed).toBeGreaterThanOrEqual(fuel);
  });

  it("under way at the deadline may settle before the job is answered", async () => {
    const pool = open();
    const events: string[] = [];
    const outcome = await pool.run(
      job(ask, {
        limits: { timeoutMs: 1000 },
        call: (_, signal) =>
          new Promise((resolve) => {
            signal.addEventListener("abort", () => {
              events.push("aborted");
              setTimeout(() => {
                events.push("recorded");
                resolve(answer("too late"));
              }, 60);
            });
          }),
      }),
    );
    events.push(outcome.status);
    expect(events).toEqual(["aborted", "recorded", "timed_out"]);
  });

  it("answered after the deadline reach nobody", async () => {
    const pool = open();
    const late = gate();
    expect(await pool.run(job(ask, { limits: { timeoutMs: 1000 }, call: late.call }))).toMatchObject({
      status: "timed_out",
    });
    const next = pool.run(job(ask, { call: () => sleep(50).then(() => answer("mine")) }));
    late.open();
    expect(text((await next).output)).toBe("mine");
  });
});

describe("the queue", () => {
  it("runs in order, refuses beyond its bound, and counts", async () => {
    const pool = open({ size: 1, queueBound: 2 });
    const held = gate();
    const order: number[] = [];
    const run = (i: number): Promise<SandboxOutcome> =>
      pool.run(job(ask, { call: held.call })).finally(() => order.push(i));
    const jobs = [run(0), run(1), run(2)];
    await expect(run(3)).rejects.toMatchObject({ code: "EXO_OVERLOADED" });
    await sleep(100);
    expect(pool.load()).toEqual({ running: 1, queued: 2, size: 1, queueBound: 2 });
    held.open();
    for (const outcome of await Promise.all(jobs)) {
      expect(outcome).toMatchObject(done);
    }
    expect(order).toEqual([3, 0, 1, 2]);
    expect(pool.load()).toMatchObject({ running: 0, queued: 0 });
    expect(await pool.run(job(idle))).toMatchObject(done);
  });

  it("is not held up by a job that has to be ended", async () => {
    const pool = open({ size: 1 });
    const ended = pool.run(job(spin, { limits: { fuel: 9e15, timeoutMs: 100 } }));
    const after = Promise.all([pool.run(job(idle)), pool.run(job(idle))]);
    expect(await ended).toMatchObject({ status: "timed_out" });
    expect(await after).toMatchObject([done, done]);
  });
});

describe("closing", () => {
  it("answers what was taken, then refuses", async () => {
    const pool = open({ size: 1 });
    const held = gate();
    const running = pool.run(job(ask, { call: held.call }));
    const queued = pool.run(job(idle));
    const closing = pool.close();
    await expect(pool.run(job(idle))).rejects.toMatchObject({ code: "EXO_CLOSED" });
    let closed = false;
    void closing.then(() => {
      closed = true;
    });
    await sleep(50);
    expect(closed).toBe(false);
    held.open();
    expect(await running).toMatchObject(done);
    expect(await queued).toMatchObject(done);
    await closing;
    await pool.close();
    await expect(pool.run(job(idle))).rejects.toMatchObject({ code: "EXO_CLOSED" });
  });

  it("is possible before anything ran", async () => {
    await createPool().close();
  });

  it("is not needed for the process to exit, even after a worker was ended", async () => {
    const script = `
      const { createSandboxPool } = await import(${JSON.stringify(new URL("./pool.js", workerUrl).href)});
      const pool = createSandboxPool({ workerUrl: new URL(${JSON.stringify(workerUrl.href)}), size: 2 });
      const bytes = new Uint8Array(${JSON.stringify([...spin.bytes])});
      const limits = { fuel: 9e15, stackBytes: 65536, outputBytes: 9, kernelBytes: 999, hostCalls: 0, timeoutMs: 50 };
      const job = { module: { digest: "d", bytes }, function: "run", input: new Uint8Array(0), limits, call() {} };
      console.log((await pool.run(job)).status, (await pool.run({ ...job, limits: { ...limits, fuel: 5, timeoutMs: 9999 } })).status);`;
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      timeout: 20_000,
    });
    expect(stdout).toBe("timed_out out_of_fuel\n");
    expect(stderr).toBe("");
  });
});

describe("workers", () => {
  const fault = { status: "host_fault", error: { code: "EXO_HOST_FAULT" } };

  /** A pool whose workers run this script instead. */
  function withWorker(script: string): SandboxHost {
    const source = `import { parentPort as port } from "node:worker_threads"; ${script}`;
    const pool = createSandboxPool({
      workerUrl: new URL(`data:text/javascript,${encodeURIComponent(source)}`),
      size: 1,
    });
    pools.push(pool);
    return pool;
  }

  const lost: Readonly<Record<string, string>> = {
    "exit under a job": `port.on("message", () => process.exit(0)); port.postMessage({ kind: "ready" });`,
    "throw under a job": `port.on("message", () => { throw new Error("x"); }); port.postMessage({ kind: "ready" });`,
    "reject under a job": `port.on("message", () => { void Promise.reject(new Error("x")); }); port.postMessage({ kind: "ready" });`,
    "end before they are ready": `process.exit(1);`,
    "do not parse": `]`,
    "use up their heap": `port.on("message", () => { const all = []; for (;;) all.push(new Array(1e5).fill(all.length)); }); port.postMessage({ kind: "ready" });`,
  };
  for (const [name, script] of Object.entries(lost)) {
    it(`that ${name} are a host fault and are replaced`, async () => {
      const pool = withWorker(script);
      expect(await pool.run(job(idle))).toMatchObject(fault);
      expect(await Promise.all([pool.run(job(idle)), pool.run(job(idle))])).toMatchObject([fault, fault]);
      expect(pool.load()).toMatchObject({ running: 0, queued: 0 });
    });
  }

  it("that send what belongs to another run are not believed", async () => {
    const outcome = { status: "completed", fuelUsed: 0, memoryPeakPages: 0, hostCalls: 0 };
    const pool = withWorker(`
      const end = (run, fuelUsed) => port.postMessage({ kind: "end", run, outcome: { ...${JSON.stringify(outcome)}, fuelUsed } });
      port.on("message", ({ run }) => { end(run - 1, 1); end(run + 1, 2); end(run, 3); end(run, 4); });
      port.postMessage({ kind: "ready" });`);
    expect(await pool.run(job(idle))).toMatchObject({ fuelUsed: 3 });
    expect(await pool.run(job(idle))).toMatchObject({ fuelUsed: 3 });
  });

  it("that cannot be found are a host fault", async () => {
    const pool = createSandboxPool({ workerUrl: new URL("file:///nowhere/worker.js"), size: 1 });
    pools.push(pool);
    expect(await pool.run(job(idle))).toMatchObject(fault);
  });

  it("see no environment", async () => {
    const pool = withWorker(`
      port.on("message", ({ run }) => port.postMessage({ kind: "end", run, outcome: { status: "completed",
        fuelUsed: Object.keys(process.env).length, memoryPeakPages: process.execArgv.length, hostCalls: 0 } }));
      port.postMessage({ kind: "ready" });`);
    expect(await pool.run(job(idle))).toMatchObject({ fuelUsed: 0, memoryPeakPages: 0 });
  });
});

describe("options", () => {
  it("are checked", () => {
    for (const options of [{ size: 0 }, { size: 1.5 }, { size: -1 }, { queueBound: -1 }, { queueBound: Number.NaN }]) {
      expect(() => createPool(options), JSON.stringify(options)).toThrow(
        expect.objectContaining({ code: "EXO_USAGE" }),
      );
    }
  });

  it("name the engine", () => {
    expect(open().engine).toMatch(/^V8 [\d.a-z-]+, Extism 2\.0\.0-rc13$/);
  });
});
