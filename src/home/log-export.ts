import { lstat, mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { equalBytes } from "../crypto/encoding.js";
import { parseVkey } from "../crypto/note-key.js";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import type { LogView } from "../log/audit.js";
import { type Checkpoint, openCheckpoint, readCheckpoint } from "../log/checkpoint.js";
import { CHECKPOINT_PATH, maxTileBytes, type Tile, tileBytes, tilePath, tilesOf } from "../log/tiles.js";
import type { ReadTile } from "../log/tiles-audit.js";
import { rootFromNodes } from "../log/tree.js";
import { readBounded, syncFolder, writeAtomic } from "./atomic.js";
import { errnoOf, writeFault } from "./paths.js";

const maxNoteBytes = 1_048_576;

/** What is exported, and whose it is. */
export type ExportSource = {
  readonly view: LogView;
  readonly origin: string;
  readonly vkey: string;
};

/** What an export did. `from` is the size that was there before. */
export type Exported = {
  readonly from: number;
  readonly size: number;
  /** Files written, the checkpoint included; files that were there already with the same bytes are not counted. */
  readonly written: number;
};

/**
 * Writes a log as C2SP tlog-tiles into a folder, or brings an earlier export up to date: tiles and bundles first, the
 * checkpoint last, each file whole or not at all. A file that is there is never replaced by other bytes, the checkpoint
 * apart (spec/log.md). EXO_LOG_FORK for an export of another log, a larger or an inconsistent one, or a tile with other
 * bytes; EXO_NOTE, EXO_SIGNATURE for a checkpoint that the log did not sign; EXO_FILE, EXO_HOME_READ_ONLY.
 */
export async function exportLog(dir: string, source: ExportSource): Promise<Exported> {
  const { view } = source;
  await makeFolder(dir, true);
  const present = await presentCheckpoint(dir, source);
  let written = 0;
  for (const tile of tilesOf(view.size, present?.size ?? 0)) {
    const bytes = tileBytes(tile, view.readNode, view.leaf);
    if (await putTile(dir, tile, bytes)) written += 1;
  }
  // One of the same tree stays: it may carry the cosignatures of witnesses.
  if (present === undefined || present.size < view.size) {
    await writeAtomic(join(dir, CHECKPOINT_PATH), view.checkpoint);
    written += 1;
  }
  return { from: present?.size ?? 0, size: view.size, written };
}

/** Reads the files of an export. Symbolic links are not followed in a file's place; EXO_FILE for what is no file. */
export function exportReader(dir: string): ReadTile {
  return async (path, maxBytes) => {
    try {
      return (await readBounded(join(dir, ...path.split("/")), { maxBytes, follow: false }))?.bytes;
    } catch (error) {
      // Whatever cannot be read as a file of at most that size is no tile.
      if (isExoArmurError(error, "EXO_FILE")) return undefined;
      throw error;
    }
  };
}

/** The checkpoint of the export that is there, which the log must have signed and must begin with. */
async function presentCheckpoint(dir: string, source: ExportSource): Promise<Checkpoint | undefined> {
  const { view, origin, vkey } = source;
  const file = join(dir, CHECKPOINT_PATH);
  const read = await readBounded(file, { maxBytes: maxNoteBytes, follow: false });
  if (read === undefined) return undefined;
  const present = naming(file, () => readCheckpoint(read.bytes));
  if (present.origin !== origin) throw forked(file, `is of the log ${present.origin}, not ${origin}`);
  naming(file, () => openCheckpoint(read.bytes, [parseVkey(vkey)]));
  if (present.size > view.size) throw forked(file, `is of ${present.size} leaves, the log has ${view.size}`);
  if (!equalBytes(rootFromNodes(present.size, view.readNode), present.root))
    throw forked(file, `has another root of ${present.size} leaves than the log`);
  return present;
}

/** Errors of a note, with the file they are about. */
function naming<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isExoArmurError(error)) throw error;
    throw new ExoArmurError(error.code, `${file}: ${error.message}`, { file }, { cause: error });
  }
}

function forked(file: string, what: string): ExoArmurError {
  return new ExoArmurError("EXO_LOG_FORK", `${file} ${what}`, { file });
}

async function putTile(dir: string, tile: Tile, bytes: Uint8Array): Promise<boolean> {
  const path = tilePath(tile);
  const file = join(dir, ...path.split("/"));
  let folder = dir;
  for (const name of dirname(path).split("/")) {
    folder = join(folder, name);
    await makeFolder(folder);
  }
  const there = await readBounded(file, { maxBytes: maxTileBytes(tile), follow: false });
  if (there !== undefined) {
    if (equalBytes(there.bytes, bytes)) return false;
    throw forked(file, "has other bytes than the log");
  }
  await writeAtomic(file, bytes);
  return true;
}

/** Makes a folder durably. A symbolic link in its place would lead elsewhere, and is refused unless `follow`. */
async function makeFolder(folder: string, follow = false): Promise<void> {
  try {
    await mkdir(folder);
    await syncFolder(dirname(folder));
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw writeFault(error, folder);
    const found = await (follow ? stat(folder) : lstat(folder)).catch(() => undefined);
    if (found?.isDirectory() !== true) throw new ExoArmurError("EXO_FILE", `${folder} is no folder`, { file: folder });
  }
}
