import { describe, expect, test } from "vitest";
import type { Envelope } from "../../src/contracts/dsse.js";
import type { PolicyRule } from "../../src/contracts/policy.js";
import type { SafetyConfig } from "../../src/contracts/safety.js";
import { isExoArmurError } from "../../src/errors.js";
import { writeState } from "../../src/pipeline/documents.js";
import { trustScoreKey } from "../../src/pipeline/store-keys.js";
import type { Deployment } from "../../src/pipeline/types.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { CrashStore, type DeathMode } from "../support/crash-store.js";
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
} from "../support/rig.js";
import { grant, killOrder } from "../support/sign.js";
import { keys, startMs, testClock } from "../support/world.js";

const rule: PolicyRule = {
  id: "ask",
  match: { action: "fs.remove" },
  verdict: "require_approval",
  obligations: { approvals: 2, roles: ["approver"] },
};
const held: PolicyRule = { ...rule, obligations: { ...rule.obligations, holdSeconds: 60 } };
const intent = draft("fs.remove", "data/orders.csv", { idempotencyKey: "the-one" });
type Request = ReturnType<typeof requestOf>;

/** How a call ended: a result's end, or the code it was refused with. */
function ended(one: PromiseSettledResult<Parameters<typeof endOf>[0]>): string {
  if (one.status === "fulfilled") return endOf(one.value);
  if (isExoArmurError(one.reason)) return one.reason.code;
  throw one.reason;
}

async function both(request: Request): Promise<readonly [Envelope, Envelope]> {
  return [await grant(request, "alice", keys.alice), await grant(request, "bob", keys.bob)];
}

describe("two operators, two tabs, retries: one execution", () => {
  test("each sends the grant from two tabs and again after each answer", async () => {
    const rig = await openRig({ rules: [rule] });
    const request = requestOf(await rig.pipeline.execute(intent));
    const [alice, bob] = await both(request);
    const more = [await grant(request, "alice", keys.alice), await grant(request, "bob", keys.bob)];
    const sent = [alice, alice, bob, ...more, bob];
    const first = await Promise.allSettled(sent.map((one) => rig.pipeline.decide(one)));
    const second = await Promise.allSettled(sent.map((one) => rig.pipeline.decide(one)));
    expect(first.map(ended)).toEqual([
      "approval_pending",
      "EXO_APPROVAL_DUPLICATE",
      "executed",
      "EXO_APPROVAL_SPENT",
      "EXO_APPROVAL_SPENT",
      "EXO_APPROVAL_SPENT",
    ]);
    expect(new Set(second.map(ended))).toEqual(new Set(["EXO_APPROVAL_SPENT"]));
    expect([rig.sandbox.starts, rig.disk.done.length]).toEqual([1, 1]);
    expect(eventTypes(rig, request.intentId).filter((type) => type === "approval_granted")).toHaveLength(2);
    checkStore(rig);
  });

  test("the agent retries all the while", async () => {
    const rig = await openRig({ rules: [rule] });
    const request = requestOf(await rig.pipeline.execute(intent));
    const [alice, bob] = await both(request);
    const ends = await Promise.all([
      rig.pipeline.execute(intent),
      rig.pipeline.decide(alice),
      rig.pipeline.execute(intent),
      rig.pipeline.decide(bob),
      rig.pipeline.execute(intent),
    ]);
    expect(new Set(ends.map(({ intentId }) => intentId))).toEqual(new Set([request.intentId]));
    expect(endOf(await rig.pipeline.execute(intent))).toBe("executed");
    expect([rig.sandbox.starts, rig.disk.done.length]).toEqual([1, 1]);
    checkStore(rig);
  });

  test.each<[string, DeathMode, PolicyRule]>([
    ["before any commit", "before", rule],
    ["after any commit", "after", rule],
    ["before any commit of a held one", "before", held],
    ["after any commit of a held one", "after", held],
  ])("a death %s, then everybody sends again", async (_when, mode, policy) => {
    for (let at = 1, alive = false; !alive; at += 1) {
      const [inner, clock, disk] = [createMemoryStore(), testClock(), new FakeDisk()];
      const store = new CrashStore(inner);
      const first = await openRig({ rules: [policy], store, clock, disk });
      const request = requestOf(await first.pipeline.execute(intent));
      const sent = await both(request);
      store.arm(at, mode);
      await Promise.allSettled(sent.map((one) => first.pipeline.decide(one)));
      clock.set(startMs + 61_000);
      await first.pipeline.resumeHeld().catch(() => undefined);
      await first.pipeline.idle();
      alive = !store.dead;
      const rig = await openRig({ rules: [policy], store: inner, clock, disk, seed: "after" });
      await Promise.allSettled([...sent, ...sent].map((one) => rig.pipeline.decide(one)));
      await rig.pipeline.resumeHeld();
      await rig.pipeline.idle();
      await rig.pipeline.execute(intent);
      const end = endOf(rig.pipeline.status(request.intentId));
      // A run that died with its process is never run again by itself.
      expect(["executed", "in_doubt EXO_IN_DOUBT"], `commit ${at}`).toContain(end);
      expect(first.sandbox.starts + rig.sandbox.starts, `commit ${at}`).toBeLessThanOrEqual(1);
      expect(disk.done.length, `commit ${at}`).toBe(end === "executed" ? 1 : disk.done.length);
      expect(disk.done.length, `commit ${at}`).toBeLessThanOrEqual(1);
      checkStore(rig);
    }
  });
});

