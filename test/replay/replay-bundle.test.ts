import { beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import type { PolicyRule } from "../../src/contracts/policy.js";
import type { DivergenceKind, ReplayReport } from "../../src/contracts/replay-report.js";
import { decodeBase64Url, encodeBase64Url, encodeUtf8 } from "../../src/crypto/encoding.js";
import type { SandboxHost } from "../../src/ports.js";
import { ReplayEngine } from "../../src/replay/replay-engine.js";
import { type Bundles, makeBundles } from "../support/bundles.js";
import { Ends, FakeSandbox } from "../support/fake-sandbox.js";
import { Forge, repack } from "../support/forge.js";
import { realPool } from "../support/real.js";
import { draft, openRig, type Plugin, pluginAt, type Rig, repositoryFile, requestOf } from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys } from "../support/world.js";
import { replay } from "./support.js";

const anything: PolicyRule = { id: "any", match: { action: ["demo.*", "test.*"] }, verdict: "allow" };
const remove: PolicyRule = { id: "remove", match: { action: "fs.remove" }, verdict: "require_approval" };
const files: PolicyRule = {
  id: "files",
  match: { action: ["fs.read", "fs.write"], target: { under: "data" } },
  verdict: "allow",
};

const small = (path: string): Plugin => pluginAt(path, (manifest) => ({ ...manifest, limits: { fuel: 1_000_000 } }));

const sandbox = realPool({ size: 1 });
let rig: Rig;
let all: Bundles;
const bundles: Record<string, Uint8Array> = {};

beforeAll(async () => {
  all = await makeBundles();
  const plugins = [
    pluginAt("plugins/fs"),
    small("plugins/spin"),
    small("test/fixtures/guest-error"),
    small("test/fixtures/trap"),
    small("test/fixtures/echo"),
  ];
  rig = await openRig({ sandbox, rules: [anything, remove, files], plugins });
  const run = async (name: string, action: string, path: string, parameters: object = {}): Promise<void> => {
    const result = await rig.pipeline.execute(draft(action, path, { parameters, correlationId: name }));
    bundles[name] = rig.pipeline.bundle(result.intentId)?.bytes() ?? new Uint8Array(0);
  };
  await run("executed", "fs.read", "data/orders.csv");
  await run("written", "fs.write", "data/new.txt", { text: "hello" });
  await run("guestError", "test.guest-error", "x");
  await run("trapped", "test.trap", "x");
  await run("outOfFuel", "demo.spin", "x");
  await run("echoed", "test.echo", "x");
  await run("denied", "fs.read", "secrets/x");
  await run("refused", "no.such", "x");
  const pending = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv", { correlationId: "approved" }));
  await rig.pipeline.decide(await grant(requestOf(pending), "alice", keys.alice));
  bundles["approved"] = rig.pipeline.bundle(pending.intentId)?.bytes() ?? new Uint8Array(0);
});

const bundle = (name: string): Uint8Array => bundles[name] ?? new Uint8Array(0);
const reExecution = (report: ReplayReport): object | undefined => report.checks.find(({ id }) => id === "re-execution");

