import { digestOf } from "../canonical/digest.js";
import { decodeUtf8 } from "../crypto/encoding.js";
import { readLeaf } from "../log/leaf.js";
import type { Ledger } from "../log/ledger-types.js";
import { indexOfKey, leafKey } from "../log/store-layout.js";
import type { StoreReader } from "../ports.js";
import { type Position, putPosition } from "./positions.js";
import { unpackEvent } from "./recorder.js";
import { eventKeys, positionKeys } from "./store-keys.js";

/** Positions written in one transaction: the log takes other work in between. */
const filledAtOnce = 2000;

/**
 * Writes the positions of events that a store has from before they were kept. Newest first, so that the position of the
 * oldest event says that none is missing, also when it was stopped halfway.
 *
 * @returns how many were written
 */
export async function fillPositions(store: StoreReader, ledger: Ledger): Promise<number> {
  const known = firstPosition(store) ?? ledger.size;
  const wanted = new Map<string, number>();
  for (let index = 0; index < known; index += 1) {
    const leaf = readLeaf(store.get(leafKey(index)) ?? new Uint8Array(0));
    if (leaf?.kind === "event") wanted.set(leaf.digest, index);
  }
  if (wanted.size === 0) return 0;
  const missing: Position[] = [];
  for (const [key, packed] of store.range(eventKeys.all)) {
    const { header } = unpackEvent(packed);
    const index = wanted.get(digestOf(header));
    if (index !== undefined) missing.push({ index, eventType: typeOf(header), key });
  }
  missing.sort((a, b) => b.index - a.index);
  for (let at = 0; at < missing.length; at += filledAtOnce) {
    await ledger.transact((tx) => {
      for (const position of missing.slice(at, at + filledAtOnce)) putPosition(tx, position);
    });
  }
  return missing.length;
}

function firstPosition(store: StoreReader): number | undefined {
  for (const [key] of store.range({ ...positionKeys.all, limit: 1 })) return indexOfKey(key);
  return undefined;
}

function typeOf(header: Uint8Array): string {
  return (JSON.parse(decodeUtf8(header) ?? "") as { eventType: string }).eventType;
}
