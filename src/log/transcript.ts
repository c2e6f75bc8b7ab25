import { type Digest, parseDigest } from "../canonical/digest.js";
import { encodeHex, encodeUtf8 } from "../crypto/encoding.js";
import { sha256 } from "../crypto/sha256.js";
import { ExoArmurError } from "../errors.js";
import {
  appendLeaves,
  frontierFromNodes,
  frontierRoot,
  inclusionProof,
  type ReadNode,
  verifyInclusion,
} from "./tree.js";

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
  return `sha256:${encodeHex(frontierRoot(treeOf(entries).frontier))}`;
}

/**
 * Hashes that lead from one entry to the transcript's root, from its sibling up: what discloses one call without the
 * others. EXO_LOG_RANGE unless 0 <= seq < number of entries.
 */
export function transcriptPath(entries: readonly Digest[], seq: number): Uint8Array[] {
  const { nodes } = treeOf(entries);
  const byPlace = new Map(nodes.map(({ level, index, hash }) => [`${level}/${index}`, hash]));
  const read: ReadNode = (level, index) => {
    const hash = byPlace.get(`${level}/${index}`);
    if (hash === undefined) throw new ExoArmurError("EXO_INTERNAL", `no node ${level}/${index} in the transcript`);
    return hash;
  };
  return inclusionProof(seq, entries.length, read);
}

/** Is this the entry at `seq` of the transcript with this root and size? False for anything malformed; never throws. */
export function isTranscriptEntry(
  entry: Digest,
  seq: number,
  transcript: { readonly root: Digest; readonly size: number },
  proof: readonly Uint8Array[],
): boolean {
  const leafHash = entryHash(entry);
  return verifyInclusion({ leafHash, index: seq, size: transcript.size, proof, root: parseDigest(transcript.root) });
}

function entryHash(entry: Digest): Uint8Array {
  return sha256(leafPrefix, domain, parseDigest(entry));
}

function treeOf(entries: readonly Digest[]): ReturnType<typeof appendLeaves> {
  const empty = frontierFromNodes(0, () => new Uint8Array(32));
  return appendLeaves(empty, entries.map(entryHash));
}
