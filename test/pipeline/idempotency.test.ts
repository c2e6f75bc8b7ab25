import { describe, expect, test } from "vitest";
import { checkStore, draft, endOf, intentRecords, openRig, requestOf } from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys } from "../support/world.js";

const key = { idempotencyKey: "tool-call-1" };

describe("idempotency", () => {
  test("the same request under the same key starts nothing and gives the same intent", async () => {
    const rig = await openRig();
    const first = await rig.pipeline.execute(draft("fs.write", "data/a.csv", key));
    const size = rig.ledger.size;
    rig.clock.advance(5000);
    const second = await rig.pipeline.execute(
      draft("fs.write", "data/a.csv", { ...key, correlationId: "other", context: { try: 2 } }),
    );
    expect(second.intentId).toBe(first.intentId);
    expect(second.correlationId).toBe(first.correlationId);
    expect(endOf(second)).toBe("executed");
    expect(rig.sandbox.starts).toBe(1);
    expect(rig.disk.done).toEqual(["fs_write data/a.csv"]);
    expect(rig.ledger.size).toBe(size);
    if (first.status === "executed" && second.status === "executed") {
      expect(second.output).toEqual(first.output);
      expect(second.bundle.digest).toBe(first.bundle.digest);
      expect([second.fuel, second.hostCalls]).toEqual([first.fuel, first.hostCalls]);
    }
  });

  test("twenty at once start one execution", async () => {
    const rig = await openRig();
    const results = await Promise.all(
      Array.from({ length: 20 }, () => rig.pipeline.execute(draft("fs.write", "data/a.csv", key))),
    );
    expect(new Set(results.map((result) => result.intentId)).size).toBe(1);
    expect(results.map(endOf)).toEqual(Array.from({ length: 20 }, () => "executed"));
    expect(rig.sandbox.starts).toBe(1);
    expect(rig.disk.done).toHaveLength(1);
    expect(checkStore(rig)).toHaveLength(1);
  });

  test("a request that comes while the run is under way waits for it", async () => {
    const rig = await openRig();
    let release = (): void => undefined;
    rig.disk.onWrite = () => new Promise((resolve) => (release = () => resolve("ok")));
    const first = rig.pipeline.execute(draft("fs.write", "data/a.csv", key));
    while (rig.sandbox.starts === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const second = rig.pipeline.execute(draft("fs.write", "data/a.csv", key));
    await new Promise((resolve) => setTimeout(resolve, 5));
    release();
    const [a, b] = await Promise.all([first, second]);
    expect([endOf(a), endOf(b)]).toEqual(["executed", "executed"]);
    expect(a.intentId).toBe(b.intentId);
    expect(rig.sandbox.starts).toBe(1);
  });

  test.each([
    ["denied EXO_POLICY_DENIED", "fs.read", "secret/a.csv"],
    ["failed EXO_GUEST_ERROR", "fs.read", "data/missing.csv"],
    ["approval_pending", "fs.remove", "data/orders.csv"],
  ])("a retry of what came to %s gives the same", async (end, action, path) => {
    const rig = await openRig();
    const first = await rig.pipeline.execute(draft(action, path, key));
    const size = rig.ledger.size;
    const again = await rig.pipeline.execute(draft(action, path, key));
    expect([endOf(first), endOf(again)]).toEqual([end, end]);
    expect(again.intentId).toBe(first.intentId);
    expect(again.decision).toEqual(first.decision);
    expect(again.safety).toEqual(first.safety);
    if ("reason" in first && "reason" in again) expect(again.reason).toEqual(first.reason);
    if (first.status === "approval_pending") expect(requestOf(again)).toEqual(first.approval);
    expect(rig.ledger.size).toBe(size);
  });

  test("a retry of an in-doubt action says so, and runs nothing", async () => {
    const rig = await openRig();
    rig.disk.onWrite = () => Promise.resolve("unknown");
    const first = await rig.pipeline.execute(draft("fs.write", "data/a.csv", key));
    rig.disk.onWrite = null;
    const again = await rig.pipeline.execute(draft("fs.write", "data/a.csv", key));
    expect([endOf(first), endOf(again)]).toEqual(["in_doubt EXO_IN_DOUBT", "in_doubt EXO_IN_DOUBT"]);
    expect(rig.sandbox.starts).toBe(1);
  });

  test("a retry after the approval gives the outcome", async () => {
    const rig = await openRig();
    const pending = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv", key));
    await rig.pipeline.decide(await grant(requestOf(pending), "alice", keys.alice));
    expect(endOf(await rig.pipeline.execute(draft("fs.remove", "data/orders.csv", key)))).toBe("executed");
    expect(rig.sandbox.starts).toBe(1);
  });

  test.each<[string, { readonly [name: string]: unknown }]>([
    ["other parameters", { parameters: { path: "data/a.csv", text: "x" } }],
    ["another action", { action: "fs.read" }],
    ["another actor", { actor: { id: "somebody", type: "agent" } }],
    ["another actor type", { actor: { id: "report-agent", type: "person" } }],
  ])("the same key with %s is thrown and leaves nothing", async (_name, more) => {
    const rig = await openRig();
    const first = await rig.pipeline.execute(draft("fs.write", "data/a.csv", key));
    const { size } = rig.ledger;
    const attempt = rig.pipeline.execute({ ...(draft("fs.write", "data/a.csv", key) as object), ...more } as never);
    await expect(attempt).rejects.toMatchObject({ code: "EXO_IDEMPOTENCY_CONFLICT" });
    expect(rig.ledger.size).toBe(size);
    expect(intentRecords(rig.store).map((record) => record.intentId)).toEqual([first.intentId]);
    expect(rig.sandbox.starts).toBe(1);
  });

  test("a key belongs to its tenant and principal", async () => {
    const rig = await openRig({
      rules: [{ id: "all", match: { action: "fs.write" }, verdict: "allow" }],
    });
    const as = (principal: string) => ({ requester: { principal, method: "library" } as const });
    const ids = [
      await rig.pipeline.execute(draft("fs.write", "data/a.csv", key), as("one")),
      await rig.pipeline.execute(draft("fs.write", "data/a.csv", key), as("two")),
      await rig.pipeline.execute(draft("fs.write", "data/a.csv", { ...key, tenantId: "other" }), as("one")),
      await rig.pipeline.execute(draft("fs.write", "data/a.csv", key), as("one")),
    ].map((result) => result.intentId);
    expect(new Set(ids).size).toBe(3);
    expect(ids[3]).toBe(ids[0]);
    expect(rig.sandbox.starts).toBe(3);
  });

  test("names cannot be shifted between tenant, principal and key", async () => {
    const rig = await openRig({
      rules: [{ id: "all", match: { action: "fs.write" }, verdict: "allow" }],
      tenants: ["default", "a", "ab"],
    });
    const one = await rig.pipeline.execute(draft("fs.write", "data/a", { tenantId: "a", idempotencyKey: "c" }), {
      requester: { principal: "bb", method: "library" },
    });
    const two = await rig.pipeline.execute(draft("fs.write", "data/a", { tenantId: "ab", idempotencyKey: "c" }), {
      requester: { principal: "b", method: "library" },
    });
    expect(one.intentId).not.toBe(two.intentId);
    expect(rig.sandbox.starts).toBe(2);
  });

  test("a reused intent id is refused, whatever the key", async () => {
    const rig = await openRig();
    const intentId = "01HZZZZZZZZZZZZZZZZZZZZZZZ";
    await rig.pipeline.execute(draft("fs.read", "data/orders.csv", { intentId, idempotencyKey: "a" }));
    const { size } = rig.ledger;
    const attempt = rig.pipeline.execute(draft("fs.read", "data/orders.csv", { intentId, idempotencyKey: "b" }));
    await expect(attempt).rejects.toMatchObject({ code: "EXO_INTENT_REUSED" });
    expect(rig.ledger.size).toBe(size);
  });

  test("the very same intent from another principal does not get the first one's result", async () => {
    const rig = await openRig();
    const same = draft("fs.read", "data/orders.csv", {
      intentId: "01HZZZZZZZZZZZZZZZZZZZZZZZ",
      correlationId: "c",
      requestedAt: "2026-01-31T09:00:00.000Z",
    });
    await rig.pipeline.execute(same, { requester: { principal: "owner", method: "library" } });
    const attempt = rig.pipeline.execute(same, { requester: { principal: "thief", method: "library" } });
    await expect(attempt).rejects.toMatchObject({ code: "EXO_INTENT_REUSED" });
  });

  test("a malformed requester is thrown and leaves nothing", async () => {
    const rig = await openRig();
    const { size } = rig.ledger;
    for (const requester of [
      { principal: "", method: "library" },
      { principal: "x", method: "guess" },
      { principal: "x", method: "token", admin: true },
    ]) {
      const attempt = rig.pipeline.execute(draft("fs.read", "data/orders.csv"), { requester: requester as never });
      await expect(attempt).rejects.toMatchObject({ code: "EXO_SCHEMA" });
    }
    expect(rig.ledger.size).toBe(size);
  });

  test("a token may not act as somebody else", async () => {
    const rig = await openRig();
    const asToken = (principal: string, onBehalfOf?: string) =>
      rig.pipeline.execute(draft("fs.read", "data/orders.csv"), {
        requester: { principal, method: "token", ...(onBehalfOf === undefined ? {} : { onBehalfOf }) },
      });
    expect(endOf(await asToken("stranger"))).toBe("denied EXO_ACTOR");
    expect(endOf(await asToken("report-agent"))).toBe("executed");
    expect(endOf(await asToken("gateway", "report-agent"))).toBe("executed");
    checkStore(rig);
  });
});
