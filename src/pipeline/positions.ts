import { decodeUtf8, encodeUtf8 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import { indexOfKey } from "../log/store-layout.js";
import type { StoreReader } from "../ports.js";
import { positionKeys } from "./store-keys.js";

/**
 * Where an event is: the index of its leaf in the log, which orders all events of a store for good, its type, and its key
 * in the store.
 */
export type Position = { readonly index: number; readonly eventType: string; readonly key: string };

/** Writes where an event is, in the transaction that appends it. */
export function putPosition(tx: LedgerTx, { index, eventType, key }: Position): void {
  tx.put(positionKeys.one(index), encodeUtf8(`${eventType} ${key}`));
}

/**
 * The events whose leaves have an index from `from` on, below `until`, in that order or newest first.
 * EXO_STORE_DAMAGED for an entry that is none.
 */
export function* positions(
  reader: StoreReader,
  { from, until, reverse = false }: { readonly from: number; readonly until: number; readonly reverse?: boolean },
): Generator<Position> {
  if (from >= until) return;
  for (const [key, value] of reader.range({ gte: positionKeys.one(from), lt: positionKeys.one(until), reverse })) {
    const index = indexOfKey(key);
    const [eventType, at, more] = (decodeUtf8(value) ?? "").split(" ");
    if (index === undefined || eventType === undefined || at === undefined || more !== undefined) {
      throw new ExoArmurError("EXO_STORE_DAMAGED", `the entry ${key} does not say where an event is`);
    }
    yield { index, eventType, key: at };
  }
}
