import { encodeBase64 } from "../../crypto/encoding.js";
import { ExoArmurError } from "../../errors.js";
import { cosignedOf } from "../../log/cosigned.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { withHomeView } from "../home-view.js";
import { printJson } from "../output.js";

/** `log checkpoint`: the newest signed note of the home's log, with the cosignatures it has. EXO_STORE_DAMAGED, EXO_LOG_RANGE for an empty log. */
export async function printCheckpoint(
  context: CliContext,
  _args: readonly string[],
  options: Options,
): Promise<ExitCode> {
  await withHomeView(homeDir(context, textOption(options, "home")), ({ home, store, log }) => {
    const present = log();
    if (present === undefined) throw new ExoArmurError("EXO_LOG_RANGE", "the log is empty; nothing was recorded yet");
    const { size, root } = present;
    const checkpoint = cosignedOf(store, size) ?? present.checkpoint;
    if (!hasFlag(options, "json")) context.stdout(checkpoint);
    else {
      const { origin, vkey } = home.log;
      printJson(context, {
        schema: "exoarmur.checkpoint/v1",
        origin,
        vkey,
        size,
        root: encodeBase64(root),
        checkpoint,
      });
    }
  });
  return exitCodes.done;
}
