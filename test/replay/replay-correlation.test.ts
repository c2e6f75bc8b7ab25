import { beforeAll, describe, expect, it } from "vitest";
import type { CanonicalEvent } from "../../src/contracts/event.js";
import type { ReplayReport } from "../../src/contracts/replay-report.js";
import { eventKeys } from "../../src/pipeline/store-keys.js";
import { type AuditStore, eventAuditSource, storeAuditSource } from "../../src/replay/audit-source.js";
import { createEvent } from "../../src/replay/create-event.js";
import { ReplayEngine } from "../../src/replay/replay-engine.js";
import { eventDigestOf } from "../../src/replay/replay-events.js";
import { type Bundles, type Ending, makeBundles } from "../support/bundles.js";
import { Forge } from "../support/forge.js";
import { draft, openRig, type Rig } from "../support/rig.js";
import { replayEvents, TamperedStore } from "./support.js";

let all: Bundles;
let events: CanonicalEvent[];
beforeAll(async () => {
  all = await makeBundles();
  events = trace("approved");
});

const trace = (ending: Ending): CanonicalEvent[] => all.rig.pipeline.trace(all.intentIds[ending]);
const id = "case-approved";
const kinds = (report: ReplayReport): string[] =>
  report.checks.filter(({ state }) => state === "fail").map((check) => check.id);
const copy = (): CanonicalEvent[] => structuredClone(events);
const at = (list: readonly CanonicalEvent[], place: number): CanonicalEvent => {
  const found = list.at(place);
  if (found === undefined) throw new Error(`no event ${place}`);
  return found;
};

