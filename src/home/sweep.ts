import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../ports.js";
import { isTemporaryName, removeIfThere } from "./atomic.js";
import type { HomePaths } from "./paths.js";

/** Results and half-written files older than this are swept, in milliseconds. */
const keepMs = 3_600_000;

const resultForm = /\.result\.json$/;

/**
 * Removes from the inbox the results older than an hour, and from home, keys, bundles and inbox the half-written files
 * of that age that a crash left. For the owner, when it starts. EXO_HOME_READ_ONLY, EXO_FILE.
 */
export async function sweepHome(paths: HomePaths, clock: Clock): Promise<void> {
  for (const folder of [paths.home, paths.keys, paths.bundles, paths.inbox]) {
    for (const name of await readdir(folder).catch((): string[] => [])) {
      const isResult = folder === paths.inbox && resultForm.test(name);
      if (!isResult && !isTemporaryName(name)) continue;
      const file = join(folder, name);
      const found = await stat(file).catch(() => undefined);
      if (found?.isFile() === true && clock.now() - found.mtimeMs > keepMs) await removeIfThere(file);
    }
  }
}
