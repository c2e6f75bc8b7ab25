import { ExoArmurError } from "../errors.js";
import type { StoreReader } from "../ports.js";
import { isCount, leafHash, type ReadNode } from "./tree.js";

/** Key of the newest signed checkpoint (spec/log.md). */
export const CHECKPOINT_KEY = "m/checkpoint";

/** Half-open key range of the leaves; nobody else writes there. */
export const LEAVES = { gte: "l/", lt: "l0" } as const;

/** Half-open key range of the inner nodes; nobody else writes there. */
export const NODES = { gte: "t/", lt: "t0" } as const;

/** Decimal digits of 2^53-1, the largest index. */
const INDEX_DIGITS = 16;

/** Key of a leaf's bytes: `l/` and the index in 16 digits. */
export function leafKey(index: number): string {
  return `l/${String(index).padStart(INDEX_DIGITS, "0")}`;
}

/** Key of a complete subtree of level 1 or more: `t/`, the level in 2 digits, `/`, the index in 16 digits. */
export function nodeKey(level: number, index: number): string {
  return `t/${String(level).padStart(2, "0")}/${String(index).padStart(INDEX_DIGITS, "0")}`;
}

/** True for the keys the log keeps its own entries under: the prefixes `l/` and `t/`, and the checkpoint's key. */
export function isLogKey(key: string): boolean {
  return key.startsWith("l/") || key.startsWith("t/") || key === CHECKPOINT_KEY;
}

/**
 * Reads complete subtrees from a store. Leaf hashes are not stored: they are computed from the leaf's bytes.
 * The reader throws EXO_STORE_DAMAGED for a missing entry or one that is not 32 bytes.
 */
export function nodeReader(reader: StoreReader): ReadNode {
  return (level, index) => {
    const key = level === 0 ? leafKey(index) : nodeKey(level, index);
    const value = reader.get(key);
    if (value === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", `The log's entry ${key} is missing.`);
    if (level === 0) return leafHash(value);
    if (value.length !== 32)
      throw new ExoArmurError("EXO_STORE_DAMAGED", `The log's entry ${key} has ${value.length} bytes, not 32.`);
    return value;
  };
}

/** A stored leaf's bytes. EXO_LOG_RANGE unless 0 <= index < size, EXO_STORE_DAMAGED when it is missing. */
export function storedLeaf(reader: StoreReader, index: number, size: number): Uint8Array {
  if (!isCount(index) || index >= size)
    throw new ExoArmurError("EXO_LOG_RANGE", `The log has ${size} leaves, no leaf ${String(index)}.`);
  const value = reader.get(leafKey(index));
  if (value === undefined)
    throw new ExoArmurError("EXO_STORE_DAMAGED", `The log's entry ${leafKey(index)} is missing.`);
  return value;
}

/** The index a leaf or node key ends with; undefined if the key is not of that form. */
export function indexOfKey(key: string): number | undefined {
  const digits = key.slice(-INDEX_DIGITS);
  const index = Number(digits);
  return /^\d{16}$/.test(digits) && Number.isSafeInteger(index) ? index : undefined;
}
