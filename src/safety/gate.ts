import type { SafetyConfig, SafetySnapshot, SafetyVerdict } from "../contracts/safety.js";

/** Revision of the gate's behaviour, recorded in bundles. */
export const safetyRevision = 1;

/** What the gate says. `ruleIds` are the rules that fired, `safe` when none did; `rulesOff` the rules without a source. */
export type SafetyOutcome = Pick<SafetyVerdict, "verdict" | "ruleIds" | "rulesOff" | "rationale">;

/** The configuration of a home that states none: trust scores from state, load as measured, no peers, no budgets. */
export const defaultSafetyConfig: SafetyConfig = {
  schema: "exoarmur.safety-config/v1",
  sources: { trustScore: "state", cellLoad: "measured", networkHealth: "off" },
  budgets: {},
};

type Finding = { readonly ruleId: string; readonly why: string };
type Signal = "trustScore" | "cellLoad" | "networkHealth";
type BudgetName = "runs" | "fuel";

const signalRules = { trustScore: "trust-score", cellLoad: "cell-load", networkHealth: "network-health" } as const;
const signals: readonly Signal[] = ["trustScore", "cellLoad", "networkHealth"];
const budgetNames: readonly BudgetName[] = ["runs", "fuel"];

/**
 * Judges a recorded snapshot (spec/safety.md). Steps in order, the first one in which a rule fires decides and lists all
 * its rules: policy unverified, kill switches, signals that are missing or malformed, budgets (all deny); trust score
 * (require_human); cell load and network health (require_quorum); action class (require_human); else allow. Never throws: a failure inside is a deny
 * by the rule `gate-error`.
 */
export function evaluateSafety(snapshot: SafetySnapshot, config: SafetyConfig): SafetyOutcome {
  try {
    const rulesOff = listRulesOff(config);
    const decide = (verdict: SafetyOutcome["verdict"], findings: readonly Finding[]): SafetyOutcome => ({
      verdict,
      ruleIds: findings.map(({ ruleId }) => ruleId),
      rulesOff,
      rationale: findings.map(({ why }) => why).join("; "),
    });
    const steps = [
      ["deny", checkPolicy(snapshot)],
      ["deny", checkKillSwitches(snapshot)],
      [
        "deny",
        [...checkSignals(snapshot, config), ...checkBudgetRows(snapshot, config), ...checkClassKnown(snapshot, config)],
      ],
      ["deny", checkBudgets(snapshot, config)],
      ["require_human", checkTrust(snapshot, config)],
      ["require_quorum", checkLoad(snapshot, config)],
      // Last, so that it never takes the place of a verdict that asks for more people.
      ["require_human", checkClass(snapshot, config)],
    ] as const;
    for (const [verdict, findings] of steps) if (findings.length > 0) return decide(verdict, findings);
    return decide("allow", [{ ruleId: "safe", why: "no rule fired" }]);
  } catch {
    return { verdict: "deny", ruleIds: ["gate-error"], rulesOff: [], rationale: "the gate could not read its state" };
  }
}

function isOn(config: SafetyConfig, signal: Signal): boolean {
  // Anything but the word `off` keeps the rule on, a missing source too.
  return config.sources[signal] !== "off";
}

function listRulesOff(config: SafetyConfig): string[] {
  return [
    ...signals.filter((signal) => !isOn(config, signal)).map((signal) => signalRules[signal]),
    ...budgetNames.filter((name) => config.budgets[name] === undefined).map((name) => `budget-${name}`),
  ];
}

function checkPolicy(snapshot: SafetySnapshot): Finding[] {
  if (snapshot.policyVerified === true) return [];
  return [{ ruleId: "policy-unverified", why: "the policy is not the activated one" }];
}

