import { describe, expect, test } from "vitest";
import type { SafetyConfig, SafetySnapshot } from "../../src/contracts/safety.js";
import { safetyConfigSchema, safetySnapshotSchema } from "../../src/contracts/safety.js";
import { defaultSafetyConfig, evaluateSafety, safetyRevision } from "../../src/safety/gate.js";

const allOn: SafetyConfig = {
  schema: "exoarmur.safety-config/v1",
  sources: { trustScore: "state", cellLoad: "measured", networkHealth: "peers" },
  budgets: { runs: { limit: 10, windowSeconds: 60 }, fuel: { limit: 1000, windowSeconds: 3600 } },
};
const allOff: SafetyConfig = {
  schema: "exoarmur.safety-config/v1",
  sources: { trustScore: "off", cellLoad: "off", networkHealth: "off" },
  budgets: {},
};
const runs = { name: "runs", limit: 10, windowSeconds: 60, used: 0, reserved: 0, asked: 1 } as const;
const fuel = { name: "fuel", limit: 1000, windowSeconds: 3600, used: 0, reserved: 0, asked: 100 } as const;
const good: SafetySnapshot = {
  schema: "exoarmur.safety-snapshot/v1",
  takenAt: "2026-01-31T09:05:00.000Z",
  tenantId: "default",
  actorId: "report-agent",
  killSwitch: { global: false, tenant: false, epoch: 3 },
  policyVerified: true,
  trustScore: 1,
  cellLoad: 0,
  networkHealth: 1,
  budgets: [fuel, runs],
};

function judge(changes: Partial<Record<keyof SafetySnapshot, unknown>>, config: SafetyConfig = allOn) {
  const { verdict, ruleIds } = evaluateSafety({ ...good, ...changes } as SafetySnapshot, config);
  return [verdict, ...ruleIds];
}

test("the fixtures are contracts, the revision is 1", () => {
  expect(safetySnapshotSchema.safeParse(good).success).toBe(true);
  for (const config of [allOn, allOff, defaultSafetyConfig])
    expect(safetyConfigSchema.safeParse(config).success).toBe(true);
  expect(safetyRevision).toBe(1);
  expect(defaultSafetyConfig).toEqual({
    schema: "exoarmur.safety-config/v1",
    sources: { trustScore: "state", cellLoad: "measured", networkHealth: "off" },
    budgets: {},
  });
});

describe("action classes", () => {
  const asks: SafetyConfig = { ...allOn, operatorApproval: ["A2_hard_containment", "A3_irreversible"] };

  test.each<[unknown, string[]]>([
    ["A0_observe", ["allow", "safe"]],
    ["A1_soft_containment", ["allow", "safe"]],
    ["A2_hard_containment", ["require_human", "operator-approval"]],
    ["A3_irreversible", ["require_human", "operator-approval"]],
    [undefined, ["deny", "action-class-unavailable"]],
  ])("%s gives %o", (actionClass, expected) => {
    expect(judge({ actionClass }, asks)).toEqual(expected);
  });

  test("ask for nothing where they are not configured", () => {
    expect(judge({ actionClass: "A3_irreversible" })).toEqual(["allow", "safe"]);
  });

  test("take nothing away from what else fired", () => {
    const actionClass = "A3_irreversible";
    expect(judge({ actionClass, cellLoad: 0.95 }, asks)).toEqual(["require_quorum", "cell-load"]);
    expect(judge({ actionClass, policyVerified: false }, asks)).toEqual(["deny", "policy-unverified"]);
  });

  test("say why", () => {
    const { rationale } = evaluateSafety({ ...good, actionClass: "A2_hard_containment" }, asks);
    expect(rationale).toBe("A2_hard_containment needs the approval of an operator");
  });
});

test("nothing fired is allow by the rule safe", () => {
  expect(evaluateSafety(good, allOn)).toEqual({
    verdict: "allow",
    ruleIds: ["safe"],
    rulesOff: [],
    rationale: "no rule fired",
  });
});

