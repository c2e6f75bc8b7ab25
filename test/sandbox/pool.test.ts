import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import type { SandboxHost } from "../../src/ports.js";
import { createSandboxPool } from "../../src/sandbox/pool.js";
import { describePool } from "./pool-contract.js";
import { createPool, job, program, workerUrl } from "./support.js";

describePool({ name: "threads", hostile: 1000, open: (options) => Promise.resolve(createPool(options)) });

const pools: SandboxHost[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

const idle = program("");
const spin = program("(loop $l (br $l))");

describe("closing", () => {
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
    expect(createPool().engine).toMatch(/^V8 [\d.a-z-]+, Extism 2\.0\.0-rc13$/);
  });
});
