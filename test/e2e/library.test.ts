import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ManifestDraft } from "../../src/contracts/manifest.js";
import type { PolicyDocument } from "../../src/contracts/policy.js";
import type { KeyFile } from "../../src/contracts/trust.js";
import type { Runtime } from "../../src/runtime.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { ending, ORDERS, ROOT, removeIntent, Shell, statsIntent } from "./cli.js";
import { built, builtApproval, builtMemory } from "./support/built.js";
import { runModule, startModule } from "./support/module.js";

let made: Shell;

beforeAll(async () => {
  made = new Shell();
  await made.exo(["init"]);
});
afterAll(() => made.remove());

const { signGrant } = builtApproval;

const readKey = (shell: Shell, name: string): KeyFile =>
  JSON.parse(shell.read(`.exoarmur/keys/${name}.key`)) as KeyFile;

describe("the package", () => {
  const names = {
    exoarmur: [
      "ExoArmurError",
      "ProxyPipeline",
      "ReplayEngine",
      "attestReplay",
      "createEvent",
      "createRuntime",
      "errorKind",
      "errorTable",
      "eventAuditSource",
      "isExoArmurError",
    ],
    "exoarmur/verify": [
      "agreementOf",
      "auditTiles",
      "canonicalize",
      "isCallDisclosure",
      "majorityOf",
      "parseCanonical",
      "readJson",
      "redactBundle",
      "verifierKeys",
      "verifyBundle",
      "verifyCall",
      "verifyConsistency",
      "verifyInclusion",
    ],
    "exoarmur/approval": ["signGrant"],
    "exoarmur/client": ["createClient", "login", "nextStepsOf"],
    "exoarmur/wasm": ["inspectModule", "meterModule", "meterRevision"],
    "exoarmur/cedar": ["loadCedar"],
    "exoarmur/what-if": ["backtestPolicy", "diffPolicies"],
    "exoarmur/stores/memory": ["createMemoryStore"],
    "exoarmur/stores/lmdb": ["openLmdbStore"],
  };

  it("exports exactly what is documented, under names that resolve", async () => {
    const code = `const found = {};
      for (const name of process.argv.slice(1)) found[name] = Object.keys(await import(name)).sort();
      console.log(JSON.stringify(found));`;
    const ended = await runModule(code, [...Object.keys(names), "exoarmur/contracts"]);
    expect(ended.stderr).toBe("");
    const { "exoarmur/contracts": contracts = [], ...found } = JSON.parse(ended.stdout) as Record<string, string[]>;
    expect(found).toEqual(names);
    expect(contracts).toEqual(expect.arrayContaining(["intentDraftSchema", "policySchema", "publishedSchemas"]));
  });

  it("keeps its inside to itself", async () => {
    const code = `const codes = [];
      for (const name of process.argv.slice(1)) await import(name).catch((error) => codes.push(error.code));
      console.log(codes.join());`;
    const { stdout } = await runModule(code, ["exoarmur/dist/index.js", "exoarmur/pipeline", "exoarmur/stores"]);
    expect(stdout).toBe(`${Array(3).fill("ERR_PACKAGE_PATH_NOT_EXPORTED").join()}\n`);
  });

  it("does nothing when it is imported: no worker, no open file, no handle, no native driver, no policy engine", async () => {
    const code = `import { readdirSync, readlinkSync } from "node:fs";
      import { createRequire } from "node:module";
      const look = () => ({
        resources: process.getActiveResourcesInfo().sort(),
        files: process.platform === "linux"
          ? readdirSync("/proc/self/fd").map((fd) => { try { return readlinkSync("/proc/self/fd/" + fd); } catch { return ""; } })
              .filter((path) => path.startsWith("/") && !path.startsWith("/dev/") && !path.startsWith("/proc/")).sort()
          : [],
        drivers: process.report.getReport().sharedObjects.filter((path) => path.includes("lmdb")),
        engines: Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes("cedar-policy")),
      });
      await import("node:timers/promises").then(({ setTimeout }) => setTimeout(1));
      const before = look();
      for (const name of process.argv.slice(1)) await import(name);
      await import("node:timers/promises").then(({ setTimeout }) => setTimeout(1));
      console.log(JSON.stringify([before, look()]));`;
    const specifiers = [...Object.keys(names), "exoarmur/contracts"].filter((name) => !name.endsWith("lmdb"));
    const ended = await runModule(code, specifiers);
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    const [before, after] = JSON.parse(ended.stdout) as [object, object];
    expect(after).toEqual(before);
    expect(after).toMatchObject({ files: [], drivers: [], engines: [] });
  });
});

