import { encodeUtf8 } from "../../crypto/encoding.js";
import { ExoArmurError } from "../../errors.js";
import { readDecimal } from "../../log/checkpoint.js";
import { formatHashLines } from "../../log/hash-lines.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { exportOption } from "../exported.js";
import { writeOutput } from "../files.js";
import { withHomeView } from "../home-view.js";
import { countOf, printJson } from "../output.js";

/**
 * `log consistency OLD NEW`: the RFC 6962 proof that the tree of NEW leaves begins with that of OLD, base64 hashes one a
 * line; of an export with --dir. EXO_USAGE, EXO_LOG_RANGE for sizes the log has not had and for OLD 0, EXO_STORE_DAMAGED,
 * and what exportOption throws.
 */
export async function proveConsistency(
  context: CliContext,
  [oldText = "", newText = ""]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const [oldSize, newSize] = [sizeOf(oldText), sizeOf(newText)];
  const out = textOption(options, "out");
  if (out === undefined && hasFlag(options, "json"))
    throw new ExoArmurError("EXO_USAGE", "--json and the proof both take standard output; name a file with --out");
  const exported = await exportOption(context, options);
  const proof =
    (await exported?.consistency(oldSize, newSize)) ??
    (await withHomeView(homeDir(context, textOption(options, "home")), ({ log }) => {
      const present = log();
      if (present === undefined) throw new ExoArmurError("EXO_LOG_RANGE", "the log is empty; nothing was recorded yet");
      return present.consistency(oldSize, newSize);
    }));
  const text = formatHashLines(proof);
  if (out === undefined) {
    context.stdout(text);
    return exitCodes.done;
  }
  await writeOutput(context, out, encodeUtf8(text));
  const facts = { schema: "exoarmur.log-consistency/v1", oldSize, newSize, hashes: proof.length, path: out };
  if (hasFlag(options, "json")) printJson(context, facts);
  else context.stdout(`from ${oldSize} to ${newSize}\n${out}   ${countOf(proof.length, "line")}\n`);
  return exitCodes.done;
}

function sizeOf(text: string): number {
  const size = readDecimal(text);
  if (size !== undefined) return size;
  throw new ExoArmurError("EXO_USAGE", `expected a number of log entries, got ${JSON.stringify(text)}`);
}
