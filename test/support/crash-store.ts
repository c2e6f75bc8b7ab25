import { ExoArmurError } from "../../src/errors.js";
import type { Store, StoreChange, StoreRange } from "../../src/ports.js";

/** Where a process dies: before the commit reached the disk, or after it but before anybody was told. */
export type DeathMode = "before" | "after";

/**
 * A process's view of a store that outlives it. At the `at`-th commit (from 1) the process dies: the commit is applied
 * or not, the caller is told of a failure either way, and nothing this process does afterwards reaches the store.
 */
export class CrashStore implements Store {
  commits = 0;
  dead = false;
  readonly #inner: Store;
  readonly #at: number;
  readonly #mode: DeathMode;

  constructor(inner: Store, at: number, mode: DeathMode) {
    this.#inner = inner;
    this.#at = at;
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
    this.commits += 1;
    if (this.commits !== this.#at) return await this.#inner.commit(changes, epoch);
    this.dead = true;
    if (this.#mode === "after") await this.#inner.commit(changes, epoch);
    throw new ExoArmurError("EXO_STORE", `the process died at commit ${this.#at}`);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