const policy: PolicyDocument = {
  schema: "exoarmur.policy/v1",
  policyId: "parts",
  version: 1,
  rules: [{ id: "allow-stats", match: { action: "table.stats", target: { under: "data" } }, verdict: "allow" }],
};

const statsPlugin = {
  wasm: new Uint8Array(readFileSync(join(ROOT, "plugins", "table-stats.wasm"))),
  manifest: JSON.parse(readFileSync(join(ROOT, "plugins", "table-stats.json"), "utf8")) as ManifestDraft,
};

describe("a runtime from parts", () => {
  const open = async (change: object = {}): Promise<Runtime> =>
    await built.createRuntime({
      store: builtMemory.createMemoryStore(),
      policy,
      plugins: [statsPlugin],
      roots: { data: { path: made.path("data"), access: "read" as const } },
      grants: { "table-stats": { fs_read: { roots: ["data"] } } },
      ...change,
    });

  it("asks a candidate and obeys it in nothing; a malformed one is the caller's mistake", async () => {
    const store = builtMemory.createMemoryStore();
    const denyAll = { schema: "exoarmur.policy/v1", policyId: "next", version: 2, rules: [] };
    await using runtime = await open({ store, shadow: { policy: denyAll } });
    const { status } = await runtime.as("me").call("table.stats", { path: "data/orders.csv" });
    expect(status).toBe("executed");
    expect([...store.range({ gte: "h/", lt: "h0" })]).toHaveLength(1);
    for (const wrong of [{ policy: { ...denyAll, rules: [{ id: "x" }] } }, { policy: null }])
      await expect(open({ shadow: wrong })).rejects.toMatchObject({ code: "EXO_SCHEMA" });
  });

  it("executes, verifies with its own trust, replays, and is disposed of by await using", async () => {
    let kept: Runtime;
    {
      await using runtime = await open();
      kept = runtime;
      const result = await runtime.as("me").call("table.stats", { path: "data/orders.csv" });
      if (result.status !== "executed") return expect.fail(JSON.stringify(result));
      expect(result.output).toMatchObject({ rows: 4 });
      const report = verifyBundle(result.bundle.bytes(), { trust: runtime.trust });
      expect([report.result, report.trustMode]).toEqual(["pass", "pinned"]);
      expect((await runtime.replay(result.bundle)).result).toBe("success");
      expect((await runtime.replay(result.correlationId)).result).toBe("success");
    }
    expect(() => kept.approvals()).toThrow(expect.objectContaining({ code: "EXO_CLOSED" }));
  });

  it("grants nothing that was not given", async () => {
    await using runtime = await open({ grants: {} });
    const result = await runtime.execute(statsIntent);
    expect(result).toMatchObject({ status: "failed", reason: { code: "EXO_CAPABILITY_DENIED" } });
  });

  it("over a closed store is EXO_CLOSED, before and after it was opened", async () => {
    const store = builtMemory.createMemoryStore();
    const runtime = await open({ store });
    await store.close();
    await expect(runtime.execute(statsIntent)).rejects.toMatchObject({ code: "EXO_CLOSED" });
    await runtime.close();
    await expect(open({ store })).rejects.toMatchObject({ code: "EXO_CLOSED" });
  });

  it("refuses a malformed policy and a malformed manifest", async () => {
    await expect(open({ policy: { ...policy, rules: [{}] } })).rejects.toMatchObject({ code: "EXO_SCHEMA" });
    const plugins = [{ ...statsPlugin, manifest: { ...statsPlugin.manifest, functions: [] } }];
    await expect(open({ plugins })).rejects.toMatchObject({ code: "EXO_SCHEMA" });
  });
});