/** What may change between request and start: how it does in another process over the same store, or in this one. */
type Changed = {
  readonly what: string;
  readonly options?: RigOptions;
  readonly change?: (rig: Rig) => Promise<unknown>;
  readonly code: string;
  readonly message: RegExp;
};

const budgets: SafetyConfig = {
  schema: "exoarmur.safety-config/v1",
  sources: { trustScore: "off", cellLoad: "off", networkHealth: "off" },
  budgets: { runs: { limit: 1, windowSeconds: 3600 } },
};
const read: PolicyRule = { id: "read", match: { action: "fs.read" }, verdict: "allow" };
const since = "changed since the approval was asked for";

const changes: readonly Changed[] = [
  {
    what: "policy",
    options: { policyVersion: 2, rules: [{ ...held, rationale: "other" }, read] },
    code: "EXO_APPROVAL_STALE",
    message: new RegExp(`^the policy ${since}$`),
  },
  {
    what: "policy, which denies now",
    options: { policyVersion: 2, rules: [read] },
    code: "EXO_POLICY_DENIED",
    message: new RegExp(`^no rule matched \\(the policy ${since}\\)$`),
  },
  {
    what: "plugin",
    options: { plugins: [fsPlugin({ filler: 1 })] },
    code: "EXO_APPROVAL_STALE",
    message: new RegExp(`^the plugin ${since}$`),
  },
  {
    what: "plugin, which is gone",
    options: { plugins: [] },
    code: "EXO_APPROVAL_STALE",
    message: /executor.*does not exist|no executor/,
  },
  {
    what: "manifest",
    options: { plugins: [fsPlugin({ version: "1.0.1" })] },
    code: "EXO_APPROVAL_STALE",
    message: new RegExp(`^the manifest ${since}$`),
  },
  {
    what: "grants",
    options: { grants: { fs: { fs_remove: { roots: ["data"], maxBytes: 10 } } } as Deployment["grants"] },
    code: "EXO_APPROVAL_STALE",
    message: new RegExp(`^the grants ${since}$`),
  },
  {
    what: "kill switch",
    change: async (rig) => rig.pipeline.switchKill(await killOrder(true)),
    code: "EXO_KILL_SWITCH",
    message: /kill switch/i,
  },
  {
    what: "tenant's kill switch",
    change: async (rig) => rig.pipeline.switchKill(await killOrder(true, { tenantId: "default" })),
    code: "EXO_KILL_SWITCH",
    message: /tenant.*kill switch|kill switch.*tenant/i,
  },
  {
    what: "budget, which others used up",
    change: (rig) => rig.pipeline.execute(draft("fs.read", "data/orders.csv")),
    code: "EXO_BUDGET",
    message: /budget|runs/i,
  },
];

