import { resolve } from "node:path";
import { keyIdSchema } from "../../contracts/common.js";
import { formatOrigin } from "../../contracts/origin.js";
import { entryKeyId, type Trust, type TrustedKey } from "../../contracts/trust.js";
import { ExoArmurError } from "../../errors.js";
import { readTrust } from "../../home/open.js";
import { homePaths } from "../../home/paths.js";
import { passkeyText, rangeText, readTrustEntry, withEnd, withKey, writeTrust } from "../../home/trust-edit.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputName, inputs, readInput } from "../files.js";
import { formatTable, printJson, shownPath } from "../output.js";
import { indexOption, optionalRole, reasonOption } from "../trust-options.js";

type Change = (context: CliContext, trust: Trust, what: string, options: Options) => Promise<Trust>;

/** What may be done to a trust file. */
const changes: Readonly<Record<string, Change>> = {
  add: async (context, trust, what, options) => {
    refuse(options, "at", "add");
    refuse(options, "role", "add");
    refuse(options, "reason", "add");
    return withKey(trust, readTrustEntry(await readInput(context, what, inputs.document), inputName(what)));
  },
  end: async (_context, trust, what, options) => {
    if (!keyIdSchema.safeParse(what).success) {
      throw new ExoArmurError("EXO_USAGE", `expected a key id of 32 lower-case hexadecimal digits, got ${what}`);
    }
    const role = optionalRole(textOption(options, "role"));
    const reason = reasonOption(textOption(options, "reason"));
    return withEnd(trust, what, indexOption("at", textOption(options, "at")), { role, reason });
  },
};

/**
 * `keys trust`: judges a trust file and prints it; `keys trust add ENTRY.json` enters a key, `keys trust end KEYID --at
 * INDEX` ends one, both atomically. EXO_USAGE, EXO_TRUST, EXO_KEY, EXO_KEY_REFUSED, EXO_SCHEMA, EXO_JSON_*, EXO_FILE.
 */
export async function trustKeys(
  context: CliContext,
  [verb, what]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const given = textOption(options, "trust");
  const file =
    given === undefined ? homePaths(homeDir(context, textOption(options, "home"))).trust : resolve(context.cwd, given);
  const change = verb === undefined ? undefined : changeOf(verb);
  if (change !== undefined && what === undefined) {
    throw new ExoArmurError("EXO_USAGE", verb === "add" ? "add: expected ENTRY.json or -" : "end: expected a key id");
  }
  if (change === undefined) for (const name of ["at", "role"]) refuse(options, name, "showing a trust file");
  const before = await readTrust(file);
  const trust = change === undefined ? before : await change(context, before, what ?? "", options);
  if (change !== undefined) await writeTrust(file, trust);
  if (hasFlag(options, "json")) {
    const keys = trust.keys.map((key) => ({ ...key, keyId: entryKeyId(key) }));
    printJson(context, {
      schema: "exoarmur.trust-file/v1",
      path: file,
      changed: change !== undefined,
      ...rest(trust),
      keys,
    });
    return exitCodes.done;
  }
  context.stdout(formatTable(rowsOf(trust)));
  if (change !== undefined) {
    context.stdout(`wrote ${shownPath(context, file)}; a running runtime reads it at its next start\n`);
  }
  return exitCodes.done;
}

function changeOf(verb: string): Change {
  const change = Object.hasOwn(changes, verb) ? changes[verb] : undefined;
  if (change !== undefined) return change;
  throw new ExoArmurError("EXO_USAGE", `there is no ${verb}; there are ${Object.keys(changes).join(", ")}`);
}

function rest({ logs, witnesses, policies, require: required }: Trust): object {
  return { logs, witnesses, policies: policies ?? [], require: required ?? [] };
}

function rowsOf({ logs, keys, witnesses, policies = [], require: required = [] }: Trust): string[][] {
  const rows: string[][] = [];
  for (const { vkey } of logs) rows.push(["log", vkey]);
  for (const key of keys) rows.push([key.role, key.id, entryKeyId(key), rangeText(key), bounds(key)]);
  for (const vkey of witnesses.vkeys) rows.push(["witness", vkey]);
  rows.push(["quorum", `${witnesses.threshold} of ${witnesses.vkeys.length} witnesses`]);
  for (const digest of policies) rows.push(["policy", digest]);
  if (required.length > 0) rows.push(["requires", required.join(", ")]);
  return rows;
}

/** What limits an entry beside its validity, and why it ends. */
function bounds({ passkey, person, tenants, roles, origins, reason }: TrustedKey): string {
  const parts = [
    passkey === undefined ? "" : passkeyText(passkey),
    person === undefined ? "" : `person ${person}`,
    tenants === undefined ? "" : `tenants ${tenants.join(", ")}`,
    roles === undefined ? "" : `roles ${roles.join(", ")}`,
    origins === undefined ? "" : `origins ${origins.map(formatOrigin).join(", ")}`,
    reason === undefined ? "" : `ended: ${reason}`,
  ];
  return parts.filter((part) => part !== "").join("; ");
}

function refuse(options: Options, name: string, verb: string): void {
  if (textOption(options, name) === undefined) return;
  throw new ExoArmurError("EXO_USAGE", `--${name} is for end, not for ${verb}`);
}
