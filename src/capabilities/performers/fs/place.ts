import { realpathSync } from "node:fs";
import { isAbsolute, sep } from "node:path";
import { parseAliasPath } from "../../../contracts/alias-path.js";
import { ExoArmurError } from "../../../errors.js";
import { FsFault } from "./fault.js";
import { isGuestName } from "./names.js";

/** Root directories by alias. `path` is absolute; `access: "read"` refuses writes whatever is granted. */
export type FsRoots = Readonly<Record<string, { readonly path: string; readonly access: "read" | "write" }>>;

/** A path inside a root, ready to be walked. `folder` leads to the directory, `name` is the entry, "" for the root. */
export type Place = { readonly root: string; readonly folder: readonly string[]; readonly name: string };

/** Turns a root-alias path into a place, judging alias, names and access again: this is the last gate. */
export type Locator = (path: string, access: "read" | "write") => Place;

/**
 * A locator over root directories. A root is resolved to its real path here, or at its first use if it does not exist
 * yet. The locator throws an FsFault for a path that is not the guest's to name. Throws EXO_FILE for a root whose path
 * is not absolute.
 */
export function createLocator(roots: FsRoots): Locator {
  const real = new Map<string, string>();
  const resolve = (alias: string, path: string): string => {
    const known = real.get(alias) ?? realpathSync(path);
    real.set(alias, known);
    return known;
  };
  for (const [alias, { path }] of Object.entries(roots)) {
    if (!isAbsolute(path)) throw new ExoArmurError("EXO_FILE", `root ${alias}: expected an absolute path`);
    try {
      resolve(alias, path);
    } catch {
      // It may be made later; until then every call says that it is not there.
    }
  }
  return (path, access) => {
    const segments = parseAliasPath(path);
    if (segments === null || segments.slice(1).some((name) => !isGuestName(name, sep === "\\"))) {
      throw new FsFault("EXO_FS_PATH", "the path is not one a guest may name");
    }
    const [alias = "", ...names] = segments;
    const root = Object.hasOwn(roots, alias) ? roots[alias] : undefined;
    if (root === undefined) {
      const line = `"roots": ${JSON.stringify({ [alias]: { path: `./${alias}`, access } })}`;
      throw new FsFault("EXO_CAPABILITY_DENIED", `no such root; config.json must name it: ${line}`);
    }
    if (access === "write" && root.access !== "write") {
      const line = `set "access": "write" for roots.${alias} in config.json`;
      throw new FsFault("EXO_CAPABILITY_DENIED", `the root is read-only; ${line}`);
    }
    const name = names.pop() ?? "";
    return { root: resolve(alias, root.path), folder: names, name };
  };
}

/** The entry's name of a place where a file is needed. Throws EXO_FS_KIND for the root itself. */
export function fileName(place: Place): string {
  if (place.name === "") throw new FsFault("EXO_FS_KIND", "the path is a directory");
  return place.name;
}
