import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { formatTime } from "../../src/canonical/time.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import type { PolicyRule } from "../../src/contracts/policy.js";
import { type IntentRecord, readState, writeState } from "../../src/pipeline/documents.js";
import { blobKey, intentKeys, trustScoreKey } from "../../src/pipeline/store-keys.js";
import type { Deployment } from "../../src/pipeline/types.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { FakeDisk } from "../support/fake-sandbox.js";
import {
  agent,
  checkStore,
  draft,
  endOf,
  eventTypes,
  fsPlugin,
  openRig,
  type Rig,
  type RigOptions,
  requestOf,
  usualRules,
  verified,
} from "../support/rig.js";
import { grant, killOrder } from "../support/sign.js";
import { keys, startMs, testClock, trusted, usualKeys } from "../support/world.js";

const remove = (rig: Rig, more = {}) => rig.pipeline.execute(draft("fs.remove", "data/orders.csv", more));
const stale = "denied EXO_APPROVAL_STALE";

function quorum(approvals: number, more: Partial<PolicyRule> = {}): PolicyRule {
  const obligations = { approvals, roles: ["approver"] };
  return { id: "ask", match: { action: "fs.remove" }, verdict: "require_approval", obligations, ...more };
}

/** Nothing ran, the intent is denied, and its bundle verifies. */
function expectNothingRan(rig: Rig): void {
  expect(rig.sandbox.starts).toBe(0);
  expect(rig.disk.done).toEqual([]);
  checkStore(rig);
}

