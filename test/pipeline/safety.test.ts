import { describe, expect, test } from "vitest";
import { formatTime } from "../../src/canonical/time.js";
import type { KillSwitchOrder } from "../../src/contracts/order.js";
import type { SafetyConfig } from "../../src/contracts/safety.js";
import { writeState } from "../../src/pipeline/documents.js";
import { stateKeys, trustScoreKey } from "../../src/pipeline/store-keys.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { Ends } from "../support/fake-sandbox.js";
import { Forge } from "../support/forge.js";
import { agent, checkStore, draft, endOf, fsPlugin, openRig, type Rig, requestOf, usualRules } from "../support/rig.js";
import { freshNonce, killOrder, scoreOrder } from "../support/sign.js";
import { keys, startMs, trusted, usualKeys } from "../support/world.js";

const read = (rig: Rig, more = {}) => rig.pipeline.execute(draft("fs.read", "data/orders.csv", more));
const all = { rules: [{ id: "all", match: { action: "fs.*" }, verdict: "allow" as const }] };
const config = (sources: Partial<SafetyConfig["sources"]>, budgets: SafetyConfig["budgets"] = {}): SafetyConfig => ({
  schema: "exoarmur.safety-config/v1",
  sources: { trustScore: "off", cellLoad: "off", networkHealth: "off", ...sources },
  budgets,
});

describe("kill switches", () => {
  test("the global one stops every tenant, and off lets them go on", async () => {
    const rig = await openRig(all);
    const state = await rig.pipeline.switchKill(await killOrder(true));
    expect(state.global).toBe(true);
    for (const tenantId of ["default", "other"]) {
      const denied = await read(rig, { tenantId });
      expect(endOf(denied)).toBe("denied EXO_KILL_SWITCH");
      if (denied.status === "denied")
        expect(denied.reason).toMatchObject({ ruleIds: ["kill-switch-global"], retrySafe: true });
    }
    await rig.pipeline.switchKill(await killOrder(false));
    expect(endOf(await read(rig))).toBe("executed");
    expect(rig.sandbox.starts).toBe(1);
    checkStore(rig);
  });

  test("a tenant's stops that tenant alone", async () => {
    const rig = await openRig(all);
    await rig.pipeline.switchKill(await killOrder(true, { tenantId: "other" }));
    expect(endOf(await read(rig, { tenantId: "other" }))).toBe("denied EXO_KILL_SWITCH");
    expect(endOf(await read(rig))).toBe("executed");
  });

  test("the KILL file stops, whatever the store says", async () => {
    const rig = await openRig();
    rig.governor.killFile = true;
    expect(endOf(await read(rig))).toBe("denied EXO_KILL_SWITCH");
    rig.governor.killFile = false;
    expect(endOf(await read(rig))).toBe("executed");
  });

  test("it survives a restart", async () => {
    const store = createMemoryStore();
    await (await openRig({ store })).pipeline.switchKill(await killOrder(true));
    expect(endOf(await read(await openRig({ store, seed: "second" })))).toBe("denied EXO_KILL_SWITCH");
  });

  test("orders that wait are taken before every start", async () => {
    const rig = await openRig();
    rig.governor.takeOrders = async () => {
      rig.governor.takeOrders = () => Promise.resolve();
      await rig.pipeline.switchKill(await killOrder(true));
    };
    expect(endOf(await read(rig))).toBe("denied EXO_KILL_SWITCH");
  });

  test("orders that cannot be taken stop the intent, not the switch", async () => {
    const rig = await openRig();
    rig.governor.takeOrders = () => Promise.reject(new Error("inbox unreadable"));
    await expect(read(rig)).rejects.toThrow("inbox unreadable");
    expect(rig.sandbox.starts).toBe(0);
  });

  test("lost state denies, also after a restart", async () => {
    const store = createMemoryStore();
    const rig = await openRig({ store });
    await rig.ledger.transact((tx) => tx.delete(stateKeys.killSwitch));
    expect(endOf(await read(rig))).toBe("denied EXO_KILL_SWITCH");
    const again = await openRig({ store, seed: "second" });
    expect(endOf(await read(again))).toBe("denied EXO_KILL_SWITCH");
    expect(again.sandbox.starts).toBe(0);
    checkStore(again);
  });

  test("a switch whose value is no boolean denies", async () => {
    const rig = await openRig();
    await rig.ledger.transact((tx) => writeState(tx, stateKeys.killSwitch, { global: false, tenants: {}, epoch: 1 }));
    expect(endOf(await read(rig))).toBe("denied EXO_KILL_SWITCH");
  });

  test("off after a lost state leaves the tenants without one, which denies", async () => {
    const rig = await openRig();
    await rig.ledger.transact((tx) => tx.delete(stateKeys.killSwitch));
    await rig.pipeline.switchKill(await killOrder(false));
    expect(endOf(await read(rig))).toBe("denied EXO_KILL_SWITCH");
  });
});

