import { checkApproval, openGrant } from "../approval/check.js";
import { excludedNames, holdersOf } from "../approval/exclusion.js";
import { thresholdOf } from "../approval/request.js";
import { type ApprovalState, applyGrant, pendingApproval } from "../approval/state.js";
import { digestOf } from "../canonical/digest.js";
import { canonicalize, canonicalText } from "../canonical/jcs.js";
import { formatTime, parseTime } from "../canonical/time.js";
import { type ApprovalRequest, approvalRequestSchema } from "../contracts/approval.js";
import type { AttestationFacts } from "../contracts/attestation.js";
import { envelopeSchema } from "../contracts/dsse.js";
import { previewOf } from "../contracts/invocation.js";
import { grantsSchema } from "../contracts/manifest.js";
import { defaultApproverRole, defaultExpirySeconds, policyInputSchema } from "../contracts/policy.js";
import { equalBytes } from "../crypto/encoding.js";
import { keyIdOf } from "../crypto/key-id.js";
import { isWitnessedBy } from "./check-log.js";
import type { Evidence } from "./evidence.js";
import type { KeySource } from "./keys.js";
import { expect, fail, notApplicable, unable } from "./report.js";

/**
 * Every request asks for what the decision obliges, every decision on it is signed by the approver it names, and the
 * request a start spends binds exactly what ran, approved in time by enough distinct people, not the requester.
 */
export function checkApprovals(evidence: Evidence, keys: KeySource): string {
  const spent = evidence.eventsOf("execution_started")[0]?.payload.spent ?? null;
  const requests = evidence.eventsOf("approval_requested");
  if (spent === null && requests.length === 0) return notApplicable("no approval was asked for");
  for (const { event, payload, index } of requests) {
    const request = evidence.document(payload.requestDigest, "approval_request", approvalRequestSchema);
    expect(
      canonicalText(request) === canonicalText(payload.request),
      "EXO_CHECK_FAILED",
      "the recorded request is not the one that was signed",
    );
    checkObliged(evidence, request, index, event.header.recordedAt);
  }
  checkDecisions(evidence, keys);
  if (spent !== null) return checkSpent(evidence, keys);
  const denier = evidence.eventsOf("approval_denied")[0]?.payload.approver;
  return denier === undefined ? "asked for, not spent" : `denied by ${denier}`;
}

/** A request asks for as many people, in such roles and for so long, as the decision and verdict before it say. */
function checkObliged(evidence: Evidence, request: ApprovalRequest, index: number, recordedAt: string): void {
  const { obligations } =
    evidence.eventsOf("policy_evaluated").findLast((entry) => entry.index < index)?.payload.decision ??
    fail("EXO_CHECK_FAILED", "a request without a decision");
  const final = evidence.eventsOf("verdict_resolved").findLast((entry) => entry.index < index)?.payload.final.verdict;
  expect(
    request.verdict === final,
    "EXO_CHECK_FAILED",
    `the request is for ${request.verdict}, the verdict was ${final ?? "none"}`,
  );
  const threshold = thresholdOf(request.verdict, obligations);
  expect(
    request.threshold === threshold,
    "EXO_CHECK_FAILED",
    `the request asks for ${request.threshold} approvals, obliged are ${threshold}`,
  );
  const roles = obligations.roles ?? [defaultApproverRole];
  for (const entry of request.roster) {
    expect(
      entry.roles.every((role) => roles.includes(role)),
      "EXO_CHECK_FAILED",
      `the roster has ${entry.id} for the roles ${entry.roles.join(", ")}, obliged are ${roles.join(", ")}`,
    );
  }
  expect(request.requestedAt === recordedAt, "EXO_CHECK_FAILED", "the request was made at another time than recorded");
  const until = parseTime(recordedAt) + (obligations.expiresInSeconds ?? defaultExpirySeconds) * 1000;
  const { expiresAt } = evidence.intent();
  const latest = expiresAt === undefined ? until : Math.min(until, parseTime(expiresAt));
  expect(
    request.expiresAt === formatTime(latest),
    "EXO_CHECK_FAILED",
    `the request expires at ${request.expiresAt}, obliged is ${formatTime(latest)}`,
  );
}

