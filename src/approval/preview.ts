import { digestOf } from "../canonical/digest.js";
import { parseCanonical } from "../canonical/read.js";
import { type ApprovalRequest, type Preview, previewSchema } from "../contracts/approval.js";
import { parseContract } from "../contracts/common.js";
import { unsalt } from "../contracts/material.js";

/**
 * What the approvers of a request sign for, from its material: 32 bytes of salt and the canonical document (spec/approval.md,
 * Request). Undefined unless the request names these very bytes. EXO_JSON_*, EXO_SCHEMA for bytes that are no preview.
 */
export function openPreview(
  material: Uint8Array,
  { previewDigest }: Pick<ApprovalRequest, "previewDigest">,
): Preview | undefined {
  const content = digestOf(material) === previewDigest ? unsalt(material) : undefined;
  return content === undefined ? undefined : parseContract(previewSchema, parseCanonical(content), "preview");
}
