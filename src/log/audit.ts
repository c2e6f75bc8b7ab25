import { decodeUtf8, equalBytes } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import type { StoreReader } from "../ports.js";
import { type Checkpoint, readCheckpoint } from "./checkpoint.js";
import { readLeaf } from "./leaf.js";
import { CHECKPOINT_KEY, indexOfKey, LEAVES, leafKey, nodeKey, nodeReader, storedLeaf } from "./store-layout.js";
import {
  appendLeaves,
  consistencyProof,
  type Frontier,
  frontierRoot,
  inclusionProof,
  leafHash,
  type ReadNode,
  requireWithin,
  rootFromNodes,
} from "./tree.js";

/** A log as it was when it was read, beside its owner. Nothing of it is verified but the form of its checkpoint. */
export interface LogView {
  readonly size: number;
  /** The root its checkpoint names. */
  readonly root: Uint8Array;
  /** The signed checkpoint, a C2SP note. */
  readonly checkpoint: string;
  prove(index: number, size?: number): Uint8Array[];
  consistency(oldSize: number, newSize: number): Uint8Array[];
  leaf(index: number): Uint8Array;
  /** Stored hashes of complete subtrees. EXO_STORE_DAMAGED for a missing one. */
  readonly readNode: ReadNode;
}

/**
 * Reads a stored log without writing. EXO_STORE_DAMAGED when there is no checkpoint, or it is malformed or another
 * log's. The view's functions throw EXO_LOG_RANGE, and EXO_STORE_DAMAGED for a missing entry (spec/log.md).
 */
export function readLedger(reader: StoreReader, origin: string): LogView {
  const { note: checkpoint, size, root, origin: stored } = storedCheckpoint(reader);
  if (stored !== origin)
    throw new ExoArmurError("EXO_STORE_DAMAGED", `The stored checkpoint is of the log ${stored}, not ${origin}.`);
  const readNode = nodeReader(reader);
  return {
    size,
    root,
    checkpoint,
    prove: (index, under = size) => {
      requireWithin(under, size);
      return inclusionProof(index, under, readNode);
    },
    consistency: (oldSize, newSize) => {
      requireWithin(newSize, size);
      return consistencyProof(oldSize, newSize, readNode);
    },
    leaf: (index) => storedLeaf(reader, index, size),
    readNode,
  };
}

/** What an audit found: the tree it recomputed, and what contradicts it (at most 100 sentences). */
export type TreeAudit = {
  readonly ok: boolean;
  readonly size: number;
  /** Leaves hashed and inner nodes compared. */
  readonly leaves: number;
  readonly nodes: number;
  readonly problems: readonly string[];
};

const MAX_PROBLEMS = 100;
const MAX_LEVEL = 53;

/**
 * Recomputes every leaf hash, every inner node and the root of a stored log and compares them with what is stored and
 * with the stored checkpoint. Reports instead of throwing; signatures are the caller's to verify. Safe beside the log's
 * owner: what it appends meanwhile is left out. Time and reads are linear in the log (spec/log.md).
 */
export function auditTree(reader: StoreReader): TreeAudit {
  const problems: string[] = [];
  const report = (problem: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(problem);
  };
  const checkpoint = tryCheckpoint(reader, report);
  const { size } = checkpoint;
  let frontier: Frontier = { size: 0, peaks: [] };
  let nodes = 0;
  for (const [key, bytes] of reader.range({ gte: LEAVES.gte, lt: leafKey(size) })) {
    if (key !== leafKey(frontier.size)) {
      report(`The leaf ${leafKey(frontier.size)} is missing; the next one stored is ${key}.`);
      break;
    }
    if (readLeaf(bytes) === undefined) report(`The leaf ${key} is not of a leaf's form.`);
    const appended = appendLeaves(frontier, [leafHash(bytes)]);
    for (const node of appended.nodes) {
      if (node.level === 0) continue;
      nodes += 1;
      const stored = reader.get(nodeKey(node.level, node.index));
      if (stored === undefined || !equalBytes(stored, node.hash)) {
        report(`The node ${nodeKey(node.level, node.index)} is ${stored ? "not the hash of its leaves" : "missing"}.`);
      }
    }
    frontier = appended.frontier;
  }
  if (frontier.size < size) report(`The checkpoint is of ${size} leaves, ${frontier.size} are stored without a gap.`);
  else if (!equalBytes(frontierRoot(frontier), checkpoint.root))
    report("The leaves do not have the root the checkpoint names.");
  reportSurplus(reader, report);
  return { ok: problems.length === 0, size, leaves: frontier.size, nodes, problems };
}

/** Entries beyond the checkpoint. The last entries are read before the checkpoint, which only grows. */
function reportSurplus(reader: StoreReader, report: (problem: string) => void): void {
  const last: { key: string; width: number; index: number | undefined }[] = [];
  for (let level = 0, width = 1; level < MAX_LEVEL; level += 1, width *= 2) {
    const range =
      level === 0 ? LEAVES : { gte: nodeKey(level, 0).slice(0, 5), lt: `${nodeKey(level, 0).slice(0, 4)}0` };
    for (const [key] of reader.range({ ...range, limit: 1, reverse: true }))
      last.push({ key, width, index: indexOfKey(key) });
  }
  const { size } = tryCheckpoint(reader, () => {});
  for (const { key, width, index } of last) {
    if (index === undefined || (index + 1) * width > size)
      report(`The entry ${key} lies beyond the checkpoint's ${size} leaves.`);
  }
}

/**
 * Compares a store with a signed checkpoint that was published earlier: `behind` when the store has fewer leaves,
 * `inconsistent` when its tree at that size has another root or the checkpoint is another log's, else `consistent`.
 * The checkpoint's signature is not verified here. EXO_NOTE for a malformed checkpoint, EXO_STORE_DAMAGED for a store
 * without a readable one or with missing entries (spec/log.md).
 */
export function compareCheckpoint(
  reader: StoreReader,
  checkpoint: string | Uint8Array,
): "behind" | "inconsistent" | "consistent" {
  const published = readCheckpoint(checkpoint);
  const stored = storedCheckpoint(reader);
  if (published.origin !== stored.origin) return "inconsistent";
  if (published.size > stored.size) return "behind";
  const root = published.size === stored.size ? stored.root : rootFromNodes(published.size, nodeReader(reader));
  return equalBytes(root, published.root) ? "consistent" : "inconsistent";
}

function storedCheckpoint(reader: StoreReader): Checkpoint & { readonly note: string } {
  const value = reader.get(CHECKPOINT_KEY);
  if (value === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", "The store has no checkpoint.");
  const note = decodeUtf8(value) ?? "";
  try {
    const { origin, size, root } = readCheckpoint(note);
    return { origin, size, root, note };
  } catch (error) {
    throw new ExoArmurError("EXO_STORE_DAMAGED", "The stored checkpoint is malformed.", {}, { cause: error });
  }
}

function tryCheckpoint(reader: StoreReader, report: (problem: string) => void): { size: number; root: Uint8Array } {
  try {
    return storedCheckpoint(reader);
  } catch (error) {
    report(error instanceof Error ? error.message : String(error));
    return { size: 0, root: new Uint8Array() };
  }
}
