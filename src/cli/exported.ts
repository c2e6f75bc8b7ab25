import { resolve } from "node:path";
import { ExoArmurError } from "../errors.js";
import { exportReader } from "../home/tile-folder.js";
import { openTiles, type TilesProver } from "../log/tiles-proof.js";
import { type Options, textOption } from "./action.js";
import { logKeysOption } from "./commands/log-keys.js";
import type { CliContext } from "./context.js";

/**
 * The export that --dir names, for proofs without a home; undefined without --dir. Its checkpoint's signature is looked
 * at under the keys of --vkey and --trust, if there are any. EXO_USAGE for keys without --dir, and as logKeysOption and
 * openTiles.
 */
export async function exportOption(context: CliContext, options: Options): Promise<TilesProver | undefined> {
  const dir = textOption(options, "dir");
  requireDirForKeys(options);
  if (dir === undefined) return undefined;
  return await openTiles(exportReader(resolve(context.cwd, dir)), await logKeysOption(context, options));
}

/** EXO_USAGE for --vkey or --trust without --dir. */
export function requireDirForKeys(options: Options): void {
  if (textOption(options, "dir") !== undefined) return;
  if (options["vkey"] !== undefined || options["trust"] !== undefined)
    throw new ExoArmurError("EXO_USAGE", "--vkey and --trust go with --dir; a home has its own trust file");
}