describe("trust-score orders", () => {
  test("a signed order sets an actor's score, and a later one sets it again", async () => {
    const rig = await openRig({ safety: config({ trustScore: "state" }) });
    await rig.pipeline.setTrustScore(await scoreOrder(0.4));
    expect(endOf(await read(rig))).toBe("approval_pending");
    await rig.pipeline.setTrustScore(await scoreOrder(1, { signedAt: formatTime(startMs + 1) }));
    expect(endOf(await read(rig))).toBe("executed");
    checkStore(rig);
  });

  test("another actor, another tenant and an order carried out before change nothing", async () => {
    const rig = await openRig({ safety: config({ trustScore: "state" }) });
    await rig.pipeline.setTrustScore(await scoreOrder(0, { actorId: "another-agent" }));
    expect(endOf(await read(rig))).toBe("executed");
    const first = await scoreOrder(0.4);
    await rig.pipeline.setTrustScore(first);
    await rig.pipeline.setTrustScore(await scoreOrder(0.9, { signedAt: formatTime(startMs + 1) }));
    const { size } = rig.ledger;
    await rig.pipeline.setTrustScore(first);
    expect(rig.ledger.size).toBe(size);
    expect(endOf(await read(rig))).toBe("executed");
  });

  test.each<[string, string, () => ReturnType<typeof scoreOrder>]>([
    ["an approver", "EXO_TRUST", () => scoreOrder(1, {}, keys.alice)],
    ["an order for another cell", "EXO_ORDER", () => scoreOrder(1, { cellId: "elsewhere" })],
    ["an unknown tenant", "EXO_TENANT_UNKNOWN", () => scoreOrder(1, { tenantId: "nobody" })],
    ["a score above 1", "EXO_SCHEMA", () => scoreOrder(1.01)],
    ["a score below 0", "EXO_SCHEMA", () => scoreOrder(-0.1)],
    ["an order that was held back", "EXO_ORDER", () => scoreOrder(1, { signedAt: formatTime(startMs - 1) })],
  ])("%s is refused: %s", async (_name, code, order) => {
    const rig = await openRig({ safety: config({ trustScore: "state" }) });
    await rig.pipeline.setTrustScore(await scoreOrder(0.4));
    const { size } = rig.ledger;
    await expect(rig.pipeline.setTrustScore(await order())).rejects.toMatchObject({ code });
    expect(rig.ledger.size).toBe(size);
    expect(endOf(await read(rig))).toBe("approval_pending");
  });
});

