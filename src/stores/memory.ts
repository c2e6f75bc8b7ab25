import { ExoArmurError } from "../errors.js";
import { SortedMap } from "../log/sorted-map.js";
import type { Store, StoreChange, StoreRange } from "../ports.js";
import { requireKey } from "./keys.js";

/**
 * A Store in memory, for tests, demos and browsers. It keeps to the whole contract but durability: what it holds is
 * gone with the process. Values are copied in and out.
 */
export function createMemoryStore(): Store {
  return new MemoryStore();
}

class MemoryStore implements Store {
  readonly #entries = new SortedMap<Uint8Array>();
  #epoch = 0;
  #closed = false;

  get(key: string): Uint8Array | undefined {
    this.#requireOpen();
    return this.#entries.get(key)?.slice();
  }

  *range(range: StoreRange): Generator<readonly [string, Uint8Array]> {
    this.#requireOpen();
    for (const [key, value] of this.#entries.range(range)) {
      yield [key, value.slice()];
      this.#requireOpen();
    }
  }

  async acquire(): Promise<number> {
    this.#requireOpen();
    this.#epoch += 1;
    return this.#epoch;
  }

  async commit(changes: readonly StoreChange[], epoch: number): Promise<void> {
    this.#requireOpen();
    if (epoch !== this.#epoch)
      throw new ExoArmurError("EXO_FENCED", `Epoch ${epoch} has ended; the store is at epoch ${this.#epoch}.`);
    for (const { key } of changes) requireKey(key);
    for (const { key, value } of changes) {
      if (value === null) this.#entries.delete(key);
      else this.#entries.set(key, value.slice());
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #requireOpen(): void {
    if (this.#closed) throw new ExoArmurError("EXO_CLOSED", "The store is closed.");
  }
}
