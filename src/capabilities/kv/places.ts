import { encodeHex, encodeUtf8 } from "../../crypto/encoding.js";
import { sha256Hex } from "../../crypto/sha256.js";

/**
 * Where keys and values lie in the store (spec/home.md, Store keys). Store keys are short ASCII and a guest's keys are
 * any text, so a key's UTF-8 bytes are written as hex, in segments: a key longer than one segment lies in the directory
 * that its first segments name. Byte order of the guest's keys is the order of the walk, whatever the keys are, and
 * nothing a guest writes can reach another family or another space.
 */

/** Bytes of a key that one store key holds. */
export const segmentBytes = 128;

/** Ends the store key of a guest's key. Sorts before everything that can follow a segment. */
const keyEnd = ".";

/** Ends the store key of a directory: further keys begin with this segment. Sorts before every hex digit. */
const directoryEnd = "/";

/** The keys and values of one executor in one tenant, as store keys name them: 64 hex digits. */
export function spaceOf(tenantId: string, executor: string): string {
  return sha256Hex(encodeUtf8(`${tenantId.length}:${tenantId}${executor.length}:${executor}`));
}

/** Families of the store that hold keys and values: half-open ranges, and the key of a space's head. */
export const kvFamilies = {
  head: (space: string): string => `w/${space}`,
  heads: { gte: "w/", lt: "w0" },
  entries: { gte: "v/", lt: "v0" },
  values: { gte: "x/", lt: "x0" },
} as const;

/** Store keys of one guest key. */
export type KeyPlace = {
  /** Version and size. */
  readonly entry: string;
  readonly value: string;
  /** From the outermost in: the marker of a directory, and the range of what lies in it. */
  readonly directories: readonly { readonly marker: string; readonly content: DirectoryRange }[];
};

type DirectoryRange = { readonly gte: string; readonly lt: string };

/** Range of a directory. `path`: the bytes its keys begin with, a multiple of `segmentBytes`. */
export function directoryRange(space: string, path: Uint8Array): DirectoryRange {
  const directory = `v/${space}/${sha256Hex(path)}`;
  return { gte: `${directory}/`, lt: `${directory}0` };
}

/** Store keys of a guest's key, given as its UTF-8 bytes (at least one). */
export function placeOf(space: string, key: Uint8Array): KeyPlace {
  const directories: { marker: string; content: DirectoryRange }[] = [];
  let inside = directoryRange(space, new Uint8Array());
  let at = 0;
  for (; key.length - at > segmentBytes; at += segmentBytes) {
    const end = at + segmentBytes;
    const content = directoryRange(space, key.subarray(0, end));
    directories.push({ marker: `${inside.gte}${encodeHex(key.subarray(at, end))}${directoryEnd}`, content });
    inside = content;
  }
  const entry = `${inside.gte}${encodeHex(key.subarray(at))}${keyEnd}`;
  return { entry, value: `x/${space}/${sha256Hex(key)}`, directories };
}

/** Where a walk of a directory begins so that no key below `from` comes, which is relative to the directory. */
export function walkStart({ gte }: DirectoryRange, from: Uint8Array): string {
  const segment = encodeHex(from.subarray(0, segmentBytes));
  return from.length > segmentBytes ? `${gte}${segment}${directoryEnd}` : `${gte}${segment}`;
}

/** What a store key of a directory names: hex of the segment, and whether a directory or a key is behind it. */
export function readPlace({ gte }: DirectoryRange, storeKey: string): { segment: string; directory: boolean } {
  return { segment: storeKey.slice(gte.length, -1), directory: storeKey.endsWith(directoryEnd) };
}
