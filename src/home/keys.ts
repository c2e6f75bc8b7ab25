import { join } from "node:path";
import { readJson } from "../canonical/read.js";
import { pointerOf } from "../contracts/common.js";
import { type KeyFile, keyFileSchema, type Role, type TrustedKey } from "../contracts/trust.js";
import { admitPublicKey, publicKeyOf } from "../crypto/ed25519.js";
import { decodeBase64, encodeBase64, equalBytes } from "../crypto/encoding.js";
import { keyIdOf } from "../crypto/key-id.js";
import { signerFromSeed } from "../crypto/signer.js";
import { ExoArmurError } from "../errors.js";
import type { Entropy, Signer } from "../ports.js";
import { readBounded, writeAtomic } from "./atomic.js";

const maxKeyBytes = 65_536;

/** A private key that was read: its id, role and signer, and what the file holds. */
export type OpenedKey = {
  readonly id: string;
  readonly role: Role;
  readonly signer: Signer;
  readonly file: KeyFile;
};

/** File of a role's key in the keys folder: `<role>.key`, and `author.key` for policy-author. */
export function keyFileOf(folder: string, role: Role): string {
  return join(folder, `${role === "policy-author" ? "author" : role}.key`);
}

/** A new key pair in the form it is stored in (spec/keys.md). */
export function generateKey(role: Role, id: string, entropy: Entropy): KeyFile {
  const seed = entropy.bytes(32);
  const publicKey = publicKeyOf(seed);
  return {
    schema: "exoarmur.key/v1",
    role,
    id,
    keyId: keyIdOf(publicKey),
    publicKey: encodeBase64(publicKey),
    seed: encodeBase64(seed),
  };
}

/** What a trust file says about a key: everything public, valid from the log's beginning on. */
export function trustEntryOf({ role, id, publicKey }: KeyFile): TrustedKey {
  return { role, id, publicKey, from: null, until: null };
}

/** Text of a key file. */
export function formatKeyFile(key: KeyFile): string {
  return `${JSON.stringify(key, null, 2)}\n`;
}

/** Writes a key file, mode 0600. EXO_HOME_READ_ONLY, EXO_FILE. */
export function writeKeyFile(file: string, key: KeyFile): Promise<void> {
  return writeAtomic(file, formatKeyFile(key), 0o600);
}

/**
 * Reads a private key (spec/keys.md). EXO_FILE when missing or unreadable, EXO_KEY_MODE when others may read it,
 * EXO_KEY when malformed, contradicting itself or of another role than `expectedRole`. No message repeats its content.
 */
export async function readKeyFile(file: string, expectedRole?: Role): Promise<OpenedKey> {
  const parsed = keyFileSchema.safeParse(await readSecret(file));
  if (!parsed.success) {
    const pointers = parsed.error.issues.map((issue) => pointerOf(issue.path) || "/");
    throw bad(file, `is no key file exoarmur.key/v1; wrong at ${[...new Set(pointers)].join(", ")}`);
  }
  const { id, role, keyId, publicKey, seed } = parsed.data;
  const signer = signerFromSeed(decodeBase64(seed) ?? new Uint8Array(0));
  const stated = decodeBase64(publicKey) ?? new Uint8Array(0);
  if (!equalBytes(signer.publicKey, stated)) throw bad(file, "holds a seed that is not its public key's");
  if (signer.keyId !== keyId) throw bad(file, "holds a key id that is not its public key's");
  const admitted = admitPublicKey(signer.publicKey);
  if (!admitted.ok) throw bad(file, "holds a key that is not admitted");
  if (expectedRole !== undefined && role !== expectedRole) {
    throw bad(file, `is a key of the role ${role}, expected ${expectedRole}`);
  }
  return { id, role, signer, file: parsed.data };
}

/** Text of a salt key file around 32 random bytes. */
export function formatSaltKey(key: Uint8Array): string {
  return `${JSON.stringify({ schema: "exoarmur.salt/v1", key: encodeBase64(key) }, null, 2)}\n`;
}

/** The 32 bytes that salts are derived from. Errors as readKeyFile. */
export async function readSaltKey(file: string): Promise<Uint8Array> {
  const value = await readSecret(file);
  if (typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === 2) {
    const { schema, key } = value as { schema?: unknown; key?: unknown };
    const bytes = typeof key === "string" ? decodeBase64(key) : undefined;
    if (schema === "exoarmur.salt/v1" && bytes?.length === 32) return bytes;
  }
  throw bad(file, "is no salt key exoarmur.salt/v1");
}

/** Reads a file that nobody but its owner may read. EXO_FILE when missing or unreadable, EXO_KEY_MODE. */
export async function readPrivate(file: string): Promise<Uint8Array> {
  const read = await readBounded(file, { maxBytes: maxKeyBytes });
  if (read === undefined) throw new ExoArmurError("EXO_FILE", `${file} does not exist`, { file });
  if (process.platform !== "win32" && (read.mode & 0o077) !== 0) {
    const mode = read.mode.toString(8).padStart(4, "0");
    throw new ExoArmurError("EXO_KEY_MODE", `${file} has mode ${mode}; make it private: chmod 600 ${file}`, { file });
  }
  return read.bytes;
}

async function readSecret(file: string): Promise<unknown> {
  const bytes = await readPrivate(file);
  try {
    return readJson(bytes);
  } catch {
    // The reader's message names the character it met, which may be part of the secret.
    throw bad(file, "is not strict JSON");
  }
}

function bad(file: string, what: string): ExoArmurError {
  return new ExoArmurError("EXO_KEY", `${file} ${what}`, { file });
}
