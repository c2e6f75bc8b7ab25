import { ExoArmurError } from "../errors.js";
import type { StoreRange, StoreReader } from "../ports.js";
import { type LeafKind, leafBytes } from "./leaf.js";
import type { LedgerTx, Sealed } from "./ledger-types.js";
import { Overlay } from "./overlay.js";
import { isLogKey } from "./store-layout.js";

/** One operation's changes and leaves, kept apart from its group's until the operation has succeeded. */
export class OperationTx implements LedgerTx {
  readonly overlay: Overlay;
  readonly leaves: Uint8Array[] = [];
  readonly callbacks: ((sealed: Sealed) => void)[] = [];
  bytes = 0;
  readonly #start: number;
  #ended = false;

  constructor(below: StoreReader, start: number) {
    this.overlay = new Overlay(below);
    this.#start = start;
  }

  get size(): number {
    return this.#start + this.leaves.length;
  }

  get(key: string): Uint8Array | undefined {
    this.#requireLive();
    return this.overlay.get(key);
  }

  range(range: StoreRange): Iterable<readonly [string, Uint8Array]> {
    this.#requireLive();
    return this.overlay.range(range);
  }

  put(key: string, value: Uint8Array): void {
    this.#write(key, value);
    this.bytes += value.length;
  }

  delete(key: string): void {
    this.#write(key, null);
  }

  appendLeaf(kind: LeafKind, digest: string): number {
    this.#requireLive();
    const index = this.size;
    this.leaves.push(leafBytes(kind, digest));
    return index;
  }

  onSealed(callback: (sealed: Sealed) => void): void {
    this.#requireLive();
    this.callbacks.push(callback);
  }

  /** Ends the operation: whoever kept the transaction can do no more with it. */
  end(): void {
    this.#ended = true;
  }

  #write(key: string, value: Uint8Array | null): void {
    this.#requireLive();
    if (isLogKey(key)) throw new ExoArmurError("EXO_INTERNAL", `The key ${key} is the log's own.`);
    this.overlay.set(key, value);
  }

  #requireLive(): void {
    if (this.#ended)
      throw new ExoArmurError("EXO_INTERNAL", "A ledger transaction was used after its operation had ended.");
  }
}
