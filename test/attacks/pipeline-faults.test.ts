import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { encodeAbi } from "../../src/canonical/msgpack.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import type { Performer, SandboxHost } from "../../src/ports.js";
import { createSandboxPool } from "../../src/sandbox/pool.js";
import { workerUrl } from "../sandbox/support.js";
import { realPool } from "../support/real.js";
import { checkStore, endOf, eventTypes, openRig, type Rig, type RigOptions } from "../support/rig.js";
import { hostilePlugin, watBytes } from "./support.js";

const parameters = { path: "data/owned.txt" };
const asks = (request: Uint8Array, capability: string): { readonly body: string; readonly rest: string } => ({
  body: `(call $all (call $${capability} (call $text (i32.const 0) (i32.const ${request.length}))))`,
  rest: `(data (i32.const 0) ${watBytes(request)})`,
});
const write = encodeAbi({ path: parameters.path, bytes: encodeUtf8("owned"), mode: "replace" });

const reader = hostilePlugin("reader", { ...asks(encodeAbi({}), "clock_now"), capabilities: ["clock_now"] });
const writer = hostilePlugin("writer", {
  ...asks(write, "fs_write"),
  capabilities: ["fs_write"],
  effects: "write",
  limits: { timeoutMs: 20_000 },
});
const still = hostilePlugin("still", {
  body: `(call $say (i32.const 0) (i32.const 2))`,
  rest: `(data (i32.const 0) "{}")`,
  output: "json",
});

async function open(options: Partial<Pick<RigOptions, "sandbox" | "performers">>): Promise<Rig> {
  return await openRig({
    ...options,
    plugins: [reader, writer, still],
    rules: [{ id: "all", match: {}, verdict: "allow" }],
    grants: { reader: { clock_now: {} }, writer: { fs_write: { roots: ["data"] } } },
  });
}

const run = (rig: Rig, name: string) => rig.pipeline.execute({ actor: "a", action: `attack.${name}`, parameters });
const stillWorks = async (rig: Rig): Promise<void> => {
  expect(endOf(await run(rig, "still"))).toBe("executed");
};
const never = (): Promise<never> => new Promise(() => {});

describe("a host function that goes wrong", () => {
  const pool = realPool({ size: 1 });
  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  const ok =
    (value: unknown): Performer["perform"] =>
    () =>
      ({ outcome: "ok", value }) as never;
  /** Everything a performer can do but answer. */
  const faults: Readonly<Record<string, Performer["perform"]>> = {
    throws: () => {
      throw new Error("boom");
    },
    "throws no error at all": () => {
      throw undefined;
    },
    "throws what cannot be shown": () => {
      throw Object.assign(Object.create(null), { toString: never });
    },
    rejects: () => Promise.reject(new Error("boom")),
    "rejects with a proxy that throws": () =>
      Promise.reject(
        new Proxy(new Error("boom"), {
          get: () => {
            throw new Error("again");
          },
        }),
      ),
    "answers undefined": () => undefined as never,
    "answers an outcome that there is not": () => ({ outcome: "maybe" }) as never,
    "answers a value that has no encoding": ok(1n),
    "answers a function": ok(() => 1),
    "answers NaN": ok({ ms: Number.NaN }),
    "answers a value inside itself": ok(cyclic),
    "answers with a getter that throws": ok({
      get ms() {
        throw new Error("late");
      },
    }),
    "answers a lone surrogate": ok("\ud800"),
  };

  for (const [what, perform] of Object.entries(faults)) {
    it(`${what}: a read was not performed, a write is in doubt, and the host lives on`, async () => {
      const rig = await open({ sandbox: pool, performers: { clock_now: { perform }, fs_write: { perform } } });
      const read = await run(rig, "reader");
      if (read.status !== "executed") throw new Error(endOf(read));
      expect(new TextDecoder().decode(read.output as Uint8Array)).toContain("EXO_HOST_FAULT");
      expect(read.hostCalls).toBe(1);
      const wrote = await run(rig, "writer");
      expect(endOf(wrote)).toBe("in_doubt EXO_IN_DOUBT");
      expect(eventTypes(rig, wrote.intentId).slice(-2)).toEqual(["effect_started", "execution_in_doubt"]);
      await stillWorks(rig);
      checkStore(rig);
    });
  }

  it("a performer that is not there is the host's fault, and the run says so", async () => {
    const rig = await open({ sandbox: pool, performers: {} });
    for (const name of ["reader", "writer"]) {
      const failed = await run(rig, name);
      expect(endOf(failed)).toBe("failed EXO_CAPABILITY_UNAVAILABLE");
      expect(failed.status === "failed" && failed.execution.status).toBe("host_fault");
      expect(eventTypes(rig, failed.intentId)).not.toContain("effect_started");
    }
    await stillWorks(rig);
    checkStore(rig);
  });
});