/**
 * Every recorded decision is a grant signed by the approver it names, about the request it names, and one that could be
 * counted when it was recorded: in time, once by each person, on a request that was open.
 */
function checkDecisions(evidence: Evidence, keys: KeySource): void {
  const approvers = keys.keysFor("approver");
  const decided = [
    ...evidence.eventsOf("approval_granted").map((entry) => ({ ...entry, decision: "approve" })),
    ...evidence.eventsOf("approval_denied").map((entry) => ({ ...entry, decision: "deny" })),
  ].sort((a, b) => a.index - b.index);
  const states = new Map<string, ApprovalState>();
  for (const { event, payload: recorded, decision } of decided) {
    const opened = openGrant(
      evidence.document(recorded.envelopeDigest, "approval_grant", envelopeSchema),
      approvers.map((key) => key.envelopeKey),
    );
    if (!opened.ok) fail(opened.error.code, opened.error.message);
    const { grant, signerKeyId } = opened.value;
    const reason = "reason" in recorded ? recorded.reason : grant.reason;
    const { requestDigest } = recorded;
    const request = evidence.document(requestDigest, "approval_request", approvalRequestSchema);
    const listed = request.roster.some((entry) => entry.id === recorded.approver && entry.keyIds.includes(signerKeyId));
    expect(listed, "EXO_APPROVAL_APPROVER", `${recorded.approver} with key ${signerKeyId} is not in the roster`);
    expect(
      grant.requestDigest === requestDigest &&
        grant.approver.id === recorded.approver &&
        grant.approver.keyId === signerKeyId &&
        grant.decision === decision &&
        grant.reason === reason,
      "EXO_CHECK_FAILED",
      `the decision recorded of ${recorded.approver} is not the one that was signed`,
    );
    const signer = approvers.find((key) => keyIdOf(key.publicKey) === signerKeyId);
    expect(
      keys.trust === null || signer?.person === recorded.approver,
      "EXO_TRUST",
      `key ${signerKeyId} is ${signer?.person ?? "nobody"}'s, not ${recorded.approver}'s`,
    );
    const state = states.get(requestDigest) ?? pendingApproval;
    const now = parseTime(event.header.recordedAt);
    const counted = applyGrant({ ...opened.value, state, request, requestDigest, now });
    if (!counted.ok) fail(counted.error.code, counted.error.message);
    states.set(requestDigest, counted.value.state);
  }
}

function checkSpent(evidence: Evidence, keys: KeySource): string {
  const { event, payload, index } = evidence.started();
  if (payload.spent === null) return notApplicable("no approval was spent");
  const request = evidence.document(payload.spent, "approval_request", approvalRequestSchema);
  const { intent, manifest, fn } = evidence.invocation();
  const bound = {
    intentDigest: evidence.only("intent"),
    policyDigest: payload.policyDigest,
    pluginDigest: payload.pluginDigest,
    manifestDigest: payload.manifestDigest,
    grantsDigest: payload.grantsDigest,
    intentId: intent.intentId,
    tenantId: intent.tenantId,
    cellId: intent.cellId,
  } as const;
  for (const [name, value] of Object.entries(bound)) {
    expect(
      request[name as keyof typeof bound] === value,
      "EXO_CHECK_FAILED",
      `the approval was given for another ${name}`,
    );
  }
  const grants = evidence.document(payload.grantsDigest, "grants", grantsSchema);
  const attestations = attestationsSeen(evidence, index);
  const shown = evidence.content(request.previewDigest, "preview");
  expect(
    equalBytes(shown, canonicalize(previewOf(intent, manifest, fn, grants, attestations))),
    "EXO_CHECK_FAILED",
    "the approvers were shown something else than what ran",
  );
  const asked = evidence
    .eventsOf("approval_requested")
    .some((entry) => entry.payload.requestDigest === payload.spent && entry.index < index);
  expect(asked, "EXO_CHECK_FAILED", "the spent request was never recorded");
  const final = evidence.eventsOf("verdict_resolved").findLast((entry) => entry.index < index)?.payload.final.verdict;
  const rank = ["allow", "require_approval", "require_human", "require_quorum"];
  expect(
    final !== undefined && rank.includes(final) && rank.indexOf(final) <= rank.indexOf(request.verdict),
    "EXO_CHECK_FAILED",
    `the verdict at the start was ${final ?? "none"}, approved was ${request.verdict}`,
  );
  const approvers = countApprovers(evidence, keys, request, index, parseTime(event.header.recordedAt));
  const expiry = checkExpiry(evidence, keys, request);
  return `${approvers.length} of ${request.threshold} approvals: ${approvers.join(", ")}; requester excluded; spent by this start; expiry ${expiry}`;
}

