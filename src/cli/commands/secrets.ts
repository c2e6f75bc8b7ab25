import { formatOrigin, type Origin } from "../../contracts/origin.js";
import { type ConfiguredSecret, secretBytes, secretFault, secretNameSchema } from "../../contracts/secret.js";
import { encodeUtf8 } from "../../crypto/encoding.js";
import { ExoArmurError } from "../../errors.js";
import { openHome } from "../../home/open.js";
import { openFileVault } from "../../home/vault.js";
import { homeSecrets } from "../../runtime/secrets.js";
import { hasFlag, type Options, textOption, type Work } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { exitCodes } from "../exit-codes.js";
import { readInput } from "../files.js";
import { formatRows, formatTable, printJson, shownPath } from "../output.js";

const schema = "exoarmur.secrets/v1";

/** A value and the line break that ends what was piped. */
const valueInput = { what: "secret", maxBytes: secretBytes.most + 2, code: "EXO_SECRET_VALUE" } as const;

/**
 * `secrets set NAME`: keeps a value in the home's vault. It comes from standard input, or from a question that shows
 * nothing of the answer; one line break at its end does not count. EXO_USAGE, EXO_SECRET_VALUE, EXO_VAULT, EXO_KEY_MODE.
 */
export const setSecret: Work = async (context, [given = ""], options) => {
  const name = readName(given);
  const { paths, resolved } = await openHome(homeDir(context, textOption(options, "home")), { write: true });
  const binding = configuredAs(resolved.secrets, name);
  if (binding?.from === "env") {
    throw new ExoArmurError("EXO_USAGE", `config.json takes ${name} from the environment, not from the vault`);
  }
  const value = await readValue(context, name);
  const fault = secretFault(value, binding);
  if (fault !== undefined) throw new ExoArmurError("EXO_SECRET_VALUE", `the secret ${name} ${fault}`);
  await openFileVault(paths, passphraseOf(context)).set(name, value);
  value.fill(0);
  if (hasFlag(options, "json")) printJson(context, { schema, name, set: true, bound: binding !== undefined });
  else {
    const rows = [["set", name, shownPath(context, paths.vault)]];
    if (binding === undefined) rows.push(["unused", "secrets in config.json does not bind it yet"]);
    context.stdout(formatRows(rows));
  }
  return exitCodes.done;
};

/** `secrets list`: names, where each may go, and whether a value is there; never a value. EXO_VAULT, EXO_KEY_MODE. */
export const listSecrets: Work = async (context, _args, options) => {
  const rows = await readSecrets(context, options);
  if (hasFlag(options, "json")) printJson(context, { schema, secrets: rows });
  else if (rows.length === 0) context.stdout("no secrets: config.json binds none, and the vault holds none\n");
  else {
    context.stdout(
      formatTable(rows.map((row) => [row.name, row.from, row.hasValue ? "value set" : "no value", describePlace(row)])),
    );
  }
  return exitCodes.done;
};

/** `secrets remove NAME`: forgets a value of the vault. Exit code 1 when there was none. EXO_USAGE, EXO_VAULT. */
export const removeSecret: Work = async (context, [given = ""], options) => {
  const name = readName(given);
  const { paths } = await openHome(homeDir(context, textOption(options, "home")), { write: true });
  const removed = await openFileVault(paths, passphraseOf(context)).remove(name);
  if (hasFlag(options, "json")) printJson(context, { schema, name, removed });
  else context.stdout(formatRows([removed ? ["removed", name] : ["absent", `the vault holds no ${name}`]]));
  return removed ? exitCodes.done : exitCodes.refused;
};

/** One secret as it is listed. Without a place it is in the vault and bound to nothing. */
type SecretRow = {
  readonly name: string;
  readonly from: "vault" | "env";
  readonly origin?: Origin;
  readonly header?: string | undefined;
  readonly body?: string | undefined;
  readonly hasValue: boolean;
};

async function readSecrets(context: CliContext, options: Options): Promise<readonly SecretRow[]> {
  const { paths, resolved } = await openHome(homeDir(context, textOption(options, "home")));
  const { vault } = homeSecrets(paths, resolved.secrets, context.env);
  const rows: SecretRow[] = [];
  for (const [name, binding] of Object.entries(resolved.secrets)) {
    const value = await vault.get(name);
    rows.push({ name, ...binding, hasValue: value !== undefined });
    value?.fill(0);
  }
  for (const name of await openFileVault(paths, passphraseOf(context)).names()) {
    const listed = configuredAs(resolved.secrets, name);
    if (listed?.from !== "vault") rows.push({ name, from: "vault", hasValue: true });
  }
  return rows.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function describePlace({ origin, header, body }: SecretRow): string {
  if (origin === undefined) return "bound to nothing";
  const place = header === undefined ? `string ${body ?? ""} of a JSON body` : `header ${header}`;
  return `${formatOrigin(origin)}, ${place}`;
}

async function readValue(context: CliContext, name: string): Promise<Uint8Array> {
  const bytes = context.isTTY.stdin
    ? encodeUtf8(await context.askSecret(`value of ${name} (not shown): `))
    : await readInput(context, "-", valueInput);
  const text = Buffer.from(bytes).toString("latin1");
  return bytes.slice(0, text.replace(/\r?\n$/, "").length);
}

function readName(given: string): string {
  if (secretNameSchema.safeParse(given).success) return given;
  // A value that was given in its place is not repeated.
  throw new ExoArmurError("EXO_USAGE", "expected a name such as API_KEY: letters, digits, _ and -, and no value");
}

function configuredAs(secrets: Readonly<Record<string, ConfiguredSecret>>, name: string): ConfiguredSecret | undefined {
  return Object.hasOwn(secrets, name) ? secrets[name] : undefined;
}

function passphraseOf(context: CliContext): string | undefined {
  return context.env["EXOARMUR_VAULT_PASSPHRASE"];
}