describe("a worker that dies while its guest waits for an answer", () => {
  const base = mkdtempSync(join(tmpdir(), "exo-dying-"));
  const pools: SandboxHost[] = [];
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.close()));
    rmSync(base, { recursive: true, force: true });
  });

  /** Returns when the answer to the call has been posted: whoever carries it is done with it by then. */
  const answered = "wait(...args);";

  /** A pool of real workers, which end in this way at their first capability call, when `until` has been reached. */
  function dying(name: string, until: string, death: string): SandboxHost {
    const file = join(base, `${name}.mjs`);
    const script = [
      `import { existsSync } from "node:fs";`,
      `const wait = Atomics.wait;`,
      `Atomics.wait = (...args) => { ${until} ${death} };`,
      `await import(${JSON.stringify(workerUrl.href)});`,
    ];
    writeFileSync(file, script.join("\n"));
    const pool = createSandboxPool({ workerUrl: pathToFileURL(file), size: 1 });
    pools.push(pool);
    return pool;
  }

  const deaths: Readonly<Record<string, string>> = {
    exits: "process.exit(0);",
    "exits with a failure": "process.exit(134);",
    "uses up its heap": "const all = []; for (;;) all.push(new Array(1e5).fill(all.length));",
  };

  for (const [what, death] of Object.entries(deaths)) {
    it(`${what}: the run is a host fault, an answered write stays committed, and another worker goes on`, async () => {
      const sandbox = dying(what.replaceAll(" ", "-"), answered, death);
      const rig = await open({ sandbox });
      const read = await run(rig, "reader");
      expect(endOf(read)).toBe("failed EXO_HOST_FAULT");
      if (read.status !== "failed") throw new Error("unreachable");
      expect([read.execution.status, read.execution.error]).toEqual(["host_fault", { code: "EXO_HOST_FAULT" }]);
      expect(read.execution.outputDigest).toBeUndefined();
      expect(read.execution.transcript.size).toBe(1);
      expect(read.reason.retrySafe).toBe(true);
      await stillWorks(rig);
      const wrote = await run(rig, "writer");
      expect(endOf(wrote)).toBe("failed EXO_HOST_FAULT");
      expect(wrote.status === "failed" && [wrote.execution.status, wrote.reason.retrySafe]).toEqual([
        "host_fault",
        false,
      ]);
      expect(rig.disk.done).toEqual(["fs_write data/owned.txt"]);
      await stillWorks(rig);
      expect(sandbox.load()).toMatchObject({ running: 0, queued: 0 });
      checkStore(rig);
    });
  }

  it("leaves a write that nobody answered in doubt", async () => {
    const begun = join(base, "begun");
    const sandbox = dying("in-doubt", `while (!existsSync(${JSON.stringify(begun)}));`, "process.exit(1);");
    const aborted: boolean[] = [];
    const perform: Performer["perform"] = (_request, _constraints, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          aborted.push(true);
          reject(new Error("gone"));
        });
        writeFileSync(begun, "");
      });
    const rig = await open({ sandbox, performers: { fs_write: { perform } } });
    const wrote = await run(rig, "writer");
    expect(endOf(wrote)).toBe("in_doubt EXO_IN_DOUBT");
    expect(aborted).toEqual([true]);
    expect(eventTypes(rig, wrote.intentId).slice(-2)).toEqual(["effect_started", "execution_in_doubt"]);
    await stillWorks(rig);
    checkStore(rig);
  });
});
