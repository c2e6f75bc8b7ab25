import type { StoreRange, StoreReader } from "../ports.js";
import type { Cursors } from "./cursors.js";

/** A page of a list. */
export type Page<T> = { readonly items: readonly T[]; readonly nextCursor: string | null };

/** A list over a range of the store, without an index. */
export type Scan<T> = {
  /** Name of the list, which its cursors are bound to. */
  readonly list: string;
  readonly range: Pick<StoreRange, "gte" | "lt">;
  /** Newest first: from the end of the range. */
  readonly reverse: boolean;
  readonly cursor: string | undefined;
  /** Most items. */
  readonly limit: number;
  /** Most documents looked at; a page may then hold less than there is, and its cursor goes on. */
  readonly scan: number;
  /** The item of a document, or undefined when it is not of the list. */
  readonly read: (key: string, value: Uint8Array) => T | undefined;
};

/** One page. EXO_SCHEMA for a cursor of another list. */
export function scanPage<T>(store: StoreReader, cursors: Cursors, scan: Scan<T>): Page<T> {
  const { list, reverse, limit, read } = scan;
  const after = scan.cursor === undefined ? undefined : cursors.open(list, scan.cursor);
  const items: T[] = [];
  let looked = 0;
  let last = "";
  for (const [key, value] of store.range({ ...boundsAfter(scan, after), reverse })) {
    if (items.length === limit || looked === scan.scan) return { items, nextCursor: cursors.seal(list, last) };
    looked += 1;
    last = key;
    const item = read(key, value);
    if (item !== undefined) items.push(item);
  }
  return { items, nextCursor: null };
}

/** What is left of a range behind a key. */
function boundsAfter({ range, reverse }: Scan<unknown>, after: string | undefined): Pick<StoreRange, "gte" | "lt"> {
  if (after === undefined) return range;
  // Keys are printable ASCII: a space makes the least key behind one.
  return reverse ? { gte: range.gte, lt: after } : { gte: `${after} `, lt: range.lt };
}
