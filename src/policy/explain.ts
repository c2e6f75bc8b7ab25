import type { PolicyVerdict } from "../contracts/policy.js";
import type { CompiledPolicy } from "./compile.js";
import { askRule } from "./evaluate.js";
import { type Answer, Evaluation, type PolicySubject } from "./match.js";

/** How one rule answered, and each member of its match by JSON pointer inside `match`. */
export type RuleExplanation = {
  readonly ruleId: string;
  /** What the rule gives when it decides. */
  readonly verdict: PolicyVerdict;
  readonly answer: Answer;
  readonly members: readonly { readonly name: string; readonly answer: Answer }[];
};

/**
 * How every rule answers for a subject, also those after the one that decided (spec/policy.md). The first rule that does
 * not answer `no` is the one evaluatePolicy went by; `unclear` there is an evaluation error.
 */
export function explainPolicy(policy: CompiledPolicy, subject: PolicySubject): RuleExplanation[] {
  const evaluation = new Evaluation(subject, policy.pointers);
  return policy.rules.map((compiled) => {
    const { rule, members } = compiled;
    const possible = compiled.matchesAction(evaluation.intent.action);
    const action = { name: "/action", answer: possible ? ("yes" as const) : ("no" as const) };
    return {
      ruleId: rule.id,
      verdict: rule.verdict,
      answer: possible ? askRule(compiled, evaluation) : "no",
      members: [
        ...(rule.match.action === undefined ? [] : [action]),
        ...members.map(({ name, test }) => ({ name, answer: test(evaluation) })),
      ],
    };
  });
}
