import type { Digest } from "../canonical/digest.js";
import { isTime, parseTime } from "../canonical/time.js";
import type { ApprovalGrant, ApprovalRequest } from "../contracts/approval.js";
import { type ErrorCode, ok, type Result, refuse } from "../errors.js";

/** Where a request stands. `approved`: enough people approved and the approval is not yet spent, which only a hold makes last. */
export type ApprovalStatus = "pending" | "approved" | "denied" | "expired" | "superseded" | "spent";

/** One counted decision. `envelopeDigest` is of the canonical bytes of the signed envelope. */
export type ApprovalDecision = {
  readonly approver: string;
  readonly keyId: string;
  readonly decision: "approve" | "deny";
  readonly envelopeDigest: Digest;
  readonly signedAt: string;
  readonly reason?: string;
};

/** State of one request, as stored. Decisions are in the order they were counted. */
export type ApprovalState = { readonly status: ApprovalStatus; readonly decisions: readonly ApprovalDecision[] };

/** State of a request nobody has decided on. */
export const pendingApproval: ApprovalState = { status: "pending", decisions: [] };

/** Every step a request's status can take (spec/approval.md, states). What is not here cannot happen. */
export const approvalTransitions: Readonly<Record<ApprovalStatus, readonly ApprovalStatus[]>> = {
  pending: ["approved", "denied", "expired", "superseded"],
  // A held approval can still be denied.
  approved: ["spent", "denied", "expired", "superseded"],
  denied: [],
  expired: [],
  superseded: [],
  spent: [],
};

/** A grant whose envelope was opened. `signerKeyId` is the key whose signature verified; `now` in milliseconds. */
export type GrantInput = {
  readonly state: ApprovalState;
  readonly request: ApprovalRequest;
  readonly requestDigest: Digest;
  readonly grant: ApprovalGrant;
  readonly signerKeyId: string;
  readonly envelopeDigest: Digest;
  readonly now: number;
};

/** The state after a grant. `counted`: more people are needed. */
export type GrantOutcome = { readonly state: ApprovalState; readonly outcome: "counted" | "approved" | "denied" };

/**
 * Counts one decision (spec/approval.md, decisions). One deny closes the request; so does the approval that reaches
 * the threshold, but for a deny while the request has a hold and is not spent. A person counts once, with whichever of
 * their keys.
 *
 * @returns EXO_APPROVAL_UNKNOWN (another request), _APPROVER (not in the roster, or not the signer), _CLOSED, _SPENT,
 * _EXPIRED, _DUPLICATE, _REASON, EXO_ORDER (signed before the request was made).
 */
export function applyGrant(input: GrantInput): Result<GrantOutcome> {
  const { state, request, grant } = input;
  const refusal = judgeGrant(input);
  if (refusal !== null) return refuse(refusal[0], refusal[1]);
  const decision: ApprovalDecision = {
    approver: grant.approver.id,
    keyId: grant.approver.keyId,
    decision: grant.decision,
    envelopeDigest: input.envelopeDigest,
    signedAt: grant.signedAt,
    ...(grant.reason === undefined ? {} : { reason: grant.reason }),
  };
  const decisions = [...state.decisions, decision];
  if (grant.decision === "deny") return ok({ state: { status: "denied", decisions }, outcome: "denied" });
  if (decisions.length >= request.threshold) {
    return ok({ state: { status: "approved", decisions }, outcome: "approved" });
  }
  return ok({ state: { status: "pending", decisions }, outcome: "counted" });
}