/** Whose clock says that the approval had not expired: unable where the trust file wants witnesses to, and none did. */
function checkExpiry(evidence: Evidence, keys: KeySource, { expiresAt }: ApprovalRequest): string {
  if (isWitnessedBy(evidence, keys, parseTime(expiresAt))) return "witnessed";
  if (!keys.trust?.require?.includes("witnessed")) return "asserted by the runtime's clock";
  return unable("EXO_MATERIAL_MISSING", `no cosignature shows that the start was before the expiry at ${expiresAt}`);
}

/** Attestations that the last decision before an event was told of. Where none came there is nothing to look up. */
function attestationsSeen(evidence: Evidence, before: number): readonly AttestationFacts[] {
  if (evidence.eventsOf("intent_received")[0]?.payload.attestations === undefined) return [];
  const decision = evidence.eventsOf("policy_evaluated").findLast(({ index }) => index < before)?.payload.decision;
  if (decision === undefined) return fail("EXO_CHECK_FAILED", "a start without a decision");
  return evidence.document(decision.inputDigest, "policy_input", policyInputSchema).attestations ?? [];
}

function countApprovers(
  evidence: Evidence,
  keys: KeySource,
  request: ApprovalRequest,
  before: number,
  startedAt: number,
): readonly string[] {
  const requestDigest = digestOf(canonicalize(request));
  const envelopes = evidence
    .eventsOf("approval_granted")
    .filter((entry) => entry.payload.requestDigest === requestDigest && entry.index < before)
    .map((entry) => evidence.document(entry.payload.envelopeDigest, "approval_grant", envelopeSchema));
  const admissible = keys.keysFor("approver");
  const requester =
    evidence.eventsOf("intent_received")[0]?.payload.requester ?? fail("EXO_CHECK_FAILED", "no requester");
  const { actor } = evidence.intent();
  const checked = checkApproval({
    request,
    requestDigest,
    envelopes,
    keys: admissible.map((key) => key.envelopeKey),
    requester,
    actor,
    startedAt,
  });
  if (!checked.ok) return fail(checked.error.code, checked.error.message);
  if (keys.trust === null) return checked.value.approvers;
  // The roster is the runtime's statement; with a trust file, whose key it is comes from there.
  const barred = holdersOf(keys.trust.keys, excludedNames(requester, actor.id));
  for (const entry of request.roster) {
    expect(!barred.has(entry.id), "EXO_APPROVAL_APPROVER", `${entry.id} is the requester or the actor by another key`);
    for (const key of admissible.filter((candidate) => entry.keyIds.includes(keyIdOf(candidate.publicKey)))) {
      expect(key.person === entry.id, "EXO_TRUST", `the roster gives a key of ${key.person ?? ""} to ${entry.id}`);
      expect(
        entry.roles.some((role) => key.roles.includes(role)),
        "EXO_TRUST",
        `the roster gives ${entry.id} roles that none of the trust file's has: ${entry.roles.join(", ")}`,
      );
    }
  }
  return checked.value.approvers;
}
