import { openGrant } from "../approval/check.js";
import { applyGrant, expire, spend, supersede } from "../approval/state.js";
import { type Digest, digestOf } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import { parseCanonical } from "../canonical/read.js";
import { parseTime } from "../canonical/time.js";
import { type ApprovalRequest, approvalRequestSchema } from "../contracts/approval.js";
import { digestSchema, parseContract } from "../contracts/common.js";
import { type Envelope, payloadTypes } from "../contracts/dsse.js";
import { plainMaterial } from "../contracts/material.js";
import { publicKeyOfEnvelopeKey } from "../contracts/passkey.js";
import { readPointer } from "../contracts/pointer.js";
import { roleKeys } from "../contracts/trust.js";
import { decodeBase64 } from "../crypto/encoding.js";
import { keyIdOf } from "../crypto/key-id.js";
import { ExoArmurError, type Refusal } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import { verifyStoredAttestations } from "./attestations.js";
import { type ApprovalRecord, readState, writeState } from "./documents.js";
import { reasonOf } from "./finish.js";
import { IntentWork } from "./intent-work.js";
import { type Judgement, judge, type PolicyInForce } from "./judge.js";
import { judgedBefore, judgedOf } from "./judged.js";
import { chainTime } from "./recorder.js";
import type { ExecutorRegistry, Resolved } from "./registry.js";
import { attachPreview, presentRoster, requestApproval } from "./start.js";
import { approvalKeys, blobKey } from "./store-keys.js";
import { type Admission, deny, proceed, startOrDeny } from "./submit.js";
import type { PipelinePorts } from "./types.js";

/** What counting a grant came to: an admission, and the refusal of the grant itself when it came too late. */
export type Decision = { readonly admission: Admission; readonly refused: Refusal | null };

/** What deciding needs beside the transaction. */
export type DecideContext = {
  readonly ports: PipelinePorts;
  readonly registry: ExecutorRegistry;
  readonly policy: PolicyInForce | null;
};

/**
 * Counts a signed grant. The one that completes the threshold has everything judged again, in the same transaction that
 * spends the approval and records the start. Throws the grant's refusals (EXO_APPROVAL_*, EXO_ENVELOPE, EXO_TRUST,
 * EXO_SIGNATURE), of which nothing is recorded.
 */
export async function decide(tx: LedgerTx, envelope: Envelope, context: DecideContext): Promise<Decision> {
  const { ports } = context;
  const { record, request, work } = findRequest(tx, envelope, ports);
  const now = chainTime(tx, work.record, ports.clock.now());
  const expired = await expireIfPast(tx, record, request, work, now);
  if (expired !== null) {
    return {
      admission: expired,
      refused: { code: "EXO_APPROVAL_EXPIRED", message: `the request expired at ${request.expiresAt}` },
    };
  }
  const keys = roleKeys(ports.deployment.trust, "approver", tx.size).map(({ envelopeKey }) => envelopeKey);
  const opened = openGrant(envelope, keys);
  if (!opened.ok) throw new ExoArmurError(opened.error.code, opened.error.message);
  const { grant, signerKeyId } = opened.value;
  const material = plainMaterial(canonicalize(envelope));
  const applied = applyGrant({
    state: record.state,
    request,
    requestDigest: record.digest,
    grant,
    signerKeyId,
    envelopeDigest: material.digest,
    now,
  });
  if (!applied.ok) throw new ExoArmurError(applied.error.code, applied.error.message);
  record.state = applied.value.state;
  work.attach(tx, "approval_grant", material);
  const signerKey = keys.find((key) => keyIdOf(publicKeyOfEnvelopeKey(key)) === signerKeyId);
  if (signerKey !== undefined) work.nameKey("approver", signerKey);
  const approver = { id: grant.approver.id, type: "approver" };
  const about = { requestDigest: record.digest, envelopeDigest: material.digest, approver: grant.approver.id };
  if (applied.value.outcome === "denied") {
    const reason = grant.reason ?? "";
    work.append(tx, "approval_denied", { ...about, reason }, now, approver);
    saveApproval(tx, record);
    const message = `${grant.approver.id} denied the request: ${reason}`;
    return settled(await deny(tx, work, null, reasonOf({ code: "EXO_APPROVAL_DENIED", message }), now));
  }
  work.append(tx, "approval_granted", about, now, approver);
  if (applied.value.outcome === "counted") {
    saveApproval(tx, record);
    work.save(tx);
    const judged = judgedBefore(tx, work.record);
    return settled({
      kind: "settled",
      work,
      result: () => ({ ...judged, status: "approval_pending", approval: request }),
    });
  }
  return settled(await resume(tx, record, request, work, context, now));
}

