import { existsSync } from "node:fs";
import { z } from "zod";
import { canonicalize } from "../canonical/jcs.js";
import { parseCanonical } from "../canonical/read.js";
import { secretFault, secretNameSchema, vaultSchema } from "../contracts/secret.js";
import { decodeBase64, decodeUtf8, encodeBase64 } from "../crypto/encoding.js";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import type { Vault } from "../ports.js";
import { readBounded, writeAtomic } from "./atomic.js";
import { readPrivate } from "./keys.js";
import type { HomePaths } from "./paths.js";

/** A vault that can be changed. Every change is one atomic write; of two at once the later counts. */
export interface FileVault extends Vault {
  /** Names of what is in it, sorted. */
  names(): Promise<readonly string[]>;
  /** Keeps a value; makes key and file where there are none. EXO_SECRET_VALUE, EXO_SCHEMA for a malformed name. */
  set(name: string, value: Uint8Array): Promise<void>;
  /** Forgets a value; false when there was none. */
  remove(name: string): Promise<boolean>;
}

type Content = z.infer<typeof vaultSchema>["secrets"];

/** A key file that is itself encrypted, with a passphrase. */
const encryptedStart = "age-encryption.org/v1";

const identityLine = /^AGE-SECRET-KEY-1[0-9A-Z]{58}$/;

const maxVaultBytes = 16_777_216;

/**
 * The encrypted vault of a home (spec/home.md, Vault): `vault.age`, encrypted with age to the identity in
 * `keys/vault.key`. Read anew at every call, so that nothing decrypted is kept. Every method rejects with EXO_VAULT when
 * key or file are missing, damaged or not each other's, EXO_KEY_MODE when others may read the key, EXO_FILE,
 * EXO_HOME_READ_ONLY.
 *
 * @param passphrase opens a key file that is itself encrypted (`age -p`)
 */
export function openFileVault(paths: HomePaths, passphrase?: string): FileVault {
  const change = async (alter: (content: Content) => boolean): Promise<boolean> => {
    const content = await read(paths, passphrase);
    if (!alter(content)) return false;
    await write(paths, content, passphrase);
    return true;
  };
  return {
    get: async (name) => {
      const content = await read(paths, passphrase);
      return Object.hasOwn(content, name) ? decodeBase64(content[name] ?? "") : undefined;
    },
    names: async () => Object.keys(await read(paths, passphrase)).sort(),
    set: async (name, value) => {
      if (!secretNameSchema.safeParse(name).success) {
        throw new ExoArmurError("EXO_SCHEMA", "expected a name such as API_KEY: letters, digits, _ and -");
      }
      const fault = secretFault(value);
      if (fault !== undefined) throw new ExoArmurError("EXO_SECRET_VALUE", `the secret ${name} ${fault}`);
      await change((content) => {
        content[name] = encodeBase64(value);
        return true;
      });
    },
    remove: async (name) =>
      await change((content) => Object.hasOwn(content, name) && Reflect.deleteProperty(content, name)),
  };
}

async function read(paths: HomePaths, passphrase: string | undefined): Promise<Content> {
  const file = await readBounded(paths.vault, { maxBytes: maxVaultBytes });
  if (file === undefined) return {};
  const { Decrypter } = await import("age-encryption");
  const decrypter = new Decrypter();
  decrypter.addIdentity(await readIdentity(paths, passphrase));
  let plain: Uint8Array;
  try {
    plain = await decrypter.decrypt(file.bytes);
  } catch {
    throw damaged(paths.vault, `cannot be decrypted with ${paths.vaultKey}`);
  }
  try {
    return { ...vaultSchema.parse(parseCanonical(plain)).secrets };
  } catch (error) {
    if (!isExoArmurError(error) && !(error instanceof z.ZodError)) throw error;
    // The error's own words may hold some of what was decrypted.
    throw damaged(paths.vault, "holds no exoarmur.vault/v1");
  } finally {
    plain.fill(0);
  }
}

async function write(paths: HomePaths, secrets: Content, passphrase: string | undefined): Promise<void> {
  const age = await import("age-encryption");
  if (!existsSync(paths.vaultKey)) {
    // A file without its key cannot have been read, so there is none yet.
    const identity = await age.generateX25519Identity();
    const recipient = await age.identityToRecipient(identity);
    await writeAtomic(paths.vaultKey, `# public key: ${recipient}\n${identity}\n`, 0o600);
  }
  const encrypter = new age.Encrypter();
  encrypter.addRecipient(await age.identityToRecipient(await readIdentity(paths, passphrase)));
  const plain = canonicalize({ schema: "exoarmur.vault/v1", secrets });
  try {
    await writeAtomic(paths.vault, await encrypter.encrypt(plain), 0o600);
  } finally {
    plain.fill(0);
  }
}

/** The one identity of the key file. No message repeats any of it. */
async function readIdentity({ vaultKey }: HomePaths, passphrase: string | undefined): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readPrivate(vaultKey);
  } catch (error) {
    throw isExoArmurError(error, "EXO_FILE") ? damaged(vaultKey, "is missing or cannot be read") : error;
  }
  const isEncrypted = Buffer.from(bytes).toString("latin1").startsWith(encryptedStart);
  const text = isEncrypted ? await decryptKey(vaultKey, bytes, passphrase) : (decodeUtf8(bytes) ?? "");
  const lines = text.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#"));
  const [identity = ""] = lines;
  if (lines.length !== 1 || !identityLine.test(identity)) {
    throw damaged(vaultKey, "is no age identity file with one X25519 identity");
  }
  return identity;
}

async function decryptKey(file: string, bytes: Uint8Array, passphrase: string | undefined): Promise<string> {
  if (passphrase === undefined || passphrase === "") {
    throw damaged(file, "is encrypted; expected its passphrase in EXOARMUR_VAULT_PASSPHRASE");
  }
  const { Decrypter } = await import("age-encryption");
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  try {
    return await decrypter.decrypt(bytes, "text");
  } catch {
    throw damaged(file, "cannot be decrypted with the passphrase in EXOARMUR_VAULT_PASSPHRASE");
  }
}

function damaged(file: string, what: string): ExoArmurError {
  return new ExoArmurError("EXO_VAULT", `${file} ${what}`, { file });
}
