import { join } from "node:path";
import type { NoteKey } from "../crypto/note-key.js";
import { sha256Hex } from "../crypto/sha256.js";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import { type Checkpoint, openLogCheckpoint } from "../log/checkpoint.js";
import { CHECKPOINT_PATH, MAX_NOTE_BYTES, maxTileBytes, type Tile, tilePath, tilesOf } from "../log/tiles.js";
import { auditTiles, type ReadTile, type TilesAudit } from "../log/tiles-audit.js";
import { readBounded, writeAtomic } from "./atomic.js";
import { acquireOwner, type OwnerLock, type OwnerPorts } from "./owner-lock.js";
import { exportReader, forked, makeFolder, naming, presentTile, putTile } from "./tile-folder.js";

/** By what an import judges, and who does it. */
export type ImportOptions = {
  /** Verifier keys of logs; one named like the origin must have signed. */
  readonly keys: readonly NoteKey[];
  /** Throws when a sound export's checkpoint, a note, is not to be taken: the witnesses it needs. */
  readonly admit?: (note: string) => void;
  /** Ends the reading with its reason. */
  readonly signal?: AbortSignal;
  readonly ports: OwnerPorts;
};

/** What an import did. `from` is the size that the mirror had. */
export type Imported = {
  readonly origin: string;
  readonly from: number;
  readonly size: number;
  /** Files written, the checkpoint included. */
  readonly written: number;
};

/** A mirror's checkpoint as it is there, verified. */
type Present = { readonly note: string; readonly checkpoint: Checkpoint };

/**
 * Takes an exported log (C2SP tlog-tiles) of anybody into a mirror, an export of the same form: the whole of it is
 * audited first, under the log's keys and against the checkpoint that the mirror has, and what was audited is what is
 * written, checkpoint last. Files that are there stay; a crash anywhere leaves the mirror at its old checkpoint or the
 * new one (spec/log.md, Mirror). Refused with the mirror as it was: what auditTiles reports, with the code of the first
 * problem (EXO_LOG_FORK, EXO_STORE_ROLLED_BACK, EXO_LOG_PROOF, EXO_SCHEMA, EXO_SIGNATURE, EXO_TRUST, EXO_NOTE), and
 * EXO_LOG_FORK for a mirror that has other bytes in a tile's place; EXO_NOTE, EXO_SIGNATURE, EXO_TRUST for the mirror's
 * own checkpoint, EXO_MIRROR_BUSY, what `admit` throws. EXO_FILE, EXO_HOME_READ_ONLY.
 */
export async function importLog(from: string, into: string, options: ImportOptions): Promise<Imported> {
  const { keys, admit, signal, ports } = options;
  const present = await presentCheckpoint(into, keys);
  const source = recordReads(exportReader(from), signal);
  const audit = await auditTiles(source.read, {
    keys,
    ...(present === undefined ? {} : { since: present.checkpoint }),
  });
  const { note, checkpoint } = requireSound(from, audit);
  admit?.(note);
  await makeFolder(into, true);
  const lock = await acquireMirror(into, ports);
  try {
    // Whoever wrote meanwhile may have a checkpoint that this one was not compared with.
    if ((await presentCheckpoint(into, keys))?.note !== present?.note) throw busy(into, "was written to meanwhile");
    const missing = await missingTiles(into, checkpoint.size, source.digestOf);
    for (const tile of missing) await putTile(into, tile, await source.again(tile));
    const grown = present === undefined || present.checkpoint.size < checkpoint.size;
    // One of the same tree stays: it may carry the cosignatures of witnesses.
    if (grown) await writeAtomic(join(into, CHECKPOINT_PATH), note);
    const { origin, size } = checkpoint;
    return { origin, from: present?.checkpoint.size ?? 0, size, written: missing.length + (grown ? 1 : 0) };
  } finally {
    await lock.release();
  }
}

async function presentCheckpoint(dir: string, keys: readonly NoteKey[]): Promise<Present | undefined> {
  const file = join(dir, CHECKPOINT_PATH);
  const read = await readBounded(file, { maxBytes: MAX_NOTE_BYTES, follow: false });
  if (read === undefined) return undefined;
  const { origin, size, root } = naming(file, () => openLogCheckpoint(read.bytes, keys));
  return { note: new TextDecoder().decode(read.bytes), checkpoint: { origin, size, root } };
}

/** The checkpoint of an audited export, or the error of what contradicts it. */
function requireSound(dir: string, { problems, note, checkpoint }: TilesAudit): Present {
  const [first, ...more] = problems;
  if (first !== undefined) {
    const others = more.length === 0 ? "" : ` (and ${more.length} more)`;
    throw new ExoArmurError(first.code, `${dir}: ${first.message}${others}`, { file: dir });
  }
  if (note === null || checkpoint === null) throw new ExoArmurError("EXO_INTERNAL", "an audit without a checkpoint");
  return { note, checkpoint };
}

/** Reads an export and keeps the digest of every file, so that a later reading can be told to be the audited one. */
function recordReads(
  read: ReadTile,
  signal: AbortSignal | undefined,
): { read: ReadTile; digestOf(tile: Tile): string | undefined; again(tile: Tile): Promise<Uint8Array> } {
  const digests = new Map<string, string>();
  const digestOf = (tile: Tile): string | undefined => digests.get(tilePath(tile));
  return {
    read: async (path, maxBytes) => {
      signal?.throwIfAborted();
      const bytes = await read(path, maxBytes);
      if (bytes !== undefined) digests.set(path, sha256Hex(bytes));
      return bytes;
    },
    digestOf,
    again: async (tile) => {
      const bytes = await read(tilePath(tile), maxTileBytes(tile));
      if (bytes !== undefined && sha256Hex(bytes) === digestOf(tile)) return bytes;
      throw new ExoArmurError("EXO_FILE", `${tilePath(tile)} of the export changed while it was imported`);
    },
  };
}

/** Every tile of a size that the mirror lacks. EXO_LOG_FORK, before anything is written, when it has other bytes. */
async function missingTiles(
  into: string,
  size: number,
  digestOf: (tile: Tile) => string | undefined,
): Promise<readonly Tile[]> {
  const missing: Tile[] = [];
  for (const tile of tilesOf(size)) {
    const there = await presentTile(into, tile);
    if (there === undefined) missing.push(tile);
    else if (sha256Hex(there) !== digestOf(tile))
      throw forked(join(into, ...tilePath(tile).split("/")), "has other bytes than the export");
  }
  return missing;
}

async function acquireMirror(dir: string, ports: OwnerPorts): Promise<OwnerLock> {
  try {
    return await acquireOwner({ home: dir, ownerLock: join(dir, ".import.lock") }, ports);
  } catch (error) {
    if (!isExoArmurError(error, "EXO_HOME_LOCKED")) throw error;
    throw busy(dir, `is being written by another import: ${error.message}`);
  }
}

function busy(dir: string, why: string): ExoArmurError {
  return new ExoArmurError("EXO_MIRROR_BUSY", `${dir} ${why}`, { file: dir });
}
