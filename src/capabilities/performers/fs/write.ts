import { constants, type Stats } from "node:fs";
import { type FileHandle, link, open, rename, unlink } from "node:fs/promises";
import type { PerformOutcome } from "../../../ports.js";
import { commitChange, existingFile, isStill, requireRoom, settleChange } from "./change.js";
import type { Entry } from "./entries.js";
import { errnoOf, errorOutcome, FsFault, lateFault, tooLarge } from "./fault.js";
import { type Folder, openFile } from "./folder.js";
import { temporaryName } from "./names.js";

const { O_WRONLY, O_CREAT, O_EXCL } = constants;
const newFileFlags = O_WRONLY | O_CREAT | O_EXCL | (constants.O_NOFOLLOW ?? 0);

/** Temporary files of writes under way in one directory, and left over from crashes, that are stepped over. */
const maxAttempts = 10_000;

/** Bytes of an old file that are copied at a time. */
const copyBytes = 1_048_576;

/** How much a write may leave behind: bytes of the file, entries of its directory. */
export type WriteBounds = { readonly maxBytes: number; readonly maxEntries: number };

/**
 * Writes a whole file: temporary file beside it, fsync, rename (`replace`, which also makes a new file) or link
 * (`create`, EXO_FS_EXISTS when the name is taken), fsync of the directory. Everything up to rename or link is certainly
 * not performed when it fails; after it the outcome is ok or unknown. A new file has mode 0600, a replaced one keeps its
 * permission bits.
 */
export async function writeFile(
  entry: Entry,
  bytes: Uint8Array,
  mode: "create" | "replace",
  bounds: WriteBounds,
  signal: AbortSignal,
): Promise<PerformOutcome> {
  if (bytes.length > bounds.maxBytes) throw tooLarge(bounds.maxBytes);
  const old = await existingFile(entry.folder, entry.name);
  if (old !== undefined && mode === "create") throw new FsFault("EXO_FS_EXISTS", "the file exists already");
  if (old === undefined) await requireRoom(entry.folder, bounds.maxEntries, signal);
  const content: Content = {
    fill: (handle) => handle.writeFile(bytes),
    mode: old?.mode,
    exclusive: mode === "create",
    size: bytes.length,
  };
  return publish(entry, content, signal);
}

/**
 * Adds bytes to the end of a file, or makes it: the old content and the new are written to a temporary file that takes
 * the old one's place as in writeFile, so that after a crash there is all of it or none of it, and what other names of
 * the file (hard links) lead to stays as it was. The whole must fit `maxBytes`. A file that somebody else changes
 * meanwhile is left alone: EXO_FS_IO.
 */
export async function appendFile(
  entry: Entry,
  bytes: Uint8Array,
  bounds: WriteBounds,
  signal: AbortSignal,
): Promise<PerformOutcome> {
  if ((await existingFile(entry.folder, entry.name)) === undefined) {
    return writeFile(entry, bytes, "create", bounds, signal);
  }
  const { handle: old, stats } = await openFile(entry.folder, entry.name);
  try {
    const size = stats.size + bytes.length;
    if (size > bounds.maxBytes) throw tooLarge(bounds.maxBytes);
    const fill = async (handle: FileHandle): Promise<void> => {
      await copy(old, stats.size, handle, signal);
      await handle.writeFile(bytes);
    };
    return await publish(entry, { fill, mode: stats.mode, exclusive: false, size, replaces: stats }, signal);
  } finally {
    await old.close();
  }
}

/** What a file is to hold. */
type Content = {
  readonly fill: (handle: FileHandle) => Promise<void>;
  /** Mode bits to keep; without, those of a new file. */
  readonly mode: number | undefined;
  /** The name must be free until the end. */
  readonly exclusive: boolean;
  readonly size: number;
  /** The file must be this one, unchanged, until the end. */
  readonly replaces?: Stats;
};

async function publish({ folder, name }: Entry, content: Content, signal: AbortSignal): Promise<PerformOutcome> {
  let temporary: string | undefined;
  try {
    const made = await createTemporary(folder);
    temporary = made.path;
    await fill(made.handle, content);
    await folder.verify();
    if (content.replaces !== undefined && !(await isStill(folder, name, content.replaces))) throw changedFault();
    if (signal.aborted) throw lateFault();
  } catch (error) {
    if (temporary !== undefined) await discard(temporary);
    return errorOutcome(error);
  }
  const changed = await commitChange([folder], async () => {
    if (content.exclusive) await link(temporary, folder.at(name));
    else await rename(temporary, folder.at(name));
  });
  // After a rename the name is free already, and another write may have taken it.
  if (content.exclusive || changed !== undefined) await discard(temporary);
  return changed ?? (await settleChange([folder], { size: content.size }));
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

async function fill(handle: FileHandle, content: Content): Promise<void> {
  try {
    await content.fill(handle);
    // Special bits (set-uid and the like) are not carried over.
    if (content.mode !== undefined) await handle.chmod(content.mode & 0o777);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function copy(from: FileHandle, size: number, to: FileHandle, signal: AbortSignal): Promise<void> {
  const buffer = new Uint8Array(Math.min(size, copyBytes));
  for (let at = 0; at < size; ) {
    if (signal.aborted) throw lateFault();
    const { bytesRead } = await from.read(buffer, 0, Math.min(buffer.length, size - at), at);
    if (bytesRead === 0) throw changedFault();
    await to.writeFile(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}

function changedFault(): FsFault {
  return new FsFault("EXO_FS_IO", "the file was changed by somebody else meanwhile");
}

async function discard(path: string): Promise<void> {
  // A leftover is invisible to guests and stepped over by the next write.
  await unlink(path).catch(() => undefined);
}
