import { concatBytes, equalBytes } from "../crypto/encoding.js";
import { type NoteKey, parseVkey } from "../crypto/note-key.js";
import { type ErrorCode, isExoArmurError } from "../errors.js";
import { type Checkpoint, openLogCheckpoint, readCheckpoint } from "./checkpoint.js";
import { readLeaf } from "./leaf.js";
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
import { appendLeaves, emptyRoot, type Frontier, frontierRoot, leafHash } from "./tree.js";

/** Reads a file of an export by its path, which uses `/`; undefined when it is not there or larger than `maxBytes`. */
export type ReadTile = (path: string, maxBytes: number) => Promise<Uint8Array | undefined>;

/** What an export is compared with. */
export type TilesAuditOptions = {
  /** Verifier keys of logs; one named like the origin must have signed. Without this, the signature is not looked at. */
  readonly keys?: readonly (string | NoteKey)[];
  /** An earlier checkpoint, verified by the caller, which this log must begin with. */
  readonly since?: Checkpoint;
};

/** Something that contradicts an export. */
export type TilesProblem = { readonly code: ErrorCode; readonly message: string };

/** What an audit of an export found: the tree it recomputed, and what contradicts it (at most 100). */
export type TilesAudit = {
  readonly ok: boolean;
  /** The signed checkpoint as read, or null when there is none that can be read. */
  readonly checkpoint: { readonly origin: string; readonly size: number; readonly root: Uint8Array } | null;
  readonly note: string | null;
  /** False when no keys were given. */
  readonly signed: boolean;
  readonly entries: number;
  /** Hash tiles compared. */
  readonly tiles: number;
  readonly problems: readonly TilesProblem[];
};

const MAX_PROBLEMS = 100;

/**
 * Reads an exported log (C2SP tlog-tiles) without its store: recomputes every leaf hash, every tile and the root from
 * the entries, and compares them with the tiles, with the checkpoint, its signature, and an earlier checkpoint. Reports
 * instead of throwing, but passes on what `read` throws, and EXO_KEY for a malformed verifier key. Time is linear in the log, memory is not (spec/log.md).
 */
export async function auditTiles(read: ReadTile, options: TilesAuditOptions = {}): Promise<TilesAudit> {
  const problems: TilesProblem[] = [];
  const report = (code: ErrorCode, message: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push({ code, message });
  };
  const keys = options.keys?.map((key) => (typeof key === "string" ? parseVkey(key) : key));
  const opened = await readNote(read, keys, report);
  if (opened === undefined)
    return { ok: false, checkpoint: null, note: null, signed: false, entries: 0, tiles: 0, problems };
  const { note, checkpoint } = opened;
  if (options.since !== undefined) requireLater(options.since, checkpoint, report);
  const tree = new TileTree(read, report);
  const roots = await hashEntries(read, checkpoint.size, options.since?.size ?? 0, tree, report);
  if (roots !== undefined) {
    await tree.finish();
    if (!equalBytes(roots.last, checkpoint.root))
      report("EXO_LOG_PROOF", "The entries do not have the root the checkpoint names.");
    const { since } = options;
    if (since !== undefined && since.size <= checkpoint.size && !equalBytes(roots.since, since.root))
      report("EXO_LOG_FORK", `The log's first ${since.size} entries do not have the earlier checkpoint's root.`);
  }
  return {
    ok: problems.length === 0,
    checkpoint,
    note,
    signed: options.keys !== undefined,
    entries: tree.size,
    tiles: tree.compared,
    problems,
  };
}

type Report = (code: ErrorCode, message: string) => void;

async function readNote(
  read: ReadTile,
  keys: readonly NoteKey[] | undefined,
  report: Report,
): Promise<{ note: string; checkpoint: Checkpoint } | undefined> {
  const bytes = await read(CHECKPOINT_PATH, MAX_NOTE_BYTES);
  if (bytes === undefined) {
    report("EXO_NOTE", "There is no checkpoint, or one of more than 1 MiB.");
    return undefined;
  }
  try {
    const { origin, size, root } = readCheckpoint(bytes);
    if (keys !== undefined) requireSigned(bytes, keys, report);
    return { note: new TextDecoder().decode(bytes), checkpoint: { origin, size, root } };
  } catch (error) {
    if (!isExoArmurError(error)) throw error;
    report(error.code, error.message);
    return undefined;
  }
}

