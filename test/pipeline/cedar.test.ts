import { beforeAll, describe, expect, it, test } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import { payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import type { CedarPolicy } from "../../src/contracts/policy-cedar.js";
import type { CedarModule } from "../../src/policy/cedar/instance.js";
import { createCedar } from "../../src/policy/cedar/language.js";
import { type CedarEngine, compileProgram, type LoadCedar } from "../../src/policy/program.js";
import { auditStore } from "../../src/replay/audit-log.js";
import { storeAuditSource } from "../../src/replay/audit-source.js";
import { backtestPolicy } from "../../src/replay/backtest.js";
import { usesCedar } from "../../src/replay/recorded-decisions.js";
import { ReplayEngine } from "../../src/replay/replay-engine.js";
import type { CheckResult } from "../../src/verify/report.js";
import { verifyBundle, verifyLoading } from "../../src/verify/verify-bundle.js";
import { cedarOf, engine, schemaOf } from "../policy/cedar/support.js";
import { Forge, type Loose } from "../support/forge.js";
import { draft, endOf, eventTypes, openRig, type Rig, type RigOptions, requestOf } from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys } from "../support/world.js";

const load = () => Promise.resolve(engine);

/** A loader, and how often it was asked. */
function countedLoad(): { load: LoadCedar; loads: () => number } {
  let loads = 0;
  return {
    load: async () => {
      loads++;
      return await load();
    },
    loads: () => loads,
  };
}

const policy = cedarOf(
  `@id("read") permit(principal, action == Action::"fs.read", resource in Target::"data");
   @id("ask") @verdict("require_approval") @roles("approver") @narrow("{\\"fs_remove\\":{\\"paths\\":[\\"{target}\\"]}}")
   permit(principal, action == Action::"fs.remove", resource in Target::"data");
   @id("secret") @rationale("secrets stay") forbid(principal, action, resource in Target::"data/secret");
   @id("sum") forbid(principal, action, resource) when { context.parameters has n && context.parameters.n + 1 < 0 };`,
  { version: 2, cedarSchema: schemaOf(["fs.read", "fs.remove", "fs.list"], "path: String, n?: Long") },
);

async function activate(rig: Rig, document: object = policy, author = keys.author): Promise<void> {
  await rig.pipeline.activatePolicy(await signEnvelope(payloadTypes.policy, canonicalize(document), author));
}

async function cedarRig(options: RigOptions = {}): Promise<Rig> {
  const rig = await openRig({ cedar: load, ...options });
  await activate(rig);
  return rig;
}

const read = async (rig: Rig, path = "data/orders.csv", more = {}) =>
  await rig.pipeline.execute(draft("fs.read", path, more));

function bundleOf(rig: Rig, { intentId }: { readonly intentId: string }): Uint8Array {
  const bundle = rig.pipeline.bundle(intentId);
  if (bundle === undefined) throw new Error("no bundle");
  return bundle.bytes();
}

/** The module as it is, but for some functions. */
async function moduleWith(change: (real: CedarModule) => Partial<CedarModule>): Promise<CedarModule> {
  const real = (await import("@cedar-policy/cedar-wasm/nodejs")) as unknown as CedarModule;
  return { ...real, ...change(real) };
}

let rig: Rig;
let executed: Uint8Array;
beforeAll(async () => {
  rig = await cedarRig();
  executed = bundleOf(rig, await read(rig));
});

const checkOf = (bytes: Uint8Array, cedar?: CedarEngine, id = "policy"): CheckResult | undefined =>
  verifyBundle(bytes, { trust: rig.trust, ...(cedar === undefined ? {} : { cedar }) }).checks.find(
    (check) => check.id === id,
  );

