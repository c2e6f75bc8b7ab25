import { beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import type { PolicyRule } from "../../src/contracts/policy.js";
import { type ShadowReport, shadowReportSchema } from "../../src/contracts/shadow.js";
import { concatBytes } from "../../src/crypto/encoding.js";
import { blobKey, eventKeys, shadowKeys } from "../../src/pipeline/store-keys.js";
import type { StoreReader } from "../../src/ports.js";
import { auditStore, type LogAudit } from "../../src/replay/audit-log.js";
import { reportShadows } from "../../src/replay/shadow-report.js";
import { draft, openRig, type Rig, usualRules } from "../support/rig.js";
import { allowAll, candidateOf, denyAll, storedShadows } from "../support/shadow.js";
import { dropOrder } from "../support/sign.js";
import { origin, startMs } from "../support/world.js";
import { TamperedStore } from "./support.js";

const everything = { since: null, until: null, tenant: null };
const [read, write] = usualRules as [PolicyRule, PolicyRule, PolicyRule, PolicyRule];

const report = (store: StoreReader, filter: ShadowReport["filter"] = everything): ShadowReport =>
  shadowReportSchema.parse(reportShadows(store, filter));

const audit = (rig: Rig, store: StoreReader = rig.store): LogAudit =>
  auditStore(store, { origin, vkey: rig.trust.logs[0]?.vkey ?? "", trust: rig.trust });

const failures = (found: LogAudit): string[] =>
  found.checks.filter(({ state }) => state === "fail").map(({ id, message }) => `${id}: ${message}`);

/** Reads, lists and writes under a candidate that says otherwise of the first two, then a day without one. */
async function recorded(): Promise<Rig> {
  const rules: PolicyRule[] = [
    { ...read, verdict: "deny", id: "no-read" },
    { id: "open-list", match: { action: "fs.list" }, verdict: "allow" },
    write,
  ];
  const rig = await openRig({ shadow: candidateOf(rules) });
  for (const [action, path] of [
    ["fs.read", "data/orders.csv"],
    ["fs.list", "data"],
    ["fs.write", "data/new.txt"],
  ] as const) {
    await rig.pipeline.execute(draft(action, path, { parameters: { text: "x" } }));
    rig.clock.advance(1000);
  }
  const later = await openRig({ store: rig.store, clock: rig.clock, seed: "later", disk: rig.disk });
  await later.pipeline.execute(draft("fs.read", "data/orders.csv"));
  return later;
}

let rig: Rig;
beforeAll(async () => {
  rig = await recorded();
});

describe("the report of shadow decisions", () => {
  it("has every flip with the rules on both sides, and counts what no candidate was asked", () => {
    const found = report(rig.store);
    expect(found.result).toBe("flips");
    expect(found.counts).toEqual({
      enforced: 4,
      notShadowed: 1,
      decisions: 3,
      same: 1,
      flips: 2,
      notCheckable: 0,
      classes: { "allow->deny": 1, "defer->allow": 1 },
    });
    expect(found.flips.map((flip) => [flip.action, flip.recorded.ruleIds, flip.candidate.ruleIds])).toEqual([
      ["fs.read", ["allow-read"], ["no-read"]],
      ["fs.list", ["defer-list"], ["open-list"]],
    ]);
    expect(found.candidates).toMatchObject([{ policyId: "candidate", version: 9, decisions: 3, flips: 2 }]);
    expect(found.flips[0]?.candidateDigest).toBe(found.candidates[0]?.digest);
  });

  it("keeps to a time and a tenant", () => {
    const since = new Date(startMs + 1000).toISOString();
    const until = new Date(startMs + 2000).toISOString();
    expect(report(rig.store, { ...everything, since, until }).flips.map(({ action }) => action)).toEqual(["fs.list"]);
    expect(report(rig.store, { ...everything, tenant: "other" }).counts.enforced).toBe(0);
  });

  it("tells candidates apart that came one after the other", async () => {
    const first = await openRig({ shadow: denyAll });
    await first.pipeline.execute(draft("fs.read", "data/orders.csv"));
    first.clock.advance(1000);
    const second = await openRig({ store: first.store, clock: first.clock, seed: "second", shadow: allowAll });
    await second.pipeline.execute(draft("fs.read", "data/orders.csv"));
    const { candidates, flips } = report(second.store);
    expect(candidates.map(({ digest, flips: count }) => [digest, count])).toEqual([
      [denyAll.document.digest, 1],
      [allowAll.document.digest, 0],
    ]);
    expect(flips.map(({ candidateDigest }) => candidateDigest)).toEqual([denyAll.document.digest]);
    expect(failures(audit(second))).toEqual([]);
  });

  it.each<[string, (store: TamperedStore) => unknown, string]>([
    ["a cut one", (store) => store.put(store.keys("h/")[0] ?? "", new Uint8Array(5)), "EXO_STORE_DAMAGED"],
    ["one that is no document", (store) => store.flip(store.keys("h/")[0] ?? "", -1), "EXO_JSON_SYNTAX"],
    [
      "one under another's key",
      (store) => store.put(store.keys("h/")[0] ?? "", store.get(store.keys("h/")[1] ?? "") ?? null),
      "EXO_STORE_DAMAGED",
    ],
  ])("does not judge %s", (_, change, code) => {
    const store = new TamperedStore(rig.store);
    change(store);
    const found = report(store);
    expect(found.result).toBe("unable");
    expect(found.notCheckable.map((one) => one.code)).toEqual([code]);
    expect(found.counts).toMatchObject({ decisions: 3, notCheckable: 1, flips: 1 });
  });
});

describe("log check", () => {
  it("asks the recorded candidates again", () => {
    const found = audit(rig);
    expect(failures(found)).toEqual([]);
    expect(found.checks.find(({ id }) => id === "shadows")).toMatchObject({ state: "pass", message: "3" });
    expect(found.checks.find(({ id }) => id === "leaves")?.message).toBe("event, bundle and shadow leaves");
    expect(found.size).toBe(found.counts.events + found.counts.bundles + 3);
  });

  it("makes no check of a log that has none", async () => {
    const plain = await openRig();
    expect(audit(plain).checks.map(({ id }) => id)).not.toContain("shadows");
  });

  it("fails on one that is gone, altered, or in another's place", () => {
    const [a = "", b = ""] = new TamperedStore(rig.store).keys("h/");
    const cases: [(store: TamperedStore) => unknown, RegExp][] = [
      [(store) => store.put(a, null), /^shadows: the shadow decision sha256:\w+ is in the log and not stored$/],
      [
        (store) => store.flip(a, 0),
        /^shadows: the shadow decision h\/\S+ is stored and not in the log; the .* not stored$/,
      ],
      [(store) => store.put(a, store.get(b) ?? null), /about another decision/],
      [(store) => store.put(blobKey(candidateDigest()), null), /its candidate sha256:\w+ is not kept/],
    ];
    const candidateDigest = (): string => storedShadows(rig.store)[0]?.statement.predicate.candidate.digest ?? "";
    for (const [change, message] of cases) {
      const store = new TamperedStore(rig.store);
      change(store);
      expect(failures(audit(rig, store)).find((one) => one.startsWith("shadows"))).toMatch(message);
    }
  });

  it("fails on a candidate whose bytes are others", () => {
    const store = new TamperedStore(rig.store);
    store.flip(blobKey(storedShadows(rig.store)[0]?.statement.predicate.candidate.digest ?? ""), -2);
    expect(failures(audit(rig, store)).map((one) => one.split(":")[0])).toEqual(["materials", "shadows"]);
  });

  it("fails when the enforced decision is gone", () => {
    const store = new TamperedStore(rig.store);
    const { correlationId, enforced } = storedShadows(rig.store)[0]?.statement.predicate ?? ({} as never);
    store.put(eventKeys.one("default", correlationId, enforced.sequence), null);
    expect(failures(audit(rig, store)).join("\n")).toMatch(/shadows: .*the enforced decision cannot be read/);
  });

  /** A rig in which a runtime that lies recorded and logged a shadow decision with something else in it. */
  async function lying(
    change: (predicate: ReturnType<typeof JSON.parse>, statement: ReturnType<typeof JSON.parse>) => unknown,
  ): Promise<Rig> {
    const liar = await openRig({ shadow: denyAll });
    await liar.pipeline.execute(draft("fs.read", "data/orders.csv"));
    await liar.pipeline.execute(draft("fs.write", "data/new.txt", { parameters: { text: "x" } }));
    const statement = structuredClone(storedShadows(liar.store)[0]?.statement);
    change(statement?.predicate, statement);
    const bytes = concatBytes(new Uint8Array(32), canonicalize(statement));
    const { intentId = "", enforced = { sequence: 0 } } = statement?.predicate ?? {};
    await liar.ledger.transact((tx) => {
      tx.put(shadowKeys.one(intentId, enforced.sequence), bytes);
      tx.appendLeaf("shadow", digestOf(bytes));
    });
    return liar;
  }

  it.each<[string, Parameters<typeof lying>[0], RegExp]>([
    [
      "another verdict",
      (p) => (p.verdict = "allow"),
      /it is recorded as allow by default, its candidate says deny by default/,
    ],
    ["another rule", (p) => (p.ruleIds = ["mine"]), /it is recorded as deny by mine/],
    ["other obligations", (p) => (p.obligations = { approvals: 2 }), /its candidate says deny/],
    ["another event", (p) => (p.enforced.eventDigest = digestOf(new Uint8Array())), /beside no enforced decision/],
    ["another place", (p) => (p.enforced.sequence = 0), /beside no enforced decision/],
    ["another input", (p) => (p.inputDigest = digestOf(new Uint8Array())), /about another input or time/],
    ["another time", (p) => (p.evaluatedAt = "2030-01-01T00:00:00.000Z"), /about another input or time/],
    ["another tenant", (p) => (p.tenantId = "other"), /of another tenant or correlation/],
    ["another version", (p) => (p.candidate.version = 10), /its candidate sha256:\w+ is not kept/],
    ["an intent that never was", (p) => (p.intentId = "01ARZ3NDEKTSV4RRFFQ69G5FAV"), /its intent is not stored/],
    ["another document", (_, s) => (s.subject[0].digest.sha256 = "0".repeat(64)), /about another intent's document/],
    ["another predicate type", (_, s) => (s.predicateType = "urn:exoarmur:predicate:execution-proof:v1"), /EXO_SCHEMA/],
  ])("fails on a recorded lie: %s", async (_, change, message) => {
    const liar = await lying(change);
    const [only, ...more] = failures(audit(liar)).filter((one) => one.startsWith("shadows"));
    expect(more).toEqual([]);
    expect(only).toMatch(message);
  });

  it("is unable to ask another evaluator's again, which is no pass", async () => {
    // The same action without a candidate has the same events: what one rig recorded stands beside the other's.
    const [honest, other] = [await openRig({ shadow: denyAll }), await openRig()];
    for (const one of [honest, other]) await one.pipeline.execute(draft("fs.read", "data/orders.csv"));
    const [stored] = storedShadows(honest.store);
    if (stored === undefined) throw new Error("nothing was recorded");
    const { key, statement } = stored;
    const { evaluator } = statement.predicate;
    const changed = { ...statement, predicate: { ...statement.predicate, evaluator: { ...evaluator, revision: 2 } } };
    const bytes = concatBytes(new Uint8Array(32), canonicalize(changed));
    await other.ledger.transact((tx) => {
      tx.put(blobKey(denyAll.document.digest), denyAll.document.bytes);
      tx.put(key, bytes);
      tx.appendLeaf("shadow", digestOf(bytes));
    });
    const report = audit(other);
    expect(report.result).toBe("unable");
    expect(report.checks.filter(({ state }) => state !== "pass")).toEqual([
      {
        id: "shadows",
        title: "shadow decisions are what their candidates say",
        state: "unable",
        code: "EXO_REVISION",
        message: "1; 1 made under another evaluator, which this build does not know",
      },
    ]);
  });

  it("passes over what was dropped by order, and says how many", async () => {
    const dropped = await openRig({ shadow: denyAll });
    await dropped.pipeline.execute(draft("fs.read", "data/orders.csv"));
    await dropped.pipeline.dropMaterials(await dropOrder());
    const found = audit(dropped);
    expect(failures(found)).toEqual([]);
    expect(found.checks.find(({ id }) => id === "shadows")?.message).toBe(
      "1; 1 not asked again, their input was dropped",
    );
  });
});
