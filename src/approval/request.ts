import type { Digest } from "../canonical/digest.js";
import { formatTime, parseTime } from "../canonical/time.js";
import type { ApprovalRequest, RosterEntry } from "../contracts/approval.js";
import type { ActionIntent } from "../contracts/intent.js";
import { defaultExpirySeconds, type Obligations } from "../contracts/policy.js";
import { ok, type Result, refuse } from "../errors.js";

/** What a request is made of. `now` is milliseconds since the Unix epoch; `nonce` is 32 bytes in unpadded base64url. */
export type RequestInput = {
  readonly requestId: string;
  readonly intent: ActionIntent;
  readonly intentDigest: Digest;
  readonly policyDigest: Digest;
  readonly pluginDigest: Digest;
  readonly manifestDigest: Digest;
  readonly grantsDigest: Digest;
  readonly previewDigest: Digest;
  readonly verdict: ApprovalRequest["verdict"];
  readonly obligations: Obligations;
  readonly roster: readonly RosterEntry[];
  readonly now: number;
  readonly nonce: string;
};

/** People who must approve: what the policy asks for, at least one, and at least two for require_quorum. */
export function thresholdOf(verdict: ApprovalRequest["verdict"], obligations: Obligations): number {
  return Math.max(obligations.approvals ?? 1, verdict === "require_quorum" ? 2 : 1);
}

/**
 * The request for approval of one intent (spec/approval.md, request). It expires after the obligation's seconds and
 * never after the intent.
 *
 * @returns EXO_APPROVAL_ROSTER when fewer people may approve than must, EXO_INTENT_EXPIRED when nothing is left to wait
 * for, EXO_APPROVAL_HELD when it would expire before its hold is over.
 */
export function buildRequest(input: RequestInput): Result<ApprovalRequest> {
  const { intent, verdict, obligations, roster, now } = input;
  const threshold = thresholdOf(verdict, obligations);
  const people = new Set(roster.map((entry) => entry.id)).size;
  if (people < threshold) {
    return refuse("EXO_APPROVAL_ROSTER", `expected ${threshold} people who may approve, the trust file has ${people}`);
  }
  const wanted = now + (obligations.expiresInSeconds ?? defaultExpirySeconds) * 1000;
  const latest = intent.expiresAt === undefined ? wanted : parseTime(intent.expiresAt);
  if (latest <= now) return refuse("EXO_INTENT_EXPIRED", `the intent expired at ${intent.expiresAt}`);
  const expiresAt = Math.min(wanted, latest);
  const notBefore = obligations.holdSeconds === undefined ? null : now + obligations.holdSeconds * 1000;
  if (notBefore !== null && expiresAt <= notBefore) {
    return refuse(
      "EXO_APPROVAL_HELD",
      `expected an expiry after the hold until ${formatTime(notBefore)}, the request would expire at ${formatTime(expiresAt)}`,
    );
  }
  return ok({
    schema: "exoarmur.approval-request/v1",
    requestId: input.requestId,
    intentId: intent.intentId,
    intentDigest: input.intentDigest,
    policyDigest: input.policyDigest,
    pluginDigest: input.pluginDigest,
    manifestDigest: input.manifestDigest,
    grantsDigest: input.grantsDigest,
    previewDigest: input.previewDigest,
    verdict,
    threshold,
    roster: [...roster],
    requestedAt: formatTime(now),
    ...(notBefore === null ? {} : { notBefore: formatTime(notBefore) }),
    expiresAt: formatTime(expiresAt),
    nonce: input.nonce,
    cellId: intent.cellId,
    tenantId: intent.tenantId,
  });
}
