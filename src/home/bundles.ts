import { join } from "node:path";
import { checkUlid } from "../canonical/ids.js";
import { writeAtomic } from "./atomic.js";
import type { HomePaths } from "./paths.js";

/** Path of an intent's bundle file. EXO_ID unless `intentId` is a ULID. */
function bundleFile(paths: HomePaths, intentId: string): string {
  return join(paths.bundles, `${checkUlid(intentId)}.proof.json`);
}

/** Writes an intent's bundle to `bundles/<intentId>.proof.json` and returns the path. EXO_ID, EXO_HOME_READ_ONLY, EXO_FILE. */
export async function writeBundle(paths: HomePaths, intentId: string, bytes: Uint8Array): Promise<string> {
  const file = bundleFile(paths, intentId);
  await writeAtomic(file, bytes);
  return file;
}
