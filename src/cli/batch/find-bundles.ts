import { opendir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { errnoOf } from "../../home/paths.js";
import type { CliContext } from "../context.js";
import { isFolder } from "../files.js";
import { shownPath } from "../output.js";

/** What a batch is made of. Every list is sorted by path, code unit by code unit, and names nothing twice. */
export type FoundBundles = {
  /** Absolute paths of files, whether they can be read or not. */
  readonly files: readonly string[];
  /** Folders that could not be listed, and why. */
  readonly unread: readonly { readonly path: string; readonly errno: string }[];
  /** Symbolic links to folders. They are not followed: they may lead in a circle, or out of what was named. */
  readonly notFollowed: readonly string[];
};

/** Ending of the files that are looked for in folders. */
const ending = ".proof.json";

/**
 * The files a batch names: each file that is given, whatever its name, and every `*.proof.json` at any depth of each
 * folder. A link to a file counts as the file, and one that leads nowhere is listed, so that it is reported.
 */
export async function findBundles(context: CliContext, paths: readonly string[]): Promise<FoundBundles> {
  const files = new Set<string>();
  const notFollowed = new Set<string>();
  const unread = new Map<string, string>();
  const folders: string[] = [];
  for (const path of paths.map((one) => resolve(context.cwd, one))) {
    if (await isFolder(path)) folders.push(path);
    else files.add(path);
  }
  const seen = new Set(folders);
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    context.signal.throwIfAborted();
    try {
      for await (const entry of await opendir(folder)) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) {
          if (!seen.has(path)) folders.push(path);
          seen.add(path);
        } else if (entry.isSymbolicLink() && (await isFolder(path))) notFollowed.add(path);
        else if (entry.name.endsWith(ending)) files.add(path);
      }
    } catch (error) {
      unread.set(folder, errnoOf(error) ?? "an unknown error");
    }
  }
  const sorted = (some: Iterable<string>): string[] =>
    [...some]
      .map((path) => ({ path, shown: shownPath(context, path) }))
      .sort((a, b) => compare(a.shown, b.shown))
      .map(({ path }) => path);
  return {
    files: sorted(files),
    unread: sorted(unread.keys()).map((path) => ({ path, errno: unread.get(path) ?? "" })),
    notFollowed: sorted(notFollowed),
  };
}

/** Orders by code unit, whatever the locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