describe("kill-switch orders", () => {
  test("an order to switch off that was held back does not undo a later order to switch on", async () => {
    const rig = await openRig();
    const heldBack = await killOrder(false, { signedAt: "2026-01-01T00:00:00.000Z" });
    await rig.pipeline.switchKill(await killOrder(true, { signedAt: "2026-01-01T00:00:00.001Z" }));
    await expect(rig.pipeline.switchKill(heldBack)).rejects.toMatchObject({ code: "EXO_ORDER" });
    expect(endOf(await read(rig))).toBe("denied EXO_KILL_SWITCH");
    await rig.pipeline.switchKill(await killOrder(false, { signedAt: "2026-01-01T00:00:00.002Z" }));
    expect(endOf(await read(rig))).toBe("executed");
  });

  const limited = [...usualKeys, trusted("operator", "ops-other", keys.mallory, { tenants: ["other"] })];
  const byOther = (on: boolean, more: Partial<KillSwitchOrder>) =>
    killOrder(on, { ...more, operator: { id: "ops-other", keyId: keys.mallory.keyId } }, keys.mallory);

  test.each<[string, string, () => ReturnType<typeof killOrder>]>([
    ["an approver", "EXO_TRUST", () => killOrder(true, {}, keys.alice)],
    ["a stranger", "EXO_TRUST", () => killOrder(true, {}, keys.mallory)],
    [
      "an operator under another id",
      "EXO_ORDER",
      () => killOrder(true, { operator: { id: "root", keyId: keys.operator.keyId } }),
    ],
    [
      "an operator naming another key",
      "EXO_ORDER",
      () => killOrder(true, { operator: { id: "ops", keyId: keys.alice.keyId } }),
    ],
    ["an order for another cell", "EXO_ORDER", () => killOrder(true, { cellId: "elsewhere" })],
    ["a tenant order without a tenant", "EXO_ORDER", () => killOrder(true, { scope: "tenant" })],
    ["a global order with a tenant", "EXO_ORDER", () => killOrder(true, { scope: "global", tenantId: "default" })],
    ["an unknown tenant", "EXO_TENANT_UNKNOWN", () => killOrder(true, { tenantId: "nobody" })],
    ["an unknown scope", "EXO_SCHEMA", () => killOrder(true, { scope: "cell" as never })],
  ])("%s is refused: %s", async (_name, code, order) => {
    const rig = await openRig();
    const { size } = rig.ledger;
    await expect(rig.pipeline.switchKill(await order())).rejects.toMatchObject({ code });
    expect(rig.ledger.size).toBe(size);
    expect(endOf(await read(rig))).toBe("executed");
  });

  test("a tenant's operator switches that tenant's switch and no other", async () => {
    const rig = await openRig({ trustKeys: limited, ...all });
    await rig.pipeline.switchKill(await killOrder(true));
    for (const more of [{}, { tenantId: "default" }]) {
      await expect(rig.pipeline.switchKill(await byOther(false, more))).rejects.toMatchObject({ code: "EXO_ORDER" });
    }
    expect(endOf(await read(rig))).toBe("denied EXO_KILL_SWITCH");
    await rig.pipeline.switchKill(await byOther(true, { tenantId: "other" }));
    await rig.pipeline.switchKill(await killOrder(false));
    expect(endOf(await read(rig, { tenantId: "other" }))).toBe("denied EXO_KILL_SWITCH");
  });

  test("an order that comes again changes nothing, in particular not back", async () => {
    const rig = await openRig();
    const off = await killOrder(false);
    await rig.pipeline.switchKill(off);
    await rig.pipeline.switchKill(await killOrder(true));
    const { size } = rig.ledger;
    expect((await rig.pipeline.switchKill(off)).global).toBe(true);
    expect(rig.ledger.size).toBe(size);
    expect(endOf(await read(rig))).toBe("denied EXO_KILL_SWITCH");
  });

  test("another order under a used nonce is refused, not swallowed", async () => {
    const rig = await openRig();
    const nonce = freshNonce();
    await rig.pipeline.switchKill(await killOrder(false, { nonce }));
    await expect(rig.pipeline.switchKill(await killOrder(true, { nonce }))).rejects.toMatchObject({
      code: "EXO_ORDER",
    });
  });
});

