import type { Stats } from "node:fs";
import { lstat } from "node:fs/promises";
import type { PerformOutcome } from "../../../ports.js";
import { changeOutcome, errnoOf, errorOutcome, FsFault, linkFault, unknownOutcome } from "./fault.js";
import { entryNames, type Folder, notFile } from "./folder.js";

/** Runs the one step that changes directories; the outcome when it threw, else undefined. */
export async function commitChange(
  folders: readonly Folder[],
  change: () => Promise<void>,
): Promise<PerformOutcome | undefined> {
  try {
    for (const folder of folders) await folder.verify();
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
export async function settleChange(
  folders: readonly Folder[],
  value: { readonly size?: number },
): Promise<PerformOutcome> {
  try {
    for (const folder of folders) {
      await folder.sync();
      await folder.verify();
    }
    return { outcome: "ok", value: { ...value } };
  } catch {
    return unknownOutcome();
  }
}

/** Status of the regular file under a name, undefined when the name is free. Throws an FsFault for anything else. */
export async function existingFile(folder: Folder, name: string): Promise<Stats | undefined> {
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

/** Throws EXO_FS_SIZE when a further entry would give the directory more than `maxEntries`. */
export async function requireRoom(folder: Folder, maxEntries: number, signal: AbortSignal): Promise<void> {
  let seen = 0;
  for await (const _ of entryNames(folder, signal)) if (++seen >= maxEntries) break;
  if (seen < maxEntries) return;
  const grant = "remove some, or grant maxEntries";
  throw new FsFault("EXO_FS_SIZE", `the directory would have more than ${maxEntries} entries; ${grant}`);
}

/** Are both the same file of the same file system, under whatever names? */
export function isSameFile(one: Stats, other: Stats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

/** Does the name still hold this very file with this very content? Numbers of removed files are given out again. */
export async function isStill(folder: Folder, name: string, file: Stats): Promise<boolean> {
  try {
    const now = await lstat(folder.at(name));
    return now.isFile() && isSameFile(now, file) && now.size === file.size && now.mtimeMs === file.mtimeMs;
  } catch {
    return false;
  }
}