describe("events alone", () => {
  const changes: readonly [string, (event: CanonicalEvent) => unknown, readonly string[]][] = [
    [
      "a blank digest",
      (e) => (e.payloadDigest = `sha256:${"0".repeat(64)}`),
      ["chain_mismatch", "payload_hash_mismatch"],
    ],
    ["another salt", (e) => (e.salt = "A".repeat(43)), ["payload_hash_mismatch"]],
    ["another actor", (e) => (e.actor = { id: "mallory", type: "agent" }), ["chain_mismatch"]],
    ["another tenant's", (e) => (e.cellId = "elsewhere"), ["chain_mismatch", "chain_mismatch"]],
    ["a time before", (e) => (e.recordedAt = "2020-01-01T00:00:00.000Z"), ["chain_mismatch", "chain_mismatch"]],
    ["a time that is none", (e) => (e.recordedAt = "2026-02-31T00:00:00.000Z"), ["chain_mismatch", "chain_mismatch"]],
    ["another event's id", (e) => (e.eventId = at(events, 0).eventId), ["chain_mismatch", "chain_mismatch"]],
    [
      "another type",
      (e) => (e.eventType = "intent_denied"),
      ["chain_mismatch", "schema_version_mismatch", "lifecycle_mismatch"],
    ],
  ];

  it("a whole chain replays", async () => {
    const report = await replayEvents(id, events);
    expect(report).toMatchObject({
      result: "success",
      failures: [],
      warnings: [],
      divergence: null,
      counts: { events: 13, intents: 1, executions: 0 },
      levels: { structure: "pass", governance: "not_applicable", execution: "not_applicable" },
      target: { kind: "correlation", id },
    });
  });

  it("one system event replays", async () => {
    const [first] =
      [...all.rig.store.range(eventKeys.range("default", "system"))].length > 0 ? systemEvents(all.rig) : [];
    expect(first?.intentId).toBeNull();
    const report = await new ReplayEngine({
      auditStore: eventAuditSource([first as CanonicalEvent]),
    }).replayCorrelation("system");
    expect(report).toMatchObject({
      result: "success",
      failures: [],
      warnings: [],
      counts: { events: 1, intents: 0, executions: 0 },
    });
  });

  it("in any order gives the same report", async () => {
    const expected = JSON.stringify(await replayEvents(id, events));
    const orders = [
      copy().reverse(),
      [...copy().slice(5), ...copy().slice(0, 5)],
      copy().sort((a, b) => (a.payloadDigest < b.payloadDigest ? -1 : 1)),
    ];
    for (const order of orders) expect(JSON.stringify(await replayEvents(id, order))).toBe(expected);
  });

  it("tampered and repeated, in any order gives the same report", async () => {
    const altered = { ...at(events, 2), payload: { verdict: "allow" } };
    const list = [...copy(), altered, at(events, 4)];
    const expected = JSON.stringify(await replayEvents(id, list));
    expect(JSON.stringify(await replayEvents(id, [...list].reverse()))).toBe(expected);
    expect(JSON.stringify(await replayEvents(id, [altered, ...copy().reverse(), at(events, 4)]))).toBe(expected);
  });

  it("a tampered payload is named, and the others are still looked at", async () => {
    const list = copy();
    at(list, 2).payload = { ...at(list, 2).payload, more: 1 };
    at(list, 8).payload = {};
    const report = await replayEvents(id, list);
    expect(report.result).toBe("failure");
    expect(report.counts.events).toBe(13);
    expect(kinds(report)).toEqual([
      "payload_hash_mismatch",
      "schema_version_mismatch",
      "payload_hash_mismatch",
      "schema_version_mismatch",
    ]);
    expect(report.failures[0]).toContain("event 2 (safety_evaluated)");
    expect(report.failures[2]).toContain("event 8 (safety_evaluated)");
    expect(report.divergence).toMatchObject({
      level: "structure",
      kind: "payload_hash_mismatch",
      step: "event 2 (safety_evaluated)",
      intentId: all.intentIds.approved,
    });
    expect(report.divergence?.expected).toBe(at(events, 2).payloadDigest);
  });

  it("a payload with its digest made to fit breaks the links instead", async () => {
    const list = copy();
    const honest = new Forge(all.bytes.approved);
    await honest.payload("policy_evaluated", (p) => (p.decision.rationale = "?"));
    at(list, 1).payload = honest.json("event_payload", 1);
    at(list, 1).payloadDigest = honest.headers()[1]?.payloadDigest as never;
    const report = await replayEvents(id, list);
    expect(kinds(report)).toEqual(["chain_mismatch"]);
    expect(report.divergence).toMatchObject({ kind: "chain_mismatch", step: "event 2" });
  });

  it.each(changes)("%s is a failure", async (_name, change, expected) => {
    const list = copy();
    change(at(list, 5));
    const report = await replayEvents(id, list);
    expect(report.result).toBe("failure");
    expect(kinds(report).slice(0, expected.length)).toEqual(expected);
  });

  it.each([0, 1, 6, 11])("event %i missing is a gap", async (place) => {
    const report = await replayEvents(
      id,
      copy().filter((_event, index) => index !== place),
    );
    expect(report.result).toBe("failure");
    expect(kinds(report)).toContain("sequence_gap");
    expect(report.divergence).toMatchObject({
      kind: "sequence_gap",
      expected: `sequence ${place}`,
      actual: `sequence ${place + 1}`,
    });
  });

  it("the end cut off is partial, since nobody says how long the chain was", async () => {
    const report = await replayEvents(id, copy().slice(0, -1));
    expect(report).toMatchObject({ result: "partial", failures: [] });
    expect(report.warnings).toEqual([`intent ${all.intentIds.approved} has not ended; its state is started`]);
  });

  it("an event twice is a warning, and partial", async () => {
    const report = await replayEvents(id, [...copy(), at(events, 3)]);
    expect(report).toMatchObject({ result: "partial", failures: [], counts: { events: 13 } });
    expect(report.warnings).toEqual([`event ${at(events, 3).eventId} is there twice`]);
  });

  it.each(["header", "payload"])("two events at one place with another %s are a failure", async (what) => {
    const other = structuredClone(at(events, 3));
    if (what === "header") other.actor = { id: "x", type: "y" };
    else other.payload = { final: {} };
    for (const list of [
      [...copy(), other],
      [other, ...copy()],
    ]) {
      const report = await replayEvents(id, list);
      expect(report.result).toBe("failure");
      expect(kinds(report)).toContain("chain_mismatch");
    }
  });

  it("a chain with a second end is a failure", async () => {
    const last = at(events, -1);
    const again = {
      ...structuredClone(last),
      sequence: 13,
      previous: eventDigestOf(last) as never,
      eventId: "01JZZZZZZZZZZZZZZZZZZZZZZZ",
    };
    const report = await replayEvents(id, [...copy(), again]);
    expect(kinds(report)).toEqual(["lifecycle_mismatch"]);
    expect(report.failures[0]).toContain("an event that can follow completed, came execution_completed");
  });

  it("a type nobody knows is partial", async () => {
    const made = createEvent({
      eventId: "01JZZZZZZZZZZZZZZZZZZZZZZZ",
      eventType: "key_rotated",
      actor: { id: "runtime", type: "runtime" },
      correlationId: "moon",
      recordedAt: "2026-01-01T00:00:00.000Z",
      payload: { role: "log", id: "log", keyId: "0".repeat(32), from: null, previous: null },
    });
    expect(await replayEvents("moon", [made])).toMatchObject({ result: "success", failures: [] });
    const unknown = { ...made, eventType: "moon_phase_changed" };
    const report = await replayEvents("moon", [unknown]);
    expect(report).toMatchObject({ result: "partial", failures: [] });
    expect(report.warnings).toEqual([`event ${unknown.eventId} has the unknown type moon_phase_changed`]);
  });

  it.each([[null], ["text"], [{}], [{ correlationId: id }], [[1]]])("%j is no event and is refused", async (input) => {
    const auditStore: AuditStore = { chains: () => [{ tenantId: "default", events: [...events, input], next: null }] };
    await expect(new ReplayEngine({ auditStore }).replayCorrelation(id)).rejects.toMatchObject({ code: "EXO_SCHEMA" });
  });

  it("no records is a result of its own", async () => {
    for (const engine of [new ReplayEngine(), new ReplayEngine({ auditStore: eventAuditSource(events) })]) {
      const report = await engine.replayCorrelation("nowhere");
      expect(report.result).toBe("no_audit_records");
      expect(report.failures).toEqual(["No audit records found for correlation_id: nowhere"]);
      expect(report.counts).toEqual({ events: 0, intents: 0, executions: 0 });
      expect(report.checks[0]).toMatchObject({ code: "EXO_NO_RECORDS", state: "fail" });
    }
  });

  it("one correlation id of two tenants is two chains", async () => {
    const { rig, ids } = await twoIntents(["default", "other"]);
    const list = ids.flatMap((intentId) => rig.pipeline.trace(intentId));
    const report = await replayEvents("shared", list);
    expect(report).toMatchObject({ result: "success", failures: [], counts: { intents: 2, events: 10 } });
    expect(JSON.stringify(await replayEvents("shared", [...list].reverse()))).toBe(JSON.stringify(report));
  });

  it("two intents in one correlation, one of them open, are one chain and partial", async () => {
    const { rig, ids } = await twoIntents(["default", "default"]);
    const open = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv", { correlationId: "shared" }));
    const report = await new ReplayEngine({
      auditStore: storeAuditSource(rig.store, rig.ledger),
      trust: rig.trust,
    }).replayCorrelation("shared");
    expect(open.status).toBe("approval_pending");
    expect(report).toMatchObject({ result: "partial", failures: [], counts: { intents: 3, events: 15 } });
    expect(report.warnings).toEqual([`intent ${open.intentId} has not ended; its state is pending`]);
    expect(report.checks.filter((check) => check.id === "bundle").map((check) => check.intentId)).toEqual(ids);
  });

  it("two interleaved intents replay", async () => {
    const rig = await openRig();
    const first = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv", { correlationId: "shared" }));
    const second = await rig.pipeline.execute(draft("fs.read", "secrets/x", { correlationId: "shared" }));
    rig.clock.advance(10_000_000);
    await rig.pipeline.expireApprovals();
    const engine = new ReplayEngine({ auditStore: storeAuditSource(rig.store, rig.ledger), trust: rig.trust });
    const report = await engine.replayCorrelation("shared");
    expect(report).toMatchObject({ result: "success", failures: [], warnings: [], counts: { intents: 2, events: 12 } });
    expect(new Set(report.checks.map((check) => check.intentId))).toEqual(
      new Set([null, first.intentId, second.intentId]),
    );
  });
});

