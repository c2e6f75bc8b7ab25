import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Role, Trust } from "../contracts/trust.js";
import { decodeBase64, encodeBase64, equalBytes } from "../crypto/encoding.js";
import { keyIdOf } from "../crypto/key-id.js";
import { parseVkey } from "../crypto/note-key.js";
import { type ErrorCode, ExoArmurError, isExoArmurError } from "../errors.js";
import { readKeyFile, readPrivate, readSaltKey } from "./keys.js";
import type { HomePaths } from "./paths.js";

/** Where a trust file names a key. `from` and `until` are log indexes, inclusive and exclusive; null is open. */
export type KeyPlace = {
  readonly as: "key" | "log" | "witness";
  readonly from: number | null;
  readonly until: number | null;
};

/** A file of the home's keys folder as it may be shown: nothing of it is secret. */
export type ListedKey = {
  readonly file: string;
  /** `salt` and `vault` are secrets without a public half. Null for a file that was refused. */
  readonly role: Role | "salt" | "vault" | null;
  readonly id: string | null;
  readonly keyId: string | null;
  /** Base64. */
  readonly publicKey: string | null;
  /** Permission bits as four octal digits; null when they could not be read. */
  readonly mode: string | null;
  readonly trusted: readonly KeyPlace[];
  /** Why the file is refused, or null. */
  readonly refused: { readonly code: ErrorCode; readonly message: string } | null;
};

/** Where a trust file names a public key (raw, 32 bytes) for a role. */
function placesOf(trust: Trust, role: Role, publicKey: Uint8Array): KeyPlace[] {
  const open = { from: null, until: null };
  const named = (vkey: string): boolean => equalBytes(parseVkey(vkey).publicKey, publicKey);
  const places: KeyPlace[] = trust.keys
    .filter((key) => key.role === role && equalBytes(decodeBase64(key.publicKey) ?? new Uint8Array(0), publicKey))
    .map(({ from, until }) => ({ as: "key", from, until }));
  if (role === "log" && trust.logs.some(({ vkey }) => named(vkey))) places.push({ as: "log", ...open });
  if (role === "witness" && trust.witnesses.vkeys.some(named)) places.push({ as: "witness", ...open });
  return places;
}

/**
 * Every file of the home's keys folder by name, judged as it would be when it is used: wrong permissions, a malformed
 * file or a link that leads nowhere is listed with its code. EXO_HOME_DAMAGED when there is no folder.
 */
export async function listKeys({ keys }: Pick<HomePaths, "keys">, trust: Trust): Promise<ListedKey[]> {
  let names: string[];
  try {
    names = (await readdir(keys)).filter((name) => name.endsWith(".key")).sort();
  } catch {
    throw new ExoArmurError("EXO_HOME_DAMAGED", `${keys} could not be read`, { file: keys });
  }
  const listed: ListedKey[] = [];
  for (const name of names) listed.push(await listKey(join(keys, name), name, trust));
  return listed;
}

/** Secrets of the keys folder that are no key pairs, by file name. */
const secrets: Readonly<Record<string, { role: "salt" | "vault"; read: (file: string) => Promise<Uint8Array> }>> = {
  "salt.key": { role: "salt", read: readSaltKey },
  "vault.key": { role: "vault", read: readPrivate },
};

async function listKey(file: string, name: string, trust: Trust): Promise<ListedKey> {
  const mode = await modeOf(file);
  const nothing = { file, role: null, id: null, keyId: null, publicKey: null, mode, trusted: [], refused: null };
  const secret = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
  try {
    if (secret !== undefined) {
      (await secret.read(file)).fill(0);
      return { ...nothing, role: secret.role };
    }
    const { role, id, signer } = await readKeyFile(file);
    const { publicKey } = signer;
    const trusted = placesOf(trust, role, publicKey);
    return { ...nothing, role, id, keyId: keyIdOf(publicKey), publicKey: encodeBase64(publicKey), trusted };
  } catch (error) {
    if (!isExoArmurError(error)) throw error;
    return { ...nothing, refused: { code: error.code, message: error.message } };
  }
}

async function modeOf(file: string): Promise<string | null> {
  const found = await lstat(file).catch(() => undefined);
  return found === undefined ? null : (found.mode & 0o7777).toString(8).padStart(4, "0");
}
