import { describe, expect, test } from "vitest";
import { formatTime } from "../../src/canonical/time.js";
import { droppableRoles, type MaterialsDropOrder } from "../../src/contracts/retention.js";
import type { Trust } from "../../src/contracts/trust.js";
import { type IntentRecord, readState } from "../../src/pipeline/documents.js";
import { keptPreview, readPreview } from "../../src/pipeline/present.js";
import { blobKey, intentKeys } from "../../src/pipeline/store-keys.js";
import type { StoreReader } from "../../src/ports.js";
import { auditStore, type LogAudit } from "../../src/replay/audit-log.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { replay, TamperedStore } from "../replay/support.js";
import { makeBundles } from "../support/bundles.js";
import { CrashStore } from "../support/crash-store.js";
import { kvRig, kvRun } from "../support/kv.js";
import { draft, openRig, type Rig, requestOf } from "../support/rig.js";
import { dropOrder, grant, killOrder } from "../support/sign.js";
import { keys, origin, startMs, trusted, usualKeys } from "../support/world.js";

const counts = (intents: number, materials: number, kept = 0) => ({
  intents,
  materials,
  bytes: expect.any(Number) as number,
  kept,
});
const read = (rig: Rig, more = {}) => rig.pipeline.execute(draft("fs.read", "data/orders.csv", more));

function recordOf(store: StoreReader, intentId: string): IntentRecord {
  const record = readState<IntentRecord>(store, intentKeys.one(intentId));
  if (record === undefined) throw new Error(`no record of ${intentId}`);
  return record;
}

function held(store: StoreReader, intentId: string, role: string): boolean[] {
  return recordOf(store, intentId)
    .materials.filter((material) => material.role === role)
    .map(({ digest }) => store.get(blobKey(digest)) !== undefined);
}

const audit = (store: StoreReader, trust: Trust): LogAudit =>
  auditStore(store, { origin, vkey: trust.logs[0]?.vkey ?? "", trust });
const problems = (report: LogAudit): string[] =>
  report.checks.filter(({ state }) => state !== "pass").map(({ id, message }) => `${id}: ${message}`);

