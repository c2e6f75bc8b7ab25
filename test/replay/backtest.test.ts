import { beforeAll, describe, expect, it } from "vitest";
import { type Backtest, backtestSchema } from "../../src/contracts/backtest.js";
import { type PolicyDocument, type PolicyRule, policySchema } from "../../src/contracts/policy.js";
import { blobKey, eventKeys } from "../../src/pipeline/store-keys.js";
import { compileProgram } from "../../src/policy/program.js";
import type { StoreReader } from "../../src/ports.js";
import { backtestPolicy } from "../../src/replay/backtest.js";
import { recordedDecisions, recordedIntents } from "../../src/replay/recorded-decisions.js";
import { draft, openRig, type Rig, usualRules } from "../support/rig.js";
import { TamperedStore } from "./support.js";

const everything = { since: null, until: null, tenant: null };
const [read, write, remove, list] = usualRules as [PolicyRule, PolicyRule, PolicyRule, PolicyRule];

const policy = (...rules: readonly PolicyRule[]): PolicyDocument =>
  policySchema.parse({ schema: "exoarmur.policy/v1", policyId: "candidate", version: 2, rules });

function backtest(store: StoreReader, rules: readonly PolicyRule[], filter: Backtest["filter"] = everything): Backtest {
  return backtestSchema.parse(backtestPolicy(store, compileProgram(policy(...rules), null), filter));
}

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
  await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
  rig.clock.advance(60_000);
  await rig.pipeline.execute(draft("fs.remove", "data/orders.csv"));
  rig.clock.advance(60_000);
  await rig.pipeline.execute(draft("fs.list", "data"));
  await rig.pipeline.execute(draft("fs.nothing", "data"));
});

/** The recorded decision about an action. */
function decisionOf(store: StoreReader, action: string) {
  for (const record of recordedIntents(store)) {
    for (const { recorded } of recordedDecisions(store, record)) {
      if (recorded?.intent.action === action) return { record, recorded };
    }
  }
  throw new Error(`no decision about ${action}`);
}

describe("a backtest", () => {
  it("under the policy that decided finds the same, and counts what no policy judged", () => {
    const report = backtest(rig.store, usualRules);
    expect(report.result).toBe("same");
    expect(report.counts).toEqual({
      intents: 4,
      notJudged: 1,
      decisions: 3,
      same: 3,
      flips: 0,
      notCheckable: 0,
      classes: {},
    });
  });

  it("names the rules on both sides of every flip", () => {
    const report = backtest(rig.store, [
      { ...read, verdict: "deny", id: "no-read" },
      { ...remove, id: "gone", verdict: "allow" },
    ]);
    expect(report.result).toBe("flips");
    expect(report.counts.classes).toEqual({ "allow->deny": 1, "require_approval->allow": 1, "defer->deny": 1 });
    expect(report.flips.map((flip) => [flip.action, flip.recorded.ruleIds, flip.candidate.ruleIds])).toEqual([
      ["fs.read", ["allow-read"], ["no-read"]],
      ["fs.remove", ["remove-needs-a-person"], ["gone"]],
      ["fs.list", ["defer-list"], ["default"]],
    ]);
  });

  it.each<[string, PolicyRule["obligations"], string[]]>([
    ["more people", { ...remove.obligations, approvals: 2 }, ["more approvals"]],
    ["another role", { ...remove.obligations, roles: ["intern"] }, ["other approvers", "fewer approvers"]],
    ["more time", { ...remove.obligations, expiresInSeconds: 901 }, ["longer to approve"]],
    ["a hold", { ...remove.obligations, holdSeconds: 60 }, ["longer hold"]],
    ["the time it had anyway", { ...remove.obligations, expiresInSeconds: 900 }, []],
    ["the whole root", { ...remove.obligations, narrow: { fs_remove: { paths: ["data"] } } }, ["wider"]],
    ["another file", { ...remove.obligations, narrow: { fs_remove: { paths: ["data/x"] } } }, ["wider", "narrower"]],
    ["the target, written out", { ...remove.obligations, narrow: { fs_remove: { paths: ["data/orders.csv"] } } }, []],
    [
      "fewer bytes",
      { ...remove.obligations, narrow: { ...remove.obligations?.narrow, fs_read: { maxBytes: 1 } } },
      ["narrower"],
    ],
    ["nothing narrowed", { approvals: 1, roles: ["approver"] }, ["wider"]],
  ])("under the same verdict sees %s", (_name, obligations, classes) => {
    const report = backtest(rig.store, [read, { ...remove, obligations }, list]);
    expect(report.flips.flatMap((flip) => flip.classes)).toEqual(classes);
  });

  it("keeps to a span of time and a tenant", () => {
    const { recordedAt } = decisionOf(rig.store, "fs.remove").recorded;
    const counts = (filter: Partial<Backtest["filter"]>) => {
      const { intents, decisions } = backtest(rig.store, usualRules, { ...everything, ...filter }).counts;
      return [intents, decisions];
    };
    expect(counts({ since: recordedAt })).toEqual([3, 2]);
    expect(counts({ until: recordedAt })).toEqual([1, 1]);
    expect(counts({ tenant: "elsewhere" })).toEqual([0, 0]);
    expect(counts({ tenant: decisionOf(rig.store, "fs.read").record.tenantId })).toEqual([4, 3]);
  });

  it.each<[string, (store: TamperedStore) => void, string]>([
    [
      "a policy input that is not kept",
      (store) => store.put(blobKey(decisionOf(rig.store, "fs.read").recorded.decision.inputDigest), null),
      "EXO_MATERIAL_MISSING",
    ],
    [
      "an intent that is not kept",
      (store) => store.put(blobKey(decisionOf(rig.store, "fs.read").recorded.input.intentDigest), null),
      "EXO_MATERIAL_MISSING",
    ],
    [
      "an altered policy input",
      (store) => store.flip(blobKey(decisionOf(rig.store, "fs.read").recorded.decision.inputDigest), -2),
      "EXO_STORE_DAMAGED",
    ],
    [
      "an altered decision",
      (store) => {
        const { tenantId, correlationId, events } = decisionOf(rig.store, "fs.read").record;
        const at = events.find(({ eventType }) => eventType === "policy_evaluated")?.sequence ?? -1;
        store.flip(eventKeys.one(tenantId, correlationId, at), -2);
      },
      "EXO_STORE_DAMAGED",
    ],
  ])("cannot check %s, and checks the others", (_name, change, code) => {
    const store = new TamperedStore(rig.store);
    change(store);
    const report = backtest(store, [list]);
    expect(report.result).toBe("unable");
    expect(report.notCheckable.map((one) => one.code)).toEqual([code]);
    expect(report.counts).toMatchObject({ decisions: 3, same: 1, flips: 1, notCheckable: 1 });
  });

  it("writes nothing", () => {
    const before = new TamperedStore(rig.store).entries;
    backtest(rig.store, [write]);
    expect(new TamperedStore(rig.store).entries).toEqual(before);
  });
});
