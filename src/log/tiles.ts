import { concatBytes } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import { HASH_BYTES, isCount, type ReadNode } from "./tree.js";

/** Hashes in a full tile, and entries in a full bundle. */
export const TILE_WIDTH = 256;

/** Levels of the tree that one tile spans. */
export const TILE_HEIGHT = 8;

/** Path of the signed checkpoint. */
export const CHECKPOINT_PATH = "checkpoint";

/** Bytes of a checkpoint's file that are read: it can have many signature lines. */
export const MAX_NOTE_BYTES = 1_048_576;

/** Longest entry a bundle can hold: its length is a uint16. */
const MAX_ENTRY_BYTES = 65_535;

/**
 * A tile of hashes, or for level `entries` a bundle of the leaves under a tile of level 0. `width` is 256 for a full one
 * and 1 to 255 for the partial one at the right edge (C2SP tlog-tiles, spec/log.md).
 */
export type Tile = { readonly level: number | "entries"; readonly index: number; readonly width: number };

/** Path of a tile below the log's prefix, such as `tile/0/x001/x234/067.p/8`. EXO_LOG_RANGE for a tile that is none. */
export function tilePath({ level, index, width }: Tile): string {
  const isLevel = level === "entries" || (isCount(level) && level <= 63);
  if (!isLevel || !isCount(index) || !isCount(width) || width < 1 || width > TILE_WIDTH)
    throw new ExoArmurError("EXO_LOG_RANGE", `There is no tile ${level}/${String(index)} of width ${String(width)}.`);
  const digits = String(index).padStart(Math.ceil(String(index).length / 3) * 3, "0");
  const groups = digits.match(/\d{3}/g) ?? [];
  const names = groups.map((group, at) => (at === groups.length - 1 ? group : `x${group}`));
  return `tile/${level}/${names.join("/")}${width === TILE_WIDTH ? "" : `.p/${width}`}`;
}

/**
 * Every tile and bundle of the tree of `size` leaves, bundles first and levels upwards, without the full ones that the
 * tree of `known` leaves already had. EXO_LOG_RANGE unless 0 <= known <= size.
 */
export function* tilesOf(size: number, known = 0): Generator<Tile> {
  if (!isCount(size) || !isCount(known) || known > size)
    throw new ExoArmurError("EXO_LOG_RANGE", `No tiles lead from ${String(known)} to ${String(size)} leaves.`);
  yield* tilesOfLevel("entries", size, known);
  // A level's hashes are the full tiles below it. Dividing by powers of two is exact, and the floor of it too.
  let hashes = size;
  let had = known;
  for (let level = 0; hashes > 0; level += 1) {
    yield* tilesOfLevel(level, hashes, had);
    hashes = Math.floor(hashes / TILE_WIDTH);
    had = Math.floor(had / TILE_WIDTH);
  }
}

function* tilesOfLevel(level: Tile["level"], hashes: number, had: number): Generator<Tile> {
  const full = Math.floor(hashes / TILE_WIDTH);
  for (let index = Math.floor(had / TILE_WIDTH); index < full; index += 1) yield { level, index, width: TILE_WIDTH };
  const width = hashes % TILE_WIDTH;
  // A partial tile that the known tree had as well is there already.
  if (width > 0 && hashes !== had) yield { level, index: full, width };
}

/** Bytes of a tile: its hashes, or a bundle's entries. What the readers throw, and EXO_LOG_RANGE for too long a leaf. */
export function tileBytes({ level, index, width }: Tile, readNode: ReadNode, leaf: (index: number) => Uint8Array) {
  const places = Array.from({ length: width }, (_, at) => index * TILE_WIDTH + at);
  if (level === "entries") return formatEntries(places.map(leaf));
  return concatBytes(...places.map((place) => readNode(level * TILE_HEIGHT, place)));
}

/** An entry bundle: every entry behind its length as a big-endian uint16. EXO_LOG_RANGE for one over 65,535 bytes. */
export function formatEntries(entries: readonly Uint8Array[]): Uint8Array {
  return concatBytes(
    ...entries.flatMap((entry) => {
      if (entry.length > MAX_ENTRY_BYTES)
        throw new ExoArmurError("EXO_LOG_RANGE", `An entry of ${entry.length} bytes does not fit a bundle.`);
      return [Uint8Array.of(Math.floor(entry.length / 256), entry.length % 256), entry];
    }),
  );
}

/** Takes a bundle of exactly `width` entries apart; undefined when it is cut, longer, or has another number of them. */
export function parseEntries(bytes: Uint8Array, width: number): Uint8Array[] | undefined {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length && entries.length < width) {
    const [high, low] = bytes.subarray(at, at + 2);
    if (high === undefined || low === undefined) return undefined;
    const end = at + 2 + high * 256 + low;
    if (end > bytes.length) return undefined;
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return at === bytes.length && entries.length === width ? entries : undefined;
}

/** Bytes a tile or bundle of this width can have at most. */
export function maxTileBytes({ level, width }: Tile): number {
  return width * (level === "entries" ? MAX_ENTRY_BYTES + 2 : HASH_BYTES);
}