describe("activation", () => {
  it("refuses a Cedar policy where no engine can be loaded", async () => {
    const bare = await openRig();
    await expect(activate(bare)).rejects.toMatchObject({ code: "EXO_CEDAR_ENGINE" });
    expect((await read(bare)).decision?.ruleIds).toEqual(["allow-read"]);
  });

  it.each([
    ["another author", policy, keys.mallory, "EXO_POLICY_UNSIGNED"],
    ["a version that does not rise", { ...policy, version: 1 }, keys.author, "EXO_POLICY_VERSION"],
    ["another policy's id", { ...policy, policyId: "other" }, keys.author, "EXO_POLICY_VERSION"],
    [
      "a policy without @id",
      { ...policy, policies: "permit(principal, action, resource);" },
      keys.author,
      "EXO_SCHEMA",
    ],
    [
      "a policy that is not valid",
      { ...policy, policies: '@id("a") permit(principal, action == Action::"x", resource);' },
      keys.author,
      "EXO_SCHEMA",
    ],
    ["another member", { ...policy, rules: [] }, keys.author, "EXO_SCHEMA"],
  ])("refuses %s, and what was in force stays", async (_name, document, author, code) => {
    const before = await openRig({ cedar: load });
    await expect(activate(before, document, author)).rejects.toMatchObject({ code });
    expect((await read(before)).decision?.ruleIds).toEqual(["allow-read"]);
  });

  it("loads no engine for a policy of rules", async () => {
    const counted = countedLoad();
    await openRig({ cedar: counted.load });
    expect(counted.loads()).toBe(0);
  });

  it("goes back to rules with a higher version", async () => {
    const mixed = await cedarRig();
    await mixed.activate([{ id: "all", match: {}, verdict: "allow" }], 3);
    expect((await read(mixed)).decision).toMatchObject({
      ruleIds: ["all"],
      evaluator: { name: "exoarmur.rules", revision: 1 },
    });
  });
});

describe("decisions under Cedar", () => {
  it("allow, with the evaluator and its release named", async () => {
    const result = await read(rig);
    expect(endOf(result)).toBe("executed");
    expect(result.decision).toMatchObject({
      verdict: "allow",
      ruleIds: ["read"],
      rationale: "permitted by read",
      evaluator: { name: "exoarmur.cedar", revision: 1, engine: "4.13.0 (language 4.5)" },
    });
  });

  it("ask for approval, and the grants are narrowed as the annotation says", async () => {
    const asked = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv"));
    const request = requestOf(asked);
    expect(request).toMatchObject({ verdict: "require_approval", threshold: 1 });
    const result = await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    expect(endOf(result)).toBe("executed");
    expect(eventTypes(rig, result.intentId).filter((type) => type === "policy_evaluated")).toHaveLength(2);
    const bytes = bundleOf(rig, result);
    expect(verifyBundle(bytes, { trust: rig.trust, cedar: engine }).result).toBe("pass");
    expect(new Forge(bytes).json("grants").capabilities).toContainEqual({
      name: "fs_remove",
      constraints: { paths: ["data/orders.csv"], roots: ["data"] },
    });
  });

  it.each([
    ["forbidden", "data/secret/key", {}, "denied EXO_POLICY_DENIED", ["secret"]],
    ["not permitted", "tmp/x", {}, "denied EXO_POLICY_DENIED", ["default"]],
    ["cannot be put to Cedar", "data/x", { parameters: { n: 0.5 } }, "denied EXO_POLICY_ERROR", ["default"]],
    ["does not fit the schema", "data/x", { parameters: { force: true } }, "denied EXO_POLICY_ERROR", ["default"]],
  ])("deny what is %s, and its bundle verifies", async (_name, path, more, end, ruleIds) => {
    const result = await read(rig, path, more);
    expect(endOf(result)).toBe(end);
    expect(result.decision?.ruleIds).toEqual(ruleIds);
    expect(verifyBundle(bundleOf(rig, result), { trust: rig.trust, cedar: engine }).result).toBe("pass");
  });

  it("deny when the engine fails, which nobody can check again", async () => {
    const failing = await cedarRig({
      cedar: async () =>
        createCedar(
          await moduleWith(() => ({
            statefulIsAuthorized: () => {
              throw new RangeError("unreachable");
            },
          })),
        ),
    });
    const result = await read(failing);
    expect(endOf(result)).toBe("denied EXO_POLICY_ERROR");
    expect(failing.sandbox.starts).toBe(0);
    expect(checkOf(bundleOf(failing, result), engine)).toMatchObject({ state: "unable", code: "EXO_CEDAR_ENGINE" });
  });
});

