import { openPreview } from "../approval/preview.js";
import { parseCanonical } from "../canonical/read.js";
import { adviceOn } from "../contracts/advice.js";
import { type ApprovalRequest, approvalRequestSchema, type Preview } from "../contracts/approval.js";
import type { MaterialRole } from "../contracts/bundle.js";
import { parseContract } from "../contracts/common.js";
import { type ActionIntent, intentSchema } from "../contracts/intent.js";
import { readOutput } from "../contracts/invocation.js";
import { endStates } from "../contracts/lifecycle.js";
import { manifestSchema } from "../contracts/manifest.js";
import { unsalt } from "../contracts/material.js";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import type { LogProver } from "../log/cosigned.js";
import type { StoreReader } from "../ports.js";
import type { BundleHandle } from "../proof/bundle.js";
import { deniedCallOf } from "./advice.js";
import { readRequest } from "./approvals.js";
import { heldUntil } from "./decide.js";
import { type ApprovalRecord, type IntentRecord, readState } from "./documents.js";
import { storedBundle } from "./finish.js";
import { judgedBefore } from "./judged.js";
import { approvalKeys, blobKey, intentKeys } from "./store-keys.js";
import type { ExecutionResult } from "./types.js";

/** The state document of an intent. EXO_INTENT_UNKNOWN. */
export function readIntentRecord(reader: StoreReader, intentId: string): IntentRecord {
  const record = readState<IntentRecord>(reader, intentKeys.one(intentId));
  if (record === undefined) throw new ExoArmurError("EXO_INTENT_UNKNOWN", `no intent has the id ${intentId}`);
  return record;
}

/** Whether a material of a role was dropped, which a result or a reader then lacks. */
function isDropped({ materials, dropped = [] }: IntentRecord, role: MaterialRole): boolean {
  return materials.some((material) => material.role === role && dropped.includes(material.digest));
}

/** The recorded intent. EXO_MATERIAL_DROPPED; EXO_STORE_DAMAGED when its document is gone otherwise. */
export function readIntent(reader: StoreReader, record: IntentRecord): ActionIntent {
  return parseContract(intentSchema, parseCanonical(contentOf(reader, record, "intent")), "stored intent");
}

/** The recorded intent, or null once it was dropped. EXO_STORE_DAMAGED. */
export function keptIntent(reader: StoreReader, record: IntentRecord): ActionIntent | null {
  try {
    return readIntent(reader, record);
  } catch (error) {
    if (isExoArmurError(error, "EXO_MATERIAL_DROPPED")) return null;
    throw error;
  }
}

/** The present state of an intent, read from the store alone. EXO_INTENT_UNKNOWN, EXO_STORE_DAMAGED. */
export function presentResult(reader: StoreReader, log: LogProver, intentId: string): ExecutionResult {
  const record = readIntentRecord(reader, intentId);
  const judged = judgedBefore(reader, record);
  const { execution, state } = record;
  if (state === "pending") return { ...judged, status: "approval_pending", ...approvalOf(reader, record) };
  if (state === "started") return { ...judged, status: "running" };
  if (state === "completed" && execution !== null) {
    const { fuel, transcript } = execution;
    const outputDropped = isDropped(record, "output");
    return {
      ...judged,
      status: "executed",
      output: outputDropped ? null : (outputOf(reader, record) ?? null),
      ...(outputDropped ? { outputDropped } : {}),
      fuel,
      hostCalls: transcript.size,
      bundle: storedBundle(reader, log, record),
    };
  }
  const { reason } = record;
  if (reason === null) throw new ExoArmurError("EXO_STORE_DAMAGED", `intent ${intentId} rests in the state ${state}`);
  if (state === "in_doubt" || state === "resolved") {
    return { ...judged, status: "in_doubt", reason, advice: adviceOn(state, reason) };
  }
  if (state === "denied") {
    const bundle = storedBundle(reader, log, record);
    return { ...judged, status: "denied", reason, advice: adviceOn("denied", reason), bundle };
  }
  if (state === "failed" && execution !== null) {
    const advice = adviceOn("failed", reason, deniedCallOf(reader, record));
    return { ...judged, status: "failed", reason, advice, execution, bundle: storedBundle(reader, log, record) };
  }
  throw new ExoArmurError("EXO_STORE_DAMAGED", `intent ${intentId} rests in the state ${state}`);
}

