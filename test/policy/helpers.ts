import type { JsonValue } from "../../src/canonical/jcs.js";
import type { ActionIntent } from "../../src/contracts/intent.js";
import type { PolicyDocument, PolicyRule } from "../../src/contracts/policy.js";
import { policySchema } from "../../src/contracts/policy.js";
import { type ExoArmurError, isExoArmurError } from "../../src/errors.js";
import { compilePolicy } from "../../src/policy/compile.js";
import { evaluatePolicy, type PolicyOutcome, type PolicySubject } from "../../src/policy/evaluate.js";

const baseIntent: ActionIntent = {
  schema: "exoarmur.intent/v1",
  intentId: "01HZZZZZZZZZZZZZZZZZZZZZZZ",
  correlationId: "c-1",
  tenantId: "default",
  cellId: "local",
  actor: { id: "report-agent", type: "agent" },
  action: "fs.remove",
  target: "data/orders.csv",
  executor: { name: "fs", function: "remove" },
  parameters: { path: "data/orders.csv" },
  idempotencyKey: "k-1",
  requestedAt: "2026-01-31T09:05:00.000Z",
  salt: "A".repeat(43),
};

/** The base intent with changes; a member given as undefined is left out. */
export function subjectOf(changes: { [K in keyof ActionIntent]?: ActionIntent[K] | undefined } = {}): PolicySubject {
  const intent = Object.fromEntries(Object.entries({ ...baseIntent, ...changes }).filter(([, v]) => v !== undefined));
  return {
    intent: intent as ActionIntent,
    requester: { principal: "operator-1", method: "library" },
    effects: "write",
  };
}

export function policyOf(...rules: PolicyRule[]): PolicyDocument {
  return policySchema.parse({ schema: "exoarmur.policy/v1", policyId: "test", version: 1, rules });
}

export function ruleOf(match: PolicyRule["match"], verdict: PolicyRule["verdict"] = "allow", id = "r1"): PolicyRule {
  return { id, match, verdict };
}

/** What one rule, alone, says of a subject. */
export function judge(
  match: PolicyRule["match"],
  changes: Parameters<typeof subjectOf>[0] = {},
  verdict: PolicyRule["verdict"] = "allow",
): PolicyOutcome {
  return evaluatePolicy(compilePolicy(policyOf(ruleOf(match, verdict))), subjectOf(changes));
}

/** How one rule answers: whether it matched, did not, or (as a deny rule) could not be judged. */
export function answer(match: PolicyRule["match"], changes: Parameters<typeof subjectOf>[0] = {}): string {
  const allowed = judge(match, changes, "allow").verdict === "allow";
  const denied = judge(match, changes, "deny");
  if (denied.rationale.startsWith("evaluation error")) return allowed ? "contradiction" : "unclear";
  const matched = denied.ruleIds[0] === "r1";
  return matched === allowed ? (matched ? "yes" : "no") : "contradiction";
}

export function at(value: JsonValue): { parameters: ActionIntent["parameters"] } {
  return { parameters: { at: value } };
}

export function errorOf(run: () => unknown): ExoArmurError {
  try {
    run();
  } catch (error) {
    if (isExoArmurError(error)) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
