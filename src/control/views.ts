import type { ApprovalRequest } from "../contracts/approval.js";
import type { ApprovalHead, ApprovalView, IntentHead, ResultView } from "../contracts/control.js";
import type { CanonicalEvent } from "../contracts/event.js";
import { encodeBase64 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import type { ApprovalRecord, IntentRecord } from "../pipeline/documents.js";
import { keptIntent, keptShown } from "../pipeline/present.js";
import { readEvent } from "../pipeline/recorder.js";
import { eventKeys } from "../pipeline/store-keys.js";
import type { ExecutionResult } from "../pipeline/types.js";
import type { StoreReader } from "../ports.js";

/** A result as JSON; the bundle by its digest. */
export function resultView(result: ExecutionResult): ResultView {
  const { intentId, correlationId, status, decision, safety } = result;
  const view: ResultView = { intentId, correlationId, status, decision, safety };
  if (result.status === "executed") {
    const { output, fuel, hostCalls } = result;
    const bytes = output instanceof Uint8Array;
    view.output = bytes ? { kind: "bytes", base64: encodeBase64(output) } : { kind: "json", value: output };
    if (result.outputDropped === true) view.outputDropped = true;
    view.fuel = { ...fuel };
    view.hostCalls = hostCalls;
  }
  if (result.status === "failed") view.execution = result.execution;
  if (result.status === "approval_pending") {
    view.approval = result.approval;
    if (result.heldUntil !== undefined) view.heldUntil = result.heldUntil;
  }
  if ("reason" in result) {
    view.reason = result.reason;
    view.advice = result.advice;
  }
  if ("bundle" in result) view.bundle = result.bundle.digest;
  return view;
}

/** An intent as lists show it. What its requester says of the time does not count. EXO_STORE_DAMAGED. */
export function intentHead(store: StoreReader, record: IntentRecord): IntentHead {
  const { intentId, correlationId, tenantId, requester, state } = record;
  const { actor, recordedAt: receivedAt } = firstEvent(store, record);
  const { action = null, target = null } = keptIntent(store, record) ?? {};
  const shown = { intentId, correlationId, tenantId, actor, requester, action, target, receivedAt };
  return { ...shown, state: state as IntentHead["state"] };
}

function firstEvent(store: StoreReader, { intentId, tenantId, correlationId, events }: IntentRecord): CanonicalEvent {
  const packed = store.get(eventKeys.one(tenantId, correlationId, events[0]?.sequence ?? 0));
  if (packed === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", `intent ${intentId} has no first event`);
  return readEvent(packed);
}

/** An approval request and where it stands. */
export function approvalHead({ digest, state }: ApprovalRecord, request: ApprovalRequest): ApprovalHead {
  return { requestDigest: digest, status: state.status, decisions: [...state.decisions], request };
}

/** An approval request with what its approvers are shown. EXO_STORE_DAMAGED. */
export function approvalView(store: StoreReader, record: ApprovalRecord, request: ApprovalRequest): ApprovalView {
  const shown = keptShown(store, request);
  const preview = shown?.preview ?? null;
  return {
    ...approvalHead(record, request),
    preview,
    previewMaterial: shown === null ? null : encodeBase64(shown.material),
  };
}
