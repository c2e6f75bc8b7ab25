import { encodeUtf8 } from "../../crypto/encoding.js";
import { readCheckpoint } from "../../log/checkpoint.js";
import { proofOf } from "../../verify/check-log.js";
import type { Evidence } from "../../verify/evidence.js";
import { blobOf } from "./blob.js";
import { formatCount } from "./format.js";
import { part, type Step } from "./step.js";

/** The last step: where the bundle is in the log. */
export function logStep(evidence: Evidence): Step {
  const base = {
    kind: "log",
    title: "Log",
    at: null,
    seq: null,
    fuel: null,
    checks: ["inclusion", "checkpoint", "witnesses", "log"],
  } as const;
  const place = part(() => {
    const { index, checkpoint, proof } = proofOf(evidence);
    return { index, proof, ...readCheckpoint(checkpoint) };
  });
  if (typeof place === "string") {
    return { ...base, summary: "no position", rows: [["cannot be shown", place]], blobs: [] };
  }
  return {
    ...base,
    summary: `${formatCount(place.index)} of ${formatCount(place.size)}`,
    rows: [
      ["log", place.origin],
      ["position", `${formatCount(place.index)} of ${formatCount(place.size)}`],
      ["proof", `${place.proof.length} hashes`],
    ],
    blobs: [blobOf("log proof", encodeUtf8(evidence.bundle.logProof))],
  };
}
