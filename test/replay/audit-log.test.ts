import { beforeAll, describe, expect, it } from "vitest";
import { formatTime } from "../../src/canonical/time.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { compareCheckpoint } from "../../src/log/audit.js";
import { type IntentRecord, readState } from "../../src/pipeline/documents.js";
import { appendEvent } from "../../src/pipeline/recorder.js";
import { blobKey, bundleKey, eventKeys, intentKeys } from "../../src/pipeline/store-keys.js";
import type { StoreReader } from "../../src/ports.js";
import { auditStore, type LogAudit } from "../../src/replay/audit-log.js";
import { type Bundles, endingRig, makeBundles } from "../support/bundles.js";
import { draft, type Rig, requestOf } from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys, origin, seededIds, startMs } from "../support/world.js";
import { TamperedStore } from "./support.js";

let all: Bundles;
let vkey: string;
beforeAll(async () => {
  all = await makeBundles();
  vkey = all.trust.logs[0]?.vkey ?? "";
});

const audit = (store: StoreReader): LogAudit => auditStore(store, { origin, vkey, trust: all.trust });
const tampered = (): TamperedStore => new TamperedStore(all.rig.store);
const failed = (report: LogAudit): string[] =>
  report.checks.filter(({ state }) => state === "fail").map(({ id }) => id);
const messageOf = (report: LogAudit, id: string): string =>
  report.checks.find((check) => check.id === id)?.message ?? "";

function recordOf(ending: keyof Bundles["intentIds"]): IntentRecord {
  const record = readState<IntentRecord>(all.rig.store, intentKeys.one(all.intentIds[ending]));
  if (record === undefined) throw new Error("no record");
  return record;
}

describe("the head of a chain", () => {
  it.each([
    ["recordedAt", "2031-01-01T00:00:00.000Z"],
    ["previous", `sha256:${"0".repeat(64)}`],
    ["previous", null],
    ["next", 1],
  ])("with another %s is damage: the next event would be linked to it", (name, value) => {
    const store = tampered();
    const [key = ""] = store.keys("c/");
    store.put(key, encodeUtf8(JSON.stringify({ ...readState<object>(store, key), [name]: value })));
    expect(failed(audit(store))).toContain("chains");
  });
});

describe("an honest store", () => {
  it("passes every check", () => {
    const report = audit(all.rig.store);
    expect(report.checks.filter(({ state }) => state !== "pass")).toEqual([]);
    expect(report.checks.map(({ id }) => id)).toEqual([
      "tree",
      "checkpoint",
      "leaves",
      "state",
      "events",
      "bundles",
      "chains",
      "ends",
      "spent",
      "materials",
      "keys",
      "verify",
    ]);
    expect(report).toMatchObject({
      schema: "exoarmur.log-audit/v1",
      result: "pass",
      counts: { bundles: 9, intents: 9 },
      open: [],
    });
    expect(report.size).toBe(report.counts.events + report.counts.bundles);
  });

  it("a copy of it passes too, and an empty log", async () => {
    expect(audit(tampered()).result).toBe("pass");
  });

  it("lists what has not ended", async () => {
    const rig = await endingRig();
    const pending = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv"));
    const report = auditStore(rig.store, { origin, vkey, trust: rig.trust });
    expect(report).toMatchObject({ result: "pass", open: [{ intentId: pending.intentId, state: "pending" }] });
  });
});

