import { canonicalText } from "../canonical/jcs.js";
import type { PolicyCase } from "../contracts/policy-cases.js";
import { draftSubject } from "./draft.js";
import type { PolicyOutcome } from "./evaluate.js";
import type { PolicyProgram } from "./program.js";

/** Tenant and cell of a case whose intent names none. */
const defaults = { tenantId: "default", cellId: "local" };

/** How a case came out. `problems` is empty for one that passed. */
export type CaseOutcome = {
  readonly name: string;
  readonly problems: readonly string[];
  readonly outcome: PolicyOutcome;
};

/** Judges the intent of one case and compares the decision with what is expected, member by member. */
export function runPolicyCase(policy: PolicyProgram, { name, intent, expect }: PolicyCase): CaseOutcome {
  const outcome = policy.evaluate(draftSubject(intent, defaults));
  const problems = (["verdict", "ruleIds", "obligations"] as const).flatMap((member) => {
    const wanted = expect[member];
    if (wanted === undefined || canonicalText(wanted) === canonicalText(outcome[member])) return [];
    return [
      `${member}: expected ${canonicalText(wanted)}, got ${canonicalText(outcome[member])} (${outcome.rationale})`,
    ];
  });
  return { name, problems, outcome };
}
