import { execFile, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Logger, SandboxHost } from "../../src/ports.js";
import { openProcessPool, type ProcessPoolOptions } from "../../src/sandbox/pool.js";
import { examineProcesses } from "../../src/sandbox/processes/isolation.js";
import { isRunning } from "../support/processes.js";
import { describePool } from "./pool-contract.js";
import { bytes, job, processUrl, program, text } from "./support.js";

const openPool = (options: Partial<ProcessPoolOptions> = {}): Promise<SandboxHost> =>
  openProcessPool({ processUrl, size: 1, ...options });

describePool({ name: "processes", hostile: 100, open: openPool });

const pools: SandboxHost[] = [];
const folders: string[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});
async function open(options: Partial<ProcessPoolOptions> = {}): Promise<SandboxHost> {
  const pool = await openPool(options);
  pools.push(pool);
  return pool;
}

const idle = program("");
const spin = program("(loop $l (br $l))");
const fault = { status: "host_fault", error: { code: "EXO_HOST_FAULT" } };
const isRoot = process.getuid?.() === 0;
const onLinux = process.platform === "linux";

/** Processes whose parent is this one, from Linux. */
function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === pid;
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Child processes of pools in this process. */
const workers = (): number[] =>
  childrenOf(process.pid).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("worker-process"));