function checkKillSwitches({ killSwitch }: SafetySnapshot): Finding[] {
  const findings: Finding[] = [];
  if (killSwitch.global === true) findings.push({ ruleId: "kill-switch-global", why: "the global kill switch is on" });
  if (killSwitch.tenant === true)
    findings.push({ ruleId: "kill-switch-tenant", why: "the tenant's kill switch is on" });
  if (typeof killSwitch.global !== "boolean" || typeof killSwitch.tenant !== "boolean") {
    findings.push({ ruleId: "kill-switch-unknown", why: "a kill switch has no state" });
  }
  return findings;
}

function checkSignals(snapshot: SafetySnapshot, config: SafetyConfig): Finding[] {
  return signals
    .filter((signal) => isOn(config, signal))
    .flatMap((signal): Finding[] => {
      const value: unknown = snapshot[signal];
      const rule = signalRules[signal];
      if (value === null || value === undefined) {
        return [{ ruleId: `${rule}-unavailable`, why: `the source of ${rule} gave nothing` }];
      }
      if (typeof value === "number" && value >= 0 && value <= 1) return [];
      return [{ ruleId: `${rule}-invalid`, why: `${rule} is not a number from 0 to 1` }];
    });
}

function checkBudgetRows(snapshot: SafetySnapshot, config: SafetyConfig): Finding[] {
  return budgetNames.flatMap((name): Finding[] => {
    const budget = config.budgets[name];
    if (budget === undefined) return [];
    const rows = snapshot.budgets.filter((row) => row.name === name);
    const row = rows[0];
    if (row === undefined) {
      return [{ ruleId: `budget-${name}-unavailable`, why: `the use of the ${name} budget is not known` }];
    }
    const counts = [row.limit, row.windowSeconds, row.used, row.reserved, row.asked];
    const sound = rows.length === 1 && counts.every((count) => Number.isSafeInteger(count) && count >= 0);
    if (sound && row.limit === budget.limit && row.windowSeconds === budget.windowSeconds) return [];
    return [{ ruleId: `budget-${name}-invalid`, why: `the use of the ${name} budget contradicts its configuration` }];
  });
}

function checkBudgets(snapshot: SafetySnapshot, config: SafetyConfig): Finding[] {
  return budgetNames.flatMap((name): Finding[] => {
    const row = snapshot.budgets.find((one) => one.name === name);
    if (config.budgets[name] === undefined || row === undefined) return [];
    if (row.used + row.reserved + row.asked <= row.limit) return [];
    return [
      {
        ruleId: `budget-${name}`,
        why: `${name}: ${row.used} used, ${row.reserved} reserved and ${row.asked} asked exceed ${row.limit}`,
      },
    ];
  });
}

function checkTrust(snapshot: SafetySnapshot, config: SafetyConfig): Finding[] {
  const score = snapshot.trustScore;
  if (!isOn(config, "trustScore") || score === null || score >= 0.5) return [];
  return [{ ruleId: "trust-score", why: `trust score ${score} is below 0.5` }];
}

function checkLoad({ cellLoad, networkHealth }: SafetySnapshot, config: SafetyConfig): Finding[] {
  const findings: Finding[] = [];
  if (isOn(config, "cellLoad") && cellLoad !== null && cellLoad > 0.9) {
    findings.push({ ruleId: "cell-load", why: `cell load ${cellLoad} is above 0.9` });
  }
  if (isOn(config, "networkHealth") && networkHealth !== null && networkHealth < 0.7) {
    findings.push({ ruleId: "network-health", why: `network health ${networkHealth} is below 0.7` });
  }
  return findings;
}

function checkClassKnown({ actionClass }: SafetySnapshot, { operatorApproval }: SafetyConfig): Finding[] {
  if (operatorApproval === undefined || actionClass !== undefined) return [];
  return [{ ruleId: "action-class-unavailable", why: "the class of the action is not known" }];
}

function checkClass({ actionClass }: SafetySnapshot, { operatorApproval }: SafetyConfig): Finding[] {
  if (operatorApproval?.some((one) => one === actionClass) !== true) return [];
  return [{ ruleId: "operator-approval", why: `${actionClass} needs the approval of an operator` }];
}
