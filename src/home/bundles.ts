import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkUlid } from "../canonical/ids.js";
import { removeIfThere, writeAtomic } from "./atomic.js";
import type { HomePaths } from "./paths.js";

/** Path of an intent's bundle file. EXO_ID unless `intentId` is a ULID. */
function bundleFile(paths: HomePaths, intentId: string): string {
  return join(paths.bundles, `${checkUlid(intentId)}.proof.json`);
}

/** True when an intent's bundle was written to the home. EXO_ID. */
export function hasBundleFile(paths: HomePaths, intentId: string): boolean {
  return existsSync(bundleFile(paths, intentId));
}

/** Removes an intent's bundle file, if there is one. EXO_ID, EXO_HOME_READ_ONLY, EXO_FILE. */
export async function removeBundleFile(paths: HomePaths, intentId: string): Promise<void> {
  await removeIfThere(bundleFile(paths, intentId));
}

/** Writes an intent's bundle to `bundles/<intentId>.proof.json` and returns the path. EXO_ID, EXO_HOME_READ_ONLY, EXO_FILE. */
export async function writeBundle(paths: HomePaths, intentId: string, bytes: Uint8Array): Promise<string> {
  const file = bundleFile(paths, intentId);
  await writeAtomic(file, bytes);
  return file;
}
