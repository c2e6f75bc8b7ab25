import { type Digest, digestOf, digestOfJson } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { parseTime } from "../../src/canonical/time.js";
import { type ApprovalGrant, type ApprovalRequest, approvalRequestSchema } from "../../src/contracts/approval.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import type { ActionIntent, Requester } from "../../src/contracts/intent.js";
import type { Trust, TrustedKey } from "../../src/contracts/trust.js";
import { encodeBase64 } from "../../src/crypto/encoding.js";
import { signerFromSeed } from "../../src/crypto/signer.js";
import type { Result } from "../../src/errors.js";
import type { Signer } from "../../src/ports.js";

/** A key of its own for every number. */
function signerOf(number: number): Signer {
  return signerFromSeed(new Uint8Array(32).fill(number));
}

export const alice = signerOf(1);
export const aliceLaptop = signerOf(2);
export const bob = signerOf(3);
export const carol = signerOf(4);
export const mallory = signerOf(9);

export function keyOf(signer: Signer, id: string, more: Partial<TrustedKey> = {}): TrustedKey {
  return { role: "approver", id, publicKey: encodeBase64(signer.publicKey), from: null, until: null, ...more };
}

export function trustOf(...keys: TrustedKey[]): Trust {
  return { schema: "exoarmur.trust/v1", logs: [], keys, witnesses: { threshold: 0, vkeys: [] } };
}

export const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}`;
export const nonce = "A".repeat(43);
const requestedAt = "2026-01-31T09:00:00.000Z";
export const expiresAt = "2026-01-31T09:15:00.000Z";
export const during = "2026-01-31T09:05:00.000Z";
export const now = parseTime(during);
export const requester: Requester = { principal: "operator-1", method: "token", onBehalfOf: "team-lead" };
export const actor = { id: "report-agent", type: "agent" };

export const intent: ActionIntent = {
  schema: "exoarmur.intent/v1",
  intentId: "01HZZZZZZZZZZZZZZZZZZZZZZZ",
  correlationId: "c-1",
  tenantId: "default",
  cellId: "local",
  actor,
  action: "fs.remove",
  target: "data/orders.csv",
  executor: { name: "fs", function: "remove" },
  parameters: { path: "data/orders.csv" },
  idempotencyKey: "k-1",
  requestedAt,
  salt: nonce,
};

export const request: ApprovalRequest = approvalRequestSchema.parse({
  schema: "exoarmur.approval-request/v1",
  requestId: "01HZZZZZZZZZZZZZZZZZZZZZZY",
  intentId: intent.intentId,
  intentDigest: digest("1"),
  policyDigest: digest("2"),
  pluginDigest: digest("3"),
  manifestDigest: digest("4"),
  grantsDigest: digest("5"),
  previewDigest: digest("6"),
  verdict: "require_quorum",
  threshold: 2,
  roster: [
    { id: "alice", keyIds: [alice.keyId, aliceLaptop.keyId], roles: ["approver"] },
    { id: "bob", keyIds: [bob.keyId], roles: ["approver"] },
    { id: "carol", keyIds: [carol.keyId], roles: ["approver"] },
  ],
  requestedAt,
  expiresAt,
  nonce,
  cellId: "local",
  tenantId: "default",
});

export const requestDigest = digestOfJson(request);

export function grantOf(signer: Signer, id: string, more: Partial<ApprovalGrant> = {}): ApprovalGrant {
  return {
    schema: "exoarmur.approval-grant/v1",
    requestDigest,
    decision: "approve",
    approver: { id, keyId: signer.keyId },
    nonce,
    signedAt: during,
    ...more,
  };
}

/** Signs anything as a grant, valid or not. */
export async function signAny(
  signer: Signer,
  grant: unknown,
  type: string = payloadTypes.approvalGrant,
): Promise<Envelope> {
  return signEnvelope(type, canonicalize(grant), signer);
}

export const envelopeDigest = digestOf(new Uint8Array(1));

/** The code of a refusal, or "ok". */
export function codeOf(result: Result<unknown>): string {
  return result.ok ? "ok" : result.error.code;
}

export function unwrap<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.value;
}
