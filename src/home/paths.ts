import { dirname, join, resolve } from "node:path";
import { ExoArmurError, isExoArmurError } from "../errors.js";

/** Absolute paths of everything in a home (spec/home.md). */
export type HomePaths = {
  /** The home folder itself. */
  readonly home: string;
  /** The folder that holds the home; relative paths in config.json start here. */
  readonly base: string;
  readonly config: string;
  readonly policy: string;
  readonly trust: string;
  readonly plugins: string;
  readonly keys: string;
  /** Encrypted secrets. */
  readonly vault: string;
  /** Opens the vault. */
  readonly vaultKey: string;
  /** Folder of the store. */
  readonly data: string;
  readonly bundles: string;
  readonly inbox: string;
  /** Orders that were too large or no plain files. */
  readonly refused: string;
  /** Bearer tokens of the control plane: one file each, with a digest of its secret. */
  readonly tokens: string;
  /** Newest checkpoint, outside the store. */
  readonly anchor: string;
  readonly ownerLock: string;
  /** Its existence denies every action. */
  readonly kill: string;
  readonly gitignore: string;
};

/** The paths of the home in `dir`, which may be relative to the current folder. Touches nothing. */
export function homePaths(dir: string): HomePaths {
  const home = resolve(dir);
  return {
    home,
    base: dirname(home),
    config: join(home, "config.json"),
    policy: join(home, "policy.json"),
    trust: join(home, "trust.json"),
    plugins: join(home, "plugins"),
    keys: join(home, "keys"),
    vault: join(home, "vault.age"),
    vaultKey: join(home, "keys", "vault.key"),
    data: join(home, "data"),
    bundles: join(home, "bundles"),
    inbox: join(home, "inbox"),
    refused: join(home, "inbox", "refused"),
    tokens: join(home, "tokens"),
    anchor: join(home, "anchor"),
    ownerLock: join(home, "owner.lock"),
    kill: join(home, "KILL"),
    gitignore: join(home, ".gitignore"),
  };
}

/** The `code` of a Node file error such as ENOENT, or undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && !isExoArmurError(error) ? code : undefined;
}

const readOnlyCodes = new Set(["EROFS", "EACCES", "EPERM"]);

/** A failed write as an ExoArmurError: EXO_HOME_READ_ONLY where writing is not allowed, else EXO_FILE. */
export function writeFault(error: unknown, file: string): ExoArmurError {
  if (isExoArmurError(error)) return error;
  const code = errnoOf(error) ?? "an unknown error";
  const refused = readOnlyCodes.has(code);
  return new ExoArmurError(refused ? "EXO_HOME_READ_ONLY" : "EXO_FILE", `${file} could not be written: ${code}`, {
    file,
  });
}
