import { lstat, mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { canonicalText } from "../canonical/jcs.js";
import { parseContract } from "../contracts/common.js";
import { configSchema } from "../contracts/config.js";
import { type KeyFile, type Role, type Trust, trustSchema } from "../contracts/trust.js";
import { isNoteName } from "../crypto/note-key.js";
import { ExoArmurError } from "../errors.js";
import type { Entropy } from "../ports.js";
import { syncFolder, writeNew } from "./atomic.js";
import { checkRoots } from "./check-roots.js";
import { resolveConfig } from "./config-resolve.js";
import { demoFolder, holdsOnlyDemo } from "./demo-folder.js";
import { formatKeyFile, formatSaltKey, generateKey, keyFileOf } from "./keys.js";
import { errnoOf, type HomePaths, homePaths, writeFault } from "./paths.js";
import { starterConfig, starterGitignore, starterPolicy, starterTrust } from "./starter.js";

/** An executor that comes with the program. `name` is the file name without its ending. */
export type BundledPlugin = { readonly name: string; readonly wasm: Uint8Array; readonly manifest: Uint8Array };

/** What a new home is made of. */
export type CreateHomeOptions = {
  readonly entropy: Entropy;
  readonly bundledPlugins: readonly BundledPlugin[];
  /** Default `default`. */
  readonly tenantId?: string;
  /** Default `local`. No space or plus: it is part of the log's origin. */
  readonly cellId?: string;
  /** Path of the root `data`, relative to the folder that holds the home. Default `./data`. */
  readonly dataPath?: string;
};

/** A file or folder that was made: its path below `dir` as that was given, and what it is for. */
export type CreatedFile = { readonly path: string; readonly about: string };

/** A new home. `keyIds` are by role. */
export type CreatedHome = {
  readonly paths: HomePaths;
  readonly files: readonly CreatedFile[];
  readonly trust: Trust;
  readonly keyIds: Readonly<Partial<Record<Role, string>>>;
};

const newKeys: readonly (readonly [role: Role, id: string])[] = [
  ["runtime", "runtime"],
  ["log", "log"],
  ["approver", "approver"],
  ["operator", "operator"],
  ["policy-author", "author"],
];

/**
 * Makes a home in `dir` (spec/home.md), which must not exist, be an empty folder or hold a demo's home alone. It is
 * written beside it and renamed, so there is all of it or nothing. Makes the folder of the root `data` where that is missing. EXO_HOME_EXISTS,
 * EXO_HOME_READ_ONLY, EXO_FILE; EXO_SCHEMA for an unfit tenant, cell, plugin name or data path.
 */
export async function createHome(dir: string, options: CreateHomeOptions): Promise<CreatedHome> {
  const paths = homePaths(dir);
  const { tenantId = "default", cellId = "local", dataPath = "./data", entropy } = options;
  if (!isNoteName(cellId)) throw new ExoArmurError("EXO_SCHEMA", "A cell id has no space, plus or control character.");
  for (const { name } of options.bundledPlugins) {
    if (!/^[a-z0-9][a-z0-9_-]{0,99}$/.test(name)) {
      throw new ExoArmurError(
        "EXO_SCHEMA",
        `A plugin's name is lower-case such as table-stats, not ${name.slice(0, 100)}.`,
      );
    }
  }
  const config = parseContract(configSchema, starterConfig(tenantId, cellId, dataPath), paths.config);
  await checkRoots(resolveConfig(config, paths).roots, paths);
  const keys = newKeys.map(([role, id]) => generateKey(role, id, entropy));
  const trust = parseContract(trustSchema, starterTrust(cellId, keys), paths.trust);
  await checkAbsent(paths.home);
  const root = resolve(paths.base, dataPath);
  if ((await stat(root).catch(() => undefined))?.isDirectory() === false) {
    throw new ExoArmurError("EXO_FILE", `${root} is no folder`, { file: root });
  }
  let madeRoot: boolean;
  try {
    await mkdir(paths.base, { recursive: true });
    await build(paths, async (target) => {
      await writeKeys(target.keys, keys, entropy);
      await writeNew(target.config, `${JSON.stringify(config, null, 2)}\n`);
      await writeNew(target.policy, `${JSON.stringify(starterPolicy, null, 2)}\n`);
      await writeNew(target.trust, canonicalText(trust));
      await writeNew(target.gitignore, starterGitignore);
      for (const { name, wasm, manifest } of options.bundledPlugins) {
        await writeNew(join(target.plugins, `${name}.wasm`), wasm);
        await writeNew(join(target.plugins, `${name}.json`), manifest);
      }
    });
    // Last, since it may lie in the home.
    madeRoot = (await mkdir(root, { recursive: true })) !== undefined;
  } catch (error) {
    throw writeFault(error, paths.home);
  }
  const files = describeFiles(dir, dataPath, options.bundledPlugins);
  if (madeRoot) files.push({ path: root, about: "made: the root data, empty" });
  return { paths, files, trust, keyIds: Object.fromEntries(keys.map(({ role, keyId }) => [role, keyId])) };
}

/** Makes the folders beside the home's place, fills them and moves the whole there. */
async function build(paths: HomePaths, fill: (target: HomePaths) => Promise<void>): Promise<void> {
  const temporary = await mkdtemp(join(paths.base, `.${basename(paths.home)}.new-`));
  try {
    const target = homePaths(temporary);
    for (const folder of [target.plugins, target.keys, target.data, target.bundles, target.inbox]) {
      await mkdir(folder, { mode: folder === target.keys ? 0o700 : 0o755 });
    }
    await fill(target);
    for (const folder of [target.plugins, target.keys, target.home]) await syncFolder(folder);
    // A demo that was played before there was a home stays where it is.
    if (await holdsOnlyDemo(paths.home)) await rename(demoFolder(paths.home), demoFolder(temporary));
    await moveInto(temporary, paths.home);
    await syncFolder(paths.base);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** Fails on everything but an empty folder, so that of two at once one wins. */
async function moveInto(temporary: string, home: string): Promise<void> {
  try {
    await rename(temporary, home);
  } catch (error) {
    throw existsCodes.has(errnoOf(error) ?? "") ? existsAlready(home) : error;
  }
}

const existsCodes = new Set(["ENOTEMPTY", "EEXIST", "ENOTDIR"]);

async function writeKeys(folder: string, keys: readonly KeyFile[], entropy: Entropy): Promise<void> {
  for (const key of keys) await writeNew(keyFileOf(folder, key.role), formatKeyFile(key), 0o600);
  await writeNew(join(folder, "salt.key"), formatSaltKey(entropy.bytes(32)), 0o600);
}

async function checkAbsent(home: string): Promise<void> {
  const stat = await lstat(home).catch(() => undefined);
  if (stat === undefined) return;
  if (stat.isDirectory() && ((await readdir(home)).length === 0 || (await holdsOnlyDemo(home)))) return;
  throw existsAlready(home);
}

function existsAlready(home: string): ExoArmurError {
  return new ExoArmurError("EXO_HOME_EXISTS", `${home} exists already`, { file: home });
}

function describeFiles(dir: string, dataPath: string, plugins: readonly BundledPlugin[]): CreatedFile[] {
  const names = plugins.map(({ name }) => name).join(", ") || "none yet";
  return [
    { path: join(dir, "config.json"), about: `what executors may touch: data -> ${dataPath} (read, write)` },
    {
      path: join(dir, "policy.json"),
      about: "1 rule allows table.stats under data/, 1 asks a person for fs.remove, the rest is denied",
    },
    { path: join(dir, "trust.json"), about: "public keys: give this file to whoever verifies" },
    { path: join(dir, "plugins", "/"), about: `executors: ${names}` },
    {
      path: join(dir, "keys", "/"),
      about: `${newKeys.map(([, id]) => id).join(", ")} (0600). Move approver.key off this machine before it matters.`,
    },
  ];
}