describe("changed between request and start", () => {
  const cases = changes.flatMap((one) => [
    [one.what, "before the last grant", one, false] as const,
    [one.what, "while it was held", one, true] as const,
  ]);

  test.each(cases)("another %s, %s: refused, and the reason says so", async (_what, _when, changed, isHeld) => {
    const { options = {}, change, code, message } = changed;
    const [store, clock, disk] = [createMemoryStore(), testClock(), new FakeDisk()];
    const usual = { store, clock, disk, safety: budgets, rules: [held, read] };
    const first = await openRig(usual);
    const request = requestOf(await first.pipeline.execute(intent));
    const [alice, bob] = await both(request);
    await first.pipeline.decide(alice);
    if (isHeld) await first.pipeline.decide(bob);
    const rig = await openRig({ ...usual, seed: "second", ...options });
    await change?.(rig);
    const startsOfOthers = rig.sandbox.starts;
    clock.set(startMs + 61_000);
    if (isHeld) await rig.pipeline.resumeHeld();
    else await rig.pipeline.decide(bob);
    await rig.pipeline.idle();
    const end = rig.pipeline.status(request.intentId);
    expect(endOf(end)).toBe(`denied ${code}`);
    if (end.status === "denied") expect(end.reason.message).toMatch(message);
    expect([rig.sandbox.starts, disk.done]).toEqual([startsOfOthers, []]);
    // Changed back or not, the approval has no second life.
    await expect(rig.pipeline.decide(await grant(request, "carol", keys.carol))).rejects.toMatchObject({
      code: "EXO_APPROVAL_CLOSED",
    });
    await rig.pipeline.resumeHeld();
    expect(rig.sandbox.starts).toBe(startsOfOthers);
    checkStore(rig);
  });

  test("a stricter gate: asked again, and the result says why", async () => {
    const rig = await openRig({ rules: [rule] });
    const request = requestOf(await rig.pipeline.execute(intent));
    const [alice, bob] = await both(request);
    await rig.pipeline.decide(alice);
    await rig.ledger.transact((tx) => writeState(tx, trustScoreKey("default", agent.id), 0.3));
    const again = await rig.pipeline.decide(bob);
    expect(requestOf(again)).toMatchObject({ verdict: "require_human", threshold: 2 });
    expect(requestOf(again).requestId).not.toBe(request.requestId);
    expect(again.safety).toMatchObject({ verdict: "require_human", rationale: expect.stringMatching(/trust score/i) });
    expect(rig.sandbox.starts).toBe(0);
  });
});

describe("an edit is a new intent", () => {
  const edited = draft("fs.remove", "data/people.csv", { idempotencyKey: "the-one" });

  test("other parameters under the same key are refused, and what was approved runs as it was shown", async () => {
    const rig = await openRig({ rules: [rule] });
    rig.disk.files.set("data/people.csv", "x");
    const request = requestOf(await rig.pipeline.execute(intent));
    const [alice, bob] = await both(request);
    await rig.pipeline.decide(alice);
    await expect(rig.pipeline.execute(edited)).rejects.toMatchObject({ code: "EXO_IDEMPOTENCY_CONFLICT" });
    await rig.pipeline.decide(bob);
    expect(rig.disk.done).toEqual(["fs_remove data/orders.csv"]);
    checkStore(rig);
  });

  test("under the id of the approved intent they are refused, too", async () => {
    const rig = await openRig({ rules: [rule] });
    const { intentId } = requestOf(await rig.pipeline.execute(intent));
    const other = { ...(edited as object), idempotencyKey: "another", intentId } as never;
    await expect(rig.pipeline.execute(other)).rejects.toMatchObject({ code: "EXO_INTENT_REUSED" });
  });

  test("under a key of their own they are another request, which no grant of the first one approves", async () => {
    const rig = await openRig({ rules: [rule] });
    rig.disk.files.set("data/people.csv", "x");
    const first = requestOf(await rig.pipeline.execute(intent));
    const second = requestOf(await rig.pipeline.execute(draft("fs.remove", "data/people.csv")));
    expect(second.intentDigest).not.toBe(first.intentDigest);
    for (const one of await both(first)) await rig.pipeline.decide(one);
    expect([endOf(rig.pipeline.status(first.intentId)), endOf(rig.pipeline.status(second.intentId))]).toEqual([
      "executed",
      "approval_pending",
    ]);
    expect(rig.disk.done).toEqual(["fs_remove data/orders.csv"]);
  });

  test("the caller's document may change after the call: what was read is what is approved and runs", async () => {
    const rig = await openRig({ rules: [rule] });
    rig.disk.files.set("data/people.csv", "x");
    const mine = structuredClone(intent as { parameters: { path: string } });
    const request = requestOf(await rig.pipeline.execute(mine as never));
    mine.parameters.path = "data/people.csv";
    for (const one of await both(request)) await rig.pipeline.decide(one);
    expect(rig.disk.done).toEqual(["fs_remove data/orders.csv"]);
  });
});