/** The bundle of an ended intent, or undefined while it has none. EXO_INTENT_UNKNOWN. */
export function presentBundle(reader: StoreReader, log: LogProver, intentId: string): BundleHandle | undefined {
  const record = readIntentRecord(reader, intentId);
  return endStates.has(record.state) ? storedBundle(reader, log, record) : undefined;
}

/** An approval request and where it stands. */
export type ApprovalView = { readonly request: ApprovalRequest; readonly record: ApprovalRecord };

/** Every approval request, oldest first. */
export function approvalViews(reader: StoreReader): ApprovalView[] {
  const views: ApprovalView[] = [];
  for (const [key] of reader.range(approvalKeys.all)) {
    const record = readState<ApprovalRecord>(reader, key);
    if (record !== undefined) views.push({ record, request: readRequest(reader, record.digest) });
  }
  return views;
}

/**
 * What the approvers of a request are shown, checked against the digest that they sign. EXO_STORE_DAMAGED when it is
 * not the document the request names.
 */
export function readPreview(reader: StoreReader, request: ApprovalRequest): Preview {
  return readShown(reader, request).preview;
}

/** What approvers are shown: the document, and the bytes whose SHA-256 they sign, 32 of salt and its canonical ones. */
export type Shown = { readonly preview: Preview; readonly material: Uint8Array };

/** What the approvers of a request are shown, or null once it was dropped. EXO_STORE_DAMAGED. */
export function keptPreview(reader: StoreReader, request: ApprovalRequest): Preview | null {
  return keptShown(reader, request)?.preview ?? null;
}

/** The same, with its material. EXO_STORE_DAMAGED. */
export function keptShown(reader: StoreReader, request: ApprovalRequest): Shown | null {
  const { dropped = [] } = readIntentRecord(reader, request.intentId);
  return dropped.includes(request.previewDigest) ? null : readShown(reader, request);
}

function readShown(reader: StoreReader, request: ApprovalRequest): Shown {
  const material = reader.get(blobKey(request.previewDigest));
  const opened = material === undefined ? undefined : openPreview(material, request);
  if (material !== undefined && opened !== undefined) return { preview: opened, material };
  throw new ExoArmurError("EXO_STORE_DAMAGED", "the preview is not the one the request names");
}

function contentOf(reader: StoreReader, record: IntentRecord, role: MaterialRole): Uint8Array {
  const digest = record.materials.findLast((material) => material.role === role)?.digest;
  const bytes = digest === undefined ? undefined : reader.get(blobKey(digest));
  if (bytes !== undefined) return bytes;
  if (isDropped(record, role)) {
    throw new ExoArmurError("EXO_MATERIAL_DROPPED", `the ${role} of intent ${record.intentId} was dropped`);
  }
  throw new ExoArmurError("EXO_STORE_DAMAGED", `intent ${record.intentId} has no ${role}`);
}

function outputOf(reader: StoreReader, record: IntentRecord): ReturnType<typeof readOutput> {
  const manifest = parseContract(
    manifestSchema,
    parseCanonical(contentOf(reader, record, "manifest")),
    "stored manifest",
  );
  const intent = readIntent(reader, record);
  const fn = manifest.functions.find(
    ({ name, action }) => name === intent.executor?.function && action === intent.action,
  );
  const bytes = unsalt(contentOf(reader, record, "output"));
  return fn === undefined || bytes === undefined ? undefined : readOutput(fn.output, bytes);
}

/** The request of a pending intent, and until when its approval is held. */
function approvalOf(reader: StoreReader, record: IntentRecord): { approval: ApprovalRequest; heldUntil?: string } {
  const approval = requestOf(reader, record);
  const stored = readState<ApprovalRecord>(reader, approvalKeys.one(approval.requestId));
  return { approval, ...(stored === undefined ? {} : heldUntil(stored, approval)) };
}

function requestOf(reader: StoreReader, record: IntentRecord): ApprovalRequest {
  const content = contentOf(reader, record, "approval_request");
  return parseContract(approvalRequestSchema, parseCanonical(content), "stored approval request");
}
