import type { Digest } from "../canonical/digest.js";
import { canonicalizeOwn } from "../canonical/jcs.js";
import { statementType } from "../contracts/bundle.js";
import { type Material, plainMaterial, saltedMaterial } from "../contracts/material.js";
import type { PolicyDecision } from "../contracts/policy.js";
import { type AnyPolicy, isCedar } from "../contracts/policy-cedar.js";
import { type ShadowStatement, shadowPredicateType } from "../contracts/shadow.js";
import { ExoArmurError } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import { compilePolicy } from "../policy/compile.js";
import { evaluatePolicy, evaluatorName, policyRevision } from "../policy/evaluate.js";
import type { PolicySubject } from "../policy/match.js";
import type { IntentWork } from "./intent-work.js";
import { blobKey, shadowKeys } from "./store-keys.js";
import type { PipelinePorts, ShadowPolicy } from "./types.js";

/** The enforced decision that a shadow decision stands beside, and its event. */
export type EnforcedDecision = {
  readonly decision: PolicyDecision;
  readonly eventDigest: Digest;
  readonly sequence: number;
  /** When the event says it was recorded. */
  readonly recordedAt: string;
};

/**
 * Compiles a candidate. EXO_SCHEMA when it has no meaning, and for one in Cedar: a fault of its engine ends every later
 * decision of the process, also those of a policy in force.
 */
export function shadowPolicy(candidate: AnyPolicy): ShadowPolicy {
  if (isCedar(candidate)) {
    throw new ExoArmurError("EXO_SCHEMA", `shadow mode asks policies of rules, ${candidate.policyId} is in Cedar`);
  }
  return { compiled: compilePolicy(candidate), document: plainMaterial(canonicalizeOwn(candidate)) };
}

/** Stores the candidate's document, so that its decisions can be made again. */
export function keepCandidate(tx: LedgerTx, { shadow }: PipelinePorts): void {
  if (shadow === undefined) return;
  const key = blobKey(shadow.document.digest);
  if (tx.get(key) === undefined) tx.put(key, shadow.document.bytes);
}

/**
 * Asks the candidate what it says of the very subject that the policy in force was asked, and records it: a leaf of kind
 * `shadow` and the salted statement, in the transaction of the enforced decision (spec/what-if.md, Shadow mode). Takes no
 * id and no time of its own, touches neither the intent's record nor its materials, and whatever goes wrong in it is a
 * warning: the enforced action is the same with and without it, but for indexes of the log.
 */
export function recordShadow(tx: LedgerTx, work: IntentWork, subject: PolicySubject, enforced: EnforcedDecision): void {
  const { shadow, logger } = work.ports;
  if (shadow === undefined) return;
  const { intentId } = work.record;
  let material: Material;
  try {
    const statement = shadowStatement(work, shadow, subject, enforced);
    material = saltedMaterial(work.ports.saltKey, "shadow_decision", intentId, canonicalizeOwn(statement));
  } catch (error) {
    logger.log("warn", `the shadow decision about ${intentId} was not made`, { error: String(error) });
    return;
  }
  tx.put(shadowKeys.one(intentId, enforced.sequence), material.bytes);
  tx.appendLeaf("shadow", material.digest);
}

function shadowStatement(
  { intentDigest, record, ports }: IntentWork,
  { compiled, document }: ShadowPolicy,
  subject: PolicySubject,
  { decision, eventDigest, sequence, recordedAt }: EnforcedDecision,
): ShadowStatement {
  const { policyId, version } = compiled.document;
  return {
    _type: statementType,
    subject: [{ name: "intent", digest: { sha256: intentDigest.slice("sha256:".length) } }],
    predicateType: shadowPredicateType,
    predicate: {
      schema: "exoarmur.shadow-decision/v1",
      intentId: record.intentId,
      correlationId: record.correlationId,
      tenantId: record.tenantId,
      cellId: ports.deployment.cellId,
      candidate: { policyId, version, digest: document.digest },
      evaluator: { name: evaluatorName, revision: policyRevision },
      inputDigest: decision.inputDigest,
      enforced: { eventDigest, sequence },
      evaluatedAt: recordedAt,
      ...evaluatePolicy(compiled, subject),
    },
  };
}
