import type { Digest } from "../canonical/digest.js";
import { parseTime } from "../canonical/time.js";
import { adviceOn } from "../contracts/advice.js";
import type { Reason } from "../contracts/event.js";
import type { Requester } from "../contracts/intent.js";
import { requestDigestOf } from "../contracts/invocation.js";
import { type ErrorCode, ExoArmurError, type Refusal } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import type { StoreReader } from "../ports.js";
import { attestationMaterials, verifyAttestations } from "./attestations.js";
import { denialOf } from "./denial.js";
import { readState, writeState } from "./documents.js";
import { finish, reasonOf } from "./finish.js";
import { IntentWork } from "./intent-work.js";
import { type Judgement, judge, type PolicyInForce } from "./judge.js";
import { judgedBefore, judgedOf } from "./judged.js";
import { chainTime } from "./recorder.js";
import type { Resolved } from "./registry.js";
import type { ResolvedIntent } from "./resolve-intent.js";
import { requestApproval, type Start, start } from "./start.js";
import { idempotencyKeyOf, intentKeys } from "./store-keys.js";
import type { ExecutionResult, PipelinePorts } from "./types.js";

/**
 * What a transaction that judged an intent came to. `known`: the request was handed in before, and nothing was
 * recorded. `settled`: the result stands once the transaction is durable. `started`: the run may begin.
 */
export type Admission =
  | { readonly kind: "known"; readonly intentId: string }
  | { readonly kind: "settled"; readonly work: IntentWork; readonly result: () => ExecutionResult }
  | { readonly kind: "started"; readonly work: IntentWork; readonly start: Start };

/** What a submission brings beside the intent. */
export type Submission = {
  readonly intent: ResolvedIntent;
  readonly requester: Requester;
  readonly policy: PolicyInForce | null;
  /** Envelopes of the attestations that came with it. */
  readonly attestations: readonly Uint8Array[];
  /** True when the caller has withdrawn. */
  readonly cancelled: () => boolean;
};

type IdempotencyEntry = { readonly requestDigest: string; readonly intentId: string };

/**
 * Takes an intent in: idempotency, then intent_received, judgement, and its denial, approval request or start, all in
 * one transaction. Throws EXO_IDEMPOTENCY_CONFLICT and EXO_INTENT_REUSED, of which nothing is recorded.
 */
export async function admit(tx: LedgerTx, submission: Submission, ports: PipelinePorts): Promise<Admission> {
  const { intent, material } = submission.intent;
  const requestDigest = requestDigestOf(intent, submission.attestations);
  const known = knownIntent(tx, submission, requestDigest);
  if (known !== null) return { kind: "known", intentId: known };
  const work = IntentWork.begin(intent, material, submission.requester, requestDigest, ports);
  const now = chainTime(tx, intent, ports.clock.now());
  const brought = attestationMaterials(submission.attestations, intent.intentId, ports);
  const attestations = brought.map(({ digest }) => digest);
  work.append(
    tx,
    "intent_received",
    {
      intentDigest: material.digest,
      requester: submission.requester,
      ...(attestations.length === 0 ? {} : { attestations }),
    },
    now,
    intent.actor,
  );
  const key = idempotencyKeyOf(intent.tenantId, submission.requester.principal, intent.idempotencyKey);
  writeState(tx, key, {
    requestDigest: work.record.requestDigest,
    intentId: intent.intentId,
  } satisfies IdempotencyEntry);
  // Not saved yet: every way on from here ends in a save, inside this same transaction.
  const refusal = refusalBeforeJudging(submission, ports, now);
  const { resolved } = submission.intent;
  if (refusal !== null || !resolved.ok || submission.policy === null) {
    const why =
      refusal ??
      (resolved.ok ? { code: "EXO_POLICY_ERROR" as const, message: "no policy is activated" } : resolved.error);
    return await deny(tx, work, null, reasonOf(why), now);
  }
  const attested = verifyAttestations(tx, work, brought);
  if (!attested.ok) return await deny(tx, work, null, reasonOf(attested.error), now);
  const judgement = judge(tx, work, resolved.value, submission.policy, attested.value, now);
  return await proceed(tx, work, resolved.value, judgement, now, submission.cancelled);
}

/** Id of the intent that holds an idempotency key, or undefined while none was recorded under it. */
export function intentUnderKey(
  reader: StoreReader,
  { tenantId, principal, key }: { readonly tenantId: string; readonly principal: string; readonly key: string },
): string | undefined {
  return readState<IdempotencyEntry>(reader, idempotencyKeyOf(tenantId, principal, key))?.intentId;
}

