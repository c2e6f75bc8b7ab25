import { lstat } from "node:fs/promises";
import { resolve } from "node:path";
import { canonicalText } from "../../canonical/jcs.js";
import { parseContract } from "../../contracts/common.js";
import { trustSchema } from "../../contracts/trust.js";
import { ExoArmurError } from "../../errors.js";
import { writeAtomic } from "../../home/atomic.js";
import { generateKey, trustEntryOf, writeKeyFile } from "../../home/keys.js";
import { readTrust } from "../../home/open.js";
import { hasFlag, type Options, textOption } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { formatRows, printJson, shownPath } from "../output.js";
import { roleOption } from "../trust-options.js";

/**
 * `keys new --role ROLE --id ID -o FILE [--trust FILE]`: makes a key pair, mode 0600, and shows or adds the line of a trust
 * file for it. EXO_USAGE for a role or id that is none, EXO_FILE when the file is there already; what reading a trust
 * file can throw.
 */
export async function newKey(context: CliContext, _args: readonly string[], options: Options): Promise<ExitCode> {
  const role = roleOption(textOption(options, "role") ?? "");
  const id = textOption(options, "id") ?? "";
  const out = textOption(options, "out") ?? "";
  const file = resolve(context.cwd, out);
  if ((await lstat(file).catch(() => undefined)) !== undefined) {
    throw new ExoArmurError("EXO_FILE", `${out} exists already, and is left as it is`, { file });
  }
  const key = generateKey(role, id, context.entropy);
  const entry = parseContract(trustSchema.shape.keys.element, trustEntryOf(key), "--id");
  const trust = textOption(options, "trust");
  const trustFile = resolve(context.cwd, trust ?? "");
  const known = trust === undefined ? undefined : await readTrust(trustFile);
  // The key first: a trust file must not name one that nobody has.
  await writeKeyFile(file, key);
  if (known !== undefined) await writeAtomic(trustFile, canonicalText({ ...known, keys: [...known.keys, entry] }));
  if (hasFlag(options, "json")) {
    printJson(context, {
      schema: "exoarmur.key-made/v1",
      role,
      id,
      keyId: key.keyId,
      path: file,
      entry,
      trust: trust ?? null,
    });
    return exitCodes.done;
  }
  context.stdout(
    formatRows([
      ["key", shownPath(context, file), `role ${role}, id ${id}, ${key.keyId} (0600)`],
      ["trust", trust === undefined ? `add to keys of trust.json: ${JSON.stringify(entry)}` : `added to ${trust}`],
    ]),
  );
  return exitCodes.done;
}