describe("single rules", () => {
  test.each<[Partial<Record<keyof SafetySnapshot, unknown>>, string[]]>([
    [{ policyVerified: false }, ["deny", "policy-unverified"]],
    [{ policyVerified: undefined }, ["deny", "policy-unverified"]],
    [{ policyVerified: "yes" }, ["deny", "policy-unverified"]],
    [{ killSwitch: { global: true, tenant: false, epoch: 1 } }, ["deny", "kill-switch-global"]],
    [{ killSwitch: { global: false, tenant: true, epoch: 1 } }, ["deny", "kill-switch-tenant"]],
    [{ killSwitch: { global: true, tenant: true, epoch: 1 } }, ["deny", "kill-switch-global", "kill-switch-tenant"]],
    [{ killSwitch: { global: null, tenant: false, epoch: 1 } }, ["deny", "kill-switch-unknown"]],
    [{ killSwitch: { global: false, tenant: null, epoch: 1 } }, ["deny", "kill-switch-unknown"]],
    [{ killSwitch: { global: true, tenant: null, epoch: 1 } }, ["deny", "kill-switch-global", "kill-switch-unknown"]],
    [{ killSwitch: { global: 0, tenant: "", epoch: 1 } }, ["deny", "kill-switch-unknown"]],
    [{ killSwitch: {} }, ["deny", "kill-switch-unknown"]],
    [{ trustScore: null }, ["deny", "trust-score-unavailable"]],
    [{ cellLoad: null }, ["deny", "cell-load-unavailable"]],
    [{ networkHealth: null }, ["deny", "network-health-unavailable"]],
    [{ trustScore: undefined }, ["deny", "trust-score-unavailable"]],
    [{ trustScore: Number.NaN }, ["deny", "trust-score-invalid"]],
    [{ trustScore: 1.0001 }, ["deny", "trust-score-invalid"]],
    [{ trustScore: "1" }, ["deny", "trust-score-invalid"]],
    [{ cellLoad: -0.0001 }, ["deny", "cell-load-invalid"]],
    [{ cellLoad: Number.NEGATIVE_INFINITY }, ["deny", "cell-load-invalid"]],
    [{ networkHealth: Number.POSITIVE_INFINITY }, ["deny", "network-health-invalid"]],
    [{ networkHealth: 2 }, ["deny", "network-health-invalid"]],
    [{ cellLoad: null, networkHealth: 7 }, ["deny", "cell-load-unavailable", "network-health-invalid"]],
    [{ budgets: [fuel] }, ["deny", "budget-runs-unavailable"]],
    [{ budgets: [] }, ["deny", "budget-runs-unavailable", "budget-fuel-unavailable"]],
    [{ budgets: [fuel, runs, runs] }, ["deny", "budget-runs-invalid"]],
    [{ budgets: [fuel, { ...runs, limit: 11 }] }, ["deny", "budget-runs-invalid"]],
    [{ budgets: [fuel, { ...runs, windowSeconds: 61 }] }, ["deny", "budget-runs-invalid"]],
    [{ budgets: [fuel, { ...runs, used: -5 }] }, ["deny", "budget-runs-invalid"]],
    [{ budgets: [fuel, { ...runs, reserved: 0.5 }] }, ["deny", "budget-runs-invalid"]],
    [{ budgets: [fuel, { ...runs, asked: Number.NaN }] }, ["deny", "budget-runs-invalid"]],
    [{ budgets: [{ ...fuel, used: 2 ** 53 }, runs] }, ["deny", "budget-fuel-invalid"]],
    [{ budgets: [fuel, { ...runs, used: 10 }] }, ["deny", "budget-runs"]],
    [{ budgets: [fuel, { ...runs, used: 5, reserved: 5 }] }, ["deny", "budget-runs"]],
    [{ budgets: [{ ...fuel, used: 901 }, runs] }, ["deny", "budget-fuel"]],
    [
      {
        budgets: [
          { ...fuel, reserved: 950 },
          { ...runs, reserved: 10 },
        ],
      },
      ["deny", "budget-runs", "budget-fuel"],
    ],
    [{ trustScore: 0.4999 }, ["require_human", "trust-score"]],
    [{ trustScore: 0 }, ["require_human", "trust-score"]],
    [{ cellLoad: 0.9001 }, ["require_quorum", "cell-load"]],
    [{ networkHealth: 0.6999 }, ["require_quorum", "network-health"]],
    [{ cellLoad: 1, networkHealth: 0 }, ["require_quorum", "cell-load", "network-health"]],
  ])("%j", (changes, expected) => {
    expect(judge(changes)).toEqual(expected);
  });

  test.each<[Partial<Record<keyof SafetySnapshot, unknown>>]>([
    [{ trustScore: 0.5 }],
    [{ cellLoad: 0.9 }],
    [{ networkHealth: 0.7 }],
    [
      {
        budgets: [
          { ...fuel, used: 900 },
          { ...runs, used: 4, reserved: 5 },
        ],
      },
    ],
  ])("%j is still safe", (changes) => {
    expect(judge(changes)).toEqual(["allow", "safe"]);
  });
});

