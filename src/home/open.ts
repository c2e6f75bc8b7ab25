import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../contracts/config.js";
import { type Trust, trustSchema } from "../contracts/trust.js";
import { refusedKeyOf } from "../contracts/trust-admission.js";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import { readBounded } from "./atomic.js";
import { checkRoots } from "./check-roots.js";
import { configKind, type ResolvedConfig, resolveConfig } from "./config-resolve.js";
import { holdsOnlyDemo } from "./demo-folder.js";
import { maxDocumentBytes, readDocument } from "./document.js";
import { checkLocal, checkWritable, type FileSystemPorts } from "./file-system.js";
import { type Keyring, openKeyring } from "./keyring.js";
import { errnoOf, type HomePaths, homePaths } from "./paths.js";

/** How to open a home. */
export type OpenHomeOptions = {
  /** The opener will write: refuses a read-only home. Default false. */
  readonly write?: boolean;
  readonly fileSystem?: FileSystemPorts;
  /** Where signer programs get the variables from that config.json hands to them. Default the process's own. */
  readonly env?: Readonly<Record<string, string | undefined>>;
};

/** A home that was read and found in order. */
export type Home = {
  readonly paths: HomePaths;
  /** config.json as it was written. */
  readonly config: Config;
  /** config.json with its defaults and absolute paths. */
  readonly resolved: ResolvedConfig;
  readonly trust: Trust;
  /** Origin and verifier key of this home's own log: the first of the trust file's logs. */
  readonly log: { readonly origin: string; readonly vkey: string };
} & Keyring;

/**
 * Opens the home in `dir` (spec/home.md): reads configuration and trust, keys later. EXO_HOME_MISSING, EXO_HOME_DAMAGED,
 * EXO_HOME_NETWORK, with `write` EXO_HOME_READ_ONLY; EXO_JSON_*, EXO_SCHEMA, EXO_SCHEMA_VERSION, EXO_KEY and
 * EXO_KEY_REFUSED with file, line and pointer for what a person wrote. Takes no lock. Whoever asks for a signer closes the
 * home's keys afterwards.
 */
export async function openHome(dir: string, options: OpenHomeOptions = {}): Promise<Home> {
  const paths = homePaths(dir);
  await checkThere(paths);
  await checkLocal(paths, options.fileSystem);
  const config = await readDocument(paths.config, configKind);
  const resolved = resolveConfig(config, paths);
  await checkRoots(resolved.roots, paths);
  const trust = await readTrust(paths.trust);
  const log = trust.logs[0];
  if (log === undefined) {
    throw new ExoArmurError("EXO_HOME_DAMAGED", `${paths.trust}: /logs: expected the home's own log first, got none`, {
      file: paths.trust,
      pointer: "/logs",
    });
  }
  if (options.write === true) await checkWritable(paths, options.fileSystem);
  return {
    paths,
    config,
    resolved,
    trust,
    log,
    ...openKeyring({ paths, trust, vkey: log.vkey, signers: resolved.signers, env: options.env ?? process.env }),
  };
}

/** Reads a trust file and admits every key in it. Errors as parseDocument, and EXO_KEY, EXO_KEY_REFUSED with the pointer. */
export async function readTrust(file: string): Promise<Trust> {
  const trust = await readDocument(file, { schema: trustSchema, version: "exoarmur.trust/v1" });
  const refused = refusedKeyOf(trust);
  if (refused === undefined) return trust;
  const { error, pointer } = refused;
  throw new ExoArmurError(error.code, `${file}: ${pointer}: ${error.message}`, { file, pointer });
}

/** Bytes of the home's policy: policy.json, policy.yaml or policy.yml. EXO_HOME_DAMAGED unless exactly one is there. */
export async function readPolicyFile(paths: HomePaths): Promise<{ readonly file: string; readonly bytes: Uint8Array }> {
  const found: { file: string; bytes: Uint8Array }[] = [];
  for (const name of ["policy.json", "policy.yaml", "policy.yml"]) {
    const file = join(paths.home, name);
    const read = await readBounded(file, { maxBytes: maxDocumentBytes });
    if (read !== undefined) found.push({ file, bytes: read.bytes });
  }
  const [policy, other] = found;
  if (policy === undefined) {
    throw new ExoArmurError("EXO_HOME_DAMAGED", `${paths.policy} is missing`, { file: paths.policy });
  }
  if (other === undefined) return policy;
  throw new ExoArmurError("EXO_HOME_DAMAGED", `${policy.file} and ${other.file} are both there; keep one`, {
    file: other.file,
  });
}

async function checkThere({ home }: HomePaths): Promise<void> {
  try {
    if ((await stat(home)).isDirectory()) {
      if (!(await holdsOnlyDemo(home))) return;
      throw new ExoArmurError("EXO_HOME_MISSING", `${home} holds a demo and no home; make it with: exoarmur init`, {
        file: home,
      });
    }
  } catch (error) {
    if (isExoArmurError(error)) throw error;
    if (errnoOf(error) === "ENOENT") {
      throw new ExoArmurError("EXO_HOME_MISSING", `${home} does not exist; make it with: exoarmur init`, {
        file: home,
      });
    }
    throw new ExoArmurError("EXO_HOME_DAMAGED", `${home} could not be read: ${errnoOf(error) ?? "an unknown error"}`, {
      file: home,
    });
  }
  throw new ExoArmurError("EXO_HOME_DAMAGED", `${home} is no folder`, { file: home });
}
