import { resolve } from "node:path";
import { ExoArmurError } from "../../errors.js";
import { exportLog } from "../../home/log-export.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { withHomeView } from "../home-view.js";
import { countOf, printJson, shownPath } from "../output.js";

/**
 * `log export DIR`: the log as static C2SP tiles, entries and checkpoint, new or on top of an earlier export.
 * EXO_LOG_RANGE for an empty log, and what exportLog throws.
 */
export async function exportTiles(
  context: CliContext,
  [path = ""]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const dir = resolve(context.cwd, path);
  const { origin, from, size, written } = await withHomeView(
    homeDir(context, textOption(options, "home")),
    async ({ home, log }) => {
      const view = log();
      if (view === undefined) throw new ExoArmurError("EXO_LOG_RANGE", "the log is empty; nothing was recorded yet");
      return { ...(await exportLog(dir, { view, ...home.log })), origin: home.log.origin };
    },
  );
  if (hasFlag(options, "json")) {
    printJson(context, { schema: "exoarmur.log-export/v1", origin, from, size, written, path });
  } else {
    const grown = from === 0 ? `${size}` : `${from} to ${size}`;
    context.stdout(`exported   ${shownPath(context, dir)}   entries ${grown}   ${countOf(written, "file")} written\n`);
  }
  return exitCodes.done;
}