describe("what an approval is bound to", () => {
  async function restart(change: RigOptions, old: RigOptions = {}): Promise<{ rig: Rig; end: string; why: string }> {
    const store = createMemoryStore();
    const clock = testClock();
    const first = await openRig({ ...old, store, clock });
    const request = requestOf(await remove(first));
    const rig = await openRig({ ...old, store, clock, seed: "second", ...change });
    const result = await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    expect(rig.pipeline.status(request.intentId)).toMatchObject({ status: result.status });
    // Whatever came of it, the grant has no second life.
    await expect(rig.pipeline.decide(await grant(request, "bob", keys.bob))).rejects.toMatchObject({
      code: expect.stringMatching(/^EXO_APPROVAL_(CLOSED|SPENT)$/),
    });
    return { rig, end: endOf(result), why: "reason" in result ? result.reason.message : "" };
  }

  test("the unchanged runs after a restart", async () => {
    const { rig, end } = await restart({});
    expect(end).toBe("executed");
    expect(rig.disk.done).toEqual(["fs_remove data/orders.csv"]);
    checkStore(rig);
  });

  test.each<[string, RigOptions, string?]>([
    ["policy", { rules: [...usualRules, quorum(1, { id: "more" })], policyVersion: 2 }],
    ["plugin", { plugins: [fsPlugin({ filler: 1 })] }],
    ["manifest", { plugins: [fsPlugin({ version: "1.0.1" })] }],
    ["grants", { grants: { fs: { fs_remove: { roots: ["data"], maxBytes: 10 } } } as Deployment["grants"] }],
    [
      "grants, widened",
      { grants: { fs: { fs_remove: { roots: ["data", "more"] }, fs_write: { roots: ["data"] } } } },
      "grants",
    ],
    ["executor's registration", { plugins: [] }, "does not exist"],
  ])("another %s: denied, nothing runs", async (what, change, words = what) => {
    const { rig, end, why } = await restart(change);
    expect(end).toBe(stale);
    expect(why).toContain(words);
    expectNothingRan(rig);
  });

  test("a policy that denies now: denied by the policy", async () => {
    const { rig, end } = await restart({ rules: [], policyVersion: 2 });
    expect(end).toBe("denied EXO_POLICY_DENIED");
    expectNothingRan(rig);
  });

  test.each<[string, RigOptions["trustKeys"]]>([
    ["whose key was withdrawn", usualKeys.filter((key) => key.id !== "alice")],
    [
      "who is the requester's own person now",
      usualKeys.map((key) => (key.id === "alice" ? { ...key, person: "x" } : key)),
    ],
  ])("a first approver %s does not count any more", async (_what, trustKeys) => {
    const store = createMemoryStore();
    const first = await openRig({ store, rules: [quorum(2)] });
    const request = requestOf(await remove(first));
    expect(endOf(await first.pipeline.decide(await grant(request, "alice", keys.alice)))).toBe("approval_pending");
    const rig = await openRig({ store, seed: "second", rules: [quorum(2)], trustKeys: trustKeys ?? [] });
    expect(endOf(await rig.pipeline.decide(await grant(request, "bob", keys.bob)))).toBe(stale);
    expect(rig.sandbox.starts).toBe(0);
    expect(rig.disk.done).toEqual([]);
  });

  test.each([["intent"], ["request"]])("a stored %s whose bytes were changed is not used", async (what) => {
    const rig = await openRig();
    const pending = await remove(rig);
    const request = requestOf(pending);
    const record = readState<IntentRecord>(rig.store, intentKeys.one(pending.intentId));
    const role = what === "intent" ? "intent" : "approval_request";
    const digest = record?.materials.find((material) => material.role === role)?.digest ?? "";
    const text = new TextDecoder().decode(rig.store.get(blobKey(digest)));
    const forged = text.replaceAll("orders.csv", "people.csv").replace('"threshold":1', '"threshold":2');
    expect(forged).not.toBe(text);
    await rig.ledger.transact((tx) => tx.put(blobKey(digest), new TextEncoder().encode(forged)));
    await expect(rig.pipeline.decide(await grant(request, "alice", keys.alice))).rejects.toMatchObject({
      code: "EXO_STORE_DAMAGED",
    });
    expect(rig.sandbox.starts).toBe(0);
  });

  test.each(["intent", "preview", "grants"])("another %s in the store than was approved is stale", async (what) => {
    const rig = await openRig();
    const pending = await remove(rig);
    const request = requestOf(pending);
    // Document and record changed together, so that every digest in the state fits; only the approval does not.
    await rig.ledger.transact((tx) => {
      const record = readState<IntentRecord>(tx, intentKeys.one(pending.intentId));
      const material = record?.materials.find(({ role }) => role === "intent");
      if (record === undefined || material === undefined) throw new Error("no intent");
      const text = new TextDecoder().decode(tx.get(blobKey(material.digest)));
      const other = {
        intent: '"idempotencyKey":"other"',
        preview: '"actor":{"id":"other","type":"agent"}',
        grants: '"target":"data/people.csv"',
      };
      const found = { intent: /"idempotencyKey":"[^"]*"/, preview: /"actor":\{[^}]*\}/, grants: /"target":"[^"]*"/ };
      const bytes = canonicalize(JSON.parse(text.replace(found[what as "intent"], other[what as "intent"])));
      material.digest = digestOf(bytes);
      tx.put(blobKey(material.digest), bytes);
      writeState(tx, intentKeys.one(pending.intentId), record);
    });
    const result = await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    expect(endOf(result)).toBe(stale);
    expect(rig.sandbox.starts).toBe(0);
    expect(rig.disk.done).toEqual([]);
  });
});

