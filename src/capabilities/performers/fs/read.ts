import type { Stats } from "node:fs";
import { sep } from "node:path";
import { compareBytes, encodeUtf8 } from "../../../crypto/encoding.js";
import type { AbiValue, PerformOutcome } from "../../../ports.js";
import { errnoOf, FsFault, lateFault, tooLarge } from "./fault.js";
import { entryNames, type Folder, lstatEntry, notFile, openFile } from "./folder.js";
import { isListed } from "./names.js";

/** Bytes of a regular file from `offset`, at most `length` of them and never more than `maxBytes`. */
export async function readRange(
  folder: Folder,
  name: string,
  range: { readonly offset: AbiValue | undefined; readonly length: AbiValue | undefined },
  maxBytes: number,
  signal: AbortSignal,
): Promise<PerformOutcome> {
  const { handle, stats } = await openFile(folder, name);
  try {
    const offset = typeof range.offset === "number" ? range.offset : 0;
    const left = Math.max(0, stats.size - offset);
    const length = typeof range.length === "number" ? Math.min(range.length, left) : left;
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

/** The entries a guest could name, sorted by the bytes of their names. More than `maxEntries` in all: EXO_FS_SIZE. */
export async function listFolder(folder: Folder, maxEntries: number, signal: AbortSignal): Promise<PerformOutcome> {
  const names = new Set<string>();
  let seen = 0;
  for await (const name of entryNames(folder, signal)) {
    if (++seen > maxEntries) throw new FsFault("EXO_FS_SIZE", `the directory has more than ${maxEntries} entries`);
    if (isListed(name, sep === "\\")) names.add(name);
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

/** Type and size of an entry, or of the folder itself for "". */
export async function statEntry(folder: Folder, name: string): Promise<PerformOutcome> {
  return done(describe(await lstatEntry(folder, name)));
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

function done(value: AbiValue): PerformOutcome {
  return { outcome: "ok", value };
}
