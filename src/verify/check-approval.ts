import { digestOf } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import { parseTime } from "../canonical/time.js";
import { checkApproval } from "../approval/check.js";
import { approvalRequestSchema } from "../contracts/approval.js";
import { envelopeSchema } from "../contracts/dsse.js";
import { previewOf } from "../contracts/invocation.js";
import { grantsSchema } from "../contracts/manifest.js";
import { equalBytes } from "../crypto/encoding.js";
import { keyIdOf } from "../crypto/key-id.js";
import type { Evidence } from "./evidence.js";
import type { KeySource } from "./keys.js";
import { expect, fail, notApplicable } from "./report.js";

/** The spent request binds exactly what ran, and enough distinct approvers, not the requester, approved it in time. */
export function checkApprovals(evidence: Evidence, keys: KeySource): string {
  const { event, payload, index } = evidence.started();
  if (payload.spent === null) return notApplicable("no approval was asked for");
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
    expect(request[name as keyof typeof bound] === value, "EXO_CHECK_FAILED", `the approval was given for another ${name}`);
  }
  const grants = evidence.document(payload.grantsDigest, "grants", grantsSchema);
  const shown = evidence.content(request.previewDigest, "preview");
  expect(
    equalBytes(shown, canonicalize(previewOf(intent, manifest, fn, grants))),
    "EXO_CHECK_FAILED",
    "the approvers were shown something else than what ran",
  );
  const asked = evidence.eventsOf("approval_requested").some((entry) => entry.payload.requestDigest === payload.spent);
  expect(asked, "EXO_CHECK_FAILED", "the spent request was never recorded");
  const final = evidence.eventsOf("verdict_resolved").findLast((entry) => entry.index < index)?.payload.final.verdict;
  const rank = ["allow", "require_approval", "require_human", "require_quorum"];
  expect(
    final !== undefined && rank.includes(final) && rank.indexOf(final) <= rank.indexOf(request.verdict),
    "EXO_CHECK_FAILED",
    `the verdict at the start was ${final ?? "none"}, approved was ${request.verdict}`,
  );
  const recorded = evidence
    .eventsOf("approval_granted")
    .filter((entry) => entry.payload.requestDigest === payload.spent && entry.index < index)
    .map((entry) => entry.payload.envelopeDigest);
  const envelopes = recorded.map((digest) => evidence.document(digest, "approval_grant", envelopeSchema));
  const admissible = keys.keysFor("approver");
  const checked = checkApproval({
    request,
    requestDigest: digestOf(canonicalize(request)),
    envelopes,
    keys: admissible.map((key) => key.publicKey),
    requester: evidence.eventsOf("intent_received")[0]?.payload.requester ?? fail("EXO_CHECK_FAILED", "no requester"),
    actor: intent.actor,
    startedAt: parseTime(event.header.recordedAt),
  });
  if (!checked.ok) return fail(checked.error.code, checked.error.message);
  // The roster is the runtime's statement; with a trust file, whose key it is comes from there.
  for (const entry of keys.trust === null ? [] : request.roster) {
    for (const key of admissible.filter((candidate) => entry.keyIds.includes(keyIdOf(candidate.publicKey)))) {
      expect(key.person === entry.id, "EXO_TRUST", `the roster gives a key of ${key.person ?? ""} to ${entry.id}`);
    }
  }
  return `${checked.value.approvers.length} of ${request.threshold} approvals: ${checked.value.approvers.join(", ")}; requester excluded; spent by this start`;
}