describe("policy in force", () => {
  test("none is activated: denied", async () => {
    const rig = await openRig();
    await rig.ledger.transact((tx) => tx.delete(stateKeys.policy));
    const denied = await read(rig);
    expect(endOf(denied)).toBe("denied EXO_SAFETY_DENIED");
    if (denied.status === "denied") expect(denied.reason.ruleIds).toEqual(["policy-unverified"]);
    expect(rig.sandbox.starts).toBe(0);
  });

  test("the evaluated one is not the activated one: denied", async () => {
    const rig = await openRig();
    await rig.ledger.transact((tx) =>
      writeState(tx, stateKeys.policy, {
        digest: `sha256:${"0".repeat(64)}`,
        policyId: "test",
        version: 9,
        envelopeDigest: "",
      }),
    );
    expect(endOf(await read(rig))).toBe("denied EXO_SAFETY_DENIED");
    checkStore(rig);
  });

  test.each([
    ["the same version", usualRules.slice(1), 1, keys.author, "EXO_POLICY_VERSION"],
    ["a lower version", usualRules.slice(1), 0, keys.author, "EXO_SCHEMA"],
    ["no author's signature", usualRules.slice(1), 2, keys.mallory, "EXO_POLICY_UNSIGNED"],
    ["an operator's signature", usualRules.slice(1), 2, keys.operator, "EXO_POLICY_UNSIGNED"],
  ] as const)(
    "a changed policy with %s is refused and the old one stays",
    async (_name, rules, version, author, code) => {
      const rig = await openRig();
      await expect(rig.activate(rules, version, author)).rejects.toMatchObject({ code });
      expect(endOf(await read(rig))).toBe("executed");
    },
  );

  test("an author for one tenant cannot author the cell's policy", async () => {
    const trustKeys = [...usualKeys, trusted("policy-author", "part", keys.otherAuthor, { tenants: ["other"] })];
    const rig = await openRig({ trustKeys });
    await expect(rig.activate(all.rules, 2, keys.otherAuthor)).rejects.toMatchObject({ code: "EXO_POLICY_UNSIGNED" });
  });

  test("the same policy signed by a new author: bundles carry the new signature and verify", async () => {
    const store = createMemoryStore();
    await openRig({ store });
    const trustKeys = usualKeys.map((key) =>
      key.role === "policy-author" ? trusted("policy-author", "next", keys.otherAuthor) : key,
    );
    const rig = await openRig({ store, seed: "second", trustKeys, author: keys.otherAuthor });
    expect(endOf(await read(rig))).toBe("executed");
    checkStore(rig);
  });
});

describe("budgets", () => {
  test("runs are reserved at the start, so a burst cannot pass together", async () => {
    const rig = await openRig({ safety: config({}, { runs: { limit: 3, windowSeconds: 60 } }) });
    const ends = (await Promise.all(Array.from({ length: 8 }, () => read(rig)))).map(endOf);
    expect(ends.filter((end) => end === "executed")).toHaveLength(3);
    expect(ends.filter((end) => end === "denied EXO_BUDGET")).toHaveLength(5);
    expect(rig.sandbox.starts).toBe(3);
    checkStore(rig);
  });

  test("fuel is reserved whole and settled to what was used", async () => {
    const rig = await openRig({ safety: config({}, { fuel: { limit: 1_500_000_000, windowSeconds: 60 } }) });
    const both = (await Promise.all([read(rig), read(rig)])).map(endOf);
    expect(both).toEqual(["executed", "denied EXO_BUDGET"]);
    // The first run's reservation of 1,000,000,000 became the 1,001 it used.
    expect(endOf(await read(rig))).toBe("executed");
  });

  test("a window passes, a denied intent uses nothing, tenants have their own", async () => {
    const rig = await openRig({ ...all, safety: config({}, { runs: { limit: 1, windowSeconds: 60 } }) });
    expect(endOf(await rig.pipeline.execute(draft("no.such", "x")))).toBe("denied EXO_EXECUTOR_UNKNOWN");
    expect(endOf(await read(rig))).toBe("executed");
    expect(endOf(await read(rig))).toBe("denied EXO_BUDGET");
    expect(endOf(await read(rig, { tenantId: "other" }))).toBe("executed");
    rig.clock.set(startMs + 59_999);
    expect(endOf(await read(rig))).toBe("denied EXO_BUDGET");
    rig.clock.set(startMs + 60_000);
    expect(endOf(await read(rig))).toBe("executed");
    checkStore(rig);
  });

  test("a run that failed has used its share", async () => {
    const rig = await openRig({ safety: config({}, { runs: { limit: 1, windowSeconds: 60 } }) });
    rig.sandbox.scripts["read"] = () => Promise.reject(new Ends({ status: "trapped", error: { code: "EXO_TRAPPED" } }));
    expect(endOf(await read(rig))).toBe("failed EXO_TRAPPED");
    expect(endOf(await read(rig))).toBe("denied EXO_BUDGET");
  });
});

