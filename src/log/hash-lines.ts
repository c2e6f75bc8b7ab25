import { decodeBase64, encodeBase64 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import { HASH_BYTES } from "./tree.js";

/** Hashes of the longest consistency proof between trees of up to 2^53-1 leaves. */
const MAX_HASHES = 54;

/** A consistency proof as text: its hashes in base64, one a line (spec/log.md). No hashes are no text. */
export function formatHashLines(hashes: readonly Uint8Array[]): string {
  return hashes.map((hash) => `${encodeBase64(hash)}\n`).join("");
}

/** Reads a consistency proof. EXO_LOG_PROOF unless it is what formatHashLines writes of 32-byte hashes, at most 54. */
export function parseHashLines(text: string): Uint8Array[] {
  const lines = text.split("\n");
  if (lines.pop() !== "") throw malformed("does not end in a newline");
  if (lines.length > MAX_HASHES) throw malformed(`has ${lines.length} lines, at most ${MAX_HASHES} are read`);
  return lines.map((line, at) => {
    const hash = decodeBase64(line);
    if (hash?.length === HASH_BYTES) return hash;
    throw malformed(`has a line ${at + 1} that is not a 32-byte hash in standard base64`);
  });
}

function malformed(what: string): ExoArmurError {
  return new ExoArmurError("EXO_LOG_PROOF", `The consistency proof ${what}.`);
}
