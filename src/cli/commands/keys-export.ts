import { resolve } from "node:path";
import { type Role, roleSchema, type TrustedKey } from "../../contracts/trust.js";
import { encodeBase64 } from "../../crypto/encoding.js";
import { keyIdOf } from "../../crypto/key-id.js";
import { formatVkey, isNoteName, noteKey } from "../../crypto/note-key.js";
import { encodePublicPem } from "../../crypto/public-pem.js";
import { ExoArmurError } from "../../errors.js";
import { keyFileOf, readKeyFile } from "../../home/keys.js";
import { openHome } from "../../home/open.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { formatRows, printJson } from "../output.js";

/** The public half of a key in every form it is asked for. */
type PublicHalf = {
  readonly entry: TrustedKey;
  readonly keyId: string;
  /** Raw 32 bytes, base64. */
  readonly raw: string;
  readonly pem: string;
  /** For logs and witnesses. */
  readonly vkey: string | null;
};

/** What `--as` prints, each with its newline. */
const forms: Readonly<Record<string, (half: PublicHalf) => string>> = {
  entry: ({ entry }) => `${JSON.stringify(entry)}\n`,
  pem: ({ pem }) => pem,
  raw: ({ raw }) => `${raw}\n`,
  vkey: ({ vkey, entry }) => {
    if (vkey !== null) return `${vkey}\n`;
    const why = namesNotes(entry.role) ? `${entry.id} cannot name a note's key` : "it is for logs and witnesses";
    throw new ExoArmurError("EXO_USAGE", `--as vkey: the key has the role ${entry.role} and no verifier key: ${why}`);
  },
};

/**
 * `keys export ROLE|FILE`: the public half of a key of the home, or of a key file, as an entry of trust.json, a verifier
 * key (log, witness), PEM and raw base64. EXO_KEY, EXO_KEY_MODE, EXO_FILE, EXO_USAGE; by role also EXO_HOME_*,
 * EXO_SIGNER and EXO_TRUST.
 */
export async function exportKey(
  context: CliContext,
  [given = ""]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const role = roleSchema.safeParse(given);
  const half = role.success
    ? await ofHome(context, homeDir(context, textOption(options, "home")), role.data)
    : await ofFile(resolve(context.cwd, given));
  const form = textOption(options, "as");
  if (hasFlag(options, "json")) printJson(context, { schema: "exoarmur.public-key/v1", ...half });
  else if (form !== undefined) context.stdout(forms[form]?.(half) ?? "");
  else {
    const rows = [
      ["key id", half.keyId],
      ["entry", JSON.stringify(half.entry)],
      ["raw", half.raw],
    ];
    if (half.vkey !== null) rows.push(["vkey", half.vkey]);
    context.stdout(`${formatRows(rows)}${half.pem}`);
  }
  return exitCodes.done;
}

async function ofHome(context: CliContext, dir: string, role: Role): Promise<PublicHalf> {
  const home = await openHome(dir, { env: context.env });
  // The log signs under its origin, whatever the key is called.
  const nameOf = (id: string): string => (role === "log" ? home.log.origin : id);
  if ((role === "runtime" || role === "log") && home.resolved.signers[role] !== undefined) {
    try {
      const { publicKey } = await home.signer(role);
      const raw = encodeBase64(publicKey);
      const id = home.trust.keys.find((key) => key.role === role && key.publicKey === raw)?.id ?? role;
      return publicHalf(role, id, publicKey, nameOf(id));
    } finally {
      await home.closeKeys();
    }
  }
  const { id, signer } = await readKeyFile(keyFileOf(home.paths.keys, role), role);
  return publicHalf(role, id, signer.publicKey, nameOf(id));
}

async function ofFile(file: string): Promise<PublicHalf> {
  const { id, role, signer } = await readKeyFile(file);
  return publicHalf(role, id, signer.publicKey, id);
}

function publicHalf(role: Role, id: string, publicKey: Uint8Array, name: string): PublicHalf {
  const raw = encodeBase64(publicKey);
  const algorithm = role === "witness" ? 4 : 1;
  const named = namesNotes(role) && isNoteName(name);
  return {
    entry: { role, id, publicKey: raw, from: null, until: null },
    keyId: keyIdOf(publicKey),
    raw,
    pem: encodePublicPem(publicKey),
    vkey: named ? formatVkey(noteKey(name, publicKey, algorithm)) : null,
  };
}

function namesNotes(role: Role): boolean {
  return role === "log" || role === "witness";
}