describe("a store changed behind everybody's back", () => {
  it("the last leaf removed", () => {
    const store = tampered();
    store.put(store.keys("l/").at(-1) ?? "", null);
    const report = audit(store);
    expect(report.result).toBe("fail");
    expect(failed(report)).toContain("tree");
    expect(failed(report).some((id) => id === "events" || id === "bundles")).toBe(true);
    expect(messageOf(report, "tree")).toContain("The checkpoint is of");
  });

  it("two leaves swapped", () => {
    const store = tampered();
    const [a = "", b = ""] = store.keys("l/");
    const [left, right] = [store.get(a), store.get(b)];
    store.put(a, right ?? null);
    store.put(b, left ?? null);
    expect(failed(audit(store))).toEqual(["tree"]);
  });

  it("a leaf twice", () => {
    const store = tampered();
    const [a = "", b = ""] = store.keys("l/");
    store.put(b, store.get(a) ?? null);
    expect(failed(audit(store))).toEqual(["tree", "leaves", "events"]);
  });

  it("a leaf of no known kind", () => {
    const store = tampered();
    store.put(store.keys("l/")[0] ?? "", encodeUtf8("{}"));
    expect(failed(audit(store))).toEqual(expect.arrayContaining(["tree", "leaves", "events"]));
  });

  it("a node altered", () => {
    const store = tampered();
    const [key = ""] = store.keys("t/");
    store.flip(key, 0);
    const report = audit(store);
    expect(failed(report)).toContain("tree");
    expect(messageOf(report, "tree")).toContain(`The node ${key} is not the hash of its leaves`);
  });

  it("the checkpoint altered", () => {
    const store = tampered();
    store.flip("m/checkpoint", -5);
    expect(failed(audit(store))).toContain("checkpoint");
  });

  it("the checkpoint gone", () => {
    const store = tampered();
    store.put("m/checkpoint", null);
    expect(failed(audit(store))).toEqual(expect.arrayContaining(["tree", "checkpoint", "verify"]));
  });

  it("another log's key or name", () => {
    const foreign = { origin, vkey, trust: all.trust };
    const other = `${origin}+00000000+AAAA`;
    expect(failed(auditStore(all.rig.store, { ...foreign, vkey: other }))).toEqual(["checkpoint"]);
    expect(failed(auditStore(all.rig.store, { ...foreign, origin: "exoarmur/other" }))).toEqual([
      "checkpoint",
      "verify",
    ]);
  });

  const eventKey = (): string => eventKeys.one("default", "case-executed", 2);

  it("an event removed", () => {
    const store = tampered();
    store.put(eventKey(), null);
    const report = audit(store);
    expect(failed(report)).toEqual(["events", "chains", "verify"]);
    expect(messageOf(report, "chains")).toContain("expected sequence 2, came sequence 3");
    expect(messageOf(report, "events")).toContain("is in the log and not stored");
  });

  it("a chain's last event removed", () => {
    const store = tampered();
    store.put(eventKeys.one("default", "case-executed", 5), null);
    const report = audit(store);
    expect(failed(report)).toEqual(["events", "chains", "ends", "verify"]);
    expect(messageOf(report, "chains")).toContain("end of the chain: expected 6 events, came 5");
    expect(messageOf(report, "ends")).toContain(`intent ${all.intentIds.executed} (completed) has 0 terminal events`);
  });

  it("a chain's head removed", () => {
    const store = tampered();
    store.put(eventKeys.head("default", "case-executed"), null);
    expect(failed(audit(store))).toEqual(["events", "ends"]);
  });

  it("an event's payload altered in place", () => {
    const store = tampered();
    const packed = store.get(eventKey())?.slice() as Uint8Array;
    const at = new TextDecoder("latin1").decode(packed).lastIndexOf("no rule fired");
    packed[at] = "N".charCodeAt(0);
    store.put(eventKey(), packed);
    const report = audit(store);
    expect(failed(report)).toEqual(["chains", "verify"]);
    expect(messageOf(report, "chains")).toContain("event 2 (safety_evaluated)");
  });

  it("an event cut short", () => {
    const store = tampered();
    store.put(eventKey(), store.get(eventKey())?.slice(0, 40) ?? null);
    const report = audit(store);
    expect(failed(report)).toEqual(expect.arrayContaining(["events", "chains", "verify"]));
    expect(messageOf(report, "chains")).toContain("case-executed: EXO_STORE_DAMAGED: a stored event is cut short");
  });

  it("an event that is no JSON", () => {
    const store = tampered();
    store.flip(eventKey(), 4);
    expect(failed(audit(store))).toEqual(expect.arrayContaining(["events", "chains", "verify"]));
  });

  it("a material missing", () => {
    const digest = recordOf("executed").materials.find(({ role }) => role === "output")?.digest ?? "";
    const store = tampered();
    store.put(blobKey(digest), null);
    const report = audit(store);
    expect(failed(report)).toEqual(["materials", "verify"]);
    expect(messageOf(report, "materials")).toBe(`output ${digest} of intent ${all.intentIds.executed} is missing`);
  });

  it("a material altered", () => {
    const digest = recordOf("executed").materials.find(({ role }) => role === "output")?.digest ?? "";
    const store = tampered();
    store.flip(blobKey(digest), -3);
    const report = audit(store);
    expect(failed(report)).toEqual(["materials", "verify"]);
    expect(messageOf(report, "materials")).toContain("has other bytes");
  });

  it("a bundle's record removed", () => {
    const store = tampered();
    store.put(bundleKey(all.intentIds.denied), null);
    const report = audit(store);
    expect(failed(report)).toEqual(["bundles", "verify"]);
    expect(messageOf(report, "verify")).toContain(`intent ${all.intentIds.denied} has no bundle`);
  });

  it("one bundle's record in place of another's", () => {
    const store = tampered();
    store.put(bundleKey(all.intentIds.denied), store.get(bundleKey(all.intentIds.executed)) ?? null);
    expect(failed(audit(store))).toEqual(expect.arrayContaining(["bundles", "verify"]));
  });

  it.each(["not json", "{}", "[]", "null"])("state documents that say %j are named, not thrown", (text) => {
    for (const prefix of ["i/", "c/", "p/"]) {
      const store = tampered();
      store.put(store.keys(prefix)[0] ?? "", encodeUtf8(text));
      const report = audit(store);
      expect([prefix, report.result]).toEqual([prefix, "fail"]);
    }
  });

  it("an intent's record removed", () => {
    const store = tampered();
    store.put(intentKeys.one(all.intentIds.denied), null);
    const report = audit(store);
    expect(failed(report)).toEqual(expect.arrayContaining(["bundles", "ends"]));
    expect(messageOf(report, "ends")).toContain(`intent ${all.intentIds.denied} has events and no state`);
  });

  it("an intent's record in another state", () => {
    const store = tampered();
    const record = { ...recordOf("approved"), state: "started" };
    store.put(intentKeys.one(record.intentId), encodeUtf8(JSON.stringify(record)));
    const report = audit(store);
    expect(failed(report)).toEqual(["ends"]);
    expect(messageOf(report, "ends")).toContain("(started) has 1 terminal events");
  });
});

