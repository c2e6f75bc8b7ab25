import { type Digest, parseDigest } from "../canonical/digest.js";
import { encodeHex, encodeUtf8 } from "../crypto/encoding.js";
import { sha256 } from "../crypto/sha256.js";
import { appendLeaves, frontierFromNodes, frontierRoot } from "./tree.js";

const domain = encodeUtf8("exoarmur.transcript/v1\0");
const leafPrefix = Uint8Array.of(0);

/**
 * Merkle root over a transcript (spec/bundle.md): RFC 6962 hashing, each leaf SHA-256(0x00 || "exoarmur.transcript/v1"
 * NUL || entry digest), so that one call can be disclosed alone. The root of no calls is SHA-256 of the domain string.
 *
 * @param entries digests of the salted host_call materials, in order of `seq`
 */
export function transcriptRoot(entries: readonly Digest[]): Digest {
  if (entries.length === 0) return `sha256:${encodeHex(sha256(domain))}`;
  const leaves = entries.map((entry) => sha256(leafPrefix, domain, parseDigest(entry)));
  const empty = frontierFromNodes(0, () => new Uint8Array(32));
  return `sha256:${encodeHex(frontierRoot(appendLeaves(empty, leaves).frontier))}`;
}