describe("a runtime over a home", () => {
  let shell: Shell;
  let runtime: Runtime;
  const open = async (): Promise<Runtime> => await built.createRuntime({ home: shell.path(".exoarmur") });

  beforeEach(async () => {
    shell = new Shell(made);
    runtime = await open();
  });
  afterEach(async () => {
    await runtime.close();
    shell.remove();
  });

  it("counts grants that were signed with exoarmur/approval, from the approver's key alone", async () => {
    const asked = await runtime.execute({ ...removeIntent, actor: "agent" });
    if (asked.status !== "approval_pending") return expect.fail(asked.status);
    const key = readKey(shell, "approver");
    const operator = readKey(shell, "operator");
    const signing = signGrant(asked.approval, { key: operator, decision: "approve" });
    await expect(signing).rejects.toMatchObject({ code: "EXO_APPROVAL_APPROVER" });
    const silent = signGrant(asked.approval, { key, decision: "deny" });
    await expect(silent).rejects.toMatchObject({ code: "EXO_APPROVAL_REASON" });
    const mixed = signGrant(asked.approval, { key: { ...key, seed: operator.seed }, decision: "approve" });
    await expect(mixed).rejects.toMatchObject({ code: "EXO_KEY" });
    const grant = await signGrant(asked.approval, { key, decision: "approve" });
    const [signature] = grant.signatures;
    const sig = `${signature?.sig.startsWith("A") === true ? "B" : "A"}${signature?.sig.slice(1) ?? ""}`;
    const forged = { ...grant, signatures: [{ keyid: signature?.keyid ?? "", sig }] };
    await expect(runtime.decide(forged)).rejects.toMatchObject({ code: "EXO_SIGNATURE" });
    expect(existsSync(shell.path("data/orders.csv"))).toBe(true);
    expect(runtime.status(asked.intentId).status).toBe("approval_pending");
    expect((await runtime.decide(grant)).status).toBe("executed");
    expect(existsSync(shell.path("data/orders.csv"))).toBe(false);
    await expect(runtime.decide(grant)).rejects.toMatchObject({ code: "EXO_APPROVAL_SPENT" });
  });

  it("ends an action that an approver denies, and wait tells", async () => {
    const asked = await runtime.execute(removeIntent);
    if (asked.status !== "approval_pending") return expect.fail(asked.status);
    const waiting = runtime.wait(asked.intentId);
    const key = readKey(shell, "approver");
    await runtime.decide(await signGrant(asked.approval, { key, decision: "deny", reason: "keep it" }));
    expect(await waiting).toMatchObject({ status: "denied", reason: { code: "EXO_APPROVAL_DENIED" } });
    expect(existsSync(shell.path("data/orders.csv"))).toBe(true);
  });

  it("ends a wait with the signal's reason, and leaves the request standing", async () => {
    const asked = await runtime.execute(removeIntent);
    const reason = new Error("enough");
    const controller = new AbortController();
    const waiting = runtime.wait(asked.intentId, { signal: controller.signal });
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(runtime.status(asked.intentId).status).toBe("approval_pending");
    await expect(runtime.wait("01K5Z0000000000000000QS001")).rejects.toMatchObject({ code: "EXO_INTENT_UNKNOWN" });
  });

  it("closes once, and every later call is EXO_CLOSED", async () => {
    const { intentId } = await runtime.execute(statsIntent);
    await Promise.all([runtime.close(), runtime.close()]);
    await runtime.close();
    const closed = expect.objectContaining({ code: "EXO_CLOSED" });
    await expect(runtime.execute(statsIntent)).rejects.toEqual(closed);
    await expect(runtime.as("me").call("table.stats", {})).rejects.toEqual(closed);
    await expect(runtime.wait(intentId)).rejects.toEqual(closed);
    await expect(runtime.decide({ payloadType: "x", payload: "", signatures: [] })).rejects.toEqual(closed);
    await expect(runtime.replay(intentId)).rejects.toEqual(closed);
    expect(() => runtime.status(intentId)).toThrow(closed);
    expect(() => runtime.approvals()).toThrow(closed);
    const next = await open();
    expect(next.status(intentId).status).toBe("executed");
    await next.close();
  });

  it("ends a wait for a person when it is closed, and the request outlives it", async () => {
    const asked = await runtime.execute(removeIntent);
    const waiting = runtime.wait(asked.intentId);
    const refused = waiting.catch((error: unknown) => error);
    await runtime.close();
    expect(await refused).toMatchObject({ code: "EXO_CLOSED" });
    const next = await open();
    expect(next.status(asked.intentId).status).toBe("approval_pending");
    await next.close();
  });

  it("finishes what has started before it closes", async () => {
    const running = runtime.execute(statsIntent);
    await new Promise((resolve) => setTimeout(resolve, 1));
    await runtime.close();
    const { status, intentId } = await running;
    expect(status).toBe("executed");
    const next = await open();
    expect([next.inDoubt, next.status(intentId).status]).toEqual([[], "executed"]);
    await next.close();
  });
});