function requireSigned(note: Uint8Array, keys: readonly NoteKey[], report: Report): void {
  try {
    openLogCheckpoint(note, keys);
  } catch (error) {
    if (!isExoArmurError(error)) throw error;
    report(error.code, error.message);
  }
}

function requireLater(since: Checkpoint, now: Checkpoint, report: Report): void {
  if (since.origin !== now.origin)
    report("EXO_LOG_FORK", `The earlier checkpoint is of the log ${since.origin}, this is ${now.origin}.`);
  else if (since.size > now.size)
    report("EXO_STORE_ROLLED_BACK", `The log has ${now.size} entries, the earlier checkpoint is of ${since.size}.`);
}

/** Hashes every entry into the tree; undefined when a bundle is missing or garbled, since the rest has no place then. */
async function hashEntries(
  read: ReadTile,
  size: number,
  since: number,
  tree: TileTree,
  report: Report,
): Promise<{ last: Uint8Array; since: Uint8Array } | undefined> {
  let sinceRoot = emptyRoot();
  for (let index = 0; index * TILE_WIDTH < size; index += 1) {
    const tile: Tile = { level: "entries", index, width: Math.min(TILE_WIDTH, size - index * TILE_WIDTH) };
    const bytes = await read(tilePath(tile), maxTileBytes(tile));
    const entries = bytes && parseEntries(bytes, tile.width);
    if (entries === undefined) {
      const what = bytes === undefined ? "missing" : `not a bundle of ${tile.width} entries`;
      report("EXO_LOG_PROOF", `The file ${tilePath(tile)} is ${what}.`);
      return undefined;
    }
    for (const [at, entry] of entries.entries()) {
      if (readLeaf(entry) === undefined)
        report("EXO_SCHEMA", `Entry ${index * TILE_WIDTH + at} is not of a leaf's form.`);
      await tree.append(leafHash(entry));
      if (tree.size === since) sinceRoot = tree.root();
    }
  }
  return { last: tree.root(), since: sinceRoot };
}

/** Builds the tiles of a growing tree and compares each with its file as soon as it is full. */
class TileTree {
  compared = 0;
  private frontier: Frontier = { size: 0, peaks: [] };
  /** By level: the hashes of the tile that is not full yet, and its index. */
  private readonly open: { index: number; hashes: Uint8Array[] }[] = [];

  constructor(
    private readonly read: ReadTile,
    private readonly report: Report,
  ) {}

  get size(): number {
    return this.frontier.size;
  }

  root(): Uint8Array {
    return frontierRoot(this.frontier);
  }

  async append(hash: Uint8Array): Promise<void> {
    const appended = appendLeaves(this.frontier, [hash]);
    this.frontier = appended.frontier;
    for (const node of appended.nodes) {
      if (node.level % TILE_HEIGHT !== 0) continue;
      const level = node.level / TILE_HEIGHT;
      const tile = this.open[level] ?? { index: 0, hashes: [] };
      this.open[level] = tile;
      tile.hashes.push(node.hash);
      if (tile.hashes.length < TILE_WIDTH) continue;
      await this.compare(level);
      this.open[level] = { index: tile.index + 1, hashes: [] };
    }
  }

  /** Compares the partial tiles of the right edge. */
  async finish(): Promise<void> {
    for (const [level, { hashes }] of this.open.entries()) if (hashes.length > 0) await this.compare(level);
  }

  private async compare(level: number): Promise<void> {
    const { index, hashes } = this.open[level] ?? { index: 0, hashes: [] };
    const path = tilePath({ level, index, width: hashes.length });
    const wanted = concatBytes(...hashes);
    const stored = await this.read(path, wanted.length);
    this.compared += 1;
    if (stored === undefined) this.report("EXO_LOG_PROOF", `The tile ${path} is missing or too long.`);
    else if (!equalBytes(stored, wanted))
      this.report("EXO_LOG_PROOF", `The tile ${path} does not have the hashes of its entries.`);
  }
}
