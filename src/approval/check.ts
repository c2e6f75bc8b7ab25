import { type Digest, digestOf, digestOfJson } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import { parseCanonical } from "../canonical/read.js";
import { type ApprovalGrant, type ApprovalRequest, approvalGrantSchema } from "../contracts/approval.js";
import { type Envelope, openEnvelope, payloadTypes } from "../contracts/dsse.js";
import type { ActionIntent, Requester } from "../contracts/intent.js";
import type { EnvelopeKey } from "../contracts/passkey.js";
import { isExoArmurError, ok, type Result, refuse } from "../errors.js";
import { excludedNames } from "./exclusion.js";
import { type ApprovalState, applyGrant, isPast, pendingApproval } from "./state.js";

/** Everything needed to check an approval again. `keys` are trusted approver keys; `startedAt` in milliseconds. */
export type ApprovalEvidence = {
  readonly request: ApprovalRequest;
  readonly requestDigest: Digest;
  readonly envelopes: readonly Envelope[];
  readonly keys: readonly EnvelopeKey[];
  readonly requester: Requester;
  readonly actor: ActionIntent["actor"];
  readonly startedAt: number;
};

/** A grant whose one signature verified. */
export type OpenedGrant = {
  readonly grant: ApprovalGrant;
  readonly signerKeyId: string;
  readonly envelopeDigest: Digest;
};

/** Bytes a grant may have. */
const maxGrantBytes = 65_536;

/**
 * Opens a signed grant: one signature, by one of `keys`, over the canonical bytes of a grant (spec/approval.md).
 *
 * @returns the refusals of openEnvelope, EXO_ENVELOPE for more than one signer, EXO_JSON_* or EXO_SCHEMA for the
 * payload, EXO_APPROVAL_REASON for a deny without a reason.
 */
export function openGrant(envelope: Envelope, keys: readonly EnvelopeKey[]): Result<OpenedGrant> {
  const opened = openEnvelope(envelope, payloadTypes.approvalGrant, keys);
  if (!opened.ok) return opened;
  const { payload, signers } = opened.value;
  const signer = signers[0];
  if (signer === undefined || signers.length !== 1) {
    return refuse("EXO_ENVELOPE", `expected one signature on a grant, got ${signers.length}`);
  }
  try {
    const parsed = approvalGrantSchema.safeParse(parseCanonical(payload, { maxBytes: maxGrantBytes }));
    if (parsed.success) {
      return ok({
        grant: parsed.data,
        signerKeyId: signer.keyId,
        envelopeDigest: digestOf(canonicalize(envelope)),
      });
    }
    const [issue] = parsed.error.issues;
    const code = issue?.path[0] === "reason" && issue.code === "custom" ? "EXO_APPROVAL_REASON" : "EXO_SCHEMA";
    return refuse(code, `approval grant: ${issue?.message ?? "not the expected shape"}`);
  } catch (error) {
    if (isExoArmurError(error)) return refuse(error.code, `approval grant: ${error.message}`);
    throw error;
  }
}

/**
 * Whether a request was validly approved (spec/approval.md, check): every envelope is a grant for this very request by
 * a distinct person of its roster, none is the requester or the actor, none denies, there are enough, and the request
 * had not expired when the execution started. Decisions beyond the threshold are refused as the runtime refuses them.
 *
 * @returns the approvers in the order given, or the first refusal: EXO_APPROVAL_*, EXO_ORDER, those of openGrant.
 */
export function checkApproval(evidence: ApprovalEvidence): Result<{ approvers: string[] }> {
  const { request, requestDigest, envelopes, keys, startedAt } = evidence;
  if (digestOfJson(request) !== requestDigest) {
    return refuse("EXO_APPROVAL_STALE", `the request does not have the digest ${requestDigest}`);
  }
  if (isPast(request, startedAt)) {
    return refuse("EXO_APPROVAL_EXPIRED", `the request expired at ${request.expiresAt}, before the start`);
  }
  const excluded = excludedNames(evidence.requester, evidence.actor.id);
  let state: ApprovalState = pendingApproval;
  for (const envelope of envelopes) {
    const opened = openGrant(envelope, keys);
    if (!opened.ok) return opened;
    const { approver } = opened.value.grant;
    if (excluded.has(approver.id) || excluded.has(approver.keyId)) {
      return refuse("EXO_APPROVAL_APPROVER", `${approver.id} is the requester or the actor`);
    }
    const applied = applyGrant({ state, request, requestDigest, ...opened.value, now: startedAt });
    if (!applied.ok) return applied;
    state = applied.value.state;
    if (applied.value.outcome === "denied") return refuse("EXO_APPROVAL_DENIED", `${approver.id} denied the request`);
  }
  if (state.status !== "approved") {
    return refuse("EXO_APPROVAL_PENDING", `expected ${request.threshold} approvals, got ${state.decisions.length}`);
  }
  return ok({ approvers: state.decisions.map((decision) => decision.approver) });
}