describe("a program that uses the package", () => {
  const program = (work: string): string => `import { createRuntime } from "exoarmur";
    const runtime = await createRuntime({ home: process.argv[1] });
    ${work}`;

  it("stays alive while it waits for a person, and goes on when the command approves", async () => {
    const shell = new Shell(made);
    try {
      const child = startModule(
        program(`const asked = await runtime.as("agent").call("fs.remove", { path: "data/orders.csv" });
          console.log(asked.approval.requestId);
          const { status } = await runtime.wait(asked.intentId);
          await runtime.close();
          console.log(status);`),
        [shell.path(".exoarmur")],
      );
      const ended = ending(child);
      const requestId = await new Promise<string>((resolve) =>
        child.stdout?.once("data", (text) => resolve(String(text))),
      );
      const approved = await shell.exo(["approvals", "approve", requestId.trim()]);
      expect(approved.stdout).toContain("\nexecuted   bundle .exoarmur/bundles/");
      expect(await ended).toEqual({ code: 0, stdout: `${requestId}executed\n`, stderr: "" });
      expect(existsSync(shell.path("data/orders.csv"))).toBe(false);
    } finally {
      shell.remove();
    }
  });

  it("ends by itself once its runtime is closed, also after a run that had to be stopped", async () => {
    const shell = new Shell(made);
    try {
      copyFileSync(join(ROOT, "plugins", "spin.wasm"), shell.path(".exoarmur/plugins/spin.wasm"));
      const spin = JSON.parse(readFileSync(join(ROOT, "plugins", "spin.json"), "utf8")) as object;
      const limits = { fuel: Number.MAX_SAFE_INTEGER, timeoutMs: 300 };
      writeFileSync(shell.path(".exoarmur/plugins/spin.json"), JSON.stringify({ ...spin, limits }));
      shell.edit(".exoarmur/policy.json", (written) => ({
        ...written,
        rules: [...(written["rules"] as object[]), { id: "spin", match: { action: "demo.spin" }, verdict: "allow" }],
      }));
      const ended = await runModule(
        program(`const agent = runtime.as("agent");
          const spun = await agent.call("demo.spin", {});
          console.log(spun.status, spun.reason.code);
          const stats = await agent.call("table.stats", { path: "data/orders.csv" });
          console.log(stats.status);
          await runtime.close();
          await new Promise(setImmediate);
          const left = process.getActiveResourcesInfo().filter((name) => !/^(?:Pipe|TTY)Wrap$/.test(name));
          console.log(left.join());`),
        [shell.path(".exoarmur")],
      );
      expect(ended).toEqual({ code: 0, stdout: "failed EXO_TIMED_OUT\nexecuted\n\n", stderr: "" });
      expect(shell.read("data/orders.csv")).toBe(ORDERS);
    } finally {
      shell.remove();
    }
  });

  it("ends by itself when opening its home failed", async () => {
    const shell = new Shell(made);
    try {
      shell.edit(".exoarmur/policy.json", (written) => ({ ...written, rules: [{}] }));
      const ended = await runModule(program(""), [shell.path(".exoarmur")]);
      expect(ended.code).toBe(1);
      expect(ended.stderr).toContain("EXO_SCHEMA");
      expect(existsSync(shell.path(".exoarmur/owner.lock"))).toBe(false);
    } finally {
      shell.remove();
    }
  });
});
