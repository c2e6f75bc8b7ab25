import { encodeUtf8, equalBytes } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import type { Store, StoreChange } from "../ports.js";
import type { Checkpoint } from "./checkpoint.js";
import { OperationTx } from "./ledger-tx.js";
import type { Ledger, LedgerOptions, LedgerTx, Sealed } from "./ledger-types.js";
import { Overlay } from "./overlay.js";
import { CHECKPOINT_KEY, leafKey, nodeKey, nodeReader, storedLeaf } from "./store-layout.js";
import {
  appendLeaves,
  consistencyProof,
  type Frontier,
  frontierRoot,
  inclusionProof,
  leafHash,
  type ReadNode,
  requireWithin,
} from "./tree.js";

const GROUP_OPERATIONS = 512;
const GROUP_BYTES = 16 * 1024 * 1024;

type Job = {
  readonly operation: (tx: LedgerTx) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
};

/** A job that ran: what it returned or threw. */
type Ran = Job & ({ readonly tx: OperationTx; readonly value: unknown } | { readonly error: unknown });

/** A tree, its signed checkpoint, and the hashes every proof of its newest group needs: its own nodes and the peaks before. */
type Head = { readonly frontier: Frontier; readonly note: string; readonly recent: ReadonlyMap<string, Uint8Array> };

type Group = { readonly ran: Ran[]; readonly overlay: Overlay; readonly leaves: Uint8Array[] };

/** The Ledger over a store: queued operations run in groups, and each group is one commit under one checkpoint. */
export class GroupCommitter implements Ledger {
  readonly #store: Store;
  readonly #epoch: number;
  readonly #origin: string;
  readonly #sign: (checkpoint: Checkpoint) => Promise<string>;
  readonly #maxOperations: number;
  readonly #maxBytes: number;
  readonly #queue: Job[] = [];
  #pump: Promise<void> | undefined;
  #closed = false;
  #failure: ExoArmurError | undefined;
  #head: Head;
  /** The head whose commit is under way. */
  #next: Head | undefined;
  readonly #readNode: ReadNode;
  readonly #watchers = new Set<() => void>();

  constructor(
    options: LedgerOptions,
    sign: (checkpoint: Checkpoint) => Promise<string>,
    frontier: Frontier,
    note: string,
  ) {
    this.#store = options.store;
    this.#epoch = options.epoch;
    this.#origin = options.origin;
    this.#sign = sign;
    this.#maxOperations = options.limits?.groupOperations ?? GROUP_OPERATIONS;
    this.#maxBytes = options.limits?.groupBytes ?? GROUP_BYTES;
    this.#head = { frontier, note, recent: new Map() };
    const stored = nodeReader(options.store);
    this.#readNode = (level, index) => this.#head.recent.get(nodeKey(level, index)) ?? stored(level, index);
  }

  get size(): number {
    return this.#present().frontier.size;
  }

  checkpoint(): string {
    return this.#present().note;
  }

