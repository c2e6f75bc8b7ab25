import { describe, expect, test } from "vitest";
import { type EventType, eventPayloads } from "../../src/contracts/event.js";
import { endStates, type IntentState, lifecycle, restingStates } from "../../src/contracts/lifecycle.js";
import { IntentWork } from "../../src/pipeline/intent-work.js";
import { chainLength } from "../../src/pipeline/recorder.js";
import { checkStore, draft, endOf, eventTypes, openRig, type Rig, requestOf } from "../support/rig.js";
import { grant, killOrder, resolution } from "../support/sign.js";
import { keys } from "../support/world.js";

const judged = ["intent_received", "policy_evaluated", "safety_evaluated", "verdict_resolved"];
const rejudged = ["policy_evaluated", "safety_evaluated", "verdict_resolved"];

describe("every path of the real pipeline", () => {
  const paths: readonly [name: string, events: readonly string[], run: (rig: Rig) => Promise<string>][] = [
    [
      "allowed, completed",
      [...judged, "execution_started", "execution_completed"],
      async (rig) => (await rig.pipeline.execute(draft("fs.read", "data/orders.csv"))).intentId,
    ],
    [
      "allowed, a write, completed",
      [...judged, "execution_started", "effect_started", "execution_completed"],
      async (rig) => (await rig.pipeline.execute(draft("fs.write", "data/new.csv"))).intentId,
    ],
    [
      "allowed, failed",
      [...judged, "execution_started", "execution_failed"],
      async (rig) => (await rig.pipeline.execute(draft("fs.read", "data/missing.csv"))).intentId,
    ],
    [
      "denied by policy",
      [...judged, "intent_denied"],
      async (rig) => (await rig.pipeline.execute(draft("fs.read", "secret/x.csv"))).intentId,
    ],
    [
      "refused before it was judged",
      ["intent_received", "intent_denied"],
      async (rig) => (await rig.pipeline.execute(draft("no.such", "data/x.csv"))).intentId,
    ],
    [
      "approval denied",
      [...judged, "approval_requested", "approval_denied", "intent_denied"],
      async (rig) => {
        const pending = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv"));
        await rig.pipeline.decide(
          await grant(requestOf(pending), "alice", keys.alice, { decision: "deny", reason: "no" }),
        );
        return pending.intentId;
      },
    ],
    [
      "approval expired",
      [...judged, "approval_requested", "approval_expired", "intent_denied"],
      async (rig) => {
        const pending = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv"));
        rig.clock.advance(901_000);
        await rig.pipeline.expireApprovals();
        return pending.intentId;
      },
    ],
    [
      "approved, completed",
      [
        ...judged,
        "approval_requested",
        "approval_granted",
        ...rejudged,
        "execution_started",
        "effect_started",
        "execution_completed",
      ],
      async (rig) => {
        const pending = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv"));
        await rig.pipeline.decide(await grant(requestOf(pending), "alice", keys.alice));
        return pending.intentId;
      },
    ],
    [
      "approved, denied by the kill switch",
      [...judged, "approval_requested", "approval_granted", ...rejudged, "intent_denied"],
      async (rig) => {
        const pending = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv"));
        await rig.pipeline.switchKill(await killOrder(true));
        await rig.pipeline.decide(await grant(requestOf(pending), "alice", keys.alice));
        return pending.intentId;
      },
    ],
    [
      "approved, but the plugin is gone",
      [...judged, "approval_requested", "approval_granted", "intent_denied"],
      async (rig) => {
        const pending = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv"));
        rig.pipeline.refuseExecutor("fs", { code: "EXO_FILE", message: "gone" });
        await rig.pipeline.decide(await grant(requestOf(pending), "alice", keys.alice));
        return pending.intentId;
      },
    ],
    [
      "in doubt, resolved",
      [...judged, "execution_started", "effect_started", "execution_in_doubt", "execution_resolved"],
      async (rig) => {
        rig.disk.onWrite = () => Promise.resolve("unknown");
        const doubt = await rig.pipeline.execute(draft("fs.write", "data/new.csv"));
        await rig.pipeline.resolve(await resolution(doubt.intentId, "committed"));
        return doubt.intentId;
      },
    ],
  ];

  for (const [name, events, run] of paths) {
    test(name, async () => {
      const rig = await openRig();
      const intentId = await run(rig);
      expect(eventTypes(rig, intentId)).toEqual(events);
      const [record] = checkStore(rig);
      expect(endStates.has(record?.state ?? "received")).toBe(true);
    });
  }

  test("the states that rest without an end: pending and in doubt", async () => {
    const rig = await openRig();
    const pending = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv"));
    rig.disk.onWrite = () => "throw";
    const doubt = await rig.pipeline.execute(draft("fs.write", "data/new.csv"));
    expect([endOf(pending), endOf(doubt)]).toEqual(["approval_pending", "in_doubt EXO_IN_DOUBT"]);
    const records = checkStore(rig);
    expect(records.map((record) => record.state).sort()).toEqual(["in_doubt", "pending"]);
    expect(rig.pipeline.bundle(pending.intentId)).toBeUndefined();
    expect(rig.pipeline.bundle(doubt.intentId)).toBeUndefined();
  });

  test("a failed guest after a thrown script is a recorded end, not a crash", async () => {
    const rig = await openRig();
    rig.sandbox.scripts["read"] = () => Promise.reject(new Error("the host broke"));
    const result = await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    expect(endOf(result)).toBe("failed EXO_HOST_FAULT");
    checkStore(rig);
  });

  test("several intents share a chain without a gap", async () => {
    const rig = await openRig();
    const results = await Promise.all(
      ["data/a", "data/b", "secret/c", "data/orders.csv"].map((path) =>
        rig.pipeline.execute(draft("fs.read", path, { correlationId: "shared" })),
      ),
    );
    const sequences = results.flatMap(({ intentId }) => rig.pipeline.trace(intentId).map((event) => event.sequence));
    expect([...sequences].sort((a, b) => a - b)).toEqual(sequences.map((_, index) => index));
    expect(chainLength(rig.store, "default", "shared")).toBe(sequences.length);
    checkStore(rig);
  });
});

describe("IntentWork.append", () => {
  const states = Object.keys(lifecycle).filter((state) => state !== "none") as IntentState[];
  const types = Object.keys(eventPayloads) as EventType[];

  test("refuses every step the table lacks, and leaves nothing behind", async () => {
    const rig = await openRig();
    const { intentId } = await rig.pipeline.execute(draft("fs.read", "data/orders.csv", { correlationId: "chain" }));
    const length = chainLength(rig.store, "default", "chain");
    const size = rig.ledger.size;
    for (const state of states) {
      for (const type of types) {
        if (Object.hasOwn(lifecycle[state], type)) continue;
        const attempt = rig.ledger.transact((tx) => {
          const work = IntentWork.load(tx, intentId, {} as never);
          work.record.state = state;
          work.append(tx, type, {} as never, rig.clock.now());
        });
        await expect(attempt, `${type} after ${state}`).rejects.toMatchObject({ code: "EXO_INTERNAL" });
      }
    }
    expect(chainLength(rig.store, "default", "chain")).toBe(length);
    expect(rig.ledger.size).toBe(size);
    checkStore(rig);
  });

  test("nothing follows an end", () => {
    for (const state of endStates) expect(Object.keys(lifecycle[state])).toEqual([]);
    expect([...restingStates].sort()).toEqual(
      ["completed", "denied", "failed", "in_doubt", "pending", "resolved", "started"].sort(),
    );
  });
});