function judgeGrant(input: GrantInput): readonly [ErrorCode, string] | null {
  const { state, request, grant, signerKeyId, now } = input;
  const { approver } = grant;
  if (grant.requestDigest !== input.requestDigest) {
    return ["EXO_APPROVAL_UNKNOWN", `the grant is for ${grant.requestDigest}, not for this request`];
  }
  if (approver.keyId !== signerKeyId) {
    return ["EXO_APPROVAL_APPROVER", `the grant names key ${approver.keyId}, but ${signerKeyId} signed it`];
  }
  const entries = request.roster.filter((entry) => entry.id === approver.id);
  if (entries.length !== 1 || entries[0]?.keyIds.includes(signerKeyId) !== true) {
    return ["EXO_APPROVAL_APPROVER", `${approver.id} with key ${signerKeyId} is not in the request's roster`];
  }
  const deniable = state.status === "approved" && request.notBefore !== undefined && grant.decision === "deny";
  if (state.status !== "pending" && !deniable) return closed(state.status);
  if (isPast(request, now)) return ["EXO_APPROVAL_EXPIRED", `the request expired at ${request.expiresAt}`];
  if (state.decisions.some((one) => one.approver === approver.id || one.keyId === signerKeyId)) {
    return ["EXO_APPROVAL_DUPLICATE", `${approver.id} has already decided`];
  }
  if (grant.decision === "deny" && (grant.reason ?? "").trim() === "") {
    return ["EXO_APPROVAL_REASON", "a deny needs a reason"];
  }
  // The schema lets 31 February through; it is no instant, so it lies in no window.
  const signedAt = isTime(grant.signedAt) ? parseTime(grant.signedAt) : Number.NaN;
  if (!(signedAt >= parseTime(request.requestedAt))) {
    return ["EXO_ORDER", `the grant was signed at ${grant.signedAt}, before the request of ${request.requestedAt}`];
  }
  if (signedAt > parseTime(request.expiresAt)) {
    return ["EXO_APPROVAL_EXPIRED", `the grant was signed at ${grant.signedAt}, after ${request.expiresAt}`];
  }
  return null;
}

/** True when `now` (milliseconds) is after the request's expiry; at that very millisecond it is still open. */
export function isPast(request: ApprovalRequest, now: number): boolean {
  return !(now <= parseTime(request.expiresAt));
}

/** True when `now` (milliseconds) is before the instant the request names; at that very millisecond it is over. */
export function isHeld({ notBefore }: ApprovalRequest, now: number): boolean {
  return notBefore !== undefined && !(now >= parseTime(notBefore));
}

/**
 * Uses an approval up. Call it where the start of the execution is committed. `now` in milliseconds.
 *
 * @returns the spent state, or EXO_APPROVAL_HELD, _PENDING, _SPENT, _DENIED, _EXPIRED, _STALE (superseded).
 */
export function spend(state: ApprovalState, request: ApprovalRequest, now: number): Result<ApprovalState> {
  if (canBecome(state, "spent")) {
    if (isHeld(request, now)) return refuse("EXO_APPROVAL_HELD", `the approval is held until ${request.notBefore}`);
    return ok({ ...state, status: "spent" });
  }
  const codes = {
    pending: "EXO_APPROVAL_PENDING",
    approved: "EXO_INTERNAL",
    denied: "EXO_APPROVAL_DENIED",
    expired: "EXO_APPROVAL_EXPIRED",
    superseded: "EXO_APPROVAL_STALE",
    spent: "EXO_APPROVAL_SPENT",
  } as const satisfies Record<ApprovalStatus, ErrorCode>;
  return refuse(codes[state.status], `expected an approved request, it is ${state.status}`);
}

/**
 * Closes a request whose time has passed, approved or not. `now` in milliseconds.
 *
 * @returns EXO_APPROVAL_PENDING when it has not passed, EXO_APPROVAL_CLOSED or _SPENT when the request is closed.
 */
export function expire(state: ApprovalState, request: ApprovalRequest, now: number): Result<ApprovalState> {
  if (!canBecome(state, "expired")) return refuse(...closed(state.status));
  if (!isPast(request, now)) return refuse("EXO_APPROVAL_PENDING", `the request is open until ${request.expiresAt}`);
  return ok({ ...state, status: "expired" });
}

/**
 * Closes a request that another one, or a denial, has replaced: what was shown is no longer what would run.
 *
 * @returns EXO_APPROVAL_CLOSED or _SPENT when the request is closed.
 */
export function supersede(state: ApprovalState): Result<ApprovalState> {
  if (!canBecome(state, "superseded")) return refuse(...closed(state.status));
  return ok({ ...state, status: "superseded" });
}

function canBecome(state: ApprovalState, next: ApprovalStatus): boolean {
  return approvalTransitions[state.status].includes(next);
}

function closed(status: ApprovalStatus): readonly [ErrorCode, string] {
  if (status === "spent") return ["EXO_APPROVAL_SPENT", "the approval has been spent"];
  if (status === "expired") return ["EXO_APPROVAL_EXPIRED", "the request has expired"];
  return ["EXO_APPROVAL_CLOSED", `the request is ${status}`];
}