describe("verification", () => {
  it("is unable without the engine, and no pass", () => {
    const report = verifyBundle(executed, { trust: rig.trust });
    expect(report.result).toBe("unable");
    expect(report.checks.filter(({ state }) => state === "unable")).toEqual([
      {
        id: "policy",
        title: "policy re-evaluated",
        state: "unable",
        code: "EXO_CEDAR_ENGINE",
        message: "the policy is in Cedar, whose engine is not loaded",
      },
    ]);
  });

  it("passes with it", () => {
    expect(verifyBundle(executed, { trust: rig.trust, cedar: engine }).result).toBe("pass");
    expect(checkOf(executed, engine)).toMatchObject({ state: "pass", message: "allow by read" });
  });

  it("loads it when a bundle needs it, and not else", async () => {
    const counted = countedLoad();
    const plain = await openRig();
    const ruled = bundleOf(plain, await read(plain));
    expect((await verifyLoading(ruled, { trust: plain.trust }, counted.load)).result).toBe("pass");
    expect((await verifyLoading(new Uint8Array(3), {}, counted.load)).result).toBe("fail");
    expect(counted.loads()).toBe(0);
    expect((await verifyLoading(executed, { trust: rig.trust }, counted.load)).result).toBe("pass");
    expect(counted.loads()).toBe(1);
  });

  it.each([
    [
      "another engine that answers otherwise",
      { decision: "deny", reason: ["secret"] },
      'the policy gives verdict "deny", recorded is "allow"',
    ],
    [
      "one that names another policy",
      { decision: "allow", reason: ["ask"] },
      'the policy gives verdict "require_approval", recorded is "allow"',
    ],
    ["one that names none", { decision: "allow", reason: [] }, 'the policy gives verdict "deny", recorded is "allow"'],
    [
      "one that names a policy nobody has",
      { decision: "allow", reason: ["root"] },
      'the policy gives verdict "deny", recorded is "allow"',
    ],
  ])("fails under %s", async (_name, { decision, reason }, words) => {
    const lying = createCedar(
      await moduleWith(() => ({
        statefulIsAuthorized: () =>
          ({ type: "success", response: { decision, diagnostics: { reason, errors: [] } } }) as ReturnType<
            CedarModule["statefulIsAuthorized"]
          >,
      })),
    );
    expect(checkOf(executed, lying)).toMatchObject({ state: "fail", code: "EXO_CHECK_FAILED", message: words });
  });

  it("is unable under another release of the engine", async () => {
    const newer = createCedar(await moduleWith(() => ({ getCedarSDKVersion: () => "9.9.9" })));
    expect(checkOf(executed, newer)).toMatchObject({
      state: "unable",
      code: "EXO_REVISION",
      message: "the decision was made by Cedar 4.13.0 (language 4.5); this is 9.9.9 (language 4.5)",
    });
  });

  it("is unable, not a failure, when the engine fails under it", async () => {
    const broken = createCedar(
      await moduleWith(() => ({
        policySetTextToParts: () => {
          throw new RangeError("Maximum call stack size exceeded");
        },
      })),
    );
    expect(checkOf(executed, broken)).toMatchObject({ state: "unable", code: "EXO_CEDAR_ENGINE" });
  });

  const decision = (change: (decision: Loose) => unknown) => async (forge: Forge) =>
    await forge.payload("policy_evaluated", (payload: Loose) => change(payload.decision));
  it.each<readonly [string, (forge: Forge) => Promise<unknown>, string, string]>([
    ["another verdict", decision((d) => (d.verdict = "require_approval")), "fail", "EXO_CHECK_FAILED"],
    ["other rules", decision((d) => (d.ruleIds = ["ask"])), "fail", "EXO_CHECK_FAILED"],
    ["another rationale", decision((d) => (d.rationale = "because")), "fail", "EXO_CHECK_FAILED"],
    ["obligations", decision((d) => (d.obligations = { approvals: 1 })), "fail", "EXO_CHECK_FAILED"],
    [
      "the rules' evaluator",
      decision((d) => (d.evaluator = { name: "exoarmur.rules", revision: 1 })),
      "fail",
      "EXO_CHECK_FAILED",
    ],
    ["an evaluator nobody has", decision((d) => (d.evaluator.name = "toString")), "unable", "EXO_REVISION"],
    ["another revision", decision((d) => (d.evaluator.revision = 2)), "unable", "EXO_REVISION"],
    ["no release", decision((d) => delete d.evaluator.engine), "unable", "EXO_REVISION"],
    ["another release", decision((d) => (d.evaluator.engine = "4.12.0 (language 4.4)")), "unable", "EXO_REVISION"],
    [
      "an engine that is said to have failed",
      decision((d) =>
        Object.assign(d, {
          verdict: "deny",
          ruleIds: ["default"],
          rationale: "evaluation error: Cedar's engine failed",
        }),
      ),
      "unable",
      "EXO_CEDAR_ENGINE",
    ],
    [
      "a policy that forbids it",
      async (forge) =>
        await forge.edit(
          "policy",
          (p: CedarPolicy) =>
            (p.policies = p.policies.replace(
              'permit(principal, action == Action::"fs.read"',
              'forbid(principal, action == Action::"fs.read"',
            )),
        ),
      "fail",
      "EXO_CHECK_FAILED",
    ],
    [
      "a policy that was never valid",
      async (forge) =>
        await forge.edit(
          "policy",
          (p: CedarPolicy) => (p.policies += '@id("x") permit(principal is Nobody, action, resource);'),
        ),
      "fail",
      "EXO_SCHEMA",
    ],
    [
      "a policy that would end the engine",
      async (forge) =>
        await forge.edit(
          "policy",
          (p: CedarPolicy) =>
            (p.policies += `@id("x") permit(principal, action, resource) when { ${"(".repeat(2000)}true${")".repeat(2000)} };`),
        ),
      "fail",
      "EXO_SCHEMA",
    ],
    [
      "another target",
      async (forge) => await forge.edit("intent", (i: Loose) => (i.target = i.parameters.path = "data/secret/key")),
      "fail",
      "EXO_CHECK_FAILED",
    ],
  ])("ends rightly with %s", async (_name, forgery, state, code) => {
    const forge = new Forge(executed);
    await forgery(forge);
    expect(checkOf(await forge.pack(), engine)).toMatchObject({ state, code });
    // The engine is as good as before.
    expect(checkOf(executed, engine)?.state).toBe("pass");
  });

  it("a decision of rules that names a release is not one this build made", async () => {
    const plain = await openRig();
    const forge = new Forge(bundleOf(plain, await read(plain)));
    await forge.payload("policy_evaluated", (payload: Loose) => (payload.decision.evaluator.engine = "1"));
    const report = verifyBundle(await forge.pack(), { trust: plain.trust });
    expect(report.checks.find(({ id }) => id === "policy")).toMatchObject({ state: "unable", code: "EXO_REVISION" });
  });
});

