import { entryKeyId } from "../../contracts/trust.js";
import { type KeyPlace, type ListedKey, listKeys } from "../../home/key-list.js";
import { openHome } from "../../home/open.js";
import { passkeyText, rangeText } from "../../home/trust-edit.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { formatTable, printJson, shownPath } from "../output.js";

/**
 * `keys list`: every key file of the home, its permissions and where trust.json names it; nothing of a private half. Then
 * the signer programs, and the passkeys of trust.json, whose private halves are in their people's hands. Exit
 * code 1 when a file is refused. EXO_HOME_*, and the errors of the files people write.
 */
export async function listHomeKeys(context: CliContext, _args: readonly string[], options: Options): Promise<ExitCode> {
  const { paths, trust, resolved } = await openHome(homeDir(context, textOption(options, "home")));
  const keys = await listKeys(paths, trust);
  // Its arguments may name where a key is kept, which is nobody's business here.
  const signers = Object.entries(resolved.signers).map(([role, { command }]) => ({ role, program: command[0] ?? "" }));
  const passkeys = trust.keys.flatMap(({ role, id, publicKey, from, until, passkey }) =>
    passkey === undefined ? [] : [{ role, id, keyId: entryKeyId({ publicKey }), from, until, passkey }],
  );
  if (hasFlag(options, "json"))
    printJson(context, { schema: "exoarmur.keys/v1", home: paths.home, keys, signers, passkeys });
  else if (keys.length + signers.length + passkeys.length === 0)
    context.stdout(`no keys in ${shownPath(context, paths.keys)}\n`);
  else {
    const rows = keys.map((key) => [shownPath(context, key.file), ...describe(key)]);
    for (const { role, program } of signers)
      rows.push([program, "-", role, "-", "-", "a signer program, used instead of a file"]);
    for (const { role, id, keyId, passkey, ...range } of passkeys)
      rows.push([
        shownPath(context, paths.trust),
        "-",
        role,
        id,
        keyId,
        `${passkeyText(passkey)}, trusted ${rangeText(range)}`,
      ]);
    context.stdout(formatTable(rows));
  }
  return keys.some(({ refused }) => refused !== null) ? exitCodes.refused : exitCodes.done;
}

function describe({ role, id, keyId, mode, trusted, refused }: ListedKey): string[] {
  if (refused !== null) return [mode ?? "-", "-", "-", "-", `${refused.code}: ${refused.message}`];
  const shown = [mode ?? "-", role ?? "-", id ?? "-", keyId ?? "-"];
  if (keyId === null) return [...shown, "a secret, nothing to trust"];
  if (trusted.length === 0) return [...shown, "not in trust.json"];
  return [...shown, `trusted ${trusted.map(placeText).join("; ")}`];
}

function placeText(place: KeyPlace): string {
  return place.as === "key" ? rangeText(place) : `as a ${place.as}`;
}