describe("decisions", () => {
  test("the result of a decision says how the intent was judged", async () => {
    const rig = await openRig({ rules: [quorum(2)] });
    const request = requestOf(await remove(rig));
    const counted = await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    expect(counted.status).toBe("approval_pending");
    expect(counted.decision?.ruleIds).toEqual(["ask"]);
    expect(counted.safety?.verdict).toBe("allow");
    const denied = await rig.pipeline.decide(await grant(request, "bob", keys.bob, { decision: "deny", reason: "no" }));
    expect(denied.decision?.ruleIds).toEqual(["ask"]);
    expect(denied).toMatchObject({ ...rig.pipeline.status(request.intentId), bundle: expect.anything() });
  });

  test("two distinct people, and not a third", async () => {
    const rig = await openRig({ rules: [quorum(2)] });
    const request = requestOf(await remove(rig));
    expect(request.threshold).toBe(2);
    await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    await expect(rig.pipeline.decide(await grant(request, "alice", keys.alice))).rejects.toMatchObject({
      code: "EXO_APPROVAL_DUPLICATE",
    });
    expect(rig.sandbox.starts).toBe(0);
    expect(endOf(await rig.pipeline.decide(await grant(request, "bob", keys.bob)))).toBe("executed");
    await expect(rig.pipeline.decide(await grant(request, "carol", keys.carol))).rejects.toMatchObject({
      code: "EXO_APPROVAL_SPENT",
    });
    expect(rig.sandbox.starts).toBe(1);
    checkStore(rig);
  });

  test("two keys of one person count once", async () => {
    const trustKeys = [...usualKeys, trusted("approver", "alice-laptop", keys.mallory, { person: "alice" })];
    const rig = await openRig({ rules: [quorum(2)], trustKeys });
    const request = requestOf(await remove(rig));
    await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    await expect(rig.pipeline.decide(await grant(request, "alice", keys.mallory))).rejects.toMatchObject({
      code: "EXO_APPROVAL_DUPLICATE",
    });
    expect(rig.sandbox.starts).toBe(0);
  });

  test("one deny closes it", async () => {
    const rig = await openRig({ rules: [quorum(2)] });
    const request = requestOf(await remove(rig));
    await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    const denied = await rig.pipeline.decide(
      await grant(request, "bob", keys.bob, { decision: "deny", reason: "too risky" }),
    );
    expect(endOf(denied)).toBe("denied EXO_APPROVAL_DENIED");
    if (denied.status === "denied") expect(denied.reason.message).toBe("bob denied the request: too risky");
    await expect(rig.pipeline.decide(await grant(request, "carol", keys.carol))).rejects.toMatchObject({
      code: "EXO_APPROVAL_CLOSED",
    });
    expectNothingRan(rig);
  });

  test.each([[undefined], ["   "]])("a deny with the reason %j is refused and changes nothing", async (reason) => {
    const rig = await openRig();
    const request = requestOf(await remove(rig));
    const { size } = rig.ledger;
    const more = { decision: "deny" as const, ...(reason === undefined ? {} : { reason }) };
    await expect(rig.pipeline.decide(await grant(request, "alice", keys.alice, more))).rejects.toMatchObject({
      code: "EXO_APPROVAL_REASON",
    });
    expect(rig.ledger.size).toBe(size);
    expect(endOf(rig.pipeline.status(request.intentId))).toBe("approval_pending");
  });

  test("a spent grant is spent, byte for byte or signed anew", async () => {
    const rig = await openRig();
    const request = requestOf(await remove(rig));
    const envelope = await grant(request, "alice", keys.alice);
    await rig.pipeline.decide(envelope);
    for (const again of [envelope, await grant(request, "alice", keys.alice)]) {
      await expect(rig.pipeline.decide(again)).rejects.toMatchObject({ code: "EXO_APPROVAL_SPENT" });
    }
    expect(rig.disk.done).toHaveLength(1);
  });

  test("a grant for one intent does not start another of the same content", async () => {
    const rig = await openRig();
    const first = requestOf(await remove(rig));
    const second = requestOf(await remove(rig));
    await rig.pipeline.decide(await grant(first, "alice", keys.alice));
    expect(endOf(rig.pipeline.status(second.intentId))).toBe("approval_pending");
    expect(rig.sandbox.starts).toBe(1);
  });

  test("concurrent final grants start one execution", async () => {
    const rig = await openRig();
    const request = requestOf(await remove(rig));
    const envelopes = [
      await grant(request, "alice", keys.alice),
      await grant(request, "bob", keys.bob),
      await grant(request, "carol", keys.carol),
    ];
    const ends = await Promise.allSettled(envelopes.map((envelope) => rig.pipeline.decide(envelope)));
    expect(
      ends.map((end) => (end.status === "fulfilled" ? endOf(end.value) : (end.reason as { code: string }).code)),
    ).toEqual(["executed", "EXO_APPROVAL_SPENT", "EXO_APPROVAL_SPENT"]);
    expect(rig.sandbox.starts).toBe(1);
    expect(eventTypes(rig, request.intentId).filter((type) => type === "execution_started")).toHaveLength(1);
    checkStore(rig);
  });

  test("approve and deny at once: the first one counts", async () => {
    const rig = await openRig();
    const request = requestOf(await remove(rig));
    const [denied, approved] = await Promise.allSettled([
      rig.pipeline.decide(await grant(request, "alice", keys.alice, { decision: "deny", reason: "no" })),
      rig.pipeline.decide(await grant(request, "bob", keys.bob)),
    ]);
    expect(denied.status).toBe("fulfilled");
    expect(approved).toMatchObject({ status: "rejected", reason: { code: "EXO_APPROVAL_CLOSED" } });
    expectNothingRan(rig);
  });
});

