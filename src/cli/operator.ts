import { join, resolve } from "node:path";
import type { Role } from "../contracts/trust.js";
import { keyFileOf, type OpenedKey, readKeyFile } from "../home/keys.js";
import type { HomePaths } from "../home/paths.js";
import { hasFlag, type Options, textOption } from "./action.js";
import type { CliContext } from "./context.js";

/** The key that a person signs with: `--key`, else the role's key in the home. EXO_FILE, EXO_KEY, EXO_KEY_MODE. */
export async function readSigningKey(
  context: CliContext,
  paths: HomePaths,
  role: Role,
  options: Options,
): Promise<OpenedKey> {
  const given = textOption(options, "key");
  return await readKeyFile(given === undefined ? keyFileOf(join(paths.keys), role) : resolve(context.cwd, given), role);
}

/** Asks `<what>? y/N` where somebody can answer, and not with `--yes`; true without asking otherwise. */
export async function isConfirmed(context: CliContext, options: Options, what: string): Promise<boolean> {
  if (hasFlag(options, "yes") || !context.isTTY.stdin) return true;
  const answer = await context.ask(`${what}? y/N `);
  return /^y(?:es)?$/i.test(answer.trim());
}
