import { lstatSync } from "node:fs";
import { removeIfThere, syncFolder, writeAtomic } from "./atomic.js";
import type { HomePaths } from "./paths.js";

/**
 * True when the home's KILL file exists, whatever it is: file, folder or dangling link. Also true when that cannot be
 * told, since a kill switch must not fail open (spec/safety.md). Synchronous: it is asked before every start.
 */
export function killFileExists(paths: HomePaths): boolean {
  try {
    return lstatSync(paths.kill, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

/** Writes the KILL file durably. `why` is for people. EXO_HOME_READ_ONLY, EXO_FILE. */
export async function writeKillFile(paths: HomePaths, why = ""): Promise<void> {
  await writeAtomic(paths.kill, why === "" ? "" : `${why}\n`);
}

/** Removes the KILL file; nothing happens when there is none. EXO_HOME_READ_ONLY, EXO_FILE. */
export async function removeKillFile(paths: HomePaths): Promise<void> {
  await removeIfThere(paths.kill);
  await syncFolder(paths.home);
}