describe("time", () => {
  test("at the last millisecond it counts, after it the intent is denied and the grant refused", async () => {
    const rig = await openRig();
    const inTime = requestOf(await remove(rig));
    const late = requestOf(await remove(rig));
    rig.clock.set(Date.parse(inTime.expiresAt));
    expect(endOf(await rig.pipeline.decide(await grant(inTime, "alice", keys.alice)))).toBe("executed");
    rig.clock.advance(1);
    await expect(rig.pipeline.decide(await grant(late, "alice", keys.alice))).rejects.toMatchObject({
      code: "EXO_APPROVAL_EXPIRED",
    });
    expect(endOf(rig.pipeline.status(late.intentId))).toBe("denied EXO_APPROVAL_EXPIRED");
    expect(rig.sandbox.starts).toBe(1);
    checkStore(rig);
  });

  test("requests that expired while nobody ran are closed at the next start", async () => {
    const store = createMemoryStore();
    const clock = testClock();
    const { intentId } = await remove(await openRig({ store, clock }));
    clock.advance(900_001);
    const rig = await openRig({ store, clock, seed: "second" });
    expect(endOf(rig.pipeline.status(intentId))).toBe("denied EXO_APPROVAL_EXPIRED");
    expectNothingRan(rig);
  });

  test.each([
    ["before the request", startMs - 1, "EXO_ORDER"],
    ["after the expiry", startMs + 900_001, "EXO_APPROVAL_EXPIRED"],
  ])("a grant dated %s is refused", async (_name, at, code) => {
    const rig = await openRig();
    const request = requestOf(await remove(rig));
    const envelope = await grant(request, "alice", keys.alice, { signedAt: formatTime(at) });
    await expect(rig.pipeline.decide(envelope)).rejects.toMatchObject({ code });
    expect(endOf(rig.pipeline.status(request.intentId))).toBe("approval_pending");
  });

  test("a request never outlives its intent", async () => {
    const rig = await openRig();
    const request = requestOf(await remove(rig, { expiresAt: formatTime(startMs + 60_000) }));
    expect(request.expiresAt).toBe(formatTime(startMs + 60_000));
    rig.clock.advance(60_001);
    await expect(rig.pipeline.decide(await grant(request, "alice", keys.alice))).rejects.toMatchObject({
      code: "EXO_APPROVAL_EXPIRED",
    });
    expectNothingRan(rig);
  });

  test("a clock that goes back does not reopen what expired, and events stay in order", async () => {
    const rig = await openRig();
    const request = requestOf(await remove(rig));
    rig.clock.advance(901_000);
    await rig.pipeline.expireApprovals();
    rig.clock.set(startMs);
    await expect(rig.pipeline.decide(await grant(request, "alice", keys.alice))).rejects.toMatchObject({
      code: "EXO_APPROVAL_EXPIRED",
    });
    checkStore(rig);
  });
});