async function until(holds: () => boolean, ms = 10_000): Promise<void> {
  for (const end = performance.now() + ms; !holds(); ) {
    if (performance.now() > end) throw new Error("it did not come to pass");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// Other systems do not tell of processes in /proc.
describe.runIf(onLinux)("confinement", () => {
  it("is what the kernel says of a child that runs a job", async () => {
    const before = workers();
    const pool = await open();
    let child = 0;
    const look = (): string => {
      child = workers().find((pid) => !before.includes(pid)) ?? 0;
      const read = (file: string): string => readFileSync(`/proc/${child}/${file}`, "utf8");
      const user = isRoot ? 65_534 : process.getuid?.();
      expect(read("status")).toContain(`Uid:\t${user}\t${user}\t${user}\t${user}`);
      if (isRoot) expect(read("status")).toMatch(/^Groups:\s*$/m);
      expect(read("cmdline").split("\0")).toEqual(
        expect.arrayContaining(["--no-addons", "--disallow-code-generation-from-strings"]),
      );
      return read("limits");
    };
    let limits = "";
    const ask = program("(drop (call $clock_now (i64.const 0)))");
    const call = () => {
      limits = look();
      return { kind: "answer", response: bytes("") } as const;
    };
    expect(await pool.run(job(ask, { call }))).toMatchObject({ status: "completed" });
    for (const line of [/Max core file size +0 +0/, /Max file size +0 +0/, /Max open files +64 +64/]) {
      expect(limits).toMatch(line);
    }
    expect(Number(/Max data size +(\d+)/.exec(limits)?.[1])).toBeGreaterThan(1024 * 1_048_576);
    // As the user the child runs as, its environment can be read by its own and by root.
    expect(readFileSync(`/proc/${child}/environ`, "utf8")).toBe("");
    await pool.close();
    await until(() => !isRunning(child));
  });

  it("is told restriction by restriction", async () => {
    const restrictions = await examineProcesses({ processUrl, memoryMb: 100 });
    const missing = restrictions.filter(({ inForce }) => !inForce).map(({ what }) => what);
    expect(missing).toEqual([
      ...(isRoot ? [] : ["user"]),
      ...(onLinux ? [] : ["memory", "core dumps", "files written", "open files"]),
    ]);
    expect(restrictions.map(({ what }) => what)).toEqual([
      "environment",
      "open files of the host",
      "permission model",
      "user",
      "memory",
      "core dumps",
      "files written",
      "open files",
    ]);
  });

  it("ends a guest that asks for more memory than the process may have, and nobody else", async () => {
    const pool = await open({ memoryMb: 200, size: 2 });
    const bomb = (pages: number) =>
      program(
        `(loop $l
        (if (i32.ge_s (memory.grow (i32.const ${pages})) (i32.const 0)) (then
          (memory.fill (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 60000)) (i32.const 1) (i32.const 60000))
          (br $l))))`,
        "",
        "1 16384",
        16_384,
      );
    const before = process.memoryUsage().rss;
    const [bombed, other] = await Promise.all([
      pool.run(job(bomb(64), { limits: { fuel: 9e15 } })),
      pool.run(job(idle)),
    ]);
    expect(bombed).toMatchObject(fault);
    expect(other).toMatchObject({ status: "completed" });
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1_048_576);
    expect(await Promise.all([pool.run(job(idle)), pool.run(job(idle))])).toMatchObject([
      { status: "completed" },
      { status: "completed" },
    ]);
  });

  it("ends blocks beyond the process's memory too", async () => {
    const pool = await open({ memoryMb: 64 });
    const blocks = program("(loop $l (drop (call $alloc (i64.const 1000000))) (br $l))");
    expect(await pool.run(job(blocks, { limits: { fuel: 9e15, kernelBytes: 268_435_456 } }))).toMatchObject(fault);
    expect(await pool.run(job(idle))).toMatchObject({ status: "completed" });
  });
});

describe.runIf(onLinux)("a child", () => {
  /** A process with a pool in it, which says when it runs a guest that never ends. */
  const hostScript = (call: string): string => `
    const { openProcessPool } = await import(${JSON.stringify(new URL("./pool.js", processUrl).href)});
    const pool = await openProcessPool({ processUrl: new URL(${JSON.stringify(processUrl.href)}), size: 1 });
    const bytes = new Uint8Array(${JSON.stringify([...spin.bytes])});
    const limits = { fuel: 9e15, stackBytes: 65536, outputBytes: 9, kernelBytes: 999, hostCalls: 0, timeoutMs: 600000 };
    const job = { module: { digest: "d", bytes }, function: "run", input: new Uint8Array(0), limits, call() {} };
    ${call}`;

  it("ends with its host, also while a guest computes", async () => {
    const script = hostScript(`const run = pool.run(job); setTimeout(() => console.log("up"), 500); await run;`);
    const host = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise((resolve) => host.stdout.once("data", resolve));
    const children = childrenOf(host.pid as number);
    // The worker that computes, the one that stands by, and the guard.
    expect(children).toHaveLength(3);
    expect(children.filter(isRunning)).toEqual(children);
    host.kill("SIGKILL");
    await until(() => !children.some(isRunning));
  });

  it("keeps no process alive that has nothing to wait for", async () => {
    const script = hostScript(`
      const short = { ...job, limits: { ...limits, timeoutMs: 50 } };
      console.log((await pool.run(short)).status, (await pool.run({ ...job, limits: { ...limits, fuel: 5 } })).status);`);
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      timeout: 20_000,
    });
    expect(stdout).toBe("timed_out out_of_fuel\n");
    expect(stderr).toBe("");
  });

  it("that is killed under a job is a host fault and is replaced", async () => {
    const before = workers();
    const pool = await open();
    const run = pool.run(job(spin, { limits: { fuel: 9e15 } }));
    let child: number | undefined;
    await until(() => {
      [child] = workers().filter((pid) => !before.includes(pid));
      return child !== undefined;
    });
    process.kill(child as number, "SIGKILL");
    expect(await run).toMatchObject(fault);
    expect(await pool.run(job(idle))).toMatchObject({ status: "completed" });
  });

  it("leaves nobody behind at the deadline", async () => {
    const before = workers();
    const pool = await open();
    const run = pool.run(job(spin, { limits: { fuel: 9e15, timeoutMs: 600 } }));
    let child: number | undefined;
    await until(() => {
      [child] = workers().filter((pid) => !before.includes(pid));
      return child !== undefined;
    });
    expect(await run).toMatchObject({ status: "timed_out" });
    await until(() => !isRunning(child as number));
    await pool.close();
    await until(() => childrenOf(process.pid).length === 0);
  });

  it("is ended, and replaced, when its guard is killed: nobody would end it with its host", async () => {
    const pool = await open();
    const run = pool.run(job(spin, { limits: { fuel: 9e15 } }));
    let guards: number[] = [];
    let known: number[] = [];
    // The guard of the child that was looked at first is ending.
    await until(() => {
      known = workers();
      guards = childrenOf(process.pid).filter((pid) => !known.includes(pid) && isRunning(pid));
      return known.length === 2 && guards.length === 1;
    });
    process.kill(guards[0] as number, "SIGKILL");
    expect(await run).toMatchObject(fault);
    // The spare was killed as well, and its end is to be heard of first.
    await until(() => !childrenOf(process.pid).some((pid) => known.includes(pid)));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await pool.run(job(idle))).toMatchObject({ status: "completed" });
  });

  it("runs a module of many megabytes and carries large inputs, requests and outputs", async () => {
    const pool = await open();
    const size = 3_000_000;
    const large = program(
      "(call $all (call $clock_now (call $input_offset)))",
      `(memory.init 0 (i32.const 0) (i32.const 0) (i32.const 9)) (data "${"x".repeat(2_000_000)}")`.replace(
        /^\(memory.*?\)\) /,
        "",
      ),
    );
    const input = new Uint8Array(size).map((_, i) => i * 7);
    const limits = { kernelBytes: 4 * size, outputBytes: size };
    for (let turn = 0; turn < 2; turn++) {
      const outcome = await pool.run(
        job(large, {
          input,
          limits,
          call: ({ request }) => ({ kind: "answer", response: request.map((byte) => byte ^ 1) }),
        }),
      );
      expect(outcome.status).toBe("completed");
      expect(outcome.output?.every((byte, i) => byte === (((i * 7) & 255) ^ 1))).toBe(true);
      expect(outcome.output).toHaveLength(size);
    }
  });
});

