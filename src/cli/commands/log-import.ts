import { resolve } from "node:path";
import { ExoArmurError } from "../../errors.js";
import { importLog } from "../../home/log-import.js";
import { countWitnesses } from "../../verify/check-log.js";
import { runCheck } from "../../verify/verify-bundle.js";
import { hasFlag, type Options, textOption } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { countOf, printJson, shownPath } from "../output.js";
import { logKeysOption } from "./log-keys.js";
import { readTrustOption } from "./verify.js";

/**
 * `log import DIR --into MIRROR (--trust FILE | --vkey KEY)`: takes an exported log of anybody into a mirror that it is a
 * growth of. Witnesses are counted where the trust file asks for them. EXO_USAGE without a key, and what logKeysOption
 * and importLog throw.
 */
export async function importTiles(
  context: CliContext,
  [path = ""]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const { clock, entropy, signal } = context;
  const into = resolve(context.cwd, textOption(options, "into") ?? "");
  const keys = await logKeysOption(context, options);
  if (keys === undefined) throw new ExoArmurError("EXO_USAGE", "name the log's key with --vkey or --trust");
  const trust = (await readTrustOption(context, options)) ?? null;
  const admit = (note: string): void => {
    const { state, code, message } = runCheck("witnesses", "witness quorum", () => countWitnesses(trust, () => note));
    if (state === "fail" || state === "unable") throw new ExoArmurError(code ?? "EXO_TRUST", `${path}: ${message}`);
  };
  const ports = { pid: process.pid, clock, entropy };
  const { origin, from, size, written } = await importLog(resolve(context.cwd, path), into, {
    keys,
    admit,
    signal,
    ports,
  });
  if (hasFlag(options, "json")) {
    printJson(context, {
      schema: "exoarmur.log-import/v1",
      origin,
      from,
      size,
      written,
      path: textOption(options, "into"),
    });
  } else {
    const grown = from === 0 ? `${size}` : `${from} to ${size}`;
    context.stdout(
      `imported   ${origin}   ${shownPath(context, into)}   entries ${grown}   ${countOf(written, "file")} written\n`,
    );
  }
  return exitCodes.done;
}