  /**
   * The head as the store has it. A commit can be seen in the store before it resolves here, and whoever then reads of
   * a leaf asks for its proof.
   */
  #present(): Head {
    const next = this.#next;
    if (next === undefined) return this.#head;
    const stored = this.#store.get(CHECKPOINT_KEY);
    if (stored !== undefined && equalBytes(stored, encodeUtf8(next.note))) this.#adopt(next);
    return this.#head;
  }

  #adopt(head: Head): void {
    this.#head = head;
    this.#next = undefined;
  }

  prove(index: number, size = this.size): Uint8Array[] {
    requireWithin(size, this.size);
    return inclusionProof(index, size, this.#readNode);
  }

  consistency(oldSize: number, newSize: number): Uint8Array[] {
    requireWithin(newSize, this.size);
    return consistencyProof(oldSize, newSize, this.#readNode);
  }

  leaf(index: number): Uint8Array {
    return storedLeaf(this.#store, index, this.size);
  }

  watch(grown: () => void): () => void {
    // One of its own for every call: whoever watches twice ends each by itself.
    const watcher = (): void => grown();
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  transact<T>(operation: (tx: LedgerTx) => T | Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const refusal = this.#closed ? new ExoArmurError("EXO_CLOSED", "The log is closed.") : this.#failure;
      if (refusal) {
        reject(refusal);
        return;
      }
      this.#queue.push({ operation, resolve: resolve as (value: unknown) => void, reject });
      this.#pump ??= this.#run();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#pump;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      // Callers that were just resolved and at once come back get into the next group.
      await Promise.resolve();
      const group = await this.#runOperations();
      try {
        settle(group, await this.#seal(group));
      } catch (error) {
        for (const { reject } of group.ran) reject(error);
      }
      if (this.#failure) for (const { reject } of this.#queue.splice(0)) reject(this.#failure);
    }
    this.#pump = undefined;
  }

  /** Takes operations from the queue until the group is full. An operation that throws leaves nothing in the group. */
  async #runOperations(): Promise<Group> {
    const group: Group = { ran: [], overlay: new Overlay(this.#store), leaves: [] };
    for (let bytes = 0; group.ran.length < this.#maxOperations && bytes < this.#maxBytes; ) {
      const job = this.#queue.shift();
      if (job === undefined) break;
      const tx = new OperationTx(group.overlay, this.size + group.leaves.length);
      try {
        const result = job.operation(tx);
        // Most operations are synchronous, and an await for each would cost more than what it waits for.
        const value = isThenable(result) ? await result : result;
        group.ran.push({ ...job, tx, value });
        for (const [key, change] of tx.overlay.changes) group.overlay.set(key, change);
        for (const leaf of tx.leaves) group.leaves.push(leaf);
        bytes += tx.bytes;
      } catch (error) {
        group.ran.push({ ...job, error });
      }
      tx.end();
    }
    return group;
  }

  /** Makes the group durable under a new checkpoint, or under the present one when it has no new leaf. */
  async #seal({ overlay, leaves }: Group): Promise<Sealed> {
    const changes: StoreChange[] = [];
    for (const [key, value] of overlay.changes) changes.push({ key, value });
    if (leaves.length === 0) {
      if (changes.length > 0) await this.#commit(changes);
      return this.#sealed();
    }
    const before = this.#head.frontier;
    const { frontier, size, nodes, root } = appendLeaves(before, leaves.map(leafHash));
    const note = await this.#sign({ origin: this.#origin, size, root });
    const recent = new Map(before.peaks.map(({ level, index, hash }) => [nodeKey(level, index), hash]));
    for (const [at, value] of leaves.entries()) changes.push({ key: leafKey(before.size + at), value });
    for (const { level, index, hash } of nodes) {
      const key = nodeKey(level, index);
      recent.set(key, hash);
      if (level > 0) changes.push({ key, value: hash });
    }
    changes.push({ key: CHECKPOINT_KEY, value: encodeUtf8(note) });
    const head = { frontier, note, recent };
    this.#next = head;
    try {
      await this.#commit(changes);
    } finally {
      this.#next = undefined;
    }
    this.#adopt(head);
    for (const watcher of this.#watchers) watcher();
    return this.#sealed();
  }

  #sealed(): Sealed {
    const { frontier, note } = this.#head;
    return {
      checkpoint: note,
      size: frontier.size,
      root: frontierRoot(frontier),
      prove: (index) => this.prove(index, frontier.size),
    };
  }

  async #commit(changes: readonly StoreChange[]): Promise<void> {
    try {
      await this.#store.commit(changes, this.#epoch);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#failure = new ExoArmurError(
        "EXO_STORE",
        `The log takes no more work since a commit failed: ${reason}`,
        {},
        { cause: error },
      );
      throw error;
    }
  }
}

function settle(group: Group, sealed: Sealed): void {
  for (const ran of group.ran) {
    if ("error" in ran) {
      ran.reject(ran.error);
      continue;
    }
    try {
      for (const callback of ran.tx.callbacks) callback(sealed);
      ran.resolve(ran.value);
    } catch (error) {
      ran.reject(error);
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