/** The intent this request was handed in as before, or null. */
function knownIntent(
  tx: LedgerTx,
  { intent: { intent }, requester }: Submission,
  requestDigest: Digest,
): string | null {
  const entry = readState<IdempotencyEntry>(
    tx,
    idempotencyKeyOf(intent.tenantId, requester.principal, intent.idempotencyKey),
  );
  if (entry !== undefined) {
    if (entry.requestDigest === requestDigest) return entry.intentId;
    throw new ExoArmurError(
      "EXO_IDEMPOTENCY_CONFLICT",
      `the idempotency key ${JSON.stringify(intent.idempotencyKey)} was used by intent ${entry.intentId} for another request`,
    );
  }
  // The same principal's own retry was found by its key. Whoever else brings the id, even with the very same document,
  // must not be given what came of somebody else's request.
  if (tx.get(intentKeys.one(intent.intentId)) === undefined) return null;
  throw new ExoArmurError("EXO_INTENT_REUSED", `the intent id ${intent.intentId} was used for another request`);
}

/** Whether a requester may speak for the actor. A library caller's word is taken, and reported as asserted. */
function mayActAs(requester: Requester, actorId: string): boolean {
  return requester.method === "library" || requester.principal === actorId || requester.onBehalfOf === actorId;
}

function refusalBeforeJudging(
  { intent: { intent }, requester }: Submission,
  ports: PipelinePorts,
  now: number,
): Refusal | null {
  const { cellId, tenants } = ports.deployment;
  const refusal = (code: ErrorCode, message: string): Refusal => ({ code, message });
  if (intent.cellId !== cellId)
    return refusal("EXO_TENANT_UNKNOWN", `the intent is for cell ${intent.cellId}, this is ${cellId}`);
  if (!tenants.includes(intent.tenantId))
    return refusal("EXO_TENANT_UNKNOWN", `no tenant ${intent.tenantId} in this cell`);
  if (!mayActAs(requester, intent.actor.id)) {
    return refusal("EXO_ACTOR", `${requester.principal} may not act as ${intent.actor.id}`);
  }
  if (intent.expiresAt !== undefined && parseTime(intent.expiresAt) <= now) {
    return refusal("EXO_INTENT_EXPIRED", `the intent expired at ${intent.expiresAt}`);
  }
  return null;
}

/** Goes on from a judgement: denial, approval request, or start. */
async function proceed(
  tx: LedgerTx,
  work: IntentWork,
  resolved: Resolved,
  judgement: Judgement,
  now: number,
  cancelled: () => boolean,
): Promise<Admission> {
  const { verdict } = judgement.final;
  if (verdict === "deny") return await deny(tx, work, judgement, denialOf(judgement), now);
  if (cancelled()) {
    const reason = reasonOf({ code: "EXO_CANCELLED", message: "the caller withdrew before the execution started" });
    return await deny(tx, work, judgement, reason, now);
  }
  if (verdict !== "allow") {
    const request = requestApproval(tx, work, resolved, judgement, now);
    if (!request.ok) return await deny(tx, work, judgement, reasonOf(request.error, judgement.final.ruleIds), now);
    const approval = request.value;
    return {
      kind: "settled",
      work,
      result: () => ({ ...judgedOf(work.record, judgement), status: "approval_pending", approval }),
    };
  }
  return await startOrDeny(tx, work, resolved, judgement, null, now);
}

/** Starts, or denies with what stands in the way. */
export async function startOrDeny(
  tx: LedgerTx,
  work: IntentWork,
  resolved: Resolved,
  judgement: Judgement,
  spent: Parameters<typeof start>[4],
  now: number,
): Promise<Admission> {
  const started = start(tx, work, resolved, judgement, spent, now);
  if (started.ok) return { kind: "started", work, start: started.value };
  return await deny(tx, work, judgement, reasonOf(started.error), now);
}

/** Ends an intent as denied. */
export async function deny(
  tx: LedgerTx,
  work: IntentWork,
  judgement: Judgement | null,
  reason: Reason,
  now: number,
): Promise<Admission> {
  work.record.reason = reason;
  const judged = judgement === null ? judgedBefore(tx, work.record) : judgedOf(work.record, judgement);
  const bundle = await finish(tx, work, "intent_denied", { reason }, now);
  const advice = adviceOn("denied", reason);
  return { kind: "settled", work, result: () => ({ ...judged, status: "denied", reason, advice, bundle: bundle() }) };
}
