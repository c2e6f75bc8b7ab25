import type { Store, StoreChange, StoreRange } from "../../src/ports.js";

/** What passed through the port: values read, entries that range reads gave, commits, and changes in them. */
export type StoreCounts = { gets: number; entries: number; commits: number; changes: number };

/** A store that counts what is asked of it, so that a cost can be told without a clock. */
export class CountingStore implements Store {
  readonly #inner: Store;
  #counts: StoreCounts = none();

  constructor(inner: Store) {
    this.#inner = inner;
  }

  /** What `work` asked of the store. */
  async during(work: () => unknown): Promise<StoreCounts> {
    const counts = none();
    this.#counts = counts;
    await work();
    this.#counts = none();
    return counts;
  }

  get(key: string): Uint8Array | undefined {
    this.#counts.gets += 1;
    return this.#inner.get(key);
  }

  *range(range: StoreRange): Generator<readonly [string, Uint8Array]> {
    for (const entry of this.#inner.range(range)) {
      this.#counts.entries += 1;
      yield entry;
    }
  }

  acquire(): Promise<number> {
    return this.#inner.acquire();
  }

  commit(changes: readonly StoreChange[], epoch: number): Promise<void> {
    this.#counts.commits += 1;
    this.#counts.changes += changes.length;
    return this.#inner.commit(changes, epoch);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

function none(): StoreCounts {
  return { gets: 0, entries: 0, commits: 0, changes: 0 };
}
