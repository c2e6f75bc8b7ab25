import { digestOf } from "../canonical/digest.js";
import { canonicalText } from "../canonical/jcs.js";
import { parseCanonical } from "../canonical/read.js";
import { parseContract } from "../contracts/common.js";
import { policySchema } from "../contracts/policy.js";
import type { ShadowStatement } from "../contracts/shadow.js";
import { isExoArmurError } from "../errors.js";
import type { IntentRecord } from "../pipeline/documents.js";
import { blobKey } from "../pipeline/store-keys.js";
import { type CompiledPolicy, compilePolicy } from "../policy/compile.js";
import { evaluatePolicy, evaluatorName, policyRevision } from "../policy/evaluate.js";
import { recordedSubject } from "../policy/recorded.js";
import type { StoreReader } from "../ports.js";
import { recordedDecisions } from "./recorded-decisions.js";
import { recordedShadows } from "./recorded-shadows.js";

/** What an audit of the shadow decisions found. `dropped`: those whose input was dropped by order and could not be asked again. */
export type ShadowsAudit = {
  readonly problems: readonly string[];
  readonly count: number;
  readonly dropped: number;
  /** Made by an evaluator this build does not have. */
  readonly others: number;
};

/**
 * Audits every stored shadow decision (spec/what-if.md, Shadow mode): it is a shadow leaf of the log, and the reverse; it
 * stands beside a recorded enforced decision about the same input; and its candidate, asked again, says the same.
 */
export function auditShadows(
  store: StoreReader,
  logged: ReadonlySet<string>,
  records: readonly IntentRecord[],
): ShadowsAudit {
  const problems: string[] = [];
  const stored = new Set<string>();
  const byId = new Map(records.map((record) => [record.intentId, record]));
  const candidates = new Map<string, CompiledPolicy | null>();
  const found = { count: 0, dropped: 0, others: 0 };
  for (const { key, digest, statement, damage } of recordedShadows(store)) {
    found.count += 1;
    stored.add(digest);
    if (!logged.has(digest)) problems.push(`the shadow decision ${key} is stored and not in the log`);
    if (damage !== undefined) {
      problems.push(`${key}: ${damage.code}: ${damage.message}`);
      continue;
    }
    const { candidate } = statement.predicate;
    if (!candidates.has(candidate.digest)) candidates.set(candidate.digest, storedCandidate(store, candidate));
    const end = auditOne(
      store,
      statement,
      byId.get(statement.predicate.intentId),
      candidates.get(candidate.digest) ?? null,
    );
    if (end === null) continue;
    if ("wrong" in end) problems.push(`${key}: ${end.wrong}`);
    else found[end.passedOver] += 1;
  }
  for (const digest of logged) {
    if (!stored.has(digest)) problems.push(`the shadow decision ${digest} is in the log and not stored`);
  }
  return { problems, ...found };
}

type End = { readonly wrong: string } | { readonly passedOver: "dropped" | "others" } | null;

const wrong = (what: string): End => ({ wrong: what });

/** Null when all is well. */
function auditOne(
  store: StoreReader,
  { subject, predicate }: ShadowStatement,
  record: IntentRecord | undefined,
  candidate: CompiledPolicy | null,
): End {
  if (record === undefined) return wrong("its intent is not stored");
  const { enforced, evaluator } = predicate;
  const evaluated = record.events.filter(({ eventType }) => eventType === "policy_evaluated");
  const at = evaluated.findIndex(({ digest, sequence }) => {
    return digest === enforced.eventDigest && sequence === enforced.sequence;
  });
  if (at === -1) return wrong("it stands beside no enforced decision of its intent");
  if (record.correlationId !== predicate.correlationId || record.tenantId !== predicate.tenantId)
    return wrong("its intent is of another tenant or correlation");
  if (candidate === null) return wrong(`its candidate ${predicate.candidate.digest} is not kept`);
  const { recorded, missing } = recordedDecisions(store, record)[at] ?? {};
  if (recorded === undefined) {
    const lacks = missing?.code === "EXO_MATERIAL_MISSING" && (record.dropped ?? []).length > 0;
    if (lacks) return { passedOver: "dropped" };
    return wrong(`the enforced decision cannot be read: ${missing?.message ?? "it is missing"}`);
  }
  const { input, decision, recordedAt, intent } = recorded;
  if (decision.inputDigest !== predicate.inputDigest || recordedAt !== predicate.evaluatedAt)
    return wrong("the enforced decision is about another input or time");
  if (input.intentDigest !== `sha256:${subject[0]?.digest.sha256}`)
    return wrong("it is about another intent's document");
  if (evaluator.name !== evaluatorName || evaluator.revision !== policyRevision) return { passedOver: "others" };
  const again = evaluatePolicy(candidate, recordedSubject(intent, input));
  const { verdict, ruleIds, rationale, obligations } = predicate;
  if (canonicalText(again) === canonicalText({ verdict, ruleIds, rationale, obligations })) return null;
  return wrong(
    `it is recorded as ${verdict} by ${ruleIds.join(", ")}, its candidate says ${again.verdict} by ${again.ruleIds.join(", ")}`,
  );
}

/** The document a shadow decision names, ready to be asked; null when it is missing, altered or another. */
function storedCandidate(
  store: StoreReader,
  { digest, policyId, version }: ShadowStatement["predicate"]["candidate"],
): CompiledPolicy | null {
  const bytes = store.get(blobKey(digest));
  if (bytes === undefined || digestOf(bytes) !== digest) return null;
  try {
    const policy = parseContract(policySchema, parseCanonical(bytes), "candidate policy");
    return policy.policyId === policyId && policy.version === version ? compilePolicy(policy) : null;
  } catch (error) {
    if (isExoArmurError(error)) return null;
    throw error;
  }
}
