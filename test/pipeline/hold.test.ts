import { describe, expect, test } from "vitest";
import type { PolicyRule } from "../../src/contracts/policy.js";
import { isExoArmurError } from "../../src/errors.js";
import { writeState } from "../../src/pipeline/documents.js";
import { trustScoreKey } from "../../src/pipeline/store-keys.js";
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
  obligations: { approvals: 1, roles: ["approver"], holdSeconds: 60 },
};
const rules = [rule];
const over = startMs + 60_000;
const intent = draft("fs.remove", "data/orders.csv", { idempotencyKey: "the-one" });
const deny = { decision: "deny", reason: "not this one" } as const;

/** A rig with one intent that alice approved and that is held. */
async function heldRig(options: RigOptions = {}): Promise<{ rig: Rig; request: ReturnType<typeof requestOf> }> {
  const rig = await openRig({ rules, ...options });
  const request = requestOf(await rig.pipeline.execute(intent));
  const approved = await rig.pipeline.decide(await grant(request, "alice", keys.alice));
  expect(approved).toMatchObject({ status: "approval_pending", heldUntil: request.notBefore });
  return { rig, request };
}

const statusOf = (rig: Rig): string => endOf(rig.pipeline.status(rig.pipeline.approvals()[0]?.request.intentId ?? ""));
const standing = (rig: Rig): string[] => rig.pipeline.approvals().map(({ record }) => record.state.status);

describe("an approved action with a hold", () => {
  test("does not run before its time, and then runs once", async () => {
    const { rig, request } = await heldRig();
    expect(request.notBefore).toBe("2026-01-31T09:01:00.000Z");
    rig.clock.set(over - 1);
    await rig.pipeline.resumeHeld();
    await rig.pipeline.expireApprovals();
    expect([rig.sandbox.starts, statusOf(rig), standing(rig)]).toEqual([0, "approval_pending", ["approved"]]);
    expect(rig.pipeline.status(request.intentId)).toMatchObject({ approval: request, heldUntil: request.notBefore });
    rig.clock.set(over);
    const waited = rig.pipeline.wait(request.intentId);
    await Promise.all([rig.pipeline.resumeHeld(), rig.pipeline.resumeHeld(), rig.pipeline.resumeHeld()]);
    expect(endOf(await waited)).toBe("executed");
    await rig.pipeline.resumeHeld();
    expect([rig.sandbox.starts, rig.disk.done, standing(rig)]).toEqual([1, ["fs_remove data/orders.csv"], ["spent"]]);
    checkStore(rig);
  });

  test("a request that is not approved yet says nothing of a hold, and the last grant after it starts at once", async () => {
    const rig = await openRig({ rules });
    const asked = await rig.pipeline.execute(intent);
    expect("heldUntil" in asked || "heldUntil" in rig.pipeline.status(asked.intentId)).toBe(false);
    rig.clock.set(over);
    await rig.pipeline.resumeHeld();
    expect(rig.sandbox.starts).toBe(0);
    expect(endOf(await rig.pipeline.decide(await grant(requestOf(asked), "alice", keys.alice)))).toBe("executed");
    checkStore(rig);
  });

  test("a hold that the expiry leaves no time after is denied at once", async () => {
    const rig = await openRig({ rules: [{ ...rule, obligations: { holdSeconds: 900 } }] });
    const denied = await rig.pipeline.execute(intent);
    expect(endOf(denied)).toBe("denied EXO_APPROVAL_HELD");
    expect(rig.pipeline.approvals()).toEqual([]);
    checkStore(rig);
  });

  test("where none is held the clock is not asked: recorded times do not depend on how often somebody looked", async () => {
    const rig = await openRig({ rules: [{ ...rule, obligations: { approvals: 1 } }] });
    await rig.pipeline.execute(intent);
    rig.clock.now = () => {
      throw new Error("the clock was asked");
    };
    await rig.pipeline.resumeHeld();
    expect(standing(rig)).toEqual(["pending"]);
  });

  test("a clock that goes back starts nothing early", async () => {
    const { rig } = await heldRig();
    rig.clock.set(startMs - 3_600_000);
    await rig.pipeline.resumeHeld();
    expect([rig.sandbox.starts, standing(rig)]).toEqual([0, ["approved"]]);
  });

  test("after its expiry it is closed and never started", async () => {
    const { rig, request } = await heldRig();
    rig.clock.set(startMs + 900_001);
    await rig.pipeline.resumeHeld();
    const closed = rig.pipeline.status(request.intentId);
    expect(closed).toMatchObject({
      status: "denied",
      reason: {
        code: "EXO_APPROVAL_EXPIRED",
        message: `the approval was held until ${request.notBefore} and not used until ${request.expiresAt}`,
      },
    });
    expect([rig.sandbox.starts, standing(rig)]).toEqual([0, ["expired"]]);
    checkStore(rig);
  });
});

