import { constants, existsSync, type Stats } from "node:fs";
import { type FileHandle, lstat, open, opendir, realpath, stat } from "node:fs/promises";
import { platform } from "node:os";
import { join, sep } from "node:path";
import { errnoOf, FsFault, lateFault, linkFault } from "./fault.js";
import { isGuestName } from "./names.js";

/**
 * How names below a root are reached. `descriptors` (Linux with /proc): every directory is opened relative to its parent's
 * descriptor, without following links, so nothing that others rename meanwhile can lead outside. `paths` (elsewhere):
 * every component is looked at before and the real path is compared before and after, which leaves a window to somebody
 * who can already write into the root (spec/capabilities.md).
 */
export type WalkStrategy = "descriptors" | "paths";

/** The strategy of this system. */
export function nativeStrategy(): WalkStrategy {
  return platform() === "linux" && existsSync("/proc/self/fd") ? "descriptors" : "paths";
}

/** An open directory below a root. */
export interface Folder {
  /** The path under which an entry of this directory is reached; the directory itself for "". */
  at(name: string): string;
  /** Throws EXO_FS_PATH when the directory is no longer where it was found. */
  verify(): Promise<void>;
  /** Makes changes of the directory's entries durable. */
  sync(): Promise<void>;
  /** Never rejects: what was done is done. */
  close(): Promise<void>;
}

// Windows lacks these flags; there the look before the opening is all there is.
const { O_RDONLY } = constants;
const noFollow = constants.O_NOFOLLOW ?? 0;
const directoryFlags = O_RDONLY | noFollow | (constants.O_DIRECTORY ?? 0);
const fileFlags = O_RDONLY | noFollow | (constants.O_NONBLOCK ?? 0);

/**
 * Opens the directory that `segments` name below the real path `root`.
 *
 * @throws FsFault or a system error; close what comes back
 */
export function openFolder(root: string, segments: readonly string[], strategy: WalkStrategy): Promise<Folder> {
  return strategy === "descriptors" ? walkDescriptors(root, segments) : walkPaths(root, segments);
}

/** Opens a regular file for reading, following no link and never waiting for the other end of a FIFO. */
export async function openFile(folder: Folder, name: string): Promise<{ handle: FileHandle; stats: Stats }> {
  const path = folder.at(name);
  const before = await lstatEntry(folder, name);
  if (!before.isFile()) throw notFile(before);
  const handle = await open(path, fileFlags);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw notFile(stats);
    await folder.verify();
    // Where O_NOFOLLOW is missing or the directory was swapped for a moment, this is another file.
    if (stats.dev !== before.dev || stats.ino !== before.ino) await reject(folder, name, stats);
    return { handle, stats };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Status of an entry itself. A symbolic link is refused with EXO_FS_PATH. */
export async function lstatEntry(folder: Folder, name: string): Promise<Stats> {
  const stats = await lstat(folder.at(name));
  if (stats.isSymbolicLink()) throw linkFault();
  return stats;
}

/** Names of the directory's entries in no order, the runtime's own left out. Throws EXO_TIMED_OUT when the run is over. */
export async function* entryNames(folder: Folder, signal: AbortSignal): AsyncGenerator<string> {
  for await (const entry of await opendir(folder.at(""), { bufferSize: 256 })) {
    if (signal.aborted) throw lateFault();
    if (isGuestName(entry.name, false)) yield entry.name;
  }
}

/** What tells an open directory from every other one, by whatever path it was reached. */
export async function identityOf(folder: Folder): Promise<string> {
  const { dev, ino } = await stat(folder.at(""), { bigint: true });
  return `${dev}:${ino}`;
}

/** The fault for an entry that is no regular file. */
export function notFile(stats: Stats): FsFault {
  const what = stats.isDirectory() ? "the path is a directory" : "the path is not a regular file";
  return new FsFault("EXO_FS_KIND", what);
}

/** A file replaced between look and opening is fine as long as the path names it now. */
async function reject(folder: Folder, name: string, opened: Stats): Promise<void> {
  const now = await lstatEntry(folder, name);
  if (now.dev !== opened.dev || now.ino !== opened.ino) {
    throw new FsFault("EXO_FS_IO", "the file kept changing while it was opened");
  }
}

async function walkDescriptors(root: string, segments: readonly string[]): Promise<Folder> {
  let handle = await openDirectory(root);
  for (const segment of segments) {
    const parent = handle;
    try {
      handle = await openDirectory(`/proc/self/fd/${parent.fd}/${segment}`);
    } finally {
      await parent.close();
    }
  }
  const directory = handle;
  return {
    at: (name) => `/proc/self/fd/${directory.fd}/${name}`,
    verify: () => Promise.resolve(),
    sync: () => directory.sync(),
    close: () => directory.close().catch(() => undefined),
  };
}

async function openDirectory(path: string): Promise<FileHandle> {
  try {
    return await open(path, directoryFlags);
  } catch (error) {
    // With O_DIRECTORY a link is "not a directory": say which it is. Nothing depends on this second look.
    if (errnoOf(error) === "ENOTDIR" && (await lstat(path)).isSymbolicLink()) throw linkFault();
    throw error;
  }
}

async function walkPaths(root: string, segments: readonly string[]): Promise<Folder> {
  let path = root;
  await requireDirectory(path);
  for (const segment of segments) {
    path = join(path, segment);
    await requireDirectory(path);
  }
  const real = await realpath(path);
  if (real !== root && !real.startsWith(root.endsWith(sep) ? root : root + sep)) throw linkFault();
  return {
    at: (name) => (name === "" ? path : join(path, name)),
    verify: async () => {
      if ((await realpath(path)) !== real) throw linkFault();
    },
    sync: () => syncDirectory(path),
    close: () => Promise.resolve(),
  };
}

async function requireDirectory(path: string): Promise<void> {
  const stats = await lstat(path);
  if (stats.isSymbolicLink()) throw linkFault();
  if (!stats.isDirectory()) throw new FsFault("EXO_FS_KIND", "part of the path is not a directory");
}

async function syncDirectory(path: string): Promise<void> {
  // Windows has no way to sync a directory; it orders its metadata itself.
  if (sep === "\\") return;
  const handle = await open(path, directoryFlags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
