import { ExoArmurError } from "../../src/errors.js";
import type { Store, StoreChange, StoreRange } from "../../src/ports.js";

/** Where a process dies: before the commit reached the disk, or after it but before anybody was told. */
export type DeathMode = "before" | "after";

/**
 * One process's view of a store that outlives it. Once armed, the process dies at the given commit: the change is
 * applied or not, the caller is told of a failure either way, and nothing it does afterwards reaches the store.
 */
export class CrashStore implements Store {
  dead = false;
  readonly #inner: Store;
  #left = Number.POSITIVE_INFINITY;
  #mode: DeathMode = "before";

  constructor(inner: Store) {
    this.#inner = inner;
  }

  /** Dies at the `commits`-th commit from now, counted from 1. */
  arm(commits: number, mode: DeathMode): void {
    this.#left = commits;
    this.#mode = mode;
  }

  get(key: string): Uint8Array | undefined {
    return this.#inner.get(key);
  }

  range(range: StoreRange): Iterable<readonly [string, Uint8Array]> {
    return this.#inner.range(range);
  }

  acquire(): Promise<number> {
    return this.#inner.acquire();
  }

  async commit(changes: readonly StoreChange[], epoch: number): Promise<void> {
    if (this.dead) throw new ExoArmurError("EXO_STORE", "the process is dead");
    this.#left -= 1;
    if (this.#left > 0) return await this.#inner.commit(changes, epoch);
    this.dead = true;
    if (this.#mode === "after") await this.#inner.commit(changes, epoch);
    throw new ExoArmurError("EXO_STORE", "the process died");
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