describe("an honest bundle", () => {
  it.each([
    ["executed", "completed", 1],
    ["written", "completed", 1],
    ["approved", "completed", 1],
    ["echoed", "completed", 0],
    ["guestError", "guest_error", 0],
    ["trapped", "trapped", 0],
    ["outOfFuel", "out_of_fuel", 0],
  ])("%s: the same again (%s, %i host calls)", async (name, status, hostCalls) => {
    const report = await replay(bundle(name), rig.trust, sandbox);
    expect(report.failures).toEqual([]);
    expect(report.warnings).toEqual([]);
    expect(report.result).toBe("success");
    expect(report.levels).toEqual({ structure: "pass", governance: "pass", execution: "pass" });
    expect(report.divergence).toBeNull();
    expect(report.counts.executions).toBe(1);
    expect(report.engine).toMatch(/^V8 /);
    const [comparison] = report.executions;
    expect(comparison?.replayed).toEqual(comparison?.recorded);
    expect(comparison?.recorded).toMatchObject({ status, hostCalls });
    expect(comparison?.recorded.fuel).toBeGreaterThan(0);
  });

  it.each(["denied", "refused"])("%s: nothing was executed, so nothing is re-executed", async (name) => {
    const report = await replay(bundle(name), rig.trust, sandbox);
    expect(report.result).toBe("success");
    expect(reExecution(report)).toMatchObject({ state: "not_applicable", message: "nothing was executed" });
    expect(report.counts).toMatchObject({ intents: 1, executions: 0 });
    expect(report.executions).toEqual([]);
  });

  it("three replays give one report", async () => {
    const reports = [];
    for (let n = 0; n < 3; n += 1) reports.push(JSON.stringify(await replay(bundle("executed"), rig.trust, sandbox)));
    expect(new Set(reports).size).toBe(1);
  });

  it("replays with the files gone, and touches none", async () => {
    const kept = new Map(rig.disk.files);
    rig.disk.files.clear();
    const done = rig.disk.done.length;
    for (const name of ["executed", "written", "approved"]) {
      expect((await replay(bundle(name), rig.trust, sandbox)).result).toBe("success");
    }
    expect(rig.disk.files.size).toBe(0);
    expect(rig.disk.done.length).toBe(done);
    for (const [path, content] of kept) rig.disk.files.set(path, content);
  });

  it("asks the sandbox for one run and the recorded answers, nothing else", async () => {
    let jobs = 0;
    const spying: SandboxHost = {
      engine: "spy",
      load: () => sandbox.load(),
      close: () => Promise.resolve(),
      run: (job) => {
        jobs += 1;
        expect(job.limits.timeoutMs).toBeGreaterThanOrEqual(120_000);
        return sandbox.run(job);
      },
    };
    const report = await replay(bundle("written"), rig.trust, spying);
    expect(report).toMatchObject({ result: "success", engine: "spy" });
    expect(jobs).toBe(1);
  });

  it("without a sandbox says that nothing was re-executed", async () => {
    const report = await replay(bundle("executed"), rig.trust);
    expect(reExecution(report)).toMatchObject({
      state: "not_applicable",
      message: "no sandbox was given: nothing was re-executed",
    });
    expect(report.counts.executions).toBe(0);
    expect(report.engine).toBeNull();
    expect(report.result).toBe("success");
  });
});