describe("a store whose own keys signed what must not be", () => {
  async function forgedRig(): Promise<{ rig: Rig; intentId: string; append: (at: number) => Promise<void> }> {
    const rig = await endingRig();
    const pending = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv", { correlationId: "c" }));
    for (const [name, key] of [
      ["alice", keys.alice],
      ["bob", keys.bob],
    ] as const) {
      await rig.pipeline.decide(await grant(requestOf(pending), name, key));
    }
    const { intentId } = pending;
    const ids = seededIds(rig.clock, "forger");
    const append = async (at: number): Promise<void> => {
      const event = rig.pipeline.trace(intentId).at(at);
      if (event === undefined) throw new Error("no event");
      const ports = { ids, saltKey: new Uint8Array(32), cellId: "local" };
      const subject = { tenantId: "default", correlationId: "c", intentId };
      await rig.ledger.transact((tx) => {
        appendEvent(
          tx,
          ports,
          subject,
          event.eventType as "intent_denied",
          event.payload as never,
          event.actor,
          startMs + 10_000_000,
        );
      });
    };
    return { rig, intentId, append };
  }

  it("an approval spent twice", async () => {
    const { rig, append } = await forgedRig();
    expect(auditStore(rig.store, { origin, vkey, trust: rig.trust }).result).toBe("pass");
    await append(-3);
    const report = auditStore(rig.store, { origin, vkey, trust: rig.trust });
    expect(failed(report)).toEqual(["chains", "spent"]);
    expect(messageOf(report, "spent")).toMatch(/^sha256:[0-9a-f]{64} was spent by \S+ and by \S+$/);
  });

  it("two ends of one intent", async () => {
    const { rig, intentId, append } = await forgedRig();
    await append(-1);
    const report = auditStore(rig.store, { origin, vkey, trust: rig.trust });
    expect(failed(report)).toEqual(["chains", "ends"]);
    expect(messageOf(report, "ends")).toBe(`intent ${intentId} (completed) has 2 terminal events`);
  });
});

describe("a whole older copy", () => {
  it("passes by itself, and is behind a checkpoint kept elsewhere", async () => {
    const rig = await endingRig();
    const older = new TamperedStore(rig.store);
    const before = rig.ledger.checkpoint();
    await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    const after = rig.ledger.checkpoint();
    expect(auditStore(older, { origin, vkey, trust: rig.trust }).result).toBe("pass");
    expect(compareCheckpoint(older, after)).toBe("behind");
    expect(compareCheckpoint(rig.store, before)).toBe("consistent");
    expect(compareCheckpoint(rig.store, after)).toBe("consistent");
    const forked = await endingRig({ seed: "fork" });
    await forked.pipeline.execute(draft("fs.read", "data/orders.csv"));
    expect(compareCheckpoint(forked.store, after)).toBe("inconsistent");
    expect(formatTime(rig.clock.now())).toBe("2026-01-31T09:00:00.000Z");
  });
});
