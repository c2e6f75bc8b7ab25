import { digestOfJson } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import { parseTime } from "../canonical/time.js";
import { type ApprovalGrant, type ApprovalRequest, approvalGrantSchema } from "../contracts/approval.js";
import { parseContract } from "../contracts/common.js";
import { type Envelope, payloadTypes, signEnvelope } from "../contracts/dsse.js";
import { ExoArmurError } from "../errors.js";
import type { Signer } from "../ports.js";

/** An approver's decision. `signedAt` is RFC 3339 UTC with milliseconds, `nonce` 32 bytes in unpadded base64url. */
export type GrantChoices = {
  readonly keyId: string;
  readonly approverId: string;
  readonly decision: ApprovalGrant["decision"];
  readonly reason?: string;
  readonly signedAt: string;
  readonly nonce: string;
};

/** The same, with who signs it. */
export type SignGrantOptions = Omit<GrantChoices, "keyId"> & { readonly signer: Signer };

/**
 * The grant that a decision on a request is (spec/approval.md, Grant), for a key that is to sign it.
 *
 * @throws ExoArmurError EXO_APPROVAL_APPROVER when the key is not that approver's in the roster, EXO_APPROVAL_REASON
 * for a deny without a reason, EXO_APPROVAL_EXPIRED or EXO_ORDER for a time outside the request's, EXO_SCHEMA.
 */
export function makeGrant(request: ApprovalRequest, choices: GrantChoices): ApprovalGrant {
  const { keyId, approverId, decision, reason, signedAt, nonce } = choices;
  const entry = request.roster.find((one) => one.id === approverId);
  if (entry?.keyIds.includes(keyId) !== true) {
    const known = entry === undefined ? "" : `: the request was made for ${entry.keyIds.join(", ")}`;
    const message = `key ${keyId} is not ${approverId}'s in the roster${known}`;
    throw new ExoArmurError("EXO_APPROVAL_APPROVER", message);
  }
  if (decision === "deny" && (reason ?? "").trim() === "") {
    throw new ExoArmurError("EXO_APPROVAL_REASON", "a deny needs a reason");
  }
  const at = parseTime(signedAt);
  if (at < parseTime(request.requestedAt)) {
    throw new ExoArmurError("EXO_ORDER", `expected a time from ${request.requestedAt} on, got ${signedAt}`);
  }
  if (at > parseTime(request.expiresAt)) {
    throw new ExoArmurError("EXO_APPROVAL_EXPIRED", `the request expired at ${request.expiresAt}`);
  }
  const grant: ApprovalGrant = {
    schema: "exoarmur.approval-grant/v1",
    requestDigest: digestOfJson(request),
    decision,
    ...(reason === undefined ? {} : { reason }),
    approver: { id: approverId, keyId },
    nonce,
    signedAt,
  };
  return parseContract(approvalGrantSchema, grant, "approval grant");
}

/**
 * Signs a decision on a request (spec/approval.md, grant). Nothing else is consulted: the signer vouches for having
 * seen what the request's previewDigest stands for. Throws what makeGrant throws.
 */
export async function signGrantWith(request: ApprovalRequest, options: SignGrantOptions): Promise<Envelope> {
  const { signer, ...choices } = options;
  const grant = makeGrant(request, { ...choices, keyId: signer.keyId });
  return signEnvelope(payloadTypes.approvalGrant, canonicalize(grant), signer);
}