describe("opening", () => {
  it.runIf(isRoot)(
    "fails in plain words when the user cannot read the package, and does not run as root instead (needs root)",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "exoarmur-closed-"));
      folders.push(folder);
      cpSync(fileURLToPath(new URL("../", processUrl)), join(folder, "dist"), { recursive: true });
      chmodSync(folder, 0o700);
      const url = pathToFileURL(join(folder, "dist", "sandbox", "worker-process.js"));
      await expect(openPool({ processUrl: url })).rejects.toMatchObject({
        code: "EXO_ISOLATION",
        message: expect.stringMatching(
          /^a sandbox process did not start as user 65534, who must be able to read the package: /,
        ),
      });
    },
  );

  it("fails for an entry that is not there", async () => {
    await expect(openPool({ processUrl: new URL("file:///nowhere/worker-process.js") })).rejects.toMatchObject({
      code: "EXO_ISOLATION",
    });
  });

  it.runIf(isRoot)("runs children as the user it is told (needs root)", async () => {
    const before = workers();
    const pool = await open({ user: { uid: 12_345, gid: 12_346 } });
    await pool.run(job(idle));
    const [child] = workers().filter((pid) => !before.includes(pid));
    expect(readFileSync(`/proc/${child}/status`, "utf8")).toMatch(/^Uid:\t12345\t.*\nGid:\t12346\t/m);
  });

  it.runIf(isRoot)("refuses a user it cannot become (needs root)", async () => {
    const script = `
      process.setgid(65534); process.setuid(65534);
      const { openProcessPool } = await import(${JSON.stringify(new URL("./pool.js", processUrl).href)});
      const options = { processUrl: new URL(${JSON.stringify(processUrl.href)}), size: 1 };
      const tell = (error) => console.log(error.code, error.message);
      await openProcessPool({ ...options, user: { uid: 12345, gid: 12345 } }).catch(tell);
      const pool = await openProcessPool(options);
      console.log(pool.load().size);
      await pool.close();`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
    expect(stdout).toBe("EXO_ISOLATION only root can run sandbox processes as user 12345\n1\n");
  });
});

