import { rm } from "node:fs/promises";
import { parseContract } from "../contracts/common.js";
import { entryKeyId, type KeyFile, type Role, type Trust, type TrustedKey, trustSchema } from "../contracts/trust.js";
import { decodeBase64, equalBytes } from "../crypto/encoding.js";
import { formatVkey, noteKey, parseVkey } from "../crypto/note-key.js";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import type { Entropy } from "../ports.js";
import { generateKey, type OpenedKey, readKeyFile, writeKeyFile } from "./keys.js";
import { readTrust } from "./open.js";
import { withEnd, writeTrust } from "./trust-edit.js";

/** What a rotation is given. `size`: entries of the log, where the old key ends and the new one begins. */
export type RotationParts = {
  readonly file: string;
  readonly trustFile: string;
  readonly size: number;
  readonly entropy: Entropy;
};

/** A key that took another's place. Key ids; `from` is a log index, null for a log that has no entry yet. */
export type Rotation = {
  readonly role: Role;
  readonly id: string;
  readonly keyId: string;
  readonly previous: string;
  readonly from: number | null;
};

/**
 * Puts a new key in the place of the one in a key file: first it is written beside it (`FILE.next`), then the trust file
 * ends the old one and enters the new one at the same log index, then it takes the file's place and the old secret is
 * gone. A rotation that was broken off is finished by the next. The caller owns the home.
 * EXO_TRUST when the trust file does not name the old key, and what reading and writing the files can throw.
 */
export async function rotateKey({ file, trustFile, size, entropy }: RotationParts): Promise<Rotation> {
  const trust = await readTrust(trustFile);
  const current = await readKeyFile(file);
  const next = `${file}.next`;
  const begun = await readBegun(next, trust, current);
  if (begun !== undefined) {
    await writeKeyFile(file, begun.key);
    await rm(next, { force: true });
    return { ...facts(begun.key, current), from: begun.from };
  }
  const key = generateKey(current.role, current.id, entropy);
  const changed = withNext(current.role === "log" ? withLogKey(trust, current, key) : trust, current, key, size);
  await writeKeyFile(next, key);
  await writeTrust(trustFile, changed);
  await writeKeyFile(file, key);
  await rm(next, { force: true });
  return { ...facts(key, current), from: size === 0 ? null : size };
}

function facts({ role, id, keyId }: KeyFile, { signer }: OpenedKey): Omit<Rotation, "from"> {
  return { role, id, keyId, previous: signer.keyId };
}

/**
 * The key of a rotation that was broken off after the trust file named it; any other is made anew. One that is in its
 * place already, or has ended since, is no rotation to finish: whoever asks again wants another key.
 * A log's is finished in any case: `logs` has it first.
 */
async function readBegun(
  next: string,
  trust: Trust,
  current: OpenedKey,
): Promise<{ readonly key: KeyFile; readonly from: number | null } | undefined> {
  const key = await readWhole(next);
  if (key === undefined) return undefined;
  if (key.keyId === current.signer.keyId) return undefined;
  const entry = trust.keys.find(
    (one) => one.role === key.role && one.publicKey === key.publicKey && (one.role === "log" || one.until === null),
  );
  return entry === undefined ? undefined : { key, from: entry.from };
}

async function readWhole(next: string): Promise<KeyFile | undefined> {
  try {
    return (await readKeyFile(next)).file;
  } catch (error) {
    if (isExoArmurError(error, "EXO_FILE")) return undefined;
    throw error;
  }
}

/** The old key ends and the new one, which may do the same, begins at `size`; in an empty log it is replaced. */
function withNext(trust: Trust, { role, signer }: OpenedKey, { publicKey }: KeyFile, size: number): Trust {
  const known = trust.keys.filter((key) => key.role === role && entryKeyId(key) === signer.keyId);
  const old = known.at(-1);
  if (old === undefined) throw unnamed(signer.keyId, role);
  const { reason: _, ...kept } = old;
  const entry: TrustedKey = { ...kept, publicKey, from: size === 0 ? null : size, until: null };
  if (size === 0) {
    return parseContract(
      trustSchema,
      { ...trust, keys: trust.keys.map((key) => (key === old ? entry : key)) },
      "trust file",
    );
  }
  const isOpen = known.some(({ until }) => until === null || until > size);
  const ended = isOpen ? withEnd(trust, signer.keyId, size, { role }) : trust;
  return parseContract(trustSchema, { ...ended, keys: [...ended.keys, entry] }, "trust file");
}

/** The home's log gets another key under its name, first in the list; checkpoints by the old one still verify. */
function withLogKey(trust: Trust, { role, signer }: OpenedKey, key: KeyFile): Trust {
  const own = trust.logs[0];
  if (own === undefined || !equalBytes(parseVkey(own.vkey).publicKey, signer.publicKey))
    throw unnamed(signer.keyId, role);
  const vkey = formatVkey(noteKey(own.origin, decodeBase64(key.publicKey) ?? new Uint8Array(0)));
  return parseContract(trustSchema, { ...trust, logs: [{ origin: own.origin, vkey }, ...trust.logs] }, "trust file");
}

function unnamed(keyId: string, role: Role): ExoArmurError {
  return new ExoArmurError("EXO_TRUST", `the trust file does not name the key ${keyId} for the role ${role}`);
}