function settled(admission: Admission): Decision {
  return { admission, refused: null };
}

function saveApproval(tx: LedgerTx, record: ApprovalRecord): void {
  writeState(tx, approvalKeys.one(record.requestId), record);
}

/** The request digest inside an envelope whose signature is not checked yet; nothing else is read there. */
function namedRequest(envelope: Envelope): string {
  if (envelope.payloadType !== payloadTypes.approvalGrant) {
    throw new ExoArmurError(
      "EXO_ENVELOPE",
      `expected payload type ${payloadTypes.approvalGrant}, got ${envelope.payloadType}`,
    );
  }
  const payload = decodeBase64(envelope.payload);
  if (payload === undefined) throw new ExoArmurError("EXO_ENVELOPE", "the payload is not standard padded base64");
  const digest = readPointer(parseCanonical(payload, { maxBytes: 65_536 }), "/requestDigest");
  const parsed = digestSchema.safeParse(digest);
  if (!parsed.success) throw new ExoArmurError("EXO_SCHEMA", "approval grant: expected a requestDigest");
  return parsed.data;
}

/** The request that a grant names. */
function findRequest(
  tx: LedgerTx,
  envelope: Envelope,
  ports: PipelinePorts,
): { record: ApprovalRecord; request: ApprovalRequest; work: IntentWork } {
  const requestDigest = namedRequest(envelope);
  const requestId = readState<string>(tx, approvalKeys.byDigest(requestDigest));
  const record = requestId === undefined ? undefined : readState<ApprovalRecord>(tx, approvalKeys.one(requestId));
  if (record === undefined) {
    throw new ExoArmurError("EXO_APPROVAL_UNKNOWN", `no approval request has the digest ${requestDigest}`);
  }
  return { record, request: readRequest(tx, record.digest), work: IntentWork.load(tx, record.intentId, ports) };
}

/** A stored approval request. EXO_STORE_DAMAGED unless it has its digest. */
export function readRequest(reader: Pick<LedgerTx, "get">, digest: Digest): ApprovalRequest {
  const bytes = reader.get(blobKey(digest));
  if (bytes === undefined || digestOf(bytes) !== digest) {
    throw new ExoArmurError("EXO_STORE_DAMAGED", `the approval request ${digest} is missing or has other bytes`);
  }
  return parseContract(approvalRequestSchema, parseCanonical(bytes), "stored approval request");
}

/** Ends a pending intent whose request has expired; null when it has not, or is closed already. */
export async function expireIfPast(
  tx: LedgerTx,
  record: ApprovalRecord,
  request: ApprovalRequest,
  work: IntentWork,
  now: number,
): Promise<Admission | null> {
  const expired = expire(record.state, request, now);
  if (!expired.ok || work.record.state !== "pending") return null;
  record.state = expired.value;
  saveApproval(tx, record);
  work.append(tx, "approval_expired", { requestDigest: record.digest, expiresAt: request.expiresAt }, now);
  const roles = [...new Set(request.roster.flatMap((entry) => entry.roles))].sort().join(" or ");
  const message = `${roles} approval required but not provided until ${request.expiresAt}`;
  return await deny(tx, work, null, reasonOf({ code: "EXO_APPROVAL_EXPIRED", message }), now);
}

