import { signerSchema } from "../contracts/signer.js";
import { entryKeyId, personOf, type Role, type Trust } from "../contracts/trust.js";
import { ExoArmurError } from "../errors.js";
import { signerEnv } from "../home/keyring.js";
import type { HomePaths } from "../home/paths.js";
import { openProcessSigner, type ProcessSigner } from "../home/process-signer.js";
import type { Signer } from "../ports.js";
import { type Options, textOption, textsOption } from "./action.js";
import { commandWords } from "./command-words.js";
import type { CliContext } from "./context.js";
import { readSigningKey } from "./operator.js";

/** Who signs: the name that grants and orders carry, and the key. */
export type SigningKey = { readonly id: string; readonly signer: Signer };

/** Whose home it is that a person signs for. */
export type SigningHome = { readonly paths: HomePaths; readonly trust: Trust };

/** Seconds that a signer program may take: somebody may have to touch a token. */
const defaultSeconds = 60;

/**
 * Does `work` with a person's key: of the program that --signer starts (spec/keys.md, Signer programs), of the file --key,
 * else of the home's key file of the role. The program is ended before this returns, and by Ctrl-C. EXO_USAGE, EXO_SIGNER;
 * EXO_TRUST when the trust file does not name the program's key for the role, or names it for several people; EXO_FILE,
 * EXO_KEY, EXO_KEY_MODE.
 */
export async function withSigningKey<T>(
  context: CliContext,
  home: SigningHome,
  role: Role,
  options: Options,
  work: (key: SigningKey) => Promise<T>,
): Promise<T> {
  const given = textOption(options, "signer");
  if (given === undefined) {
    const { id, signer } = await readSigningKey(context, home.paths, role, options);
    return await work({ id: onlyName(namesOf(home.trust, role, signer)) ?? id, signer });
  }
  let signer: ProcessSigner | undefined;
  try {
    signer = await startSigner(context, role, given, options);
    return await work({ id: requireName(home, role, signer), signer });
  } catch (error) {
    context.signal.throwIfAborted();
    throw error;
  } finally {
    await signer?.close();
  }
}

async function startSigner(context: CliContext, role: Role, given: string, options: Options): Promise<ProcessSigner> {
  const seconds = textOption(options, "signerTimeout") ?? `${defaultSeconds}`;
  const launch = signerSchema.safeParse({
    command: commandWords("signer", given),
    env: textsOption(options, "signerEnv"),
    timeoutMs: /^[1-9][0-9]{0,2}$/.test(seconds) ? Number(seconds) * 1000 : Number.NaN,
  });
  if (!launch.success) {
    const [issue] = launch.error.issues;
    const name = { env: "signer-env", timeoutMs: "signer-timeout" }[String(issue?.path[0])] ?? "signer";
    const what = name === "signer-timeout" ? `expected whole seconds from 1 to 600, got ${seconds}` : issue?.message;
    throw new ExoArmurError("EXO_USAGE", `--${name}: ${what ?? "not usable"}`);
  }
  const { command, env = [], timeoutMs = 0 } = launch.data;
  const { cwd, signal } = context;
  return await openProcessSigner({ role, command, cwd, env: signerEnv(context.env, env), timeoutMs, signal });
}

/** By whose name the trust file knows a key in a role: approvers decide as persons, all others by the key's id. */
function namesOf({ keys }: Trust, role: Role, { keyId }: Signer): string[] {
  const own = keys.filter((key) => key.role === role && entryKeyId(key) === keyId);
  return [...new Set(own.map((key) => (role === "approver" ? personOf(key) : key.id)))];
}

function onlyName(names: readonly string[]): string | undefined {
  return names.length === 1 ? names[0] : undefined;
}

function requireName({ trust, paths }: SigningHome, role: Role, signer: Signer): string {
  const names = namesOf(trust, role, signer);
  const name = onlyName(names);
  if (name !== undefined) return name;
  const why = names.length === 0 ? `does not name the signer's key ${signer.keyId}` : `names ${names.join(" and ")}`;
  throw new ExoArmurError("EXO_TRUST", `${paths.trust} ${why} for the role ${role}`, { file: paths.trust });
}
