import { constants, type Stats } from "node:fs";
import { type FileHandle, link, lstat, open, rename, unlink } from "node:fs/promises";
import type { PerformOutcome } from "../../../ports.js";
import { changeOutcome, errnoOf, errorOutcome, FsFault, lateFault, linkFault, unknownOutcome } from "./fault.js";
import { type Folder, lstatEntry, notFile } from "./folder.js";
import { temporaryName } from "./names.js";

const { O_WRONLY, O_CREAT, O_EXCL } = constants;
const newFileFlags = O_WRONLY | O_CREAT | O_EXCL | (constants.O_NOFOLLOW ?? 0);

/** Temporary files of writes under way in one directory, and left over from crashes, that are stepped over. */
const maxAttempts = 10_000;

/**
 * Writes a whole file: temporary file beside it, fsync, rename (`replace`, which also makes a new file) or link
 * (`create`, EXO_FS_EXISTS when the name is taken), fsync of the directory. Everything up to rename or link is certainly
 * not performed when it fails; after it the outcome is ok or unknown. A new file has mode 0600, a replaced one keeps its
 * permission bits.
 */
export async function writeFile(
  folder: Folder,
  name: string,
  bytes: Uint8Array,
  mode: "create" | "replace",
  signal: AbortSignal,
): Promise<PerformOutcome> {
  let temporary: string | undefined;
  try {
    const old = await existing(folder, name);
    if (old !== undefined && mode === "create") throw new FsFault("EXO_FS_EXISTS", "the file exists already");
    const made = await createTemporary(folder);
    temporary = made.path;
    await fill(made.handle, bytes, old);
    await folder.verify();
    if (signal.aborted) throw lateFault();
  } catch (error) {
    if (temporary !== undefined) await discard(temporary);
    return errorOutcome(error);
  }
  const changed = await commitEntry(folder, async () => {
    if (mode === "create") await link(temporary, folder.at(name));
    else await rename(temporary, folder.at(name));
  });
  // After a rename the name is free already, and another write may have taken it.
  if (mode === "create" || changed !== undefined) await discard(temporary);
  return changed ?? (await settleEntry(folder, { size: bytes.length }));
}

/** Removes a regular file and makes that durable. */
export async function removeFile(folder: Folder, name: string, signal: AbortSignal): Promise<PerformOutcome> {
  const stats = await lstatEntry(folder, name);
  if (!stats.isFile()) throw notFile(stats);
  if (signal.aborted) throw lateFault();
  const changed = await commitEntry(folder, () => unlink(folder.at(name)));
  return changed ?? (await settleEntry(folder, {}));
}

/** Runs the one step that changes the directory; the outcome when it threw, else undefined. */
async function commitEntry(folder: Folder, change: () => Promise<void>): Promise<PerformOutcome | undefined> {
  try {
    await folder.verify();
  } catch (error) {
    return errorOutcome(error);
  }
  try {
    await change();
    return undefined;
  } catch (error) {
    return changeOutcome(error);
  }
}

/** The change is made. It is only answered ok when it is durable and was made where it should be. */
async function settleEntry(folder: Folder, value: { readonly size?: number }): Promise<PerformOutcome> {
  try {
    await folder.sync();
    await folder.verify();
    return { outcome: "ok", value: { ...value } };
  } catch {
    return unknownOutcome();
  }
}

async function existing(folder: Folder, name: string): Promise<Stats | undefined> {
  try {
    const stats = await lstat(folder.at(name));
    if (stats.isSymbolicLink()) throw linkFault();
    if (!stats.isFile()) throw notFile(stats);
    return stats;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function createTemporary(folder: Folder): Promise<{ readonly path: string; readonly handle: FileHandle }> {
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const path = folder.at(temporaryName(attempt));
    try {
      return { path, handle: await open(path, newFileFlags, 0o600) };
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
  }
  throw new FsFault("EXO_FS_IO", "too many unfinished writes in the directory");
}

async function fill(handle: FileHandle, bytes: Uint8Array, old: Stats | undefined): Promise<void> {
  try {
    await handle.writeFile(bytes);
    // Special bits (set-uid and the like) are not carried over.
    if (old !== undefined) await handle.chmod(old.mode & 0o777);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function discard(path: string): Promise<void> {
  // A leftover is invisible to guests and stepped over by the next write.
  await unlink(path).catch(() => undefined);
}
