import { lstat, mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { equalBytes } from "../crypto/encoding.js";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import { maxTileBytes, type Tile, tilePath } from "../log/tiles.js";
import type { ReadTile } from "../log/tiles-audit.js";
import { readBounded, syncFolder, writeAtomic } from "./atomic.js";
import { errnoOf, writeFault } from "./paths.js";

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

/** The bytes a folder has in a tile's place, or undefined. EXO_FILE for a symbolic link, what is no file or too long. */
export async function presentTile(dir: string, tile: Tile): Promise<Uint8Array | undefined> {
  const read = await readBounded(join(dir, ...tilePath(tile).split("/")), {
    maxBytes: maxTileBytes(tile),
    follow: false,
  });
  return read?.bytes;
}

/**
 * Writes a tile and the folders above it, each durably; false when it is there already. EXO_LOG_FORK when other bytes are;
 * EXO_FILE for a symbolic link in the place of a folder or file; EXO_HOME_READ_ONLY.
 */
export async function putTile(dir: string, tile: Tile, bytes: Uint8Array): Promise<boolean> {
  const path = tilePath(tile);
  const file = join(dir, ...path.split("/"));
  let folder = dir;
  for (const name of dirname(path).split("/")) {
    folder = join(folder, name);
    await makeFolder(folder);
  }
  const there = await presentTile(dir, tile);
  if (there !== undefined) {
    if (equalBytes(there, bytes)) return false;
    throw forked(file, "has other bytes than the log");
  }
  await writeAtomic(file, bytes);
  return true;
}

/**
 * Makes a folder durably. A symbolic link in its place would lead elsewhere, and is refused unless `follow`. EXO_FILE,
 * EXO_HOME_READ_ONLY.
 */
export async function makeFolder(folder: string, follow = false): Promise<void> {
  try {
    await mkdir(folder);
    await syncFolder(dirname(folder));
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw writeFault(error, folder);
    const found = await (follow ? stat(folder) : lstat(folder)).catch(() => undefined);
    if (found?.isDirectory() !== true) throw new ExoArmurError("EXO_FILE", `${folder} is no folder`, { file: folder });
  }
}

/** Does `work`; its errors name the file they are about. */
export function naming<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isExoArmurError(error)) throw error;
    throw new ExoArmurError(error.code, `${file}: ${error.message}`, { file }, { cause: error });
  }
}

/** The error of a file that contradicts a log. */
export function forked(file: string, what: string): ExoArmurError {
  return new ExoArmurError("EXO_LOG_FORK", `${file} ${what}`, { file });
}
