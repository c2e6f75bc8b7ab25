import { constants } from "node:fs";
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { encodeUtf8 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import { errnoOf, writeFault } from "./paths.js";

/** Numbers the temporary files of this process. */
let serial = 0;

/** True for the name of a file that a crash may have left half-written; readers pass over them. */
export function isTemporaryName(name: string): boolean {
  return name.startsWith(".") && name.endsWith(".tmp");
}

/**
 * Writes a file so that a reader, and a crash at any instant, sees the old content or the new: temporary file beside
 * it, fsync, rename, fsync of the folder. `mode` is exact, whatever the umask. EXO_HOME_READ_ONLY or EXO_FILE.
 */
export async function writeAtomic(file: string, bytes: Uint8Array | string, mode = 0o644): Promise<void> {
  const folder = dirname(file);
  let temporary: string | undefined;
  try {
    const opened = await openTemporary(folder, basename(file), mode);
    temporary = opened.path;
    await fill(opened.handle, bytes, mode);
    await rename(temporary, file);
    temporary = undefined;
    await syncFolder(folder);
  } catch (error) {
    if (temporary !== undefined) await unlink(temporary).catch(() => undefined);
    throw writeFault(error, file);
  }
}

/** Writes a new file with fsync; EEXIST when it is there. For folders that no reader knows yet. */
export async function writeNew(file: string, bytes: Uint8Array | string, mode = 0o644): Promise<void> {
  await fill(await open(file, "wx", mode), bytes, mode);
}

async function fill(handle: FileHandle, bytes: Uint8Array | string, mode: number): Promise<void> {
  try {
    await handle.writeFile(typeof bytes === "string" ? encodeUtf8(bytes) : bytes);
    await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function openTemporary(
  folder: string,
  name: string,
  mode: number,
): Promise<{ path: string; handle: FileHandle }> {
  for (;;) {
    serial++;
    const path = join(folder, `.${name}.${process.pid}-${serial}.tmp`);
    try {
      return { path, handle: await open(path, "wx", mode) };
    } catch (error) {
      // Left by an earlier process of the same number.
      if (errnoOf(error) !== "EEXIST") throw error;
    }
  }
}

/** Removes a file; nothing happens when it is gone. EXO_HOME_READ_ONLY, EXO_FILE. */
export async function removeIfThere(file: string): Promise<void> {
  try {
    await unlink(file);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw writeFault(error, file);
  }
}

/**
 * Makes renames and unlinks in a folder durable. Windows cannot sync a folder, and needs not. EXO_HOME_READ_ONLY,
 * EXO_FILE.
 */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  let handle: FileHandle | undefined;
  try {
    handle = await open(folder, "r");
    await handle.sync();
  } catch (error) {
    throw writeFault(error, folder);
  } finally {
    await handle?.close();
  }
}

/** Bytes of a file and its permission bits. */
export type ReadFile = { readonly bytes: Uint8Array; readonly mode: number };

/** Bounds of a reading; `follow: false` refuses a symbolic link. */
export type ReadBounds = { readonly maxBytes: number; readonly follow?: boolean };

/**
 * Reads a plain file of at most `maxBytes`; a larger one is not read at all. Undefined when there is none. EXO_FILE for
 * anything that is no plain file (a pipe would block for ever), too large, or unreadable.
 */
export async function readBounded(
  file: string,
  { maxBytes, follow = true }: ReadBounds,
): Promise<ReadFile | undefined> {
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (follow ? 0 : (constants.O_NOFOLLOW ?? 0));
  let handle: FileHandle;
  try {
    handle = await open(file, flags);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw new ExoArmurError("EXO_FILE", `${file} could not be read: ${errnoOf(error) ?? "an unknown error"}`, { file });
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new ExoArmurError("EXO_FILE", `${file} is no plain file`, { file });
    if (stat.size > maxBytes) throw tooLarge(file, stat.size, maxBytes);
    const bytes = new Uint8Array(await handle.readFile());
    if (bytes.length > maxBytes) throw tooLarge(file, bytes.length, maxBytes);
    return { bytes, mode: stat.mode & 0o7777 };
  } catch (error) {
    if (error instanceof ExoArmurError) throw error;
    throw new ExoArmurError("EXO_FILE", `${file} could not be read: ${errnoOf(error) ?? "an unknown error"}`, { file });
  } finally {
    await handle.close();
  }
}

function tooLarge(file: string, size: number, maxBytes: number): ExoArmurError {
  return new ExoArmurError("EXO_FILE", `${file} has ${size} bytes, at most ${maxBytes} are read`, { file });
}