describe("who may decide", () => {
  const refusals: [string, (rig: Rig) => Promise<Envelope>, string][] = [];
  const refused = (
    name: string,
    code: string,
    make: (request: ReturnType<typeof requestOf>) => Promise<Envelope>,
  ): void => {
    refusals.push([name, async (rig) => await make(requestOf(await remove(rig))), code]);
  };
  refused("a key nobody trusts", "EXO_TRUST", (request) => grant(request, "alice", keys.mallory));
  refused("a key of another role", "EXO_TRUST", (request) => grant(request, "ops", keys.operator));
  refused("the runtime's own key", "EXO_TRUST", (request) => grant(request, "runtime", keys.runtime));
  refused("bob's key in alice's name", "EXO_APPROVAL_APPROVER", (request) => grant(request, "alice", keys.bob));
  refused("a name that is not in the roster", "EXO_APPROVAL_APPROVER", (request) => grant(request, "dave", keys.bob));
  refused("a key id that is not the signer's", "EXO_APPROVAL_APPROVER", (request) =>
    grant(request, "alice", keys.bob, { approver: { id: "alice", keyId: keys.alice.keyId } }),
  );
  refused("another payload type", "EXO_ENVELOPE", (request) =>
    grant(request, "alice", keys.alice, {}, payloadTypes.policy),
  );
  refused("an unknown request", "EXO_APPROVAL_UNKNOWN", (request) =>
    grant(request, "alice", keys.alice, { requestDigest: digestOf(new Uint8Array(1)) }),
  );
  refused("no request digest", "EXO_SCHEMA", (request) =>
    grant(request, "alice", keys.alice, { requestDigest: "orders" as never }),
  );
  refused("an unknown decision", "EXO_SCHEMA", (request) =>
    grant(request, "alice", keys.alice, { decision: "yes" as never }),
  );
  refused("a member too many", "EXO_SCHEMA", (request) =>
    grant(request, "alice", keys.alice, { scope: "all" } as never),
  );
  refused("a signature of something else", "EXO_SIGNATURE", async (request) => {
    const good = await grant(request, "alice", keys.alice);
    const other = await grant(request, "alice", keys.alice);
    return { ...good, signatures: other.signatures };
  });
  refused("a changed payload", "EXO_SIGNATURE", async (request) => {
    const denial = await grant(request, "alice", keys.alice, { decision: "deny", reason: "no" });
    const approval = await grant(request, "alice", keys.alice);
    return { ...approval, signatures: denial.signatures };
  });
  refused("two signatures", "EXO_ENVELOPE", async (request) => {
    const alice = await grant(request, "alice", keys.alice);
    const payload = new Uint8Array(Buffer.from(alice.payload, "base64"));
    const bob = await signEnvelope(payloadTypes.approvalGrant, payload, keys.bob);
    return { ...alice, signatures: [...alice.signatures, ...bob.signatures] };
  });
  refused("the same signature twice", "EXO_ENVELOPE", async (request) => {
    const alice = await grant(request, "alice", keys.alice);
    return { ...alice, signatures: [...alice.signatures, ...alice.signatures] };
  });
  refused("no signature", "EXO_SCHEMA", async (request) => ({
    ...(await grant(request, "alice", keys.alice)),
    signatures: [],
  }));
  refused("a payload that is not canonical", "EXO_JSON_NOT_CANONICAL", async (request) => {
    const good = await grant(request, "alice", keys.alice);
    const spaced = `${Buffer.from(good.payload, "base64").toString()} `;
    return await signEnvelope(payloadTypes.approvalGrant, new TextEncoder().encode(spaced), keys.alice);
  });
  refused("a member beside the envelope's own", "EXO_SCHEMA", async (request) => ({
    ...(await grant(request, "alice", keys.alice)),
    note: "x",
  }));

  test.each(refusals)("%s is refused and changes nothing", async (_name, make, code) => {
    const rig = await openRig();
    const envelope = await make(rig);
    const { size } = rig.ledger;
    await expect(rig.pipeline.decide(envelope)).rejects.toMatchObject({ code });
    expect(rig.ledger.size).toBe(size);
    expect(rig.pipeline.approvals()[0]?.record.state).toEqual({ status: "pending", decisions: [] });
    expect(rig.sandbox.starts).toBe(0);
  });

  test("an envelope that changes between two reads is read once", async () => {
    const rig = await openRig();
    const request = requestOf(await remove(rig));
    const good = await grant(request, "alice", keys.alice);
    let reads = 0;
    const shifty = new Proxy(good, {
      get: (target, name) => {
        if (name === "payload") reads += 1;
        return Reflect.get(target, name);
      },
    });
    const result = await rig.pipeline.decide(shifty);
    expect(reads).toBeLessThanOrEqual(1);
    if (result.status === "executed") verified(result.bundle.bytes(), rig.trust);
    checkStore(rig);
  });

  test.each([
    ["the actor", { actor: { id: "alice", type: "person" } }, undefined, usualKeys],
    ["the principal", {}, { principal: "alice", method: "library" }, usualKeys],
    ["whom the principal acts for", {}, { principal: "gate", method: "token", onBehalfOf: "alice" }, usualKeys],
    [
      "the same person under another key id",
      { actor: { id: "alice-agent-key", type: "person" } },
      undefined,
      [
        ...usualKeys.map((key) => (key.id === "alice" ? { ...key, person: "alice c" } : key)),
        trusted("publisher", "alice-agent-key", keys.mallory, { person: "alice c" }),
      ],
    ],
  ] as const)("%s is not in the roster", async (_name, more, requester, trustKeys) => {
    const rig = await openRig({ trustKeys });
    const base = draft(
      "fs.remove",
      "data/orders.csv",
      requester?.method === "token" ? { actor: { id: "gate", type: "agent" } } : more,
    );
    const request = requestOf(await rig.pipeline.execute(base, requester === undefined ? {} : { requester }));
    expect(request.roster.map((entry) => entry.id)).toEqual(["bob", "carol"]);
    await expect(rig.pipeline.decide(await grant(request, "alice", keys.alice))).rejects.toMatchObject({
      code: "EXO_APPROVAL_APPROVER",
    });
    expect(rig.sandbox.starts).toBe(0);
  });

  test("too few people: denied at once", async () => {
    const rig = await openRig({ rules: [quorum(4)] });
    expect(endOf(await remove(rig))).toBe("denied EXO_APPROVAL_ROSTER");
    const role: PolicyRule = { ...quorum(1), obligations: { approvals: 1, roles: ["surgeon"] } };
    const other = await openRig({ rules: [role] });
    expect(endOf(await remove(other))).toBe("denied EXO_APPROVAL_ROSTER");
    expectNothingRan(other);
  });
});

