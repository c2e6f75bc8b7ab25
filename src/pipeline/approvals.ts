import { type Digest, digestOf } from "../canonical/digest.js";
import { parseCanonical } from "../canonical/read.js";
import { type ApprovalRequest, approvalRequestSchema } from "../contracts/approval.js";
import { parseContract } from "../contracts/common.js";
import { ExoArmurError } from "../errors.js";
import type { StoreReader } from "../ports.js";
import { type ApprovalRecord, type IntentRecord, readState } from "./documents.js";
import { approvalKeys, blobKey } from "./store-keys.js";

/** A stored approval request. EXO_STORE_DAMAGED unless it has its digest. */
export function readRequest(reader: Pick<StoreReader, "get">, digest: Digest): ApprovalRequest {
  const bytes = reader.get(blobKey(digest));
  if (bytes === undefined || digestOf(bytes) !== digest) {
    throw new ExoArmurError("EXO_STORE_DAMAGED", `the approval request ${digest} is missing or has other bytes`);
  }
  return parseContract(approvalRequestSchema, parseCanonical(bytes), "stored approval request");
}

/** The request that a pending intent waits for, or null. */
export function openApproval(reader: StoreReader, { state, approval }: IntentRecord): ApprovalRecord | null {
  if (state !== "pending" || approval === null) return null;
  return readState<ApprovalRecord>(reader, approvalKeys.one(approval.requestId)) ?? null;
}
