import { canonicalRevision } from "../canonical/jcs.js";
import type { Predicate } from "../contracts/bundle.js";
import { abiRevision } from "../contracts/revisions.js";
import { policyRevision } from "../policy/evaluate.js";
import { safetyRevision } from "../safety/gate.js";
import { meterRevision } from "../wasm/fuel.js";
import type { CheckResult } from "./report.js";

/** Behaviours that are numbered; the bundle's own layout is read before anything else. */
type Behaviour = Exclude<keyof Predicate["revisions"], "bundle">;

/** The revisions this build checks by. */
const known: Readonly<Record<Behaviour, number>> = {
  canonical: canonicalRevision,
  meter: meterRevision,
  abi: abiRevision,
  policy: policyRevision,
  safety: safetyRevision,
};

/** Whose rules a check applies beside those of canonical bytes. Checks that compare bytes and signatures have no entry. */
const rules: Readonly<Record<string, readonly Behaviour[]>> = {
  intent: ["canonical"],
  events: ["canonical"],
  payloads: ["canonical"],
  "policy-author": ["canonical"],
  policy: ["canonical", "policy"],
  attestations: ["canonical"],
  safety: ["canonical", "safety"],
  verdict: ["canonical", "safety"],
  target: ["canonical"],
  grants: ["canonical", "policy"],
  approvals: ["canonical"],
  plugin: ["canonical", "meter"],
  publisher: ["canonical"],
  execution: ["canonical", "abi"],
  transcript: ["canonical", "abi"],
  answers: ["canonical", "abi"],
  resolution: ["canonical"],
  inclusion: ["canonical"],
};

/** The first revision of a bundle that this build does not know, among these behaviours or all; said in words. */
export function unknownRevision(
  revisions: Predicate["revisions"],
  among: readonly Behaviour[] = Object.keys(known) as Behaviour[],
): string | undefined {
  const name = among.find((one) => revisions[one] !== known[one]);
  return name && `${name} revision ${revisions[name]}; this build knows ${known[name]}`;
}

/**
 * A check's result, unless it was reached by the rules of another revision than the bundle's: neither what passes nor
 * what fails under those is proven, so the check could not be made.
 */
export function underRevisions(result: CheckResult, revisions: Predicate["revisions"]): CheckResult {
  const unknown = unknownRevision(revisions, rules[result.id] ?? []);
  if (unknown === undefined || result.state === "unable" || result.state === "not_applicable") return result;
  return { ...result, state: "unable", code: "EXO_REVISION", message: `needs ${unknown}` };
}
