import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { pointerOf } from "../contracts/common.js";
import { ExoArmurError } from "../errors.js";
import type { ResolvedConfig } from "./config-resolve.js";
import { errnoOf, type HomePaths, homePaths } from "./paths.js";

/**
 * Refuses roots through which an executor could reach a home's own files: one that holds the home, and one in the keys,
 * store, plugins, bundles or inbox of this home or of another that lies above it. Links are followed. EXO_SCHEMA with
 * the pointer.
 */
export async function checkRoots(roots: ResolvedConfig["roots"], paths: HomePaths): Promise<void> {
  const home = await realPathOf(paths.home);
  for (const [alias, { path }] of Object.entries(roots)) {
    const real = await realPathOf(path);
    const refuse = (expected: string): never => {
      const pointer = pointerOf(["roots", alias, "path"]);
      const message = `${paths.config}: ${pointer}: expected ${expected}, got ${path}`;
      throw new ExoArmurError("EXO_SCHEMA", message, { file: paths.config, pointer });
    };
    if (isInside(home, real)) refuse("a folder that does not hold the home");
    for (const one of new Set([home, ...parentsOf(real).filter(looksLikeHome)])) {
      for (const own of await foldersOf(homePaths(one))) {
        if (isInside(real, own) || isInside(own, real)) refuse(`a folder apart from those of the home ${one}`);
      }
    }
  }
}

/** Where a home's folders really are. */
async function foldersOf({ keys, data, plugins, bundles, inbox }: HomePaths): Promise<string[]> {
  return Promise.all([keys, data, plugins, bundles, inbox].map(realPathOf));
}

function looksLikeHome(folder: string): boolean {
  const { config, trust, keys } = homePaths(folder);
  return existsSync(config) && existsSync(trust) && existsSync(keys);
}

/** The folder and all that hold it. */
function parentsOf(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [path, ...parentsOf(parent)];
}

/** True when `path` is `folder` or in it. */
function isInside(path: string, folder: string): boolean {
  const between = relative(folder, path);
  // On Windows a path on another drive stays absolute.
  return between === "" || (between !== ".." && !between.startsWith(`..${sep}`) && join(folder, between) === path);
}

/** The path with every link in its existing part followed. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const parent = dirname(path);
    if (errnoOf(error) !== "ENOENT" || parent === path) return path;
    return join(await realPathOf(parent), basename(path));
  }
}