describe("a signed order drops what ended intents worked on", () => {
  test("from every ending at once: the log stays whole, and every bundle verifies for what is left", async () => {
    const { rig, intentIds, trust } = await makeBundles();
    const size = rig.ledger.size;
    const done = await rig.pipeline.dropMaterials(await dropOrder());
    expect(done.intents).toBe(9);
    expect(done.materials).toBeGreaterThan(30);
    expect(rig.ledger.size).toBe(size + 1);
    const report = audit(rig.store, trust);
    expect(problems(report)).toEqual([]);
    expect(report.checks.find(({ id }) => id === "materials")?.message).toMatch(
      new RegExp(`, ${done.materials} of them dropped by order$`),
    );
    expect(report.checks.find(({ id }) => id === "verify")?.message).toMatch(
      /checks not made, what they read was dropped$/,
    );
    for (const ending of ["executed", "failed", "denied", "approved", "expired"] as const) {
      const verified = verifyBundle(rig.pipeline.bundle(intentIds[ending])?.bytes() ?? new Uint8Array(), { trust });
      expect(verified.checks.filter(({ state }) => state === "fail")).toEqual([]);
      expect(verified.result).toBe("unable");
      const replayed = await replay(
        rig.pipeline.bundle(intentIds[ending])?.bytes() ?? new Uint8Array(),
        trust,
        rig.sandbox,
      );
      expect(replayed.result).toBe("partial");
    }
  });

  test("only of the roles that are named; the rest of the bundle is byte for byte what it was", async () => {
    const rig = await openRig();
    const { intentId } = await read(rig);
    const before = JSON.parse(new TextDecoder().decode(rig.pipeline.bundle(intentId)?.bytes()));
    expect(await rig.pipeline.dropMaterials(await dropOrder({ roles: ["output"] }))).toEqual(counts(1, 1));
    expect(held(rig.store, intentId, "output")).toEqual([false]);
    expect(held(rig.store, intentId, "input")).toEqual([true]);
    const after = JSON.parse(new TextDecoder().decode(rig.pipeline.bundle(intentId)?.bytes()));
    const gone = Object.keys(before.materials).filter((digest) => !(digest in after.materials));
    expect(gone).toEqual(recordOf(rig.store, intentId).dropped);
    for (const digest of gone) delete before.materials[digest];
    // The proof is of the same leaf in a log that has grown by the drop.
    expect({ ...after, logProof: "" }).toEqual({ ...before, logProof: "" });
  });

  test("the same request again is still the same action: its outcome without the output, and nothing runs", async () => {
    const rig = await openRig();
    const first = await read(rig, { idempotencyKey: "once" });
    await rig.pipeline.dropMaterials(await dropOrder());
    const again = await read(rig, { idempotencyKey: "once" });
    expect(again).toMatchObject({ status: "executed", intentId: first.intentId, output: null, outputDropped: true });
    expect(rig.sandbox.starts).toBe(1);
    expect(first).not.toHaveProperty("outputDropped");
    await expect(read(rig, { idempotencyKey: "once", parameters: { other: 1 } })).rejects.toMatchObject({
      code: "EXO_IDEMPOTENCY_CONFLICT",
    });
  });

  test("by age: what ended before the time, not what ended at it or later", async () => {
    const rig = await openRig();
    const old = await read(rig);
    rig.clock.advance(1000);
    const young = await read(rig);
    const order = await dropOrder({ endedBefore: formatTime(startMs + 1000), roles: ["output"] });
    expect(await rig.pipeline.dropMaterials(order)).toEqual(counts(1, 1));
    expect(held(rig.store, old.intentId, "output")).toEqual([false]);
    expect(held(rig.store, young.intentId, "output")).toEqual([true]);
  });

  test("named intents, and of those only what ended before a time that is given as well", async () => {
    const rig = await openRig();
    const [one, other] = [await read(rig), await read(rig)];
    const named = { intentIds: [one.intentId, one.intentId], roles: ["output" as const] };
    const early = await dropOrder({ ...named, endedBefore: formatTime(startMs) });
    expect(await rig.pipeline.dropMaterials(early)).toEqual(counts(0, 0));
    expect(await rig.pipeline.dropMaterials(await dropOrder({ ...named, endedBefore: null }))).toEqual(counts(1, 1));
    expect(held(rig.store, other.intentId, "output")).toEqual([true]);
  });

  test("of one tenant", async () => {
    const rig = await openRig();
    const [ours, theirs] = [await read(rig), await read(rig, { tenantId: "other" })];
    await rig.pipeline.dropMaterials(await dropOrder({ tenantId: "other" }));
    expect(held(rig.store, ours.intentId, "output")).toEqual([true]);
    expect(held(rig.store, theirs.intentId, "output")).toEqual([false]);
  });

  test("once: the same order again, and another like it, find nothing more and record nothing", async () => {
    const rig = await openRig();
    await read(rig);
    const order = await dropOrder();
    await rig.pipeline.dropMaterials(order);
    const size = rig.ledger.size;
    expect(await rig.pipeline.dropMaterials(order)).toEqual(counts(0, 0));
    expect(await rig.pipeline.dropMaterials(await dropOrder())).toEqual(counts(0, 0));
    expect(rig.ledger.size).toBe(size);
  });
});

describe("what stays", () => {
  test("whatever an open intent needs: pending keeps all, and goes on after its approval", async () => {
    const rig = await openRig();
    const pending = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv"));
    expect(await rig.pipeline.dropMaterials(await dropOrder())).toEqual(counts(0, 0));
    const named = await dropOrder({ intentIds: [pending.intentId] });
    await expect(rig.pipeline.dropMaterials(named)).rejects.toMatchObject({
      code: "EXO_MATERIAL_KEPT",
      message: `intent ${pending.intentId} has not ended; its state is pending`,
    });
    const done = await rig.pipeline.decide(await grant(requestOf(pending), "alice", keys.alice));
    expect(done.status).toBe("executed");
  });

  test("host calls and intent of a run that could write keys, so that the stored values can be checked", async () => {
    const rig = await kvRig();
    await kvRun(rig, [["put", "a", "1"]]);
    const [intentId = ""] = [...rig.store.range(intentKeys.all)].map(([key]) => key.slice(2));
    const { kept, materials } = await rig.pipeline.dropMaterials(await dropOrder());
    expect(materials).toBeGreaterThan(0);
    expect(kept).toBe(1 + held(rig.store, intentId, "host_call").length);
    expect(held(rig.store, intentId, "intent")).toEqual([true]);
    expect(held(rig.store, intentId, "host_call")).not.toContain(false);
    expect(held(rig.store, intentId, "output")).toEqual([false]);
    expect(problems(audit(rig.store, rig.trust))).toEqual([]);
  });

  test("an approval's request, whose preview is then known to be gone", async () => {
    const { rig } = await makeBundles();
    const views = rig.pipeline.approvals();
    expect(views.length).toBeGreaterThan(0);
    for (const { request } of views) expect(keptPreview(rig.store, request)).toMatchObject({ effects: "write" });
    await rig.pipeline.dropMaterials(await dropOrder());
    expect(rig.pipeline.approvals()).toEqual(views);
    for (const { request } of views) expect(keptPreview(rig.store, request)).toBeNull();
    for (const { request } of views)
      expect(() => readPreview(rig.store, request)).toThrow(expect.objectContaining({ code: "EXO_STORE_DAMAGED" }));
  });

  test("policy, plugin, manifest, grants, approvals and configuration", async () => {
    const { rig, intentIds } = await makeBundles();
    await rig.pipeline.dropMaterials(await dropOrder());
    const kept = recordOf(rig.store, intentIds.approved).materials.filter(
      ({ role }) => !(droppableRoles as readonly string[]).includes(role),
    );
    expect(new Set(kept.map(({ role }) => role))).toEqual(
      new Set([
        ...["policy", "policy_envelope", "safety_config", "safety_snapshot", "grants", "config"],
        ...["approval_request", "approval_grant", "manifest", "plugin"],
      ]),
    );
    for (const { digest } of kept) expect(rig.store.get(blobKey(digest))).toBeDefined();
  });
});

