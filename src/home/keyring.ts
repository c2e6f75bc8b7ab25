import { existsSync } from "node:fs";
import { join } from "node:path";
import { isValidAt, type Role, type Trust } from "../contracts/trust.js";
import { decodeBase64, equalBytes } from "../crypto/encoding.js";
import { parseVkey } from "../crypto/note-key.js";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import type { Signer } from "../ports.js";
import type { ResolvedSigner, ResolvedSigners } from "./config-resolve.js";
import { keyFileOf, readKeyFile, readSaltKey } from "./keys.js";
import type { HomePaths } from "./paths.js";
import { openProcessSigner, type ProcessSigner } from "./process-signer.js";
import { rangeText } from "./trust-edit.js";

/** The private keys of a home, in its key files or held by signer programs. */
export type Keyring = {
  /** True when the home has a signer program for a role, or the private key. Does not open it. */
  hasKey(role: Role): boolean;
  /**
   * The signer of a role, opened at the first call: the program that config.json names, else the key file.
   * EXO_HOME_DAMAGED when the file is missing, EXO_KEY, EXO_KEY_MODE, EXO_SIGNER, EXO_TRUST when the trust file does not
   * name the key for the role.
   */
  signer(role: Role): Promise<Signer>;
  /** The 32 bytes that salts are derived from. EXO_HOME_DAMAGED when missing, EXO_KEY, EXO_KEY_MODE. */
  saltKey(): Promise<Uint8Array>;
  /** Ends the signer programs that were started. */
  closeKeys(): Promise<void>;
};

/** What a keyring is made from. `vkey` is the verifier key of the home's own log. */
export type KeyringParts = {
  readonly paths: HomePaths;
  readonly trust: Trust;
  readonly vkey: string;
  readonly signers: ResolvedSigners;
  readonly env: Readonly<Record<string, string | undefined>>;
};

/** What a program gets of the environment; for a signer config.json may name more. */
const usualVariables = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SystemRoot", "TEMP"];

/** A home's keys. Nothing is read before it is asked for. */
export function openKeyring({ paths, trust, vkey, signers, env }: KeyringParts): Keyring {
  const opened = new Map<Role, Promise<Signer>>();
  const programs = new Set<ProcessSigner>();
  const configured = (role: Role): ResolvedSigner | undefined =>
    role === "runtime" || role === "log" ? signers[role] : undefined;
  const open = async (role: Role): Promise<Signer> => {
    const program = configured(role);
    if (program === undefined) {
      const file = keyFileOf(paths.keys, role);
      const { signer } = await orDamaged(readKeyFile(file, role));
      requireTrusted(trust, vkey, role, signer, file, paths);
      return signer;
    }
    const signer = await openProcessSigner({ ...program, role, cwd: paths.base, env: signerEnv(env, program.env) });
    programs.add(signer);
    try {
      requireTrusted(trust, vkey, role, signer, `signer of the role ${role}`, paths);
    } catch (error) {
      programs.delete(signer);
      await signer.close();
      throw error;
    }
    return signer;
  };
  return {
    hasKey: (role) => configured(role) !== undefined || existsSync(keyFileOf(paths.keys, role)),
    signer(role) {
      const known = opened.get(role) ?? open(role);
      opened.set(role, known);
      // A failure is not kept: the file may be put right.
      known.catch(() => opened.delete(role));
      return known;
    },
    saltKey: () => orDamaged(readSaltKey(join(paths.keys, "salt.key"))),
    closeKeys: async () => {
      await Promise.allSettled(opened.values());
      await Promise.all([...programs].map((program) => program.close()));
    },
  };
}

function requireTrusted(trust: Trust, vkey: string, role: Role, signer: Signer, what: string, paths: HomePaths): void {
  const isTrusted =
    role === "log"
      ? equalBytes(parseVkey(vkey).publicKey, signer.publicKey)
      : trust.keys.some((key) => key.role === role && isKey(key.publicKey, signer));
  if (isTrusted) return;
  throw new ExoArmurError("EXO_TRUST", `${what}: ${paths.trust} does not name this key for the role ${role}`, {
    file: keyFileOf(paths.keys, role),
  });
}

/**
 * Refuses a key of the home's own that does not count where the log's next entry comes: nothing may be signed by it.
 * EXO_TRUST. A log's key has bounds where `keys` lists it; `logs` has none.
 */
export function requireCurrent(trust: Trust, role: "runtime" | "log", signer: Signer, size: number): void {
  const entries = trust.keys.filter((key) => key.role === role && isKey(key.publicKey, signer));
  if (role === "log" && entries.length === 0) return;
  if (entries.some((key) => isValidAt(key, size))) return;
  const ranges = entries.map(rangeText).join("; ");
  throw new ExoArmurError(
    "EXO_TRUST",
    `the ${role} key ${signer.keyId} counts ${ranges}, and the log has ${size} entries; make the next one: exoarmur keys rotate ${role}`,
  );
}

/** The environment of a signer program: the usual variables and those that are named. */
export function signerEnv(env: KeyringParts["env"], more: readonly string[]): Record<string, string> {
  const clean: Record<string, string> = {};
  for (const name of [...usualVariables, ...more]) {
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value !== undefined) clean[name] = value;
  }
  return clean;
}

function isKey(publicKey: string, signer: Signer): boolean {
  const bytes = decodeBase64(publicKey);
  return bytes !== undefined && equalBytes(bytes, signer.publicKey);
}

/** A key the home itself needs: where it is missing the home is damaged. */
async function orDamaged<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (!isExoArmurError(error, "EXO_FILE")) throw error;
    throw new ExoArmurError("EXO_HOME_DAMAGED", error.message, error.place);
  }
}
