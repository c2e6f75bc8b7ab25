import { canonicalText } from "../../canonical/jcs.js";
import type { PolicyDocument, PolicyRule } from "../../contracts/policy.js";
import { type AnyPolicy, isCedar } from "../../contracts/policy-cedar.js";
import { visible } from "../visible.js";
import { ruleRow } from "./policies-rules.js";

/** A line of a difference, visible as it is: gone, new, or in both. */
export type DiffLine = { readonly sign: "-" | "+" | " "; readonly text: string };

/** What became of one rule. `moved`: it says the same at another place, and the first rule that matches decides. */
export type RuleChange = {
  readonly kind: "added" | "removed" | "changed" | "moved";
  readonly id: string;
  /** Lines of the rule; of a changed one those that differ. */
  readonly lines: readonly DiffLine[];
};

/**
 * How two policies differ, to be read. Rules are compared by their ids, in the order of the newer policy with what is gone
 * at the end; Cedar's text by its lines. A policy of the other language is wholly new.
 */
export type PolicyChanges =
  | { readonly kind: "rules"; readonly changes: readonly RuleChange[]; readonly same: number }
  | { readonly kind: "text"; readonly lines: readonly DiffLine[] };

/** What differs between two policies. */
export function policyChanges(before: AnyPolicy, after: AnyPolicy): PolicyChanges {
  if (!isCedar(before) && !isCedar(after)) return ruleChanges(before, after);
  const [gone, come] = [textOf(before), textOf(after)];
  if (isCedar(before) && isCedar(after)) return { kind: "text", lines: textChanges(gone, come) };
  return { kind: "text", lines: [...gone.map(signed("-")), ...come.map(signed("+"))] };
}

function ruleChanges(before: PolicyDocument, after: PolicyDocument): PolicyChanges {
  const old = new Map(before.rules.map((rule) => [rule.id, rule]));
  const now = new Set(after.rules.map(({ id }) => id));
  // Places among the rules that are in both: what was added or removed moves nobody.
  const placeBefore = places(before.rules.filter(({ id }) => now.has(id)));
  const placeAfter = places(after.rules.filter(({ id }) => old.has(id)));
  const changes: RuleChange[] = [];
  for (const rule of after.rules) {
    const id = visible(rule.id);
    const was = old.get(rule.id);
    if (was === undefined) changes.push({ kind: "added", id, lines: linesOf(rule).map(signed("+")) });
    else if (canonicalText(was) !== canonicalText(rule))
      changes.push({ kind: "changed", id, lines: differing(was, rule) });
    else if (placeBefore.get(rule.id) !== placeAfter.get(rule.id)) {
      changes.push({ kind: "moved", id, lines: linesOf(rule).map(signed(" ")) });
    }
  }
  for (const rule of before.rules) {
    if (!now.has(rule.id))
      changes.push({ kind: "removed", id: visible(rule.id), lines: linesOf(rule).map(signed("-")) });
  }
  const touched = changes.filter(({ kind }) => kind !== "removed").length;
  return { kind: "rules", changes, same: after.rules.length - touched };
}

function places(rules: readonly PolicyRule[]): Map<string, number> {
  return new Map(rules.map(({ id }, index) => [id, index]));
}

const signed =
  (sign: DiffLine["sign"]) =>
  (text: string): DiffLine => ({ sign, text });

function linesOf(rule: PolicyRule): string[] {
  const { verdict, conditions, obligations, rationale } = ruleRow(rule);
  return [
    verdict.replaceAll("_", " "),
    ...conditions.map((text) => `where ${text}`),
    ...obligations.map((text) => `asks for ${text}`),
    ...(rationale === "" ? [] : [`because ${rationale}`]),
  ];
}

function differing(was: PolicyRule, rule: PolicyRule): DiffLine[] {
  const [gone, come] = [linesOf(was), linesOf(rule)];
  const lines = [
    ...gone.filter((text) => !come.includes(text)).map(signed("-")),
    ...come.filter((text) => !gone.includes(text)).map(signed("+")),
  ];
  // Long rationales are cut, and differ behind the cut.
  return lines.length > 0 ? lines : [signed(" ")("what differs is in the documents alone")];
}

function textOf(policy: AnyPolicy): string[] {
  if (!isCedar(policy)) return policy.rules.flatMap((rule) => [visible(rule.id), ...linesOf(rule)]);
  const { cedarSchema, policies, entities = [] } = policy;
  const parts = [policies, cedarSchema, ...(entities.length === 0 ? [] : [JSON.stringify(entities, null, 2)])];
  return parts.flatMap((part) => part.split("\n")).map((line) => visible(line));
}

/** The lines between the first and the last that differ, gone before come. */
function textChanges(before: readonly string[], after: readonly string[]): DiffLine[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && before.at(-1 - end) === after.at(-1 - end)) end++;
  return [
    ...before.slice(start, before.length - end).map(signed("-")),
    ...after.slice(start, after.length - end).map(signed("+")),
  ];
}