describe("what changes while an approval waits", () => {
  test.each([
    ["the global kill switch", (rig: Rig) => killOrder(true).then((order) => rig.pipeline.switchKill(order))],
    [
      "the tenant's kill switch",
      (rig: Rig) => killOrder(true, { tenantId: "default" }).then((order) => rig.pipeline.switchKill(order)),
    ],
    ["the KILL file", (rig: Rig) => Promise.resolve(Object.assign(rig.governor, { killFile: true }))],
  ])("%s denies", async (_name, kill) => {
    const rig = await openRig();
    const request = requestOf(await remove(rig));
    await kill(rig);
    expect(endOf(await rig.pipeline.decide(await grant(request, "alice", keys.alice)))).toBe("denied EXO_KILL_SWITCH");
    rig.governor.killFile = false;
    await expect(rig.pipeline.decide(await grant(request, "bob", keys.bob))).rejects.toMatchObject({
      code: "EXO_APPROVAL_CLOSED",
    });
    expectNothingRan(rig);
  });

  test("a higher verdict supersedes the request and asks anew", async () => {
    const rig = await openRig();
    const first = requestOf(await remove(rig));
    expect(first.verdict).toBe("require_approval");
    await rig.ledger.transact((tx) => writeState(tx, trustScoreKey("default", agent.id), 0.3));
    const again = await rig.pipeline.decide(await grant(first, "alice", keys.alice));
    const second = requestOf(again);
    expect(second.verdict).toBe("require_human");
    expect(second.requestId).not.toBe(first.requestId);
    expect(rig.sandbox.starts).toBe(0);
    expect(rig.pipeline.approvals().map(({ record }) => record.state.status)).toEqual(["superseded", "pending"]);
    await expect(rig.pipeline.decide(await grant(first, "bob", keys.bob))).rejects.toMatchObject({
      code: "EXO_APPROVAL_CLOSED",
    });
    expect(endOf(await rig.pipeline.decide(await grant(second, "alice", keys.alice)))).toBe("executed");
    checkStore(rig);
  });

  test("a quorum asked for later needs two people", async () => {
    const rig = await openRig({
      safety: {
        schema: "exoarmur.safety-config/v1",
        sources: { trustScore: "off", cellLoad: "measured", networkHealth: "off" },
        budgets: {},
      },
    });
    const first = requestOf(await remove(rig));
    rig.sandbox.loadNow = { running: 2, queued: 8, size: 2, queueBound: 8 };
    const second = requestOf(await rig.pipeline.decide(await grant(first, "alice", keys.alice)));
    expect([second.verdict, second.threshold]).toEqual(["require_quorum", 2]);
    // A quorum that was asked for is enough when less is asked for in the end.
    rig.sandbox.loadNow = { running: 0, queued: 0, size: 2, queueBound: 8 };
    expect(endOf(await rig.pipeline.decide(await grant(second, "alice", keys.alice)))).toBe("approval_pending");
    expect(endOf(await rig.pipeline.decide(await grant(second, "bob", keys.bob)))).toBe("executed");
    checkStore(rig);
  });

  test("a budget that was used up meanwhile denies", async () => {
    const rig = await openRig({
      safety: {
        schema: "exoarmur.safety-config/v1",
        sources: { trustScore: "off", cellLoad: "off", networkHealth: "off" },
        budgets: { runs: { limit: 1, windowSeconds: 3600 } },
      },
    });
    const request = requestOf(await remove(rig));
    await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    expect(endOf(await rig.pipeline.decide(await grant(request, "alice", keys.alice)))).toBe("denied EXO_BUDGET");
    expect(rig.disk.done).toEqual([]);
    checkStore(rig);
  });

  test("a held effect key denies the approved intent and closes its request", async () => {
    const rig = await openRig({ plugins: [fsPlugin({ effectKey: ["/path"] })] });
    const [one, two] = [requestOf(await remove(rig)), requestOf(await remove(rig))];
    await rig.pipeline.decide(await grant(one, "alice", keys.alice));
    expect(endOf(await rig.pipeline.decide(await grant(two, "alice", keys.alice)))).toBe("denied EXO_EFFECT_KEY_HELD");
    expect(rig.pipeline.approvals().map(({ record }) => record.state.status)).toEqual(["spent", "superseded"]);
    expect(rig.disk.done).toHaveLength(1);
    checkStore(rig);
  });

  test("an approved run whose guest fails has spent the approval all the same", async () => {
    const disk = new FakeDisk();
    const rig = await openRig({ disk });
    const request = requestOf(await remove(rig));
    disk.onWrite = () => Promise.resolve("error");
    expect(endOf(await rig.pipeline.decide(await grant(request, "alice", keys.alice)))).toBe("failed EXO_GUEST_ERROR");
    await expect(rig.pipeline.decide(await grant(request, "bob", keys.bob))).rejects.toMatchObject({
      code: "EXO_APPROVAL_SPENT",
    });
    checkStore(rig);
  });
});