describe("a bundle whose signer recorded something else than happened", () => {
  const cases: readonly [string, string, DivergenceKind, object, (f: Forge) => unknown][] = [
    [
      "another output",
      "executed",
      "executor_output_mismatch",
      { step: "output", offset: 9, bytes: { from: 0 }, fuelDelta: 0 },
      async (f) => {
        const output = f.content("output").slice();
        output.set(encodeUtf8("Z"), 9);
        await f.set("output", output);
      },
    ],
    [
      "a longer output",
      "executed",
      "executor_output_mismatch",
      { step: "output" },
      (f) => f.edit("output", (output) => (output.zzz = 1)),
    ],
    [
      "more fuel",
      "executed",
      "fuel_mismatch",
      { step: "fuel", fuelDelta: -1 },
      (f) => f.execution((r) => (r.fuel.used += 1)),
    ],
    [
      "less fuel",
      "executed",
      "fuel_mismatch",
      { step: "fuel", fuelDelta: 5 },
      (f) => f.execution((r) => (r.fuel.used -= 5)),
    ],
    [
      "more memory",
      "executed",
      "memory_mismatch",
      { step: "memoryPeakPages" },
      (f) => f.execution((r) => (r.memoryPeakPages += 1)),
    ],
    [
      "another request to the host",
      "executed",
      "host_call_mismatch",
      { step: expect.stringContaining("host call 0: request differs at byte 3"), offset: 3 },
      (f) =>
        f.hostCall((call) => {
          const request = (decodeBase64Url(call.request) as Uint8Array).slice();
          request[3] = (request[3] ?? 0) ^ 1;
          Object.assign(call, { request: encodeBase64Url(request), requestDigest: digestOf(request) });
        }),
    ],
    [
      "another fuel at the call",
      "executed",
      "host_call_mismatch",
      { step: expect.stringContaining("fuel differs") },
      (f) => f.hostCall((call) => (call.fuel += 1)),
    ],
    [
      "another answer of the host",
      "executed",
      "executor_output_mismatch",
      {},
      (f) =>
        f.hostCall((call) => {
          const response = (decodeBase64Url(call.response) as Uint8Array).slice();
          const at = response.indexOf("a".charCodeAt(0), response.indexOf(",".charCodeAt(0)) - 1);
          response[at] = "q".charCodeAt(0);
          Object.assign(call, { response: encodeBase64Url(response), responseDigest: digestOf(response) });
        }),
    ],
    [
      "a host call left out",
      "executed",
      "host_call_mismatch",
      { expected: "no further call", actual: "fs_read" },
      (f) => f.drop("host_call").retranscribe(),
    ],
    [
      "a host call too many",
      "executed",
      "host_call_mismatch",
      { step: "host call 1", expected: "fs_read", actual: "no further call" },
      (f) => {
        f.add("host_call", canonicalize({ ...f.json("host_call"), seq: 1 }));
        return f.retranscribe();
      },
    ],
    [
      "narrower grants than a performed call needed",
      "executed",
      "host_call_mismatch",
      {
        step: "host call 0",
        expected: "denied",
        actual: expect.stringContaining("ok, outside the grant: EXO_CAPABILITY_DENIED"),
      },
      (f) =>
        f.edit("grants", (grants) => {
          for (const { constraints } of grants.capabilities) constraints.roots = ["other"];
        }),
    ],
    [
      "another end",
      "guestError",
      "execution_status_mismatch",
      { step: "status", expected: "trapped", actual: "guest_error" },
      async (f) => {
        await f.execution((r) => Object.assign(r, { status: "trapped", error: { code: "EXO_TRAPPED" } }));
        await f.payload("execution_failed", (p) => (p.reason.code = "EXO_TRAPPED"));
      },
    ],
    [
      "other words of the guest",
      "guestError",
      "execution_status_mismatch",
      { step: "errorMessage", expected: "all is well" },
      (f) => f.execution((r) => (r.error.message = "all is well")),
    ],
    [
      "a completion that was none",
      "outOfFuel",
      "execution_status_mismatch",
      { step: "status", expected: "trapped", actual: "out_of_fuel" },
      async (f) => {
        await f.execution((r) => Object.assign(r, { status: "trapped", error: { code: "EXO_TRAPPED" } }));
        await f.payload("execution_failed", (p) => (p.reason.code = "EXO_TRAPPED"));
      },
    ],
  ];

  it.each(cases)("%s (%s): %s", async (_name, of, kind, more, edit) => {
    const forge = new Forge(bundle(of));
    await edit(forge);
    const bytes = await forge.pack();
    // The verifier alone finds nothing: everything is signed, logged and consistent.
    expect(await replay(bytes, rig.trust)).toMatchObject({ result: "success", failures: [] });
    const report = await replay(bytes, rig.trust, sandbox);
    expect(report.result).toBe("failure");
    expect(report.divergence).toMatchObject({ level: "execution", kind, intentId: forge.predicate.intentId, ...more });
    expect(report.failures).toHaveLength(1);
    expect(report.levels).toEqual({ structure: "pass", governance: "pass", execution: "fail" });
    expect(reExecution(report)).toMatchObject({ state: "fail", code: "EXO_REPLAY_DIVERGED" });
  });

  it("another plugin's bytes", async () => {
    const forge = new Forge(bundle("executed"));
    await forge.set("plugin", repositoryFile("test/fixtures/echo.wasm"));
    const report = await replay(await forge.pack(), rig.trust, sandbox);
    expect(report).toMatchObject({ result: "failure", levels: { execution: "fail" } });
    expect(report.divergence).toMatchObject({ level: "execution", step: "plugin", kind: "plugin_digest_mismatch" });
  });
});

