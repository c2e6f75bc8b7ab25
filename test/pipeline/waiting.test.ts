import { describe, expect, test } from "vitest";
import { createMemoryStore } from "../../src/stores/memory.js";
import { CrashStore } from "../support/crash-store.js";
import { checkStore, draft, endOf, eventTypes, openRig, type Rig, requestOf } from "../support/rig.js";
import { grant, resolution } from "../support/sign.js";
import { keys } from "../support/world.js";

const reason = new Error("changed my mind");
const write = draft("fs.write", "data/a.csv");

/** A rig whose writes wait for `release`. */
async function slow(): Promise<{ rig: Rig; release: () => void; started: () => Promise<void> }> {
  const rig = await openRig();
  let release = (): void => undefined;
  rig.disk.onWrite = () => new Promise((resolve) => (release = () => resolve("ok")));
  const started = async (): Promise<void> => {
    while (rig.sandbox.starts === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { rig, release: () => release(), started };
}

describe("withdrawing", () => {
  test("aborted before the call: denied and recorded, nothing runs", async () => {
    const rig = await openRig();
    for (const intent of [write, draft("fs.remove", "data/orders.csv")]) {
      const denied = await rig.pipeline.execute(intent, { signal: AbortSignal.abort(reason) });
      expect(endOf(denied)).toBe("denied EXO_CANCELLED");
      expect(eventTypes(rig, denied.intentId).at(-1)).toBe("intent_denied");
    }
    expect(rig.sandbox.starts).toBe(0);
    expect(rig.pipeline.approvals()).toEqual([]);
    checkStore(rig);
  });

  test("aborted while orders are taken: denied too", async () => {
    const rig = await openRig();
    const controller = new AbortController();
    rig.governor.takeOrders = () => Promise.resolve(controller.abort(reason));
    expect(endOf(await rig.pipeline.execute(write, { signal: controller.signal }))).toBe("denied EXO_CANCELLED");
    expect(rig.sandbox.starts).toBe(0);
  });

  test("what policy denies stays denied by policy", async () => {
    const rig = await openRig();
    const denied = await rig.pipeline.execute(draft("fs.read", "secret/x"), { signal: AbortSignal.abort(reason) });
    expect(endOf(denied)).toBe("denied EXO_POLICY_DENIED");
  });

  test("aborted after the start: the wait ends with the reason, the run goes on to its record", async () => {
    const { rig, release, started } = await slow();
    const controller = new AbortController();
    const running = rig.pipeline.execute(draft("fs.write", "data/a.csv", { idempotencyKey: "k" }), {
      signal: controller.signal,
    });
    const settled = running.catch((error: unknown) => error);
    await started();
    controller.abort(reason);
    expect(await settled).toBe(reason);
    release();
    await rig.pipeline.idle();
    expect(rig.disk.done).toEqual(["fs_write data/a.csv"]);
    const [record] = checkStore(rig);
    expect(record?.state).toBe("completed");
    expect(endOf(await rig.pipeline.execute(draft("fs.write", "data/a.csv", { idempotencyKey: "k" })))).toBe(
      "executed",
    );
    expect(rig.sandbox.starts).toBe(1);
  });

  test("one caller that withdraws does not end the other's wait", async () => {
    const { rig, release, started } = await slow();
    const controller = new AbortController();
    const intent = draft("fs.write", "data/a.csv", { idempotencyKey: "k" });
    const first = rig.pipeline.execute(intent);
    const second = rig.pipeline.execute(intent, { signal: controller.signal });
    const settled = second.catch((error: unknown) => error);
    await started();
    controller.abort(reason);
    expect(await settled).toBe(reason);
    release();
    expect(endOf(await first)).toBe("executed");
  });

  test("a retry with an aborted signal of what is recorded gives the record", async () => {
    const rig = await openRig();
    const intent = draft("fs.write", "data/a.csv", { idempotencyKey: "k" });
    await rig.pipeline.execute(intent);
    expect(endOf(await rig.pipeline.execute(intent, { signal: AbortSignal.abort(reason) }))).toBe("executed");
  });
});

describe("wait", () => {
  test("from pending to executed, while somebody else decides", async () => {
    const rig = await openRig();
    const request = requestOf(await rig.pipeline.execute(draft("fs.remove", "data/orders.csv")));
    const waits = [rig.pipeline.wait(request.intentId), rig.pipeline.wait(request.intentId)];
    await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    expect((await Promise.all(waits)).map(endOf)).toEqual(["executed", "executed"]);
  });

  test("through a counted grant to the last one", async () => {
    const rig = await openRig({
      rules: [{ id: "two", match: {}, verdict: "require_approval", obligations: { approvals: 2 } }],
    });
    const request = requestOf(await rig.pipeline.execute(draft("fs.remove", "data/orders.csv")));
    const waiting = rig.pipeline.wait(request.intentId);
    await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    await rig.pipeline.decide(await grant(request, "bob", keys.bob));
    expect(endOf(await waiting)).toBe("executed");
  });

  test.each<[string, (rig: Rig, request: ReturnType<typeof requestOf>) => Promise<void>, string]>([
    [
      "a denial",
      async (rig, request) => {
        await rig.pipeline.decide(await grant(request, "alice", keys.alice, { decision: "deny", reason: "no" }));
      },
      "denied EXO_APPROVAL_DENIED",
    ],
    [
      "the expiry",
      async (rig) => {
        rig.clock.advance(901_000);
        await rig.pipeline.expireApprovals();
      },
      "denied EXO_APPROVAL_EXPIRED",
    ],
    [
      "a late grant",
      async (rig, request) => {
        rig.clock.advance(901_000);
        await rig.pipeline.decide(await grant(request, "alice", keys.alice)).catch(() => undefined);
      },
      "denied EXO_APPROVAL_EXPIRED",
    ],
  ])("ends with %s", async (_name, happen, end) => {
    const rig = await openRig();
    const request = requestOf(await rig.pipeline.execute(draft("fs.remove", "data/orders.csv")));
    const waiting = rig.pipeline.wait(request.intentId);
    await happen(rig, request);
    expect(endOf(await waiting)).toBe(end);
  });

  test("for a run that is under way, and for one that is over", async () => {
    const { rig, release, started } = await slow();
    const running = rig.pipeline.execute(draft("fs.write", "data/a.csv", { intentId: "01HZZZZZZZZZZZZZZZZZZZZZZZ" }));
    await started();
    expect(rig.pipeline.status("01HZZZZZZZZZZZZZZZZZZZZZZZ").status).toBe("running");
    const waiting = rig.pipeline.wait("01HZZZZZZZZZZZZZZZZZZZZZZZ");
    release();
    expect([endOf(await running), endOf(await waiting)]).toEqual(["executed", "executed"]);
    expect(endOf(await rig.pipeline.wait("01HZZZZZZZZZZZZZZZZZZZZZZZ"))).toBe("executed");
  });

  test("an in-doubt intent rests: wait gives it as it is", async () => {
    const rig = await openRig();
    rig.disk.onWrite = () => "throw";
    const { intentId } = await rig.pipeline.execute(write);
    expect(endOf(await rig.pipeline.wait(intentId))).toBe("in_doubt EXO_IN_DOUBT");
    await rig.pipeline.resolve(await resolution(intentId, "committed"));
    expect(endOf(await rig.pipeline.wait(intentId))).toBe("in_doubt EXO_IN_DOUBT");
  });

  test("a waiter that gives up gets its reason, the others go on", async () => {
    const rig = await openRig();
    const request = requestOf(await rig.pipeline.execute(draft("fs.remove", "data/orders.csv")));
    const controller = new AbortController();
    const given = rig.pipeline.wait(request.intentId, { signal: controller.signal });
    const kept = rig.pipeline.wait(request.intentId);
    controller.abort(reason);
    await expect(given).rejects.toBe(reason);
    await expect(rig.pipeline.wait(request.intentId, { signal: controller.signal })).rejects.toBe(reason);
    await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    expect(endOf(await kept)).toBe("executed");
  });

  test.each(["01HZZZZZZZZZZZZZZZZZZZZZZZ", "", "../../etc", "x".repeat(10_000)])(
    "an unknown id %# is refused",
    async (id) => {
      const rig = await openRig();
      await expect(rig.pipeline.wait(id)).rejects.toMatchObject({ code: "EXO_INTENT_UNKNOWN" });
      expect(() => rig.pipeline.status(id)).toThrow(expect.objectContaining({ code: "EXO_INTENT_UNKNOWN" }));
      expect(() => rig.pipeline.bundle(id)).toThrow(expect.objectContaining({ code: "EXO_INTENT_UNKNOWN" }));
      expect(() => rig.pipeline.trace(id)).toThrow(expect.objectContaining({ code: "EXO_INTENT_UNKNOWN" }));
    },
  );

  test("a run whose outcome could not be recorded rejects its waiters", async () => {
    const inner = createMemoryStore();
    const store = new CrashStore(inner);
    const rig = await openRig({ store });
    const intentId = "01HZZZZZZZZZZZZZZZZZZZZZZZ";
    let release = (): void => undefined;
    rig.disk.onWrite = () => new Promise((resolve) => (release = () => resolve("ok")));
    const running = rig.pipeline.execute(draft("fs.write", "data/a.csv", { intentId }));
    while (rig.sandbox.starts === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const waiting = rig.pipeline.wait(intentId);
    store.arm(1, "before");
    release();
    const ends = await Promise.allSettled([running, waiting]);
    expect(ends.map((end) => end.status)).toEqual(["rejected", "rejected"]);
    await expect(rig.pipeline.wait(intentId, { signal: AbortSignal.timeout(200) })).rejects.toMatchObject({
      code: "EXO_STORE",
    });
  });
});
