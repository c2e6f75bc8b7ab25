import type { PolicyRule } from "../../contracts/policy.js";
import { shorten, visible } from "../visible.js";

/** Most characters of a rationale; the document has all of it. */
const mostRationale = 300;

/** A rule as a row of texts, visible as they are. */
export type RuleRow = {
  readonly id: string;
  readonly verdict: PolicyRule["verdict"];
  /** What has to hold, one text each; none: it matches everything. */
  readonly conditions: readonly string[];
  /** What it asks for beside the verdict, one text each. */
  readonly obligations: readonly string[];
  readonly rationale: string;
};

/** A rule for reading. */
export function ruleRow({ id, match, verdict, obligations, rationale = "" }: PolicyRule): RuleRow {
  const { actor, parameters = {}, ...others } = match;
  const conditions = [
    ...Object.entries(others).map(([name, value]) => `${name} ${words(value)}`),
    ...Object.entries(actor ?? {}).map(([name, value]) => `actor ${name} ${words(value)}`),
    ...Object.entries(parameters).map(([pointer, value]) => `parameter ${pointer} ${words(value)}`),
  ];
  return {
    id: visible(id),
    verdict,
    conditions: conditions.map((text) => visible(text)),
    obligations: obligationWords(obligations ?? {}).map((text) => visible(text)),
    rationale: shorten(rationale, mostRationale),
  };
}

function obligationWords({
  approvals,
  roles,
  expiresInSeconds,
  narrow = {},
  ...others
}: NonNullable<PolicyRule["obligations"]>): string[] {
  const by = roles === undefined ? "" : ` by ${roles.join(" or ")}`;
  return [
    ...(approvals === undefined && roles === undefined ? [] : [`${approvalWords(approvals)}${by}`]),
    ...(expiresInSeconds === undefined ? [] : [`within ${expiresInSeconds} s`]),
    ...Object.entries(narrow).map(
      ([capability, constraints]) => `${capability} narrowed to ${JSON.stringify(constraints)}`,
    ),
    ...Object.entries(others).map(([name, value]) => `${name} ${JSON.stringify(value)}`),
  ];
}

function approvalWords(approvals: number | undefined): string {
  return approvals === undefined ? "approval" : `${approvals} ${approvals === 1 ? "approval" : "approvals"}`;
}

/** A condition: a bare value, one of several, or an operator with its operand. */
function words(value: unknown): string {
  if (Array.isArray(value)) return value.map(words).join(" or ");
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .map(([operator, operand]) => `${operator} ${words(operand)}`)
    .join(", ");
}