describe("until it starts it can be stopped", () => {
  test.each([
    ["while it is held", over - 1],
    ["when its time has come and nothing started yet", over + 1],
  ])("another approver's deny %s closes it", async (_when, at) => {
    const { rig, request } = await heldRig();
    rig.clock.set(at);
    const denied = await rig.pipeline.decide(await grant(request, "bob", keys.bob, deny));
    expect(denied).toMatchObject({ status: "denied", reason: { code: "EXO_APPROVAL_DENIED" } });
    rig.clock.set(over + 2);
    await rig.pipeline.resumeHeld();
    expect([rig.sandbox.starts, standing(rig)]).toEqual([0, ["denied"]]);
    expect(eventTypes(rig, request.intentId).slice(-3)).toEqual([
      "approval_granted",
      "approval_denied",
      "intent_denied",
    ]);
    checkStore(rig);
  });

  test.each<[string, string, (request: ReturnType<typeof requestOf>) => ReturnType<typeof grant>]>([
    ["a further approval", "EXO_APPROVAL_CLOSED", (request) => grant(request, "bob", keys.bob)],
    ["the approver's own deny", "EXO_APPROVAL_DUPLICATE", (request) => grant(request, "alice", keys.alice, deny)],
    ["a stranger's deny", "EXO_TRUST", (request) => grant(request, "bob", keys.mallory, deny)],
  ])("%s changes nothing", async (_name, code, make) => {
    const { rig, request } = await heldRig();
    const { size } = rig.ledger;
    await expect(rig.pipeline.decide(await make(request))).rejects.toMatchObject({ code });
    expect([rig.ledger.size, standing(rig)]).toEqual([size, ["approved"]]);
  });

  test("a deny that waits in the inbox comes before the start", async () => {
    const { rig, request } = await heldRig();
    const envelope = await grant(request, "bob", keys.bob, deny);
    rig.governor.takeOrders = async () => {
      rig.governor.takeOrders = () => Promise.resolve();
      await rig.pipeline.decide(envelope);
    };
    rig.clock.set(over);
    await rig.pipeline.resumeHeld();
    expect([rig.sandbox.starts, statusOf(rig)]).toEqual([0, "denied EXO_APPROVAL_DENIED"]);
  });

  test("a deny that is counted while the start is on its way wins", async () => {
    const { rig, request } = await heldRig();
    const envelope = await grant(request, "bob", keys.bob, deny);
    let denied: ReturnType<typeof rig.pipeline.decide> | undefined;
    rig.governor.takeOrders = () => {
      denied ??= rig.pipeline.decide(envelope);
      return Promise.resolve();
    };
    rig.clock.set(over);
    await rig.pipeline.resumeHeld();
    expect(await denied).toMatchObject({ status: "denied", reason: { code: "EXO_APPROVAL_DENIED" } });
    await rig.pipeline.idle();
    expect([rig.sandbox.starts, standing(rig)]).toEqual([0, ["denied"]]);
    checkStore(rig);
  });

  test("a clock that goes back while the start is on its way starts nothing", async () => {
    const { rig } = await heldRig();
    const times = [over, over];
    rig.clock.now = () => times.shift() ?? startMs + 1000;
    await rig.pipeline.resumeHeld();
    await rig.pipeline.idle();
    expect([times, rig.sandbox.starts, standing(rig)]).toEqual([[], 0, ["approved"]]);
  });

  test("a deny at the moment of the start: the deny, or one run; never both", async () => {
    const { rig, request } = await heldRig();
    rig.clock.set(over);
    const [resumed, denied] = await Promise.allSettled([
      rig.pipeline.resumeHeld(),
      rig.pipeline.decide(await grant(request, "bob", keys.bob, deny)),
    ]);
    await rig.pipeline.idle();
    expect(resumed.status).toBe("fulfilled");
    expect(rig.sandbox.starts).toBe(denied.status === "fulfilled" ? 0 : 1);
    if (denied.status === "rejected") expect(denied.reason).toMatchObject({ code: "EXO_APPROVAL_SPENT" });
    checkStore(rig);
  });

  test.each<[string, string, RegExp, (rig: Rig) => Promise<unknown>]>([
    [
      "the kill switch",
      "EXO_KILL_SWITCH",
      /kill switch/i,
      async (rig) => rig.pipeline.switchKill(await killOrder(true)),
    ],
    [
      "the KILL file",
      "EXO_KILL_SWITCH",
      /kill switch/i,
      async (rig) => Object.assign(rig.governor, { killFile: true }),
    ],
    [
      "another policy",
      "EXO_APPROVAL_STALE",
      /^the policy changed/,
      (rig) => rig.activate([{ ...rule, rationale: "stricter" }], 2),
    ],
    ["a policy that denies", "EXO_POLICY_DENIED", /no rule matched/, (rig) => rig.activate([], 2)],
    ["another plugin", "EXO_APPROVAL_STALE", /^the plugin changed/, (rig) => rig.add(fsPlugin({ filler: 1 }))],
  ])("%s stops it when its time comes", async (_what, code, message, change) => {
    const { rig, request } = await heldRig();
    await change(rig);
    rig.clock.set(over);
    await rig.pipeline.resumeHeld();
    await rig.pipeline.idle();
    const ended = rig.pipeline.status(request.intentId);
    expect(endOf(ended)).toBe(`denied ${code}`);
    if (ended.status === "denied") expect(ended.reason.message).toMatch(message);
    expect([rig.sandbox.starts, standing(rig)]).toEqual([0, ["superseded"]]);
    checkStore(rig);
  });

  test("a stricter verdict at the start asks anew, with a hold of its own", async () => {
    const { rig } = await heldRig();
    await rig.ledger.transact((tx) => writeState(tx, trustScoreKey("default", agent.id), 0.3));
    rig.clock.set(over);
    await rig.pipeline.resumeHeld();
    expect([rig.sandbox.starts, standing(rig)]).toEqual([0, ["superseded", "pending"]]);
    const second = rig.pipeline.approvals()[1]?.request;
    expect(second).toMatchObject({ verdict: "require_human", notBefore: "2026-01-31T09:02:00.000Z" });
  });
});

