import { describe, expect, test } from "vitest";
import type { ResolutionOrder } from "../../src/contracts/order.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { checkStore, draft, endOf, eventTypes, openRig, type Rig } from "../support/rig.js";
import { freshNonce, killOrder, resolution } from "../support/sign.js";
import { keys, trusted, usualKeys } from "../support/world.js";

const write = (rig: Rig, more = {}) => rig.pipeline.execute(draft("fs.write", "data/a.csv", more));

async function doubtful(
  options: Parameters<typeof openRig>[0] = {},
  more = {},
): Promise<{ rig: Rig; intentId: string }> {
  const rig = await openRig(options);
  rig.disk.onWrite = () => Promise.resolve("unknown");
  const { intentId } = await write(rig, more);
  rig.disk.onWrite = null;
  return { rig, intentId };
}

describe("how an action comes to be in doubt", () => {
  test.each([
    ["answers that it does not know", () => Promise.resolve("unknown" as const)],
    ["throws", () => "throw" as const],
  ])("the performer %s", async (_name, onWrite) => {
    const rig = await openRig();
    rig.disk.onWrite = onWrite;
    const doubt = await write(rig);
    expect(endOf(doubt)).toBe("in_doubt EXO_IN_DOUBT");
    if (doubt.status === "in_doubt") expect(doubt.reason.retrySafe).toBe(false);
    expect(eventTypes(rig, doubt.intentId).slice(-2)).toEqual(["effect_started", "execution_in_doubt"]);
    const [event] = rig.pipeline.trace(doubt.intentId).slice(-1);
    expect(event?.payload).toMatchObject({
      effects: [{ seq: 0, capability: "fs_write" }],
      execution: { status: "in_doubt" },
    });
    checkStore(rig);
  });

  test("the performer never answers and the guard fires", async () => {
    const rig = await openRig();
    rig.disk.onWrite = () => new Promise(() => undefined);
    const running = write(rig);
    while (rig.sandbox.starts === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
    rig.sandbox.deadline.abort();
    const doubt = await running;
    expect(endOf(doubt)).toBe("in_doubt EXO_IN_DOUBT");
    const [event] = rig.pipeline.trace(doubt.intentId).slice(-1);
    expect(event?.payload).toMatchObject({ cause: "timed_out" });
    checkStore(rig);
  });

  test("the guard fires before the write: failed, and certainly not performed", async () => {
    const rig = await openRig();
    rig.sandbox.deadline.abort();
    expect(endOf(await write(rig))).toBe("failed EXO_TIMED_OUT");
    expect(rig.disk.done).toEqual([]);
    checkStore(rig);
  });

  test("a guest that catches the unknown answer and completes is in doubt all the same", async () => {
    const rig = await openRig();
    rig.disk.onWrite = () => Promise.resolve("unknown");
    rig.sandbox.scripts["write"] = async (guest) => {
      await guest.call("fs_write", { path: "data/a.csv", bytes: new Uint8Array(1), mode: "create" });
      return { fine: true };
    };
    const doubt = await write(rig);
    expect(endOf(doubt)).toBe("in_doubt EXO_IN_DOUBT");
    expect(doubt).not.toHaveProperty("output");
    checkStore(rig);
  });

  test("a second write after an unknown one does not make it certain", async () => {
    const rig = await openRig();
    const answers = ["unknown", "ok"] as const;
    let at = 0;
    rig.disk.onWrite = () => Promise.resolve(answers[at++] ?? "ok");
    rig.sandbox.scripts["write"] = async (guest) => {
      for (const path of ["data/a.csv", "data/b.csv"]) {
        await guest.call("fs_write", { path, bytes: new Uint8Array(1), mode: "create" });
      }
      return {};
    };
    expect(endOf(await write(rig))).toBe("in_doubt EXO_IN_DOUBT");
    checkStore(rig);
  });

  test("a read that nobody answered is not in doubt", async () => {
    const rig = await openRig({ performers: { fs_read: { perform: () => new Promise(() => undefined) } } });
    const running = rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    while (rig.sandbox.starts === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    rig.sandbox.deadline.abort();
    expect(endOf(await running)).toBe("failed EXO_TIMED_OUT");
    checkStore(rig);
  });

  test("in doubt survives a restart as it is", async () => {
    const store = createMemoryStore();
    const { intentId } = await doubtful({ store });
    const rig = await openRig({ store, seed: "second" });
    expect(rig.inDoubt).toEqual([]);
    expect(endOf(rig.pipeline.status(intentId))).toBe("in_doubt EXO_IN_DOUBT");
    await rig.pipeline.resolve(await resolution(intentId, "not_executed"));
    checkStore(rig);
  });

  test("opening again beside a run of the same process does not disturb it", async () => {
    const rig = await openRig();
    let release = (): void => undefined;
    rig.disk.onWrite = () => new Promise((resolve) => (release = () => resolve("ok")));
    const running = write(rig);
    while (rig.sandbox.starts === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(await rig.pipeline.open()).toEqual([]);
    release();
    expect(endOf(await running)).toBe("executed");
    checkStore(rig);
  });
});

describe("resolve", () => {
  test.each(["committed", "not_executed", "unknown"] as const)(
    "%s closes it, with a bundle that verifies",
    async (outcome) => {
      const { rig, intentId } = await doubtful();
      const result = await rig.pipeline.resolve(await resolution(intentId, outcome));
      expect(result).toMatchObject({
        status: "in_doubt",
        reason: { message: `resolved by ops: ${outcome}`, retrySafe: outcome === "not_executed" },
      });
      expect(result.decision?.verdict).toBe("allow");
      expect(rig.pipeline.status(intentId)).toEqual(result);
      expect(rig.pipeline.bundle(intentId)).toBeDefined();
      expect(rig.sandbox.starts).toBe(1);
      checkStore(rig);
    },
  );

  const trustKeys = [
    ...usualKeys,
    trusted("operator", "ops-other", keys.mallory, { tenants: ["other"] }),
    trusted("operator", "agent-ops", keys.otherAuthor, { person: "agent person" }),
    trusted("publisher", "report-agent", keys.carol, { person: "agent person" }),
  ];

  test.each<[string, string, (intentId: string) => ReturnType<typeof resolution>]>([
    ["an approver", "EXO_TRUST", (id) => resolution(id, "committed", {}, keys.alice)],
    [
      "an operator naming another key",
      "EXO_ORDER",
      (id) => resolution(id, "committed", { operator: { id: "ops", keyId: keys.alice.keyId } }),
    ],
    [
      "an operator under another name",
      "EXO_ORDER",
      (id) => resolution(id, "committed", { operator: { id: "root", keyId: keys.operator.keyId } }),
    ],
    [
      "an operator of another tenant",
      "EXO_ORDER",
      (id) => resolution(id, "committed", { operator: { id: "ops-other", keyId: keys.mallory.keyId } }, keys.mallory),
    ],
    [
      "the actor's own person",
      "EXO_ORDER",
      (id) =>
        resolution(id, "committed", { operator: { id: "agent-ops", keyId: keys.otherAuthor.keyId } }, keys.otherAuthor),
    ],
    ["an order for another cell", "EXO_ORDER", (id) => resolution(id, "committed", { cellId: "elsewhere" })],
    ["an unknown outcome", "EXO_SCHEMA", (id) => resolution(id, "done" as ResolutionOrder["outcome"])],
    ["no evidence", "EXO_SCHEMA", (id) => resolution(id, "committed", { evidence: [] })],
    ["an unknown intent", "EXO_INTENT_UNKNOWN", () => resolution("01HZZZZZZZZZZZZZZZZZZZZZZZ", "committed")],
  ])("%s is refused: %s", async (_name, code, order) => {
    const { rig, intentId } = await doubtful({ trustKeys });
    const { size } = rig.ledger;
    await expect(rig.pipeline.resolve(await order(intentId))).rejects.toMatchObject({ code });
    expect(rig.ledger.size).toBe(size);
    expect(endOf(rig.pipeline.status(intentId))).toBe("in_doubt EXO_IN_DOUBT");
  });

  test("the requester cannot, under any of its names", async () => {
    for (const requester of [
      { principal: "ops", method: "library" },
      { principal: "gate", method: "library", onBehalfOf: "ops" },
      { principal: keys.operator.keyId, method: "library" },
    ] as const) {
      const rig = await openRig();
      rig.disk.onWrite = () => Promise.resolve("unknown");
      const { intentId } = await rig.pipeline.execute(draft("fs.write", "data/a.csv"), { requester });
      await expect(rig.pipeline.resolve(await resolution(intentId, "committed"))).rejects.toMatchObject({
        code: "EXO_ORDER",
      });
    }
    const { rig, intentId } = await doubtful({}, { actor: { id: "ops", type: "person" } });
    await expect(rig.pipeline.resolve(await resolution(intentId, "committed"))).rejects.toMatchObject({
      code: "EXO_ORDER",
    });
  });

  test("what is not in doubt is refused", async () => {
    const rig = await openRig();
    const executed = await write(rig);
    const pending = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv"));
    for (const { intentId } of [executed, pending]) {
      await expect(rig.pipeline.resolve(await resolution(intentId, "committed"))).rejects.toMatchObject({
        code: "EXO_NOT_IN_DOUBT",
      });
    }
  });

  test("an order that comes again, and a second order, are refused", async () => {
    const { rig, intentId } = await doubtful();
    const order = await resolution(intentId, "committed");
    await rig.pipeline.resolve(order);
    for (const again of [order, await resolution(intentId, "not_executed")]) {
      await expect(rig.pipeline.resolve(again)).rejects.toMatchObject({ code: "EXO_NOT_IN_DOUBT" });
    }
    checkStore(rig);
  });

  test("a nonce that another order used is refused", async () => {
    const { rig, intentId } = await doubtful();
    const nonce = freshNonce();
    await rig.pipeline.switchKill(await killOrder(false, { nonce }));
    await expect(rig.pipeline.resolve(await resolution(intentId, "committed", { nonce }))).rejects.toMatchObject({
      code: "EXO_ORDER",
    });
  });

  test("two orders at once: one closes it", async () => {
    const { rig, intentId } = await doubtful();
    const ends = await Promise.allSettled([
      rig.pipeline.resolve(await resolution(intentId, "committed")),
      rig.pipeline.resolve(await resolution(intentId, "not_executed")),
    ]);
    expect(ends.map((end) => end.status)).toEqual(["fulfilled", "rejected"]);
    checkStore(rig);
  });
});
