import { digestOfJson } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { formatTime } from "../../src/canonical/time.js";
import type { ApprovalGrant, ApprovalRequest } from "../../src/contracts/approval.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import type { KillSwitchOrder, PolicyActivation, ResolutionOrder, TrustScoreOrder } from "../../src/contracts/order.js";
import type { AnyPolicy } from "../../src/contracts/policy-cedar.js";
import { droppableRoles, type MaterialsDropOrder } from "../../src/contracts/retention.js";
import { encodeBase64Url } from "../../src/crypto/encoding.js";
import type { Signer } from "../../src/ports.js";
import { keys, seededEntropy, startMs } from "./world.js";

const entropy = seededEntropy("nonces");

/** A nonce nobody used before. */
export function freshNonce(): string {
  return encodeBase64Url(entropy.bytes(32));
}

/** A signed grant, valid or not: `more` overrides any member. */
export async function grant(
  request: ApprovalRequest,
  id: string,
  signer: Signer,
  more: Partial<ApprovalGrant> = {},
  payloadType: string = payloadTypes.approvalGrant,
): Promise<Envelope> {
  const document = {
    schema: "exoarmur.approval-grant/v1",
    requestDigest: digestOfJson(request),
    decision: "approve",
    approver: { id, keyId: signer.keyId },
    nonce: freshNonce(),
    signedAt: request.requestedAt,
    ...more,
  };
  return await signEnvelope(payloadType, canonicalize(document), signer);
}

/** A signed kill-switch order. */
export async function killOrder(
  on: boolean,
  more: Partial<KillSwitchOrder> = {},
  signer: Signer = keys.operator,
): Promise<Envelope> {
  const order = {
    schema: "exoarmur.kill-switch/v1",
    cellId: "local",
    scope: more.tenantId === undefined ? "global" : "tenant",
    tenantId: null,
    on,
    operator: { id: "ops", keyId: signer.keyId },
    nonce: freshNonce(),
    signedAt: formatTime(startMs),
    ...more,
  };
  return await signEnvelope(payloadTypes.killSwitch, canonicalize(order), signer);
}

/** A signed order that sets the trust score of the agent `report-agent`. */
export async function scoreOrder(
  score: number,
  more: Partial<TrustScoreOrder> = {},
  signer: Signer = keys.operator,
): Promise<Envelope> {
  const order = {
    schema: "exoarmur.trust-score/v1",
    cellId: "local",
    tenantId: "default",
    actorId: "report-agent",
    score,
    operator: { id: "ops", keyId: signer.keyId },
    nonce: freshNonce(),
    signedAt: formatTime(startMs),
    ...more,
  };
  return await signEnvelope(payloadTypes.trustScore, canonicalize(order), signer);
}

/** A signed order to drop materials: by default everything that may go, of what ended before the year 2100. */
export async function dropOrder(
  more: Partial<MaterialsDropOrder> = {},
  signer: Signer = keys.operator,
): Promise<Envelope> {
  const order = {
    schema: "exoarmur.materials-drop/v1",
    cellId: "local",
    tenantId: null,
    intentIds: null,
    endedBefore: "2100-01-01T00:00:00.000Z",
    roles: [...droppableRoles],
    reason: "asked for",
    operator: { id: "ops", keyId: signer.keyId },
    nonce: freshNonce(),
    signedAt: formatTime(startMs),
    ...more,
  };
  return await signEnvelope(payloadTypes.materialsDrop, canonicalize(order), signer);
}

/** A signed policy. */
export async function signedPolicy(
  policy: AnyPolicy,
  signer: Signer = keys.author,
  payloadType: string = payloadTypes.policy,
): Promise<Envelope> {
  return await signEnvelope(payloadType, canonicalize(policy), signer);
}

/** A signed order to put a proposed policy in force. */
export async function activation(
  policyDigest: string,
  replaces: string,
  more: Partial<PolicyActivation> = {},
  signer: Signer = keys.author,
): Promise<Envelope> {
  const order = {
    schema: "exoarmur.policy-activation/v1",
    cellId: "local",
    policyDigest,
    replaces,
    operator: { id: "author", keyId: signer.keyId },
    nonce: freshNonce(),
    signedAt: formatTime(startMs),
    ...more,
  };
  return await signEnvelope(payloadTypes.policyActivation, canonicalize(order), signer);
}

/** A signed resolution of an in-doubt intent. */
export async function resolution(
  intentId: string,
  outcome: ResolutionOrder["outcome"],
  more: Partial<ResolutionOrder> = {},
  signer: Signer = keys.operator,
): Promise<Envelope> {
  const order = {
    schema: "exoarmur.resolution/v1",
    cellId: "local",
    intentId,
    outcome,
    evidence: [digestOfJson("what the operator saw")],
    operator: { id: "ops", keyId: signer.keyId },
    nonce: freshNonce(),
    signedAt: formatTime(startMs),
    ...more,
  };
  return await signEnvelope(payloadTypes.resolution, canonicalize(order), signer);
}
