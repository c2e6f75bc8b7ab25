import { equalBytes } from "../crypto/encoding.js";
import { sha256 } from "../crypto/sha256.js";
import { ExoArmurError } from "../errors.js";

/*
 * RFC 6962 Merkle arithmetic. Sizes and indexes are safe integers up to 2^53-1, so every step divides and takes
 * remainders of Numbers; no bitwise operator may appear here, they cut at 32 bits.
 */

/** Bytes of a tree hash. */
export const HASH_BYTES = 32;

/**
 * Reads the stored hash of a complete subtree: `level` 0 is a leaf hash, `level` n the root over the 2^n leaves that
 * start at `index * 2^n`. Throws when the subtree is not stored; is only asked for subtrees inside the tree.
 */
export type ReadNode = (level: number, index: number) => Uint8Array;

/** A complete subtree's place and hash, as the store keeps it. */
export type TreeNode = { readonly level: number; readonly index: number; readonly hash: Uint8Array };

/** The complete subtrees a tree of `size` leaves consists of, largest (leftmost) first. All an appender needs. */
export type Frontier = { readonly size: number; readonly peaks: readonly TreeNode[] };

const LEAF_PREFIX = Uint8Array.of(0);
const NODE_PREFIX = Uint8Array.of(1);

/** SHA-256(0x00 || bytes) (spec/log.md). */
export function leafHash(bytes: Uint8Array): Uint8Array {
  return sha256(LEAF_PREFIX, bytes);
}

/** SHA-256(0x01 || left || right) (spec/log.md). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(NODE_PREFIX, left, right);
}

/** The root of the tree without leaves: SHA-256 of nothing. */
export function emptyRoot(): Uint8Array {
  return sha256();
}

/** Root of the tree of `size` leaves from its stored complete subtrees. EXO_LOG_RANGE for a bad size. */
export function rootFromNodes(size: number, readNode: ReadNode): Uint8Array {
  requireSize(size);
  return size === 0 ? emptyRoot() : rangeHash(0, size, readNode);
}

/**
 * RFC 6962 audit path of leaf `index` in the tree of `size` leaves, from the leaf's sibling up. EXO_LOG_RANGE unless
 * 0 <= index < size.
 */
export function inclusionProof(index: number, size: number, readNode: ReadNode): Uint8Array[] {
  requireSize(size);
  if (!isCount(index) || index >= size) {
    throw new ExoArmurError("EXO_LOG_RANGE", `Leaf ${String(index)} is not in a tree of ${size} leaves.`);
  }
  const proof: Uint8Array[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const middle = start + splitPoint(end - start);
    if (index < middle) {
      proof.push(rangeHash(middle, end, readNode));
      end = middle;
    } else {
      proof.push(rangeHash(start, middle, readNode));
      start = middle;
    }
  }
  return proof.reverse();
}

/**
 * RFC 6962 consistency proof between the trees of `oldSize` and `newSize` leaves. EXO_LOG_RANGE unless
 * 1 <= oldSize <= newSize: nothing can be proven about the empty tree.
 */
export function consistencyProof(oldSize: number, newSize: number, readNode: ReadNode): Uint8Array[] {
  requireSize(newSize);
  if (!isCount(oldSize) || oldSize < 1 || oldSize > newSize) {
    throw new ExoArmurError(
      "EXO_LOG_RANGE",
      `No consistency proof leads from ${String(oldSize)} to ${newSize} leaves.`,
    );
  }
  const proof: Uint8Array[] = [];
  let start = 0;
  let end = newSize;
  while (oldSize !== end) {
    const middle = start + splitPoint(end - start);
    if (oldSize <= middle) {
      proof.push(rangeHash(middle, end, readNode));
      end = middle;
    } else {
      proof.push(rangeHash(start, middle, readNode));
      start = middle;
    }
  }
  // The old root itself is known to the verifier only if it is the leftmost complete subtree.
  if (start > 0) proof.push(rangeHash(start, end, readNode));
  return proof.reverse();
}

/** The frontier of a stored tree of `size` leaves. EXO_LOG_RANGE for a bad size. */
export function frontierFromNodes(size: number, readNode: ReadNode): Frontier {
  requireSize(size);
  const peaks = completeSubtrees(0, size).map(({ level, index }) => ({ level, index, hash: readNode(level, index) }));
  return { size, peaks };
}

/** Root of the tree a frontier stands for. */
export function frontierRoot(frontier: Frontier): Uint8Array {
  return foldPeaks(frontier.peaks.map((peak) => peak.hash)) ?? emptyRoot();
}

/**
 * Appends leaf hashes in order. Returns the new frontier, its size and root, and every complete subtree that came into
 * being (levels from 0 up) for the store to keep. O(1) hashes per leaf on average. EXO_LOG_RANGE beyond 2^53-1 leaves.
 */
export function appendLeaves(
  frontier: Frontier,
  leafHashes: readonly Uint8Array[],
): {
  readonly frontier: Frontier;
  readonly size: number;
  readonly nodes: readonly TreeNode[];
  readonly root: Uint8Array;
} {
  requireSize(frontier.size + leafHashes.length);
  const peaks = [...frontier.peaks];
  const nodes: TreeNode[] = [];
  let size = frontier.size;
  for (const hash of leafHashes) {
    requireHash(hash);
    let node: TreeNode = { level: 0, index: size, hash };
    nodes.push(node);
    for (let left = peaks.at(-1); left !== undefined && left.level === node.level; left = peaks.at(-1)) {
      peaks.pop();
      node = { level: node.level + 1, index: left.index / 2, hash: nodeHash(left.hash, node.hash) };
      nodes.push(node);
    }
    peaks.push(node);
    size += 1;
  }
  const next: Frontier = { size, peaks };
  return { frontier: next, size, nodes, root: frontierRoot(next) };
}

