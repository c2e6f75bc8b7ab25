import { realpathSync, type Stats } from "node:fs";
import { opendir } from "node:fs/promises";
import { isAbsolute, sep } from "node:path";
import { parseAliasPath } from "../../../contracts/alias-path.js";
import { compareBytes, encodeUtf8 } from "../../../crypto/encoding.js";
import { ExoArmurError } from "../../../errors.js";
import type { AbiValue, Performer, PerformOutcome } from "../../../ports.js";
import { effectiveMaxBytes, listEntries } from "../../bounds.js";
import { textOf } from "../../schemas.js";
import { errnoOf, errorOutcome, FsFault, lateFault } from "./fault.js";
import { type Folder, lstatEntry, nativeStrategy, notFile, openFile, openFolder, type WalkStrategy } from "./folder.js";
import { isGuestName, isListed } from "./names.js";
import { removeFile, writeFile } from "./write.js";

/** Root directories by alias. `path` is absolute; `access: "read"` refuses writes whatever is granted. */
export type FsRoots = Readonly<Record<string, { readonly path: string; readonly access: "read" | "write" }>>;

/** Performers of the file capabilities. */
export type FsPerformers = Readonly<Record<"fs_read" | "fs_write" | "fs_list" | "fs_stat" | "fs_remove", Performer>>;

/** A path inside a root, ready to be walked. `folder` leads to the directory, `name` is the entry, "" for the root. */
type Place = { readonly root: string; readonly folder: readonly string[]; readonly name: string };

type Request = Readonly<Record<string, AbiValue>>;

/**
 * Performers over root directories (spec/capabilities.md). A root is resolved to its real path here, or at its first use
 * if it does not exist yet; below it no symbolic link is followed, and only regular files are read, replaced or removed.
 * Answers name no host path. Throws EXO_FILE for a root whose path is not absolute.
 *
 * @param strategy how names are reached; what the system supports by default
 */
export function createFsPerformers(roots: FsRoots, strategy: WalkStrategy = nativeStrategy()): FsPerformers {
  const locate = createLocator(roots);
  const on = (access: "read" | "write", work: Work): Performer => ({
    perform: async (request, constraints, signal) => {
      try {
        return await work(locate(request, access), request, effectiveMaxBytes(constraints["maxBytes"]), signal);
      } catch (error) {
        return errorOutcome(error);
      }
    },
  });
  const inFolder = async <T>(place: Place, work: (folder: Folder) => Promise<T>): Promise<T> => {
    const folder = await openFolder(place.root, place.folder, strategy);
    try {
      return await work(folder);
    } finally {
      await folder.close();
    }
  };
  return {
    fs_read: on("read", (place, request, maxBytes, signal) =>
      inFolder(place, (folder) => readRange(folder, fileName(place), request, maxBytes, signal)),
    ),
    fs_write: on("write", (place, request, maxBytes, signal) =>
      inFolder(place, (folder) => {
        const bytes = request["bytes"] as Uint8Array;
        if (bytes.length > maxBytes) throw tooLarge(maxBytes);
        return writeFile(folder, fileName(place), bytes, request["mode"] === "create" ? "create" : "replace", signal);
      }),
    ),
    fs_list: on("read", (place, _request, _maxBytes, signal) =>
      inFolder({ ...place, folder: place.name === "" ? [] : [...place.folder, place.name], name: "" }, (folder) =>
        listFolder(folder, signal),
      ),
    ),
    fs_stat: on("read", (place) =>
      inFolder(place, async (folder) => done(describe(await lstatEntry(folder, place.name)))),
    ),
    fs_remove: on("write", (place, _request, _maxBytes, signal) =>
      inFolder(place, (folder) => removeFile(folder, fileName(place), signal)),
    ),
  };
}

type Work = (place: Place, request: Request, maxBytes: number, signal: AbortSignal) => Promise<PerformOutcome>;

/** Turns a request's path into a place, judging alias, names and access again: this is the last gate. */
function createLocator(roots: FsRoots): (request: Request, access: "read" | "write") => Place {
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
  return (request, access) => {
    const segments = parseAliasPath(textOf(request, "path"));
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

function fileName(place: Place): string {
  if (place.name === "") throw new FsFault("EXO_FS_KIND", "the path is a directory");
  return place.name;
}

async function readRange(
  folder: Folder,
  name: string,
  request: Request,
  maxBytes: number,
  signal: AbortSignal,
): Promise<PerformOutcome> {
  const { handle, stats } = await openFile(folder, name);
  try {
    const offset = typeof request["offset"] === "number" ? request["offset"] : 0;
    const left = Math.max(0, stats.size - offset);
    const length = typeof request["length"] === "number" ? Math.min(request["length"], left) : left;
    if (length > maxBytes) throw tooLarge(maxBytes);
    // Bytes that are appended from here on are not read: the size is the one answered.
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (signal.aborted) throw lateFault();
      const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return done({ bytes: bytes.subarray(0, filled), size: stats.size });
  } finally {
    await handle.close();
  }
}

async function listFolder(folder: Folder, signal: AbortSignal): Promise<PerformOutcome> {
  const names = new Set<string>();
  let seen = 0;
  for await (const entry of await opendir(folder.at(""))) {
    if (signal.aborted) throw lateFault();
    if (++seen > listEntries) throw new FsFault("EXO_FS_SIZE", `the directory has more than ${listEntries} entries`);
    if (isListed(entry.name, sep === "\\")) names.add(entry.name);
  }
  const entries: Listed[] = [];
  const waiting = [...names];
  while (waiting.length > 0) {
    if (signal.aborted) throw lateFault();
    const some = waiting.splice(-lookBatch);
    for (const entry of await Promise.all(some.map((name) => describeEntry(folder, name)))) {
      if (entry !== undefined) entries.push(entry);
    }
  }
  await folder.verify();
  entries.sort((a, b) => compareBytes(a.key, b.key));
  return done({ entries: entries.map(({ value }) => value) });
}

type Listed = { readonly key: Uint8Array; readonly value: { readonly [key: string]: AbiValue } };

/** Entries looked at side by side. */
const lookBatch = 64;

/** undefined for what is not listed: links, devices, names that are not UTF-8, and entries that have gone meanwhile. */
async function describeEntry(folder: Folder, name: string): Promise<Listed | undefined> {
  try {
    return { key: encodeUtf8(name), value: { name, ...describe(await lstatEntry(folder, name)) } };
  } catch (error) {
    if (error instanceof FsFault || errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** A directory's own size says nothing about its content and differs between file systems: it is 0. */
function describe(stats: Stats): { readonly type: string; readonly size: number } {
  if (stats.isDirectory()) return { type: "directory", size: 0 };
  if (!stats.isFile()) throw notFile(stats);
  return { type: "file", size: stats.size };
}

function tooLarge(maxBytes: number): FsFault {
  return new FsFault("EXO_FS_SIZE", `more than ${maxBytes} bytes; read or write in parts, or grant maxBytes`);
}

function done(value: AbiValue): PerformOutcome {
  return { outcome: "ok", value };
}
