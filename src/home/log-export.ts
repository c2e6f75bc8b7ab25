import { join } from "node:path";
import { equalBytes } from "../crypto/encoding.js";
import { parseVkey } from "../crypto/note-key.js";
import type { LogView } from "../log/audit.js";
import { type Checkpoint, openCheckpoint, readCheckpoint } from "../log/checkpoint.js";
import { CHECKPOINT_PATH, MAX_NOTE_BYTES, tileBytes, tilesOf } from "../log/tiles.js";
import { rootFromNodes } from "../log/tree.js";
import { readBounded, writeAtomic } from "./atomic.js";
import { forked, makeFolder, naming, putTile } from "./tile-folder.js";

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

/** The checkpoint of the export that is there, which the log must have signed and must begin with. */
async function presentCheckpoint(dir: string, source: ExportSource): Promise<Checkpoint | undefined> {
  const { view, origin, vkey } = source;
  const file = join(dir, CHECKPOINT_PATH);
  const read = await readBounded(file, { maxBytes: MAX_NOTE_BYTES, follow: false });
  if (read === undefined) return undefined;
  const present = naming(file, () => readCheckpoint(read.bytes));
  if (present.origin !== origin) throw forked(file, `is of the log ${present.origin}, not ${origin}`);
  naming(file, () => openCheckpoint(read.bytes, [parseVkey(vkey)]));
  if (present.size > view.size) throw forked(file, `is of ${present.size} leaves, the log has ${view.size}`);
  if (!equalBytes(rootFromNodes(present.size, view.readNode), present.root))
    throw forked(file, `has another root of ${present.size} leaves than the log`);
  return present;
}