/** What an inclusion claim consists of: the leaf's bytes or its leaf hash, its place, the path and the root. */
export type InclusionClaim = {
  readonly index: number;
  readonly size: number;
  /** 32-byte hashes from the leaf's sibling up. */
  readonly proof: readonly Uint8Array[];
  readonly root: Uint8Array;
} & (
  | { readonly leaf: Uint8Array; readonly leafHash?: never }
  | { readonly leafHash: Uint8Array; readonly leaf?: never }
);

/** What a consistency claim consists of. */
export type ConsistencyClaim = {
  readonly oldSize: number;
  readonly newSize: number;
  readonly oldRoot: Uint8Array;
  readonly newRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
};

/**
 * True when the proof shows the leaf at `index` of the tree of `size` leaves with this root (RFC 9162, 2.1.3.2).
 * False for anything else, malformed sizes and hashes that are not 32 bytes included; never throws (spec/log.md).
 */
export function verifyInclusion(claim: InclusionClaim): boolean {
  const { index, size, proof, root } = claim;
  if (!isCount(index) || !isCount(size) || index >= size || !isHash(root) || !proof.every(isHash)) return false;
  let hash = claim.leaf === undefined ? claim.leafHash : leafHash(claim.leaf);
  if (!isHash(hash)) return false;
  let node = index;
  let last = size - 1;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      hash = nodeHash(sibling, hash);
      // A node without right neighbour rises unchanged until it is somebody's right child.
      while (!isOdd(node) && node !== 0) {
        node = half(node);
        last = half(last);
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    node = half(node);
    last = half(last);
  }
  return last === 0 && equalBytes(hash, root);
}

/**
 * True when the proof shows that the new tree begins with all leaves of the old one (RFC 9162, 2.1.4.2). False for
 * anything else: an old size of 0, a shrinking tree, a hash that is not 32 bytes; never throws (spec/log.md).
 */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { oldSize, newSize, oldRoot, newRoot, proof } = claim;
  if (!isCount(oldSize) || !isCount(newSize) || oldSize < 1 || oldSize > newSize) return false;
  if (!isHash(oldRoot) || !isHash(newRoot) || !proof.every(isHash)) return false;
  if (oldSize === newSize) return proof.length === 0 && equalBytes(oldRoot, newRoot);

  let node = oldSize - 1;
  let last = newSize - 1;
  while (isOdd(node)) {
    node = half(node);
    last = half(last);
  }
  // A size that is a power of two is itself a complete subtree: the old root opens the path and is left out of it.
  const path = node === 0 ? [oldRoot, ...proof] : proof;
  const [first, ...rest] = path;
  if (first === undefined) return false;
  let oldHash = first;
  let newHash = first;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      oldHash = nodeHash(sibling, oldHash);
      newHash = nodeHash(sibling, newHash);
      while (!isOdd(node) && node !== 0) {
        node = half(node);
        last = half(last);
      }
    } else {
      newHash = nodeHash(newHash, sibling);
    }
    node = half(node);
    last = half(last);
  }
  return last === 0 && equalBytes(oldHash, oldRoot) && equalBytes(newHash, newRoot);
}

/** True for an integer from 0 to 2^53-1. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);
}

/** Throws EXO_LOG_RANGE unless `size` is a size the log has had. */
export function requireWithin(size: number, present: number): void {
  if (!isCount(size) || size > present)
    throw new ExoArmurError("EXO_LOG_RANGE", `The log has ${present} leaves, so no tree of ${String(size)}.`);
}

/** The complete subtrees that cover the leaves [start, end), largest first; `start` must be a multiple of the largest. */
function completeSubtrees(start: number, end: number): { readonly level: number; readonly index: number }[] {
  const subtrees: { readonly level: number; readonly index: number }[] = [];
  let width = 1;
  let level = 0;
  while (width * 2 <= end - start) {
    width *= 2;
    level += 1;
  }
  for (let at = start; at < end; width /= 2, level -= 1) {
    if (end - at >= width) {
      subtrees.push({ level, index: at / width });
      at += width;
    }
  }
  return subtrees;
}

function rangeHash(start: number, end: number, readNode: ReadNode): Uint8Array {
  const hash = foldPeaks(completeSubtrees(start, end).map(({ level, index }) => readNode(level, index)));
  if (hash === undefined)
    throw new ExoArmurError("EXO_INTERNAL", "The hash of an empty range of leaves was asked for.");
  return hash;
}

/** Joins complete subtrees from the right, as RFC 6962 splits them. */
function foldPeaks(peaks: readonly Uint8Array[]): Uint8Array | undefined {
  return peaks.reduceRight<Uint8Array | undefined>((right, left) => (right ? nodeHash(left, right) : left), undefined);
}

/** The largest power of two below `count`, which is at least 2. Doubling stays exact: it ends at 2^52. */
function splitPoint(count: number): number {
  let width = 1;
  while (width * 2 < count) width *= 2;
  return width;
}

function requireSize(size: number): void {
  if (!isCount(size))
    throw new ExoArmurError("EXO_LOG_RANGE", `A tree size must be an integer from 0 to 2^53-1, got ${String(size)}.`);
}

function requireHash(hash: Uint8Array): void {
  if (hash.length !== HASH_BYTES)
    throw new ExoArmurError("EXO_LOG_RANGE", `A tree hash has 32 bytes, got ${hash.length}.`);
}

function isHash(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === HASH_BYTES;
}

function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function half(value: number): number {
  return Math.floor(value / 2);
}
