import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ManifestDraft } from "../../src/contracts/manifest.js";
import type { PolicyDocument } from "../../src/contracts/policy.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { keys, seededEntropy, seededIds, testClock } from "../support/world.js";
import { jsonOf, ROOT, Shell, statsIntent, steady } from "./cli.js";
import { built, builtMemory } from "./support/built.js";

let shell: Shell;
beforeAll(async () => {
  shell = new Shell();
  await shell.exo(["init"]);
});
afterAll(() => shell.remove());

const policy: PolicyDocument = {
  schema: "exoarmur.policy/v1",
  policyId: "kinds",
  version: 1,
  rules: [{ id: "allow-stats", match: { action: "table.stats", target: { under: "data" } }, verdict: "allow" }],
};
const plugin = {
  wasm: new Uint8Array(readFileSync(join(ROOT, "plugins", "table-stats.wasm"))),
  manifest: JSON.parse(readFileSync(join(ROOT, "plugins", "table-stats.json"), "utf8")) as ManifestDraft,
};

/** A runtime of one kind, alike to the last bit in all else. */
async function open(sandbox: object): ReturnType<typeof built.createRuntime> {
  const clock = testClock();
  return await built.createRuntime({
    store: builtMemory.createMemoryStore(),
    policy,
    plugins: [plugin],
    roots: { data: { path: shell.path("data"), access: "read" } },
    grants: { "table-stats": { fs_read: { roots: ["data"] } } },
    keys: { runtime: keys.runtime, log: keys.log, policyAuthor: keys.author, saltKey: new Uint8Array(32).fill(7) },
    clock,
    ids: seededIds(clock, "kinds"),
    entropy: seededEntropy("kinds"),
    sandbox,
  });
}

describe("a run in a child process", () => {
  it("leaves the same bytes as one in a thread, and each replays what the other recorded", async () => {
    await using threads = await open({ kind: "threads", workers: 1 });
    await using processes = await open({ kind: "processes", workers: 1, memoryMb: 256 });
    const runs = [threads, processes].map((runtime) =>
      runtime.as("me").call("table.stats", { path: "data/orders.csv" }),
    );
    const [first, second] = await Promise.all(runs);
    if (first?.status !== "executed" || second?.status !== "executed")
      return expect.fail(JSON.stringify([first, second]));
    expect(second.output).toEqual(first.output);
    expect(second.fuel).toEqual(first.fuel);
    expect(second.fuel.used).toBeGreaterThan(1000);
    expect(Buffer.from(second.bundle.bytes()).equals(Buffer.from(first.bundle.bytes()))).toBe(true);
    expect(verifyBundle(second.bundle.bytes(), { trust: threads.trust }).result).toBe("pass");
    expect(await threads.replay(second.bundle)).toMatchObject({ result: "success", divergence: null });
    expect(await processes.replay(first.bundle)).toMatchObject({ result: "success", divergence: null });
  });
});

describe.runIf(process.platform === "linux")("a child of a runtime with a home", () => {
  it("inherits nothing but its pipes", async () => {
    shell.edit(".exoarmur/config.json", (config) => ({ ...config, sandbox: { kind: "processes", workers: 1 } }));
    await using runtime = await built.createRuntime({ home: shell.path(".exoarmur") });
    expect((await runtime.execute(statsIntent)).status).toBe("executed");
    const children = readdirSync("/proc").filter((name) => {
      if (!/^\d+$/.test(name)) return false;
      const [, parent] = /\) . (\d+) /.exec(readFileSync(`/proc/${name}/stat`, "utf8")) ?? [];
      return (
        Number(parent) === process.pid && readFileSync(`/proc/${name}/cmdline`, "utf8").includes("worker-process.js")
      );
    });
    const open = children.map((child) =>
      readdirSync(`/proc/${child}/fd`).map((fd) => {
        try {
          return readlinkSync(`/proc/${child}/fd/${fd}`);
        } catch {
          return "anon_inode:gone";
        }
      }),
    );
    // The one that ran has its code loaded; another may still be starting.
    const known = /^(?:\/dev\/null|anon_inode:.*|(?:socket|pipe):\[\d+\])$/;
    const strange = open.map((files) => files.filter((file) => !known.test(file)));
    expect(strange).toContainEqual([]);
    expect(open[strange.findIndex((files) => files.length === 0)]?.length).toBeGreaterThan(10);
  });
});

describe("the command", () => {
  it("runs, verifies and replays with the kind its home is configured for, and tells which restrictions hold", async () => {
    shell.edit(".exoarmur/config.json", (config) => ({ ...config, sandbox: { kind: "processes" } }));
    const ran = await shell.run(statsIntent);
    expect(steady(ran.stdout)).toMatch(/^executed {3}table-stats@1\.0\.0 stats /);
    const bundle = ran.stdout.split("\n")[1]?.slice(11) ?? "";
    expect((await shell.exo(["verify", bundle])).code).toBe(0);
    const replayed = await shell.exo(["replay", bundle, "--json"]);
    expect(jsonOf(replayed)).toMatchObject({ result: "success" });
    const { stdout, code } = await shell.exo(["doctor"]);
    expect(stdout).toMatch(
      /\n(?:ok|warn) {3,5}isolation +processes; in force: environment \(empty\), open files of the host \(none but the pipes\), permission model \(/,
    );
    expect(code).toBe(0);
  });

  it("says that threads are no boundary against V8's own faults", async () => {
    shell.edit(".exoarmur/config.json", (config) => ({ ...config, sandbox: {} }));
    const { stdout } = await shell.exo(["doctor"]);
    expect(stdout).toMatch(/\nok {5}isolation +threads; in force: environment \(empty\); not in force: own process \(/);
  });

  it.each([
    [{ kind: "process" }, "/sandbox/kind"],
    [{ kind: "threads", memoryMb: 100 }, 'memoryMb and user need "kind": "processes"'],
    [{ user: { uid: 1000, gid: 1000 } }, 'memoryMb and user need "kind": "processes"'],
    [{ kind: "processes", user: { uid: 0, gid: 0 } }, "/sandbox/user/uid"],
    [{ kind: "processes", user: { uid: 1000 } }, "/sandbox/user/gid"],
    [{ kind: "processes", memoryMb: 1 }, "/sandbox/memoryMb"],
    [{ kind: "processes", memory: 100 }, "/sandbox"],
    [{ queueBytes: 0 }, "/sandbox/queueBytes"],
  ])("refuses the configuration %j", async (sandbox, why) => {
    shell.edit(".exoarmur/config.json", (config) => ({ ...config, sandbox }));
    const { code, stderr, stdout } = await shell.run(statsIntent);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("EXO_SCHEMA");
    expect(stderr).toContain(why);
  });
});

describe("a runtime from parts", () => {
  it.each([{ kind: "processes", memory: 1 }, { kind: "threads", memoryMb: 100 }, { workers: 0 }])(
    "refuses sandbox: %j",
    async (sandbox) => {
      await expect(open(sandbox)).rejects.toMatchObject({ code: "EXO_SCHEMA" });
    },
  );
});
