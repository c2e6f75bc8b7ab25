import { decodeUtf8 } from "../crypto/encoding.js";
import type { NoteKey } from "../crypto/note-key.js";
import { ExoArmurError } from "../errors.js";
import { type Checkpoint, openLogCheckpoint, readCheckpoint } from "./checkpoint.js";
import type { ProofFile } from "./proof-file.js";
import {
  CHECKPOINT_PATH,
  MAX_NOTE_BYTES,
  maxTileBytes,
  parseEntries,
  TILE_HEIGHT,
  TILE_WIDTH,
  type Tile,
  tilePath,
} from "./tiles.js";
import type { ReadTile } from "./tiles-audit.js";
import {
  appendLeaves,
  consistencyProof,
  HASH_BYTES,
  inclusionProof,
  type ReadNode,
  requireWithin,
  rootFromNodes,
  verifyConsistency,
  verifyInclusion,
} from "./tree.js";

/** An exported log that proofs are made from. Each reads the few tiles it needs, and is verified before it is given out. */
export type TilesProver = Checkpoint & {
  /** One entry under the export's checkpoint. EXO_LOG_RANGE, EXO_LOG_PROOF for tiles that do not lead to its root. */
  prove(index: number): Promise<ProofFile>;
  /** RFC 6962 consistency proof between two sizes from 1 up to the checkpoint's. EXO_LOG_RANGE, EXO_LOG_PROOF. */
  consistency(oldSize: number, newSize: number): Promise<readonly Uint8Array[]>;
};

/**
 * Opens an export (C2SP tlog-tiles) for proofs without its store (spec/log.md, Export). With keys, one named like the
 * origin must have signed the checkpoint; without, its signature is not looked at. EXO_NOTE, EXO_TRUST, EXO_SIGNATURE.
 */
export async function openTiles(read: ReadTile, keys?: readonly NoteKey[]): Promise<TilesProver> {
  const bytes = await read(CHECKPOINT_PATH, MAX_NOTE_BYTES);
  if (bytes === undefined) throw new ExoArmurError("EXO_NOTE", "There is no checkpoint, or one of more than 1 MiB.");
  const { origin, size, root } = keys === undefined ? readCheckpoint(bytes) : openLogCheckpoint(bytes, keys);
  const checkpoint = decodeUtf8(bytes) ?? "";
  return {
    origin,
    size,
    root,
    prove: async (index) => {
      const proof = await withNodes(read, size, (readNode) => inclusionProof(index, size, readNode));
      const leaf = await readEntry(read, size, index);
      if (!verifyInclusion({ index, size, leaf, proof, root })) throw broken(`entry ${index} is not under its root`);
      return { index, proof, checkpoint };
    },
    consistency: async (oldSize, newSize) => {
      const made = await withNodes(read, size, (readNode) => proveGrowth(oldSize, newSize, size, readNode));
      const { proof, oldRoot, newRoot, toEnd } = made;
      const whole = { oldSize: newSize, newSize: size, oldRoot: newRoot, newRoot: root, proof: toEnd };
      // The new root is the checkpoint's at an earlier size, and the proof leads from the old one to it.
      if (!verifyConsistency(whole) || !verifyConsistency({ oldSize, newSize, oldRoot, newRoot, proof }))
        throw broken(`the trees of ${oldSize} and ${newSize} entries are not under its root`);
      return proof;
    },
  };
}

function proveGrowth(oldSize: number, newSize: number, size: number, readNode: ReadNode) {
  requireWithin(newSize, size);
  return {
    proof: consistencyProof(oldSize, newSize, readNode),
    oldRoot: rootFromNodes(oldSize, readNode),
    newRoot: rootFromNodes(newSize, readNode),
    toEnd: consistencyProof(newSize, size, readNode),
  };
}

/** Does work over the tree's nodes: once to learn which tiles they are in, and again with the tiles read. */
async function withNodes<T>(read: ReadTile, size: number, work: (readNode: ReadNode) => T): Promise<T> {
  const tiles = new Map<string, Tile>();
  const unknown = new Uint8Array(HASH_BYTES);
  work((level, index) => {
    const { tile } = placeOf(level, index, size);
    tiles.set(tilePath(tile), tile);
    return unknown;
  });
  const hashes = new Map<string, Uint8Array>();
  for (const [path, tile] of tiles) {
    const bytes = await read(path, maxTileBytes(tile));
    if (bytes?.length !== maxTileBytes(tile)) throw broken(`the tile ${path} is missing or of another length`);
    hashes.set(path, bytes);
  }
  return work((level, index) => {
    const { tile, first, count } = placeOf(level, index, size);
    const bytes = hashes.get(tilePath(tile)) ?? unknown;
    const below = Array.from({ length: count }, (_, at) =>
      bytes.slice((first + at) * HASH_BYTES, (first + at + 1) * HASH_BYTES),
    );
    return appendLeaves({ size: 0, peaks: [] }, below).root;
  });
}

/** The tile that a complete subtree is computed from, and which of its hashes are below it. */
function placeOf(level: number, index: number, size: number): { tile: Tile; first: number; count: number } {
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const count = 2 ** (level % TILE_HEIGHT);
  const at = index * count;
  const tileIndex = Math.floor(at / TILE_WIDTH);
  const hashes = Math.floor(size / TILE_WIDTH ** tileLevel);
  const width = Math.min(TILE_WIDTH, hashes - tileIndex * TILE_WIDTH);
  return { tile: { level: tileLevel, index: tileIndex, width }, first: at % TILE_WIDTH, count };
}

async function readEntry(read: ReadTile, size: number, index: number): Promise<Uint8Array> {
  const at = Math.floor(index / TILE_WIDTH);
  const tile: Tile = { level: "entries", index: at, width: Math.min(TILE_WIDTH, size - at * TILE_WIDTH) };
  const bytes = await read(tilePath(tile), maxTileBytes(tile));
  const entry = bytes && parseEntries(bytes, tile.width)?.[index % TILE_WIDTH];
  if (entry === undefined) throw broken(`the file ${tilePath(tile)} is missing or no bundle of ${tile.width} entries`);
  return entry;
}

function broken(what: string): ExoArmurError {
  return new ExoArmurError("EXO_LOG_PROOF", `The export does not prove what its checkpoint says: ${what}.`);
}
