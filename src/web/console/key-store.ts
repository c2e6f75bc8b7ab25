import type { z } from "zod";
import { readJson } from "../../canonical/read.js";
import { sessionRoleSchema } from "../../contracts/access.js";
import { parseContract } from "../../contracts/common.js";
import { keyFileSchema } from "../../contracts/trust.js";
import { concatBytes, decodeBase64, encodeBase64, equalBytes } from "../../crypto/encoding.js";
import { keyIdOf } from "../../crypto/key-id.js";
import { ExoArmurError } from "../../errors.js";
import type { Signer } from "../../ports.js";
import { type Identity, passkeyIdentity, signingIdentity } from "./identity.js";
import { type PasskeyEntry, readPasskeyEntry } from "./passkey.js";

/** Roles of the people who come here; an agent's key is in its own program. */
export const consoleRoleSchema = sessionRoleSchema.exclude(["agent"]);

/** A role of a key of this browser. */
export type ConsoleRole = z.infer<typeof consoleRoleSchema>;

/** A key as this browser keeps it (spec/console.md, Keys). */
export type StoredKey =
  | {
      readonly kind: "ed25519";
      readonly keyId: string;
      readonly id: string;
      readonly role: ConsoleRole;
      /** Raw, base64. */
      readonly publicKey: string;
      /** Cannot be exported, not even by this page. */
      readonly privateKey: CryptoKey;
    }
  | { readonly kind: "passkey"; readonly keyId: string; readonly entry: PasskeyEntry };

const name = "exoarmur-console";
const table = "keys";

/** Before the 32 bytes of a seed in PKCS #8 (RFC 8410, section 7). */
const pkcs8Start = Uint8Array.of(
  0x30,
  0x2e,
  0x02,
  0x01,
  0x00,
  0x30,
  0x05,
  0x06,
  0x03,
  0x2b,
  0x65,
  0x70,
  0x04,
  0x22,
  0x04,
  0x20,
);

/** Keys of this browser, in the order of their ids. */
export async function listKeys(): Promise<readonly StoredKey[]> {
  const keys = await transact<StoredKey[]>("readonly", (store) => store.getAll());
  return keys.sort((a, b) => (ownerOf(a) < ownerOf(b) ? -1 : 1));
}

/** Makes an Ed25519 key that never leaves this browser. EXO_KEY where the browser cannot. */
export async function makeKey(id: string, role: ConsoleRole): Promise<StoredKey> {
  const pair = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]).catch(refused);
  if (!("privateKey" in pair)) throw new ExoArmurError("EXO_KEY", "the browser made no key pair");
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  return await keep(id, role, publicKey, pair.privateKey);
}

/**
 * Takes a key file of a home in (spec/keys.md): from then on the browser signs with it and gives it to nobody. The file
 * stays where it is. EXO_JSON_*, EXO_SCHEMA, EXO_KEY for a key of a role that opens no session, or one whose parts do not
 * belong together.
 */
export async function importKeyFile(bytes: Uint8Array): Promise<StoredKey> {
  const file = parseContract(keyFileSchema, readJson(bytes, { maxBytes: 65_536 }), "key file");
  const role = consoleRoleSchema.safeParse(file.role);
  if (!role.success) throw new ExoArmurError("EXO_KEY", `a key of the role ${file.role} is not for the console`);
  const publicKey = decodeBase64(file.publicKey) ?? new Uint8Array(0);
  const seed = decodeBase64(file.seed) ?? new Uint8Array(0);
  if (seed.length !== 32) throw new ExoArmurError("EXO_KEY", `expected a seed of 32 bytes, got ${seed.length}`);
  const secret = concatBytes(pkcs8Start, seed).slice();
  const privateKey = await crypto.subtle.importKey("pkcs8", secret, "Ed25519", false, ["sign"]).catch(refused);
  secret.fill(0);
  const probe = new Uint8Array(32);
  const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", privateKey, probe));
  const verifying = await crypto.subtle.importKey("raw", publicKey.slice(), "Ed25519", true, ["verify"]).catch(refused);
  if (!(await crypto.subtle.verify("Ed25519", verifying, signature, probe))) {
    throw new ExoArmurError("EXO_KEY", "the key file's seed does not belong to its public key");
  }
  return await keep(file.id, role.data, publicKey, privateKey);
}

/** Keeps what is public of a passkey: what it takes to ask the authenticator for it. */
export async function keepPasskey(entry: PasskeyEntry): Promise<StoredKey> {
  const { keyId } = passkeyIdentity(entry);
  const stored = { kind: "passkey", keyId, entry } as const;
  await transact("readwrite", (store) => store.put(stored));
  return stored;
}

/** Forgets a key. Nobody can bring an Ed25519 key back that was made here. */
export async function removeKey(keyId: string): Promise<void> {
  await transact("readwrite", (store) => store.delete(keyId));
}

/** Who signs with a stored key. EXO_SCHEMA for a passkey's entry that is none. */
export function identityOf(key: StoredKey): Identity {
  if (key.kind === "passkey") return passkeyIdentity(readPasskeyEntry(key.entry));
  return signingIdentity(key.id, key.role, signerOf(key));
}

/** The id by which a key stands in the trust file. */
export function ownerOf(key: StoredKey): string {
  return key.kind === "passkey" ? key.entry.id : key.id;
}

/** The entry of a trust file for a key: `exoarmur keys trust add` takes it. */
export function entryOf(key: StoredKey): object {
  if (key.kind === "passkey") return key.entry;
  const { role, id, publicKey } = key;
  return { role, id, publicKey, from: null, until: null };
}

function signerOf({ publicKey, privateKey, keyId }: StoredKey & { kind: "ed25519" }): Signer {
  return {
    keyId,
    publicKey: decodeBase64(publicKey) ?? new Uint8Array(0),
    sign: async (message) => new Uint8Array(await crypto.subtle.sign("Ed25519", privateKey, message.slice())),
  };
}

async function keep(id: string, role: ConsoleRole, publicKey: Uint8Array, privateKey: CryptoKey): Promise<StoredKey> {
  const keyId = keyIdOf(publicKey);
  const stored = { kind: "ed25519", keyId, id, role, publicKey: encodeBase64(publicKey), privateKey } as const;
  await transact("readwrite", (store) => store.put(stored));
  const kept = (await listKeys()).find((key) => key.keyId === keyId);
  if (kept?.kind === "ed25519" && equalBytes(decodeBase64(kept.publicKey) ?? new Uint8Array(0), publicKey)) return kept;
  throw new ExoArmurError("EXO_KEY", "the browser did not keep the key: it may be in a private window");
}

function refused(cause: unknown): never {
  throw new ExoArmurError("EXO_KEY", `the browser refused the key: ${String(cause)}`, {}, { cause });
}

async function transact<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest): Promise<T> {
  const database = await settled<IDBDatabase>(open());
  try {
    return await settled<T>(work(database.transaction(table, mode).objectStore(table)));
  } finally {
    database.close();
  }
}

function open(): IDBOpenDBRequest {
  const request = indexedDB.open(name, 1);
  request.addEventListener("upgradeneeded", () => request.result.createObjectStore(table, { keyPath: "keyId" }));
  return request;
}

async function settled<T>(request: IDBRequest): Promise<T> {
  return await new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result as T));
    request.addEventListener("error", () =>
      reject(new ExoArmurError("EXO_KEY", `the browser's store of keys failed: ${String(request.error)}`)),
    );
  });
}
