import type { Stats } from "node:fs";
import { link, mkdir, rename, unlink } from "node:fs/promises";
import type { PerformOutcome } from "../../../ports.js";
import { commitChange, existingFile, isSameFile, isStill, requireRoom, settleChange } from "./change.js";
import { errnoOf, FsFault, lateFault, unknownOutcome } from "./fault.js";
import { type Folder, lstatEntry, notFile } from "./folder.js";

/** An entry of an open directory. */
export type Entry = { readonly folder: Folder; readonly name: string };

/** Removes a regular file and makes that durable. */
export async function removeFile({ folder, name }: Entry, signal: AbortSignal): Promise<PerformOutcome> {
  const stats = await lstatEntry(folder, name);
  if (!stats.isFile()) throw notFile(stats);
  if (signal.aborted) throw lateFault();
  const changed = await commitChange([folder], () => unlink(folder.at(name)));
  return changed ?? (await settleChange([folder], {}));
}

/** Makes one directory of mode 0700, whose parent is there, and makes that durable. A taken name: EXO_FS_EXISTS. */
export async function makeFolder(
  { folder, name }: Entry,
  maxEntries: number,
  signal: AbortSignal,
): Promise<PerformOutcome> {
  if (await isTaken(folder, name)) throw new FsFault("EXO_FS_EXISTS", "the name is taken already");
  await requireRoom(folder, maxEntries, signal);
  if (signal.aborted) throw lateFault();
  const changed = await commitChange([folder], () => mkdir(folder.at(name), 0o700));
  return changed ?? (await settleChange([folder], {}));
}

/**
 * Gives a regular file another name, in the same directory or another one of the same file system, and makes that durable.
 * `replace` is one rename. `create` links the new name, which fails when it is taken, makes that durable and unlinks the
 * old one: a crash in between leaves both names and no loss. Directories are not renamed: they may hold what the guest
 * could not name (links, the runtime's home).
 */
export async function renameFile(
  from: Entry,
  to: Entry,
  mode: "create" | "replace",
  maxEntries: number,
  signal: AbortSignal,
): Promise<PerformOutcome> {
  const source = await lstatEntry(from.folder, from.name);
  if (!source.isFile()) throw notFile(source);
  const old = await existingFile(to.folder, to.name);
  // Also two hard links, which rename(2) would leave both, and one entry under two spellings.
  if (old !== undefined && isSameFile(old, source)) {
    throw new FsFault("EXO_FS_EXISTS", "both paths name the same file");
  }
  if (old !== undefined && mode === "create") throw new FsFault("EXO_FS_EXISTS", "the file exists already");
  if (old === undefined && from.folder !== to.folder) await requireRoom(to.folder, maxEntries, signal);
  if (signal.aborted) throw lateFault();
  const folders = from.folder === to.folder ? [from.folder] : [to.folder, from.folder];
  const change = mode === "create" ? () => link(pathOf(from), pathOf(to)) : () => rename(pathOf(from), pathOf(to));
  const changed = await commitChange(folders, change);
  if (changed !== undefined) return changed;
  if (!(await isStill(to.folder, to.name, source))) return unknownOutcome();
  const left = mode === "create" ? await leaveOldName(from, to, source) : undefined;
  return left ?? (await settleChange(folders, {}));
}

/** The second half of `create`. Where the old name certainly can't be removed, the new one is taken back. */
async function leaveOldName(from: Entry, to: Entry, source: Stats): Promise<PerformOutcome | undefined> {
  try {
    await to.folder.sync();
    await to.folder.verify();
  } catch {
    return unknownOutcome();
  }
  if (!(await isStill(from.folder, from.name, source))) return unknownOutcome();
  const changed = await commitChange([from.folder], () => unlink(pathOf(from)));
  if (changed?.outcome !== "error" || !(await isStill(to.folder, to.name, source))) return changed;
  const undone = await commitChange([to.folder], () => unlink(pathOf(to)));
  if (undone !== undefined || (await settleChange([to.folder], {})).outcome !== "ok") return unknownOutcome();
  return changed;
}

/** A link is not the guest's to name, whether the name is wanted or not. */
async function isTaken(folder: Folder, name: string): Promise<boolean> {
  try {
    await lstatEntry(folder, name);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

function pathOf({ folder, name }: Entry): string {
  return folder.at(name);
}
