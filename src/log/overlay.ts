import type { StoreRange, StoreReader } from "../ports.js";
import { SortedMap } from "./sorted-map.js";

type Entry = readonly [key: string, value: Uint8Array];

/**
 * Uncommitted changes over a reader: reads see the changes first and what lies below through them. `null` hides a key.
 * Values are kept by reference; whoever puts them gives them away.
 */
export class Overlay implements StoreReader {
  readonly changes = new Map<string, Uint8Array | null>();
  readonly #below: StoreReader;
  /** The same changes in order. Made at the first range read: most operations never ask for one. */
  #sorted: SortedMap<Uint8Array | null> | undefined;

  constructor(below: StoreReader) {
    this.#below = below;
  }

  set(key: string, value: Uint8Array | null): void {
    this.changes.set(key, value);
    this.#sorted?.set(key, value);
  }

  get(key: string): Uint8Array | undefined {
    const own = this.changes.get(key);
    return own === undefined ? this.#below.get(key) : (own ?? undefined);
  }

  /** Merges the changes into what lies below, in order; sees neither changes made after its first step. */
  *range({ gte, lt, limit = Number.POSITIVE_INFINITY, reverse = false }: StoreRange): Generator<Entry> {
    // No limit below: entries that are hidden here do not count.
    const below = this.#below.range({ gte, lt, reverse })[Symbol.iterator]();
    const own = this.#ordered().range({ gte, lt, reverse });
    try {
      let low = below.next();
      let top = own.next();
      for (let left = limit; left > 0 && !(low.done && top.done); ) {
        const order = low.done ? -1 : top.done ? 1 : compare(top.value[0], low.value[0]) * (reverse ? -1 : 1);
        if (order > 0) {
          yield low.value as Entry;
          left -= 1;
        } else if ((top.value as readonly [string, Uint8Array | null])[1] !== null) {
          yield top.value as Entry;
          left -= 1;
        }
        if (order >= 0) low = below.next();
        if (order <= 0) top = own.next();
      }
    } finally {
      below.return?.();
    }
  }

  #ordered(): SortedMap<Uint8Array | null> {
    if (this.#sorted === undefined) {
      this.#sorted = new SortedMap();
      for (const [key, value] of this.changes) this.#sorted.set(key, value);
    }
    return this.#sorted;
  }
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
