import type { Obligations, PolicyVerdict } from "../contracts/policy.js";
import type { CompiledPolicy, CompiledRule } from "./compile.js";
import { type Answer, Evaluation, type PolicySubject } from "./match.js";

export type { PolicySubject } from "./match.js";

/** Revision of the evaluator's behaviour, recorded in every decision. */
export const policyRevision = 1;

/** Name of this evaluator in decisions. */
export const evaluatorName = "exoarmur.rules";

/** What a policy says. `ruleIds` are the rules that determined it; `default` when none matched. */
export type PolicyOutcome = {
  readonly verdict: PolicyVerdict;
  readonly ruleIds: string[];
  readonly rationale: string;
  readonly obligations: Obligations;
};

/**
 * Judges one subject (spec/policy.md). The first matching rule decides; nothing matched is the rule `default`, deny.
 * Never throws: whatever goes wrong in a rule is a deny by that rule, its rationale begins with "evaluation error".
 */
export function evaluatePolicy(policy: CompiledPolicy, subject: PolicySubject): PolicyOutcome {
  let current = "default";
  try {
    const evaluation = new Evaluation(subject, policy.pointers);
    for (const compiled of policy.rulesFor(subject.intent.action)) {
      const { rule } = compiled;
      current = rule.id;
      const answer = askRule(compiled, evaluation);
      if (answer === "yes") {
        return {
          verdict: rule.verdict,
          ruleIds: [rule.id],
          rationale: rule.rationale ?? `rule ${rule.id} matched`,
          obligations: rule.obligations ?? {},
        };
      }
      if (answer === "unclear") return failedIn(rule.id, `${unclearMembers(compiled, evaluation)} could not be judged`);
    }
    return { verdict: "deny", ruleIds: ["default"], rationale: "no rule matched", obligations: {} };
  } catch (error) {
    return failedIn(current, error instanceof Error ? error.message.slice(0, 200) : "the rule failed");
  }
}

/**
 * Whether all members of a rule hold, its action apart. Outside deny rules an unclear member is a no; in a deny rule it
 * is `unclear` unless another member says no.
 */
export function askRule({ rule, members }: CompiledRule, evaluation: Evaluation): Answer {
  let answer: Answer = "yes";
  for (let i = 0; i < members.length; i++) {
    const one = members[i]?.test(evaluation);
    if (one === "yes") continue;
    if (one === "no" || rule.verdict !== "deny") return "no";
    answer = "unclear";
  }
  return answer;
}

function unclearMembers({ members }: CompiledRule, evaluation: Evaluation): string {
  return members
    .filter(({ test }) => test(evaluation) === "unclear")
    .map(({ name }) => name)
    .join(", ")
    .slice(0, 1000);
}

function failedIn(ruleId: string, why: string): PolicyOutcome {
  return { verdict: "deny", ruleIds: [ruleId], rationale: `evaluation error: ${why}`, obligations: {} };
}