/** Judges an approved intent again and starts it, if what would run is still what was approved. */
async function resume(
  tx: LedgerTx,
  record: ApprovalRecord,
  request: ApprovalRequest,
  work: IntentWork,
  { registry, policy }: DecideContext,
  now: number,
): Promise<Admission> {
  const { intent } = work;
  const refuseStale = async (message: string, judgement: Judgement | null): Promise<Admission> => {
    closeApproval(tx, record);
    return await deny(tx, work, judgement, reasonOf({ code: "EXO_APPROVAL_STALE", message }), now);
  };
  if (intent.expiresAt !== undefined && parseTime(intent.expiresAt) <= now) {
    closeApproval(tx, record);
    const message = `the intent expired at ${intent.expiresAt}`;
    return await deny(tx, work, null, reasonOf({ code: "EXO_INTENT_EXPIRED", message }), now);
  }
  const resolved = registry.resolve(intent.action, intent.executor);
  if (!resolved.ok) return await refuseStale(resolved.error.message, null);
  if (policy === null) return await refuseStale("no policy is activated", null);
  // Before anything is judged: a decision about another module would put two manifests into one bundle.
  const { plugin, manifestMaterial } = resolved.value.executor;
  if (plugin.digest !== request.pluginDigest)
    return await refuseStale("the plugin changed since the approval was asked for", null);
  if (manifestMaterial.digest !== request.manifestDigest) {
    return await refuseStale("the manifest changed since the approval was asked for", null);
  }
  const attested = verifyStoredAttestations(tx, work);
  if (!attested.ok) {
    closeApproval(tx, record);
    return await deny(tx, work, null, reasonOf(attested.error), now);
  }
  const judgement = judge(tx, work, resolved.value, policy, attested.value, now);
  const { verdict } = judgement.final;
  if (verdict === "deny") {
    closeApproval(tx, record);
    return await proceed(tx, work, resolved.value, judgement, now, () => false);
  }
  const changed = changedSince(tx, work, request, resolved.value, judgement);
  if (changed !== null) return await refuseStale(`the ${changed} changed since the approval was asked for`, judgement);
  const gone = formerApprover(tx, work, record, judgement);
  if (gone !== null) return await refuseStale(`${gone} may no longer approve`, judgement);
  if (rank(verdict) > rank(request.verdict)) {
    closeApproval(tx, record);
    const again = requestApproval(tx, work, resolved.value, judgement, now);
    if (!again.ok) return await deny(tx, work, judgement, reasonOf(again.error, judgement.final.ruleIds), now);
    const approval = again.value;
    return {
      kind: "settled",
      work,
      result: () => ({ ...judgedOf(work.record, judgement), status: "approval_pending", approval }),
    };
  }
  const started = await startOrDeny(tx, work, resolved.value, judgement, record.digest, now);
  const spent = started.kind === "started" ? spend(record.state) : supersede(record.state);
  if (!spent.ok) throw new ExoArmurError("EXO_INTERNAL", spent.error.message);
  record.state = spent.value;
  saveApproval(tx, record);
  return started;
}

/** Closes a request that will not be spent. */
function closeApproval(tx: LedgerTx, record: ApprovalRecord): void {
  const closed = supersede(record.state);
  if (!closed.ok) throw new ExoArmurError("EXO_INTERNAL", closed.error.message);
  record.state = closed.value;
  saveApproval(tx, record);
}

const ranks = ["allow", "require_approval", "require_human", "require_quorum"];

function rank(verdict: string): number {
  const found = ranks.indexOf(verdict);
  return found === -1 ? Number.POSITIVE_INFINITY : found;
}

/** A person whose approval was counted and who is not in the roster as it would be made now, or null. */
function formerApprover(
  tx: LedgerTx,
  work: IntentWork,
  { state }: ApprovalRecord,
  judgement: Judgement,
): string | null {
  const roster = presentRoster(tx, work, judgement);
  const still = (id: string, keyId: string): boolean =>
    roster.some((entry) => entry.id === id && entry.keyIds.includes(keyId));
  return state.decisions.find(({ approver, keyId }) => !still(approver, keyId))?.approver ?? null;
}

/** The first thing an approval is bound to that is no longer so, or null. */
function changedSince(
  tx: LedgerTx,
  work: IntentWork,
  request: ApprovalRequest,
  resolved: Resolved,
  judgement: Judgement,
): string | null {
  const present: readonly (readonly [string, Digest, Digest])[] = [
    ["intent", request.intentDigest, work.intentDigest],
    ["policy", request.policyDigest, judgement.decision.policyDigest],
    ["grants", request.grantsDigest, judgement.grantsDigest],
    ["preview", request.previewDigest, attachPreview(tx, work, resolved, judgement)],
  ];
  return present.find(([, then, now]) => then !== now)?.[0] ?? null;
}
