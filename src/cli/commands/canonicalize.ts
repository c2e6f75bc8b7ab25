import { digestOf } from "../../canonical/digest.js";
import { canonicalize } from "../../canonical/jcs.js";
import { readJson } from "../../canonical/read.js";
import { decodeUtf8 } from "../../crypto/encoding.js";
import { ExoArmurError } from "../../errors.js";
import { hasFlag, type Options } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputName, inputs, readInput } from "../files.js";
import { printJson } from "../output.js";

/** `canonicalize [FILE|-]`: the canonical bytes, nothing before or after them. EXO_JSON_*, EXO_FILE. */
export async function canonicalizeFile(
  context: CliContext,
  [path = "-"]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const bytes = canonicalBytes(await readInput(context, path, inputs.document), path);
  if (!hasFlag(options, "json")) {
    context.stdout(bytes);
    return exitCodes.done;
  }
  const canonical = decodeUtf8(bytes);
  printJson(context, { schema: "exoarmur.canonical/v1", digest: digestOf(bytes), bytes: bytes.length, canonical });
  return exitCodes.done;
}

function canonicalBytes(bytes: Uint8Array, path: string): Uint8Array {
  try {
    return canonicalize(readJson(bytes));
  } catch (error) {
    if (!(error instanceof ExoArmurError)) throw error;
    const { line } = error.place;
    const message = `${inputName(path)}${line === undefined ? "" : `, line ${line}`}: ${error.message}`;
    throw new ExoArmurError(error.code, message, { ...error.place, file: inputName(path) });
  }
}
