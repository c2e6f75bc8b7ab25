import { canonicalText } from "../canonical/jcs.js";
import type { PolicyRule } from "../contracts/policy.js";
import type { CompiledRule } from "./compile.js";

const costs = new WeakMap<PolicyRule, number>();

/**
 * Steps that one look at these rules counts as: one each, more for long ones, and most for patterns, whose work grows
 * with their length, how often they repeat, and the length of what they are asked about.
 */
export function costOf(rules: readonly Pick<CompiledRule, "rule">[]): number {
  let sum = 0;
  for (const { rule } of rules) {
    let cost = costs.get(rule);
    if (cost === undefined) {
      const patterns = Object.values(rule.match.parameters ?? {}).map((match) =>
        typeof match === "object" && match !== null && "matches" in match ? patternCost(match.matches) : 0,
      );
      cost = 1 + Math.ceil((canonicalText(rule).length + patterns.reduce((a, b) => a + b, 0)) / 100);
      costs.set(rule, cost);
    }
    sum += cost;
  }
  return sum;
}

/** A counted repeat is written out when a pattern is compiled. */
function patternCost(pattern: string): number {
  let size = pattern.length;
  for (const [, least = "", most] of pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) size += Number(most || least);
  return pattern.length * size;
}

/** Steps that finding the targets of these rules counts as. */
export function targetCost(rules: readonly CompiledRule[]): number {
  const length = rules.reduce(
    (sum, { rule }) =>
      sum + canonicalText([rule.match.target ?? null, rule.obligations?.narrow ?? null]).length - "[null,null]".length,
    0,
  );
  return Math.ceil(length ** 2 / 1000);
}