describe("restarts", () => {
  test("an approved action is found held, and started by the process that lives when its time comes", async () => {
    const [store, clock, disk] = [createMemoryStore(), testClock(), new FakeDisk()];
    await heldRig({ store, clock, disk });
    const rig = await openRig({ rules, store, clock, disk, seed: "second" });
    await rig.pipeline.resumeHeld();
    expect([rig.sandbox.starts, statusOf(rig)]).toEqual([0, "approval_pending"]);
    clock.set(over);
    const third = await openRig({ rules, store, clock, disk, seed: "third" });
    expect(third.sandbox.starts).toBe(0);
    await third.pipeline.resumeHeld();
    await third.pipeline.idle();
    expect([disk.done, standing(third)]).toEqual([["fs_remove data/orders.csv"], ["spent"]]);
    checkStore(third);
  });

  test("opening alone starts nothing", async () => {
    const [store, clock] = [createMemoryStore(), testClock()];
    await heldRig({ store, clock });
    clock.set(over);
    const rig = await openRig({ rules, store, clock, seed: "second", plugins: [] });
    // The executors are not registered when it opens: whoever opens calls resumeHeld once they are.
    expect([rig.sandbox.starts, standing(rig)]).toEqual([0, ["approved"]]);
  });

  test("nothing is started, nor denied, before a policy is in force", async () => {
    const [store, clock, disk] = [createMemoryStore(), testClock(), new FakeDisk()];
    await heldRig({ store, clock, disk });
    clock.set(over);
    const rig = await openRig({ bare: true, rules, store, clock, disk, seed: "second" });
    await rig.pipeline.resumeHeld();
    expect([rig.sandbox.starts, standing(rig), statusOf(rig)]).toEqual([0, ["approved"], "approval_pending"]);
    await rig.activate(rules, 1);
    await rig.pipeline.resumeHeld();
    await rig.pipeline.idle();
    expect([disk.done.length, statusOf(rig)]).toEqual([1, "executed"]);
  });

  test.each<DeathMode>(["before", "after"])("a death %s any commit: at most one execution", async (mode) => {
    let ends = 0;
    for (let at = 1; ends === 0; at += 1) {
      const [inner, clock, disk] = [createMemoryStore(), testClock(), new FakeDisk()];
      const store = new CrashStore(inner);
      const first = await openRig({ rules, store, clock, disk });
      store.arm(at, mode);
      try {
        const request = requestOf(await first.pipeline.execute(intent));
        await first.pipeline.decide(await grant(request, "alice", keys.alice));
        clock.set(over);
        await first.pipeline.resumeHeld();
        await first.pipeline.idle();
      } catch (error) {
        if (!store.dead || !isExoArmurError(error, "EXO_STORE")) throw error;
      }
      await first.pipeline.idle();
      if (!store.dead) ends += 1;
      const rig = await openRig({ rules, store: inner, clock, disk, seed: "after" });
      const asked = await rig.pipeline.execute(intent);
      if (asked.status === "approval_pending" && asked.heldUntil === undefined) {
        await rig.pipeline.decide(await grant(asked.approval, "alice", keys.alice));
      }
      clock.set(over + 60_000);
      await rig.pipeline.resumeHeld();
      await rig.pipeline.idle();
      expect(disk.done.length, `commit ${at}`).toBeLessThanOrEqual(1);
      expect(first.sandbox.starts + rig.sandbox.starts, `commit ${at}`).toBeLessThanOrEqual(1);
      const end = statusOf(rig);
      expect(["executed", "in_doubt EXO_IN_DOUBT"], `commit ${at}`).toContain(end);
      expect(end === "executed" ? disk.done.length : 1).toBe(1);
      checkStore(rig);
    }
  });
});