function systemEvents(rig: Rig): CanonicalEvent[] {
  const source = storeAuditSource(rig.store, rig.ledger);
  return source.chains("system").flatMap((chain) => chain.events as CanonicalEvent[]);
}

async function twoIntents(tenants: readonly string[]): Promise<{ rig: Rig; ids: string[] }> {
  const rig = await openRig();
  const ids: string[] = [];
  for (const tenantId of tenants) {
    const { intentId } = await rig.pipeline.execute(
      draft("fs.read", "secrets/x", { correlationId: "shared", tenantId }),
    );
    ids.push(intentId);
  }
  return { rig, ids };
}

describe("a runtime's store", () => {
  const engineOver = (store: TamperedStore, bundle?: (intentId: string) => Uint8Array | undefined): ReplayEngine => {
    const auditStore = storeAuditSource(store, all.rig.ledger);
    return new ReplayEngine({
      auditStore: bundle === undefined ? auditStore : { ...auditStore, bundle },
      trust: all.trust,
    });
  };

  it.each(["denied", "refused", "executed", "failed", "written", "approved", "approvalDenied", "expired"] as const)(
    "%s: chain and bundle replay",
    async (ending) => {
      const report = await engineOver(new TamperedStore(all.rig.store)).replayCorrelation(`case-${ending}`);
      expect(report.failures).toEqual([]);
      expect(report.result).toBe("success");
      expect(report.checks.find((check) => check.id === "bundle")).toMatchObject({ state: "pass" });
    },
  );

  it("the tail cut off is a failure, for the chain's head says how long it is", async () => {
    const store = new TamperedStore(all.rig.store, [{ key: eventKeys.one("default", "case-denied", 4), value: null }]);
    const report = await engineOver(store, () => undefined).replayCorrelation("case-denied");
    expect(report.result).toBe("failure");
    expect(report.divergence).toMatchObject({ kind: "missing_events", expected: "5 events", actual: "4" });
  });

  it("an ended intent without a bundle is a failure", async () => {
    const report = await engineOver(new TamperedStore(all.rig.store), () => undefined).replayCorrelation("case-denied");
    expect(report.failures).toEqual([`intent ${all.intentIds.denied} has ended and has no bundle`]);
  });

  it("another intent's whole bundle is a failure", async () => {
    const report = await engineOver(new TamperedStore(all.rig.store), () => all.bytes.executed).replayCorrelation(
      "case-denied",
    );
    expect(report.result).toBe("failure");
    expect(report.divergence).toMatchObject({
      kind: "chain_mismatch",
      step: "bundle",
      expected: all.intentIds.denied,
      actual: all.intentIds.executed,
    });
  });

  it("a signed bundle of other events than were recorded is a failure", async () => {
    const forge = new Forge(all.bytes.denied);
    await forge.payload("intent_denied", (p) => (p.reason.message = "?"));
    const bytes = await forge.pack();
    const report = await engineOver(new TamperedStore(all.rig.store), () => bytes).replayCorrelation("case-denied");
    expect(report.result).toBe("failure");
    expect(report.failures).toHaveLength(1);
    expect(report.divergence).toMatchObject({ kind: "chain_mismatch", step: "bundle" });
  });

  it("a forged bundle beside a whole chain is a failure", async () => {
    const bytes = all.bytes.denied.slice(0, -1);
    const report = await engineOver(new TamperedStore(all.rig.store), () => bytes).replayCorrelation("case-denied");
    expect(report).toMatchObject({ result: "failure", divergence: { kind: "canonicalization_mismatch" } });
  });
});
