import { resolve } from "node:path";
import { keyIdSchema } from "../../contracts/common.js";
import { type Role, roleSchema, type Trust } from "../../contracts/trust.js";
import { keyIdOf } from "../../crypto/key-id.js";
import { parseVkey } from "../../crypto/note-key.js";
import { ExoArmurError, isExoArmurError } from "../../errors.js";
import { requireAnchored } from "../../home/anchor.js";
import { keyFileOf } from "../../home/keys.js";
import { type Home, openHome, readTrust } from "../../home/open.js";
import { acquireOwner, readOwner } from "../../home/owner-lock.js";
import { type Rotation, rotateKey } from "../../home/rotate-key.js";
import { withEnd, writeTrust } from "../../home/trust-edit.js";
import { createRuntime } from "../../runtime.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { withHomeView } from "../home-view.js";
import { createStderrLogger } from "../logging.js";
import { formatRows, printJson } from "../output.js";
import { indexOption, optionalRole, reasonOption } from "../trust-options.js";

/**
 * `keys rotate ROLE|FILE`: a new key takes the place of the one in a key file, of the old one in trust.json from the
 * present end of the log on, and the change is recorded. EXO_HOME_LOCKED while a runtime owns the home, EXO_USAGE for a
 * role that a signer program has, EXO_STORE_ROLLED_BACK, EXO_TRUST, EXO_KEY*, EXO_FILE.
 */
export async function rotateHomeKey(
  context: CliContext,
  [what = ""]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const home = await openHome(homeDir(context, textOption(options, "home")));
  const { paths, resolved } = home;
  const role = roleSchema.safeParse(what);
  if (role.success && Object.hasOwn(resolved.signers, role.data)) {
    const message = `a signer program has the ${role.data} key; rotate it there, then: exoarmur keys trust add`;
    throw new ExoArmurError("EXO_USAGE", message);
  }
  const file = role.success ? keyFileOf(paths.keys, role.data) : resolve(context.cwd, what);
  const { clock, entropy } = context;
  const lock = await acquireOwner(paths, { pid: process.pid, clock, entropy });
  let rotation: Rotation;
  try {
    rotation = await rotateKey({ file, trustFile: paths.trust, size: await logSize(paths.home), entropy });
  } finally {
    await lock.release();
  }
  const pending = await record(context, home);
  const { keyId, previous, from, id } = rotation;
  if (hasFlag(options, "json")) {
    printJson(context, { schema: "exoarmur.key-rotated/v1", ...rotation, file, recorded: pending === undefined });
    return exitCodes.done;
  }
  context.stdout(
    formatRows([
      ["rotated", `role ${rotation.role}, id ${id}`, from === null ? "" : `from log index ${from}`],
      ["new key", keyId, "in trust.json and in the key file"],
      ["old key", previous, "its secret is gone; what it signed before still verifies"],
      ...recordedRow(pending),
    ]),
  );
  return exitCodes.done;
}

/**
 * `keys revoke KEYID [--from INDEX] [--role ROLE] [--reason TEXT]`: ends a key of trust.json at a log index, which may lie in the past,
 * and has it recorded. EXO_TRUST when there is no such key, it ends before already, or it is a log's; EXO_USAGE for an
 * index beyond the log, EXO_STORE_ROLLED_BACK, EXO_FILE.
 */
export async function revokeKey(
  context: CliContext,
  [keyId = ""]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  if (!keyIdSchema.safeParse(keyId).success) {
    throw new ExoArmurError("EXO_USAGE", `expected a key id of 32 lower-case hexadecimal digits, got ${keyId}`);
  }
  const home = await openHome(homeDir(context, textOption(options, "home")));
  const { paths } = home;
  const given = textOption(options, "from");
  const size = await logSize(paths.home);
  const until = given === undefined ? size : indexOption("from", given);
  if (until > size) {
    const message = `--from: the log has ${size} entries, expected at most that, got ${until}`;
    throw new ExoArmurError("EXO_USAGE", `${message}; an end to come is set by: exoarmur keys trust end`);
  }
  const role: Role | undefined = optionalRole(textOption(options, "role"));
  const reason = reasonOption(textOption(options, "reason"));
  const trust = await readTrust(paths.trust);
  requireBounded(trust, keyId, paths.trust);
  await writeTrust(paths.trust, withEnd(trust, keyId, until, { role, reason }));
  const pending = await record(context, home);
  if (hasFlag(options, "json")) {
    printJson(context, {
      schema: "exoarmur.key-revoked/v1",
      keyId,
      until,
      reason: reason ?? null,
      recorded: pending === undefined,
    });
    return exitCodes.done;
  }
  context.stdout(
    formatRows([
      [
        "revoked",
        keyId,
        `nothing it signs at log index ${until} or later counts; what it signed before still verifies`,
      ],
      ...(reason === undefined ? [] : [["reason", reason]]),
      ...recordedRow(pending),
    ]),
  );
  return exitCodes.done;
}

/** Refuses to end a key that `logs` trusts at every index: it would count as before. EXO_TRUST. */
function requireBounded({ logs }: Trust, keyId: string, file: string): void {
  if (!logs.some(({ vkey }) => keyIdOf(parseVkey(vkey).publicKey) === keyId)) return;
  const why = `${keyId} is a log's key, which logs of ${file} trusts at every index`;
  throw new ExoArmurError("EXO_TRUST", `${why}: exoarmur keys rotate log, then take the old line out of logs`);
}

function recordedRow(pending: string | undefined): string[][] {
  return [pending === undefined ? ["recorded", "in the log"] : ["not recorded yet", pending]];
}

/** Entries of the log; of one that was rolled back or lost, an index means nothing. EXO_STORE_ROLLED_BACK. */
async function logSize(dir: string): Promise<number> {
  return await withHomeView(dir, ({ home, store, log }) => {
    requireAnchored(store, home.paths);
    return log()?.size ?? 0;
  });
}

/** A start records what changed in the trust file. Gives why there was none: then the next start records it. */
async function record(context: CliContext, { paths }: Home): Promise<string | undefined> {
  const { clock, entropy, env } = context;
  const owner = readOwner(paths, clock);
  if (owner !== undefined) return `process ${owner.pid} owns the home and reads trust.json at its next start`;
  try {
    const runtime = await createRuntime({ home: paths.home, clock, entropy, env, logger: createStderrLogger(context) });
    await runtime.close();
    return undefined;
  } catch (error) {
    if (!isExoArmurError(error)) throw error;
    return `the runtime does not start: ${error.code}: ${error.message}`;
  }
}