describe("a child that is no sandbox", () => {
  const impostors: string[] = [];
  afterAll(() => {
    for (const folder of impostors) rmSync(folder, { recursive: true });
  });

  /** A pool whose children run this instead, with helpers that speak the protocol. */
  async function impostor(script: string, lines: string[] = []): Promise<SandboxHost> {
    const folder = mkdtempSync(join(tmpdir(), "exoarmur-impostor-"));
    impostors.push(folder);
    mkdirSync(join(folder, "dist", "sandbox"), { recursive: true });
    chmodSync(folder, 0o755);
    const entry = join(folder, "dist", "sandbox", "worker-process.mjs");
    writeFileSync(entry, `${impostorHelpers}\n${script}`);
    const logger: Logger = { log: (_, message, fields) => lines.push(`${message} ${JSON.stringify(fields)}`) };
    return await open({ processUrl: pathToFileURL(entry), logger });
  }

  const impostorHelpers = `
    import { readSync, writeSync } from "node:fs";
    const text = (value) => { const b = Buffer.from(value); return Buffer.concat([Buffer.from([0xd9, b.length]), b]); };
    const pack = (value) => {
      if (typeof value === "string") return text(value);
      if (typeof value === "boolean") return Buffer.from([value ? 0xc3 : 0xc2]);
      if (typeof value === "number") { const b = Buffer.alloc(9); b[0] = 0xcb; b.writeDoubleBE(value, 1); return b; }
      const entries = Object.entries(value);
      return Buffer.concat([Buffer.from([0x80 | entries.length]), ...entries.flatMap(([k, v]) => [text(k), pack(v)])]);
    };
    const frame = (head, body = Buffer.alloc(0), bodyBytes = body.length) => {
      const packed = Buffer.isBuffer(head) ? head : pack(head);
      const lengths = Buffer.alloc(8); lengths.writeUInt32BE(packed.length); lengths.writeUInt32BE(bodyBytes, 4);
      return Buffer.concat([lengths, packed, body]);
    };
    const write = (bytes) => { for (let at = 0; at < bytes.length;) at += writeSync(4, bytes, at); };
    const send = (...parts) => write(frame(...parts));
    const read = (n) => { const b = Buffer.alloc(n); for (let at = 0; at < n;) { const c = readSync(3, b, at, n - at, null); if (c === 0) process.exit(0); at += c; } return b; };
    const receive = () => { const l = read(8); return [read(l.readUInt32BE(0)), read(l.readUInt32BE(4))]; };
    const me = { kind: "ready", uid: process.getuid(), gid: process.getgid(), variables: 0, strangers: 0, restricted: true };
    const end = { kind: "end", run: 1, status: "completed", fuelUsed: 5, memoryPeakPages: 0, hostCalls: 0 };
    const call = { kind: "call", run: 1, seq: 0, capability: "log", fuel: 1 };
    const begun = { kind: "begun", run: 1 };
    const job = () => { receive(); return receive()[1].toString(); };
    const wait = () => { for (;;) receive(); };`;

  it("but speaks as one is believed: the helpers of these tests are right", async () => {
    const pool = await impostor(
      `send(me); job(); send(begun); send(call, Buffer.from("q")); receive(); send({ ...end, hostCalls: 1 }, Buffer.from("out")); wait();`,
    );
    const outcome = await pool.run(job(idle));
    expect(outcome).toEqual({
      status: "completed",
      output: bytes("out"),
      fuelUsed: 5,
      memoryPeakPages: 0,
      hostCalls: 1,
    });
    expect(text(outcome.output)).toBe("out");
  });

  const lies: Readonly<Record<string, readonly [script: string, why: string]>> = {
    "sends no frames": [
      `write(Buffer.from("hello, I am a sandbox, let me in")); wait();`,
      "expected a frame of at most",
    ],
    "names a huge head": [`write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])); wait();`, "got 4294967295 and 0"],
    "names a huge body": [`send(begun, Buffer.alloc(0), 0xffffffff); wait();`, "got 28 and 4294967295"],
    "names a body larger than any of the run's limits": [
      `send(call, Buffer.alloc(0), 1048577); wait();`,
      "1048576 bytes",
    ],
    "sends a head that is no msgpack": [`send(Buffer.from([0xc1])); wait();`, "EXO_MSGPACK"],
    "sends a head with an extension type": [`send(Buffer.from([0xd4, 1, 2])); wait();`, "EXO_MSGPACK"],
    "sends a head that nests deep": [`send(Buffer.alloc(200, 0x91)); wait();`, "EXO_MSGPACK"],
    "sends a head with bytes behind it": [
      `send(Buffer.concat([pack(begun), Buffer.from([0])])); wait();`,
      "EXO_MSGPACK",
    ],
    "sends a head with a key twice": [
      `send(Buffer.concat([Buffer.from([0x82]), text("kind"), text("begun"), text("kind"), text("begun")])); wait();`,
      "EXO_MSGPACK",
    ],
    "sends a head with __proto__": [
      `send(Buffer.concat([Buffer.from([0x81]), text("__proto__"), pack({})])); wait();`,
      "EXO_MSGPACK",
    ],
    "sends an empty head": [`send(Buffer.alloc(0)); wait();`, "EXO_MSGPACK"],
    "sends a member too many": [`send({ ...begun, more: 1 }); wait();`, "/"],
    "sends an unknown kind": [`send({ kind: "eval", run: 1 }); wait();`, "/kind"],
    "is ready twice": [`send(me); wait();`, "ready once"],
    "begins another run": [`send({ ...begun, run: 2 }); wait();`, "expected run 1, got run 2"],
    "begins an earlier run": [`send({ ...begun, run: 0 }); wait();`, "expected run 1, got run 0"],
    "begins twice": [`send(begun); send(begun); wait();`, "another message than begun"],
    "begins with a body": [`send(begun, Buffer.from("x")); wait();`, "no bytes"],
    "calls before it begins": [`send(call); wait();`, "another message than call"],
    "ends before it begins": [`send(end); wait();`, "another message than end"],
    "counts calls wrong": [`send(begun); send({ ...call, seq: 1 }); wait();`, "call 0, of at most 50, got 1"],
    "calls what is no capability": [`send(begun); send({ ...call, capability: "exec" }); wait();`, "/capability"],
    "uses fuel below zero": [`send(begun); send({ ...call, fuel: -1 }); wait();`, "/fuel"],
    "uses half a fuel": [`send(begun); send({ ...call, fuel: 0.5 }); wait();`, "/fuel"],
    "uses more fuel than there is": [`send(begun); send({ ...call, fuel: 1e9 }); wait();`, "fuel from 0 to 10000000"],
    "gives fuel back": [
      `send(begun); send({ ...call, fuel: 9 }); receive(); send({ ...end, hostCalls: 1 }); wait();`,
      "fuel from 9",
    ],
    "does not wait for its answer": [
      `send(begun); write(Buffer.concat([frame(call), frame({ ...call, seq: 1 })])); wait();`,
      "before the host has spoken",
    ],
    "floods while it is answered": [
      `send(begun); send(call); for (;;) write(Buffer.alloc(65536));`,
      "the process broke the protocol",
    ],
    "makes more calls than the limit": [
      `send(begun); for (let seq = 0; ; seq++) { send({ ...call, seq }); receive(); }`,
      "call 50, of at most 50, got 50",
    ],
    "sends half a frame more": [
      `send(begun); write(Buffer.concat([frame(end), Buffer.from([0, 0, 0])])); wait();`,
      "before the host has spoken",
    ],
    "ends twice": [
      `send(begun); write(Buffer.concat([frame(end), frame(end)])); wait();`,
      "before the host has spoken",
    ],
    "hides a call": [`send(begun); send(call); receive(); send(end); wait();`, "1 calls, got 0"],
    "invents a call": [`send(begun); send({ ...end, hostCalls: 1 }); wait();`, "0 calls, got 1"],
    "ends with more pages than there are": [
      `send(begun); send({ ...end, memoryPeakPages: 65537 }); wait();`,
      "/memoryPeakPages",
    ],
    "ends with too large an output": [
      `send(begun); send(end, Buffer.alloc(65537)); wait();`,
      "an output of at most 65536 bytes, got 65537",
    ],
    "fails with an output": [
      `send(begun); send({ ...end, status: "trapped", code: "EXO_TRAPPED" }, Buffer.from("x")); wait();`,
      "no output",
    ],
    "completes with an error": [`send(begun); send({ ...end, code: "EXO_TRAPPED" }); wait();`, "no error"],
    "ends as no guest can": [
      `send(begun); send({ ...end, status: "timed_out", code: "EXO_TIMED_OUT" }); wait();`,
      "an end a guest can have",
    ],
    "ends in doubt by itself": [
      `send(begun); send({ ...end, status: "in_doubt", code: "EXO_EFFECT_UNKNOWN" }); wait();`,
      "an end a guest can have",
    ],
    "ends with a code of its own": [
      `send(begun); send({ ...end, status: "trapped", code: "EXO_KILL_SWITCH" }); wait();`,
      "an end a guest can have",
    ],
    "ends without a code": [`send(begun); send({ ...end, status: "trapped" }); wait();`, "an end a guest can have"],
    "ends with an unknown status": [
      `send(begun); send({ ...end, status: "__proto__", code: "x" }); wait();`,
      "/status",
    ],
    "speaks through an error that is not the guest's": [
      `send(begun); send({ ...end, status: "trapped", code: "EXO_TRAPPED", message: "call your bank" }); wait();`,
      "no message with trapped",
    ],
    "exits under a job": [`process.exit(0);`, "the process ended (0)"],
    "throws under a job": [`throw new Error("x");`, "the process ended (1)"],
    "closes its pipe and lives on": [
      `const { closeSync } = await import("node:fs"); closeSync(4); wait();`,
      "closed its pipe",
    ],
  };
  describe("and", () => {
    let pool: SandboxHost;
    const lines: string[] = [];
    beforeAll(async () => {
      const functions = Object.entries(lies).map(
        ([name, [script]]) => `${JSON.stringify(name)}: async () => { ${script} }`,
      );
      pool = await impostor(`const lies = { ${functions.join(",\n")} }; send(me); await lies[job()]();`, lines);
      pools.pop();
    });
    afterAll(() => pool.close());
    it.each(Object.entries(lies).map(([name, [, why]]) => [name, why] as const))(
      "%s is killed, a host fault",
      async (name, why) => {
        lines.length = 0;
        expect(await pool.run(job(idle, { input: bytes(name), limits: { timeoutMs: 15_000 } }))).toMatchObject(fault);
        expect(lines).toEqual([expect.stringMatching(/^sandbox: worker lost /)]);
        expect(lines[0]).toContain(why);
      },
    );
  });

  it("and never ends a frame is ended by the deadline", async () => {
    const pool = await impostor(`send(me); job(); send(begun); send(end, Buffer.from("x"), 60000); wait();`);
    expect(await pool.run(job(idle, { limits: { timeoutMs: 200 } }))).toMatchObject({ status: "timed_out" });
  });

  it("and goes on calling after it was stopped is killed", async () => {
    const lines: string[] = [];
    const pool = await impostor(
      `send(me); job(); send(begun); send(call); receive(); send({ ...call, seq: 1 }); wait();`,
      lines,
    );
    const call = () =>
      ({ kind: "stop", status: "in_doubt", code: "EXO_EFFECT_UNKNOWN", message: "who knows" }) as const;
    expect(await pool.run(job(idle, { call }))).toMatchObject({ ...fault, hostCalls: 1 });
    expect(lines.join("\n")).toContain("no call after a stop");
  });

  it("and completes after it was stopped is killed", async () => {
    const pool = await impostor(
      `send(me); job(); send(begun); send(call); receive(); send({ ...end, hostCalls: 1 }); wait();`,
    );
    const call = () =>
      ({ kind: "stop", status: "in_doubt", code: "EXO_EFFECT_UNKNOWN", message: "who knows" }) as const;
    expect(await pool.run(job(idle, { call }))).toMatchObject(fault);
  });

  it("and speaks without a job is replaced", async () => {
    const lines: string[] = [];
    const pool = await impostor(
      `send(me); job(); send(begun); send(end); setTimeout(() => send(begun), 100); setTimeout(wait, 200);`,
      lines,
    );
    expect(await pool.run(job(idle))).toMatchObject({ status: "completed" });
    await until(() => lines.some((line) => line.includes("before the host has spoken")));
    expect(await pool.run(job(idle))).toMatchObject({ status: "completed" });
  });

  const unconfined: Readonly<Record<string, readonly [script: string, why: string]>> = {
    "runs as somebody else": [`send({ ...me, uid: 0 }); wait();`, "expected user"],
    "has an environment": [`send({ ...me, variables: 1 }); wait();`, "an empty environment, got 1 variables"],
    "has files of the host": [`send({ ...me, strangers: 1 }); wait();`, "no inherited files, got 1"],
    "is not restricted": [`send({ ...me, restricted: false }); wait();`, "permission model"],
    "does not come up": [`console.error("no luck"); process.exit(3);`, "the process ended (3): no luck"],
    "does not parse": ["]", "SyntaxError"],
  };
  for (const [name, [script, why]] of Object.entries(unconfined)) {
    it(`and ${name} lets no pool open`, async () => {
      await expect(impostor(script)).rejects.toMatchObject({
        code: "EXO_ISOLATION",
        message: expect.stringContaining(why),
      });
    });
  }

  it("cannot read, write, start or load anything, and has no environment", async () => {
    const attempts = {
      read: `(await import("node:fs")).readFileSync("/etc/passwd")`,
      list: `(await import("node:fs")).readdirSync("/")`,
      write: `(await import("node:fs")).writeFileSync("/tmp/exoarmur-escape", "x")`,
      process: `(await import("node:child_process")).execFileSync("/bin/true")`,
      thread: `new (await import("node:worker_threads")).Worker("", { eval: true })`,
      code: `eval("1")`,
      addon: `process.dlopen({ exports: {} }, "/nowhere.node")`,
      inspector: `(await import("node:inspector")).open()`,
    };
    const script = `const tries = { ${Object.entries(attempts)
      .map(([name, code]) => `${name}: async () => { ${code}; }`)
      .join(", ")} };
      const done = [];
      for (const [name, attempt] of Object.entries(tries)) await attempt().then(() => done.push(name), () => {});
      done.push(...Object.keys(process.env));
      send(me); job(); send(begun); send(end, Buffer.from(done.join(" "))); wait();`;
    const pool = await impostor(script);
    expect(text((await pool.run(job(idle))).output)).toBe("");
    expect(existsSync("/tmp/exoarmur-escape")).toBe(false);
  });
});