describe("levels and kinds of what the verifier finds", () => {
  it.each([
    ["structure", "signature_mismatch", (b: Uint8Array) => new Forge(b).pack({ runtime: keys.mallory })],
    ["structure", "log_proof_mismatch", (b: Uint8Array) => new Forge(b).pack({ log: keys.mallory })],
    ["structure", "canonicalization_mismatch", (b: Uint8Array) => Promise.resolve(b.subarray(1))],
    [
      "governance",
      "policy_verdict_mismatch",
      async (b: Uint8Array) =>
        await (await new Forge(b).payload("policy_evaluated", (p) => (p.decision.rationale = "?"))).pack(),
    ],
    [
      "governance",
      "safety_verdict_mismatch",
      async (b: Uint8Array) =>
        await (await new Forge(b).payload("safety_evaluated", (p) => (p.verdict.rationale = "?"))).pack(),
    ],
    [
      "governance",
      "final_verdict_mismatch",
      async (b: Uint8Array) => {
        const forge = new Forge(b);
        forge.predicate.verdicts.final = "deny";
        return await forge.pack();
      },
    ],
    ["structure", "lifecycle_mismatch", async (b: Uint8Array) => await (await new Forge(b).removeEvent(5)).pack()],
  ] as const)("%s: %s", async (level, kind, make) => {
    const report = await replay(await make(bundle("executed")), rig.trust, sandbox);
    expect(report.result).toBe("failure");
    expect(report.levels[level]).toBe("fail");
    expect(report.divergence).toMatchObject({ level, kind });
  });

  it("a missing plugin is partial, never a success", async () => {
    const [digest = ""] = new Forge(bundle("executed")).digests("plugin");
    const thin = repack(bundle("executed"), ({ materials }) => delete materials[digest]);
    const report = await replay(thin, rig.trust, sandbox);
    expect(report).toMatchObject({ result: "partial", failures: [], levels: { execution: "unable" } });
    expect(reExecution(report)).toMatchObject({ state: "unable", code: "EXO_MATERIAL_MISSING" });
  });

  it("a self-check is marked as one", async () => {
    const report = await new ReplayEngine({ sandbox }).replayBundle(bundle("echoed"));
    expect(report).toMatchObject({ result: "success", trustMode: "self_check_only" });
  });
});

describe("ends that are not claimed to be reproducible", () => {
  it.each(["timed_out", "host_fault"] as const)("%s is partial", async (status) => {
    const code = status === "timed_out" ? "EXO_TIMED_OUT" : "EXO_HOST_FAULT";
    const fake = new FakeSandbox({
      read: () => Promise.reject(new Ends({ status, error: { code } })),
    });
    const own = await openRig({ sandbox: fake });
    const { intentId } = await own.pipeline.execute(draft("fs.read", "data/orders.csv"));
    const report = await replay(own.pipeline.bundle(intentId)?.bytes() ?? new Uint8Array(0), own.trust, sandbox);
    expect(report).toMatchObject({ result: "partial", failures: [], levels: { execution: "unable" } });
    expect(reExecution(report)).toMatchObject({ state: "unable", code: "EXO_REPLAY_UNABLE" });
    expect(report.executions).toEqual([]);
  });

  it.each(["resolved", "crashed"] as const)("in doubt (%s) is partial", async (ending) => {
    const report = await replay(all.bytes[ending], all.trust, sandbox);
    expect(report).toMatchObject({ result: "partial", failures: [] });
    expect(reExecution(report)).toMatchObject({ state: "unable", code: "EXO_REPLAY_UNABLE" });
  });

  it("a machine that cannot carry the replay is partial, not a divergence", async () => {
    const broken = new FakeSandbox({ read: () => Promise.reject(new Ends({ status: "timed_out" })) });
    const report = await replay(bundle("executed"), rig.trust, broken);
    expect(report).toMatchObject({ result: "partial", failures: [] });
    expect(reExecution(report)).toMatchObject({ state: "unable", code: "EXO_REPLAY_UNABLE" });
  });
});
