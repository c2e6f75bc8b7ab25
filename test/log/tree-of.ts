import { expect } from "vitest";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import type { LogView } from "../../src/log/audit.js";
import { signCheckpoint } from "../../src/log/checkpoint.js";
import { leafBytes } from "../../src/log/leaf.js";
import { CHECKPOINT_PATH, tileBytes, tilePath, tilesOf } from "../../src/log/tiles.js";
import type { ReadTile } from "../../src/log/tiles-audit.js";
import {
  consistencyProof,
  inclusionProof,
  leafHash,
  nodeHash,
  type ReadNode,
  rootFromNodes,
} from "../../src/log/tree.js";
import type { Signer } from "../../src/ports.js";
import { digest, ORIGIN, signer } from "./fixtures.js";

/** What a log is made of in these tests. */
export type Made = { readonly origin?: string; readonly by?: Signer; readonly name?: string };

const made = new Map<string, Promise<LogView>>();

/** A log of `size` leaves; one of the same size and name begins with the same leaves. */
export function logOf(size: number, { origin = ORIGIN, by = signer, name = "" }: Made = {}): Promise<LogView> {
  const key = JSON.stringify([size, origin, by.keyId, name]);
  const log = made.get(key) ?? makeLog(size, { origin, by, name });
  made.set(key, log);
  return log;
}

/** The first `size` leaves of a log as a log, without hashing them anew. */
export async function beginning({ leaf, readNode }: LogView, size: number): Promise<LogView> {
  const root = rootFromNodes(size, readNode);
  return {
    size,
    root,
    checkpoint: await signCheckpoint({ origin: ORIGIN, size, root }, signer),
    prove: (index, under = size) => inclusionProof(index, under, readNode),
    consistency: (oldSize, newSize) => consistencyProof(oldSize, newSize, readNode),
    leaf,
    readNode,
  };
}

async function makeLog(size: number, { origin, by, name }: Required<Made>): Promise<LogView> {
  const leaves = Array.from({ length: size }, (_, at) => leafBytes("event", digest(`${name}${at}`)));
  const known = new Map<string, Uint8Array>();
  const leaf = (index: number): Uint8Array => leaves[index] ?? expect.fail(`no leaf ${index}`);
  const readNode: ReadNode = (level, index) => {
    const key = `${level}/${index}`;
    const below = (at: number): Uint8Array => readNode(level - 1, index * 2 + at);
    const hash = known.get(key) ?? (level === 0 ? leafHash(leaf(index)) : nodeHash(below(0), below(1)));
    known.set(key, hash);
    return hash;
  };
  const root = rootFromNodes(size, readNode);
  return {
    size,
    root,
    checkpoint: await signCheckpoint({ origin, size, root }, by),
    prove: (index, under = size) => inclusionProof(index, under, readNode),
    consistency: (oldSize, newSize) => consistencyProof(oldSize, newSize, readNode),
    leaf,
    readNode,
  };
}

/** The files of an export, by path. */
export function filesOf(view: LogView): Map<string, Uint8Array> {
  const files = new Map([[CHECKPOINT_PATH, encodeUtf8(view.checkpoint)]]);
  for (const tile of tilesOf(view.size)) files.set(tilePath(tile), tileBytes(tile, view.readNode, view.leaf));
  return files;
}

/** Reads such files as an export is read. */
export function readerOf(files: ReadonlyMap<string, Uint8Array>): ReadTile {
  return async (path, maxBytes) => {
    const bytes = files.get(path);
    return bytes !== undefined && bytes.length <= maxBytes ? bytes : undefined;
  };
}

/** Reads the files of an export that is never made as a whole: each is computed when it is asked for. */
export function lazyReader(view: LogView): ReadTile {
  const tiles = new Map([...tilesOf(view.size)].map((tile) => [tilePath(tile), tile]));
  return async (path, maxBytes) => {
    const tile = tiles.get(path);
    if (path === CHECKPOINT_PATH) return encodeUtf8(view.checkpoint);
    if (tile === undefined) return undefined;
    const bytes = tileBytes(tile, view.readNode, view.leaf);
    return bytes.length <= maxBytes ? bytes : undefined;
  };
}