describe("an order that is refused leaves everything as it is", () => {
  const cases: readonly [string, Partial<MaterialsDropOrder>, string, string][] = [
    ["neither intents nor a time", { endedBefore: null }, "EXO_SCHEMA", "names intents or a time"],
    ["a role that must stay", { roles: ["policy" as never] }, "EXO_SCHEMA", "roles"],
    ["no role", { roles: [] }, "EXO_SCHEMA", "roles"],
    ["the intent without what shows it", { roles: ["intent", "output"] }, "EXO_SCHEMA", "with the role intent go"],
    ["no reason", { reason: "" }, "EXO_SCHEMA", "reason"],
    ["another cell", { cellId: "elsewhere" }, "EXO_ORDER", "the order is for cell elsewhere"],
    ["another's name", { operator: { id: "root", keyId: keys.operator.keyId } }, "EXO_ORDER", "not root's"],
    ["an unknown tenant", { tenantId: "nobody" }, "EXO_TENANT_UNKNOWN", "no tenant nobody"],
    ["an unknown intent", { intentIds: ["01K00000000000000000000000"] }, "EXO_INTENT_UNKNOWN", "no intent has the id"],
  ];
  test.each(cases)("%s", async (_name, more, code, message) => {
    const rig = await openRig();
    const { intentId } = await read(rig);
    const size = rig.ledger.size;
    const refused = rig.pipeline.dropMaterials(await dropOrder(more));
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    expect(held(rig.store, intentId, "output")).toEqual([true]);
    expect(rig.ledger.size).toBe(size);
  });

  test.each([
    ["an approver's key", keys.alice],
    ["the runtime's key", keys.runtime],
  ])("signed by %s", async (_name, signer) => {
    const rig = await openRig();
    await read(rig);
    await expect(rig.pipeline.dropMaterials(await dropOrder({}, signer))).rejects.toMatchObject({
      code: "EXO_TRUST",
    });
  });

  test("another kind of order under this name, and this one under another's nonce", async () => {
    const rig = await openRig();
    await read(rig);
    const { nonce } = JSON.parse(atob((await killOrder(true)).payload)) as { nonce: string };
    await rig.pipeline.switchKill(await killOrder(true, { nonce }));
    await expect(rig.pipeline.dropMaterials(await dropOrder({ nonce }))).rejects.toMatchObject({
      code: "EXO_ORDER",
      message: "the order's nonce was used by another order",
    });
    await expect(rig.pipeline.dropMaterials(await killOrder(true))).rejects.toMatchObject({ code: "EXO_ENVELOPE" });
  });

  test("an operator of one tenant reaches no other's, by name or by the cell", async () => {
    const trustKeys = usualKeys
      .filter(({ role }) => role !== "operator")
      .concat(trusted("operator", "ops", keys.operator, { tenants: ["other"] }));
    const rig = await openRig({ trustKeys });
    const { intentId } = await read(rig);
    await expect(rig.pipeline.dropMaterials(await dropOrder())).rejects.toMatchObject({ code: "EXO_ORDER" });
    const named = await dropOrder({ tenantId: "other", intentIds: [intentId] });
    await expect(rig.pipeline.dropMaterials(named)).rejects.toMatchObject({ code: "EXO_INTENT_UNKNOWN" });
    expect(held(rig.store, intentId, "output")).toEqual([true]);
  });
});