describe("replay and what-if", () => {
  it("evaluates again with the engine, and says that it cannot without", async () => {
    const withEngine = await new ReplayEngine({ trust: rig.trust, cedar: load }).replayBundle(executed);
    expect(withEngine).toMatchObject({ result: "success", levels: { governance: "pass" } });
    const without = await new ReplayEngine({ trust: rig.trust }).replayBundle(executed);
    expect(without).toMatchObject({ result: "partial", levels: { governance: "unable" } });
  });

  it("replays a correlation of the store", async () => {
    const result = await read(rig, "data/orders.csv", { correlationId: "c-1" });
    const auditSource = storeAuditSource(rig.store, rig.ledger);
    const report = await new ReplayEngine({ trust: rig.trust, cedar: load, auditStore: auditSource }).replayCorrelation(
      result.correlationId,
    );
    expect(report).toMatchObject({ result: "success", failures: [] });
  });

  it("audits a store whose bundles need the engine", async () => {
    const fresh = await cedarRig();
    await read(fresh);
    const options = { origin: "exoarmur/test", vkey: fresh.trust.logs[0]?.vkey ?? "", trust: fresh.trust };
    expect(usesCedar(fresh.store)).toBe(true);
    expect(usesCedar((await openRig()).store)).toBe(false);
    expect(auditStore(fresh.store, { ...options, cedar: engine }).result).toBe("pass");
    expect(auditStore(fresh.store, options).result).toBe("fail");
  });

  it("backtests Cedar against the history of rules, and the reverse", async () => {
    const plain = await openRig();
    await read(plain);
    await read(plain, "data/secret/key");
    const everything = { since: null, until: null, tenant: null };
    const forward = backtestPolicy(plain.store, compileProgram(policy, engine), everything);
    expect(forward.flips.map(({ classes, candidate }) => [classes, candidate.ruleIds])).toEqual([
      [["allow->deny"], ["secret"]],
    ]);
    const fresh = await cedarRig();
    await read(fresh);
    const none = compileProgram({ schema: "exoarmur.policy/v1", policyId: "none", version: 1, rules: [] }, null);
    expect(backtestPolicy(fresh.store, none, everything).flips.map(({ classes }) => classes)).toEqual([
      ["allow->deny"],
    ]);
  });

  it("counts as not checkable what a failing engine cannot tell", async () => {
    const broken = createCedar(
      await moduleWith(() => ({
        statefulIsAuthorized: () => {
          throw new Error("gone");
        },
      })),
    );
    const report = backtestPolicy(rig.store, compileProgram(policy, broken), {
      since: null,
      until: null,
      tenant: null,
    });
    expect(report).toMatchObject({ result: "unable", flips: [] });
    expect(new Set(report.notCheckable.map(({ code }) => code))).toEqual(new Set(["EXO_CEDAR_ENGINE"]));
  });
});

test("the same intents under the same policy leave the same decisions", async () => {
  const run = async () => {
    const one = await cedarRig();
    const results = [await read(one), await read(one, "data/secret/key"), await read(one, "tmp/x")];
    return results.map(({ decision }) => decision);
  };
  expect(await run()).toEqual(await run());
});