describe("signals", () => {
  test("a load above 0.9 asks for two people", async () => {
    const rig = await openRig({ safety: config({ cellLoad: "measured" }) });
    rig.sandbox.loadNow = { running: 2, queued: 7, size: 2, queueBound: 8 };
    expect(endOf(await read(rig))).toBe("executed");
    rig.sandbox.loadNow = { running: 2, queued: 8, size: 2, queueBound: 8 };
    const request = requestOf(await read(rig));
    expect([request.verdict, request.threshold]).toEqual(["require_quorum", 2]);
  });

  test("a load that is no number denies", async () => {
    const rig = await openRig({ safety: config({ cellLoad: "measured" }) });
    rig.sandbox.loadNow = { running: 2, queued: 8, size: 1, queueBound: 1 };
    expect(endOf(await read(rig))).toBe("denied EXO_SAFETY_DENIED");
  });

  test("peers that do not exist deny when their health is asked for", async () => {
    const rig = await openRig({ safety: config({ networkHealth: "peers" }) });
    const denied = await read(rig);
    expect(endOf(denied)).toBe("denied EXO_SAFETY_DENIED");
    if (denied.status === "denied") expect(denied.reason.ruleIds).toEqual(["network-health-unavailable"]);
  });

  test.each([
    [0.49, "approval_pending"],
    [0.5, "executed"],
    [2, "denied EXO_SAFETY_DENIED"],
  ])("a trust score of %s: %s", async (score, end) => {
    const rig = await openRig({ safety: config({ trustScore: "state" }) });
    await rig.ledger.transact((tx) => writeState(tx, trustScoreKey("default", agent.id), score));
    expect(endOf(await read(rig))).toBe(end);
    checkStore(rig);
  });

  test("a full sandbox after the start is a recorded failure that may be retried", async () => {
    const rig = await openRig({ plugins: [fsPlugin({ effectKey: ["/path"] })] });
    rig.sandbox.run = () => Promise.reject(Object.assign(new Error("full"), { code: "EXO_OVERLOADED" }));
    const failed = await rig.pipeline.execute(draft("fs.write", "data/a.csv"));
    expect(failed).toMatchObject({
      status: "failed",
      execution: { status: "host_fault" },
      reason: { retrySafe: true },
    });
    checkStore(rig);
  });
});

describe("operator approval", () => {
  const safety: SafetyConfig = { ...config({}), operatorApproval: ["A2_hard_containment", "A3_irreversible"] };
  const write = (rig: Rig, more = {}) =>
    rig.pipeline.execute(draft("fs.write", "data/new.txt", { parameters: { text: "x" }, ...more }));

  test("is asked for whatever writes, although the policy allows it, and whatever the agent calls it", async () => {
    const rig = await openRig({ ...all, safety });
    for (const context of [undefined, {}, { actionClass: "A0_observe" }, { actionClass: "A1_soft_containment" }]) {
      const result = await write(rig, context === undefined ? {} : { context });
      expect(endOf(result)).toBe("approval_pending");
      expect(result.safety).toMatchObject({ verdict: "require_human", ruleIds: ["operator-approval"] });
      expect(result.decision?.verdict).toBe("allow");
    }
    expect(rig.sandbox.starts).toBe(0);
  });

  test("leaves reading alone, unless the agent itself calls it more", async () => {
    const rig = await openRig({ ...all, safety });
    expect(endOf(await read(rig))).toBe("executed");
    expect(endOf(await read(rig, { context: { actionClass: "A3_irreversible" } }))).toBe("approval_pending");
    expect(endOf(await read(rig, { context: { actionClass: "harmless" } }))).toBe("approval_pending");
    checkStore(rig);
  });

  test("is not there without the configuration, and no snapshot speaks of it", async () => {
    const rig = await openRig({ ...all, safety: config({}) });
    const result = await write(rig, { context: { actionClass: "A3_irreversible" } });
    expect(endOf(result)).toBe("executed");
    const bundle = new Forge(rig.pipeline.bundle(result.intentId)?.bytes() ?? new Uint8Array(0));
    expect(bundle.json("safety_snapshot")).not.toHaveProperty("actionClass");
    expect(bundle.json("safety_config")).not.toHaveProperty("operatorApproval");
    checkStore(rig);
  });
});