describe("the first step that fires decides", () => {
  const steps: [Partial<Record<keyof SafetySnapshot, unknown>>, string[]][] = [
    [{ policyVerified: false }, ["deny", "policy-unverified"]],
    [{ killSwitch: { global: true, tenant: false, epoch: 1 } }, ["deny", "kill-switch-global"]],
    [{ networkHealth: null }, ["deny", "network-health-unavailable"]],
    [{ budgets: [fuel, { ...runs, used: 10 }] }, ["deny", "budget-runs"]],
    [{ trustScore: 0 }, ["require_human", "trust-score"]],
    [{ cellLoad: 1 }, ["require_quorum", "cell-load"]],
  ];

  test("each step with all later ones", () => {
    for (const [index, [, expected]] of steps.entries()) {
      const later = steps.slice(index).map(([changes]) => changes);
      expect(judge(Object.assign({}, ...later))).toEqual(expected);
    }
  });
});

describe("sources", () => {
  const bad = { trustScore: 0, cellLoad: 1, networkHealth: 0, budgets: [{ ...runs, used: 99 }] };

  test("a rule without a source is off and listed, whatever the snapshot says", () => {
    expect(evaluateSafety({ ...good, ...bad } as SafetySnapshot, allOff)).toEqual({
      verdict: "allow",
      ruleIds: ["safe"],
      rulesOff: ["trust-score", "cell-load", "network-health", "budget-runs", "budget-fuel"],
      rationale: "no rule fired",
    });
  });

  test("nothing switches policy and kill switches off", () => {
    expect(judge({ policyVerified: false }, allOff)).toEqual(["deny", "policy-unverified"]);
    expect(judge({ killSwitch: { global: null, tenant: null, epoch: 0 } }, allOff)).toEqual([
      "deny",
      "kill-switch-unknown",
    ]);
  });

  test("the default configuration needs no peers and no budgets", () => {
    const outcome = evaluateSafety({ ...good, networkHealth: null, budgets: [] }, defaultSafetyConfig);
    expect(outcome).toMatchObject({ verdict: "allow", rulesOff: ["network-health", "budget-runs", "budget-fuel"] });
  });

  test("a source this build does not know keeps the rule on", () => {
    const config = { ...allOn, sources: { ...allOn.sources, trustScore: "elsewhere" } } as unknown as SafetyConfig;
    expect(judge({ trustScore: 0.1 }, config)).toEqual(["require_human", "trust-score"]);
    const missing = { ...allOn, sources: {} } as unknown as SafetyConfig;
    expect(judge({ trustScore: null }, missing)).toEqual(["deny", "trust-score-unavailable"]);
  });

  test("rules off are listed beside a denial", () => {
    expect(evaluateSafety({ ...good, policyVerified: false }, defaultSafetyConfig).rulesOff).toContain(
      "network-health",
    );
  });
});

test.each<[unknown, unknown]>([
  [undefined, allOn],
  [null, allOn],
  [{}, allOn],
  [{ ...good, killSwitch: null }, allOn],
  [{ ...good, budgets: null }, allOn],
  [good, undefined],
  [good, {}],
  [good, { sources: null, budgets: {} }],
])("never throws: case %#", (snapshot, config) => {
  const outcome = evaluateSafety(snapshot as SafetySnapshot, config as SafetyConfig);
  expect([outcome.verdict, ...outcome.ruleIds]).toEqual(["deny", "gate-error"]);
});