describe("the safety gate asks for people", () => {
  const allow: PolicyRule = { ...rule, id: "allow", verdict: "allow" };
  const sources = { trustScore: "state", cellLoad: "measured", networkHealth: "off" } as const;
  const safety = { schema: "exoarmur.safety-config/v1", sources, budgets: {} } as const;

  test("require_human: the rule's hold and roles hold for what the gate asks", async () => {
    const rig = await openRig({ rules: [allow], safety });
    await rig.ledger.transact((tx) => writeState(tx, trustScoreKey("default", agent.id), 0.3));
    const request = requestOf(await rig.pipeline.execute(intent));
    expect(request).toMatchObject({ verdict: "require_human", threshold: 1, notBefore: "2026-01-31T09:01:00.000Z" });
    await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    expect(rig.sandbox.starts).toBe(0);
    rig.clock.set(over);
    await rig.pipeline.resumeHeld();
    await rig.pipeline.idle();
    expect([statusOf(rig), rig.disk.done.length]).toEqual(["executed", 1]);
    checkStore(rig);
  });

  test("require_quorum: two people, then the hold, and one deny stops both", async () => {
    const rig = await openRig({ rules: [allow], safety });
    rig.sandbox.loadNow = { running: 2, queued: 8, size: 2, queueBound: 8 };
    const ask = async (key: string) =>
      requestOf(await rig.pipeline.execute(draft("fs.remove", "data/orders.csv", { idempotencyKey: key })));
    const [one, two] = [await ask("one"), await ask("two")];
    for (const request of [one, two]) {
      expect([request.verdict, request.threshold]).toEqual(["require_quorum", 2]);
      const first = await rig.pipeline.decide(await grant(request, "alice", keys.alice));
      expect("heldUntil" in first).toBe(false);
      const second = await rig.pipeline.decide(await grant(request, "bob", keys.bob));
      expect(second).toMatchObject({ status: "approval_pending", heldUntil: request.notBefore });
    }
    await rig.pipeline.decide(await grant(two, "carol", keys.carol, deny));
    rig.sandbox.loadNow = { running: 0, queued: 0, size: 2, queueBound: 8 };
    rig.clock.set(over);
    await rig.pipeline.resumeHeld();
    await rig.pipeline.idle();
    expect([one, two].map(({ intentId }) => endOf(rig.pipeline.status(intentId)))).toEqual([
      "executed",
      "denied EXO_APPROVAL_DENIED",
    ]);
    expect(rig.disk.done).toHaveLength(1);
    checkStore(rig);
  });

  test("without an approval nothing is held: the obligation is a request's", async () => {
    const rig = await openRig({ rules: [allow], safety });
    expect(endOf(await rig.pipeline.execute(intent))).toBe("executed");
  });
});