describe("a crash", () => {
  test.each(["before", "after"] as const)(
    "%s the commit leaves all of it or nothing, and the order goes on",
    async (mode) => {
      const inner = createMemoryStore();
      const store = new CrashStore(inner);
      const rig = await openRig({ store });
      const { intentId } = await read(rig);
      const order = await dropOrder();
      store.arm(1, mode);
      await expect(rig.pipeline.dropMaterials(order)).rejects.toMatchObject({ code: "EXO_STORE" });
      expect(held(inner, intentId, "output")).toEqual([mode === "before"]);
      expect(problems(audit(inner, rig.trust))).toEqual([]);
      const next = await openRig({ store: inner, seed: "second" });
      const done = await next.pipeline.dropMaterials(order);
      expect(done.intents).toBe(mode === "before" ? 1 : 0);
      expect(held(inner, intentId, "output")).toEqual([false]);
      expect(problems(audit(inner, rig.trust))).toEqual([]);
    },
  );
});

describe("log check finds", () => {
  async function dropped(): Promise<{ store: TamperedStore; intentId: string; trust: Trust }> {
    const rig = await openRig();
    const { intentId } = await read(rig);
    await rig.pipeline.dropMaterials(await dropOrder({ roles: ["output"] }));
    return { store: new TamperedStore(rig.store), intentId, trust: rig.trust };
  }
  const digestOfRole = (store: StoreReader, intentId: string, role: string) =>
    recordOf(store, intentId).materials.find((material) => material.role === role)?.digest ?? "";
  const setDropped = (store: TamperedStore, intentId: string, digests: readonly string[]) =>
    store.put(
      intentKeys.one(intentId),
      new TextEncoder().encode(JSON.stringify({ ...recordOf(store, intentId), dropped: digests })),
    );

  test("a material taken away that no order named", async () => {
    const { store, intentId, trust } = await dropped();
    store.put(blobKey(digestOfRole(store, intentId, "input")), null);
    expect(problems(audit(store, trust))[0]).toMatch(/^materials: input sha256:\S+ of intent \S+ is missing/);
  });

  test("the same with a state that says it was dropped", async () => {
    const { store, intentId, trust } = await dropped();
    const digests = ["input", "output"].map((role) => digestOfRole(store, intentId, role));
    store.put(blobKey(digests[0] ?? ""), null);
    setDropped(store, intentId, digests);
    expect(problems(audit(store, trust))[0]).toMatch(
      /is missing; the state of intent \S+ says that \S+ was dropped, and the log does not/,
    );
  });

  test("a state that hides a drop", async () => {
    const { store, intentId, trust } = await dropped();
    setDropped(store, intentId, []);
    expect(problems(audit(store, trust))[0]).toMatch(
      /^materials: the state of intent \S+ does not say that \S+ was dropped/,
    );
  });

  test("a dropped material that came back", async () => {
    const rig = await openRig();
    const { intentId } = await read(rig);
    const key = blobKey(digestOfRole(rig.store, intentId, "output"));
    const bytes = rig.store.get(key) ?? null;
    await rig.pipeline.dropMaterials(await dropOrder());
    const store = new TamperedStore(rig.store, [{ key, value: bytes }]);
    expect(problems(audit(store, rig.trust))[0]).toMatch(
      /^materials: output \S+ of intent \S+ was dropped and is there/,
    );
  });

  test("the order itself taken away", async () => {
    const rig = await openRig();
    await read(rig);
    const before = new Set([...rig.store.range({ gte: "b/", lt: "b0" })].map(([key]) => key));
    await rig.pipeline.dropMaterials(await dropOrder());
    const [order = ""] = [...rig.store.range({ gte: "b/", lt: "b0" })]
      .map(([key]) => key)
      .filter((key) => !before.has(key));
    const store = new TamperedStore(rig.store, [{ key: order, value: null }]);
    expect(problems(audit(store, rig.trust))[0]).toMatch(/^materials: the order of \S+, sha256:\S+, is missing/);
  });
});

test("a large order goes in parts, each an event of its own, and an intent may be cut in two", async () => {
  const rig = await kvRig({ grants: { kv: { kv_get: {} } } as never });
  // 30 runs of 60 reads each: 1,800 host calls in two events.
  for (let run = 0; run < 30; run++)
    await kvRun(
      rig,
      Array.from({ length: 60 }, (_, at) => ["get", `k${at}`] as const),
    );
  const size = rig.ledger.size;
  const done = await rig.pipeline.dropMaterials(await dropOrder({ roles: ["host_call"] }));
  expect(done).toEqual(counts(30, 1800));
  expect(rig.ledger.size).toBe(size + 2);
  expect(problems(audit(rig.store, rig.trust))).toEqual([]);
});
