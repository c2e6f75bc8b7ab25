import type { Signer, Store, StoreReader } from "../ports.js";
import type { LeafKind } from "./leaf.js";

/** What an operation gets to know once its group is durable. */
export type Sealed = {
  /** The group's signed checkpoint, a C2SP note. */
  readonly checkpoint: string;
  /** The checkpoint's tree size. */
  readonly size: number;
  /** The root the checkpoint names, 32 bytes. */
  readonly root: Uint8Array;
  /** Inclusion proof of a leaf under this checkpoint. EXO_LOG_RANGE unless 0 <= index < size. */
  prove(index: number): Uint8Array[];
};

/**
 * One operation's view of the ledger: reads see the operation's own writes, then those of earlier operations of the
 * group, then the store. Usable only until the operation returns.
 */
export interface LedgerTx extends StoreReader {
  /** Writes a value, which is given away: neither it nor a value read may be changed afterwards. */
  put(key: string, value: Uint8Array): void;
  delete(key: string): void;
  /** Appends a leaf and returns its index, which is final if the operation succeeds. EXO_SCHEMA for a bad digest. */
  appendLeaf(kind: LeafKind, digest: string): number;
  /** Leaves in the log at this point, those of earlier operations of the group and of this one included. */
  readonly size: number;
  /** Runs after the durable commit and before `transact` resolves. Not run when the operation fails. */
  onSealed(callback: (sealed: Sealed) => void): void;
}

/** The single writer of a log and of everything that is committed with it. */
export interface Ledger {
  /**
   * Queues an operation; resolves with its value when everything it wrote is durable and covered by a signed
   * checkpoint. Operations run one at a time in order of their calls. One that throws leaves nothing behind and rejects
   * with its error. When the group's commit fails all of the group reject with that error and every later call rejects
   * with EXO_STORE; EXO_CLOSED after close. An operation must not wait for another `transact`.
   */
  transact<T>(operation: (tx: LedgerTx) => T | Promise<T>): Promise<T>;
  /** Leaves in the last durable tree. */
  readonly size: number;
  /** The last durable signed checkpoint, a C2SP note. */
  checkpoint(): string;
  /** Inclusion proof of a leaf, under `size` leaves (default: all). EXO_LOG_RANGE. */
  prove(index: number, size?: number): Uint8Array[];
  /** Consistency proof between two sizes of this log. EXO_LOG_RANGE. */
  consistency(oldSize: number, newSize: number): Uint8Array[];
  /** A leaf's bytes. EXO_LOG_RANGE. */
  leaf(index: number): Uint8Array;
  /** Calls `grown`, which must not throw, after every durable commit that added leaves, until the returned function is. */
  watch(grown: () => void): () => void;
  /** Finishes what is queued and takes no more. Does not close the store. */
  close(): Promise<void>;
}

/** How much one group may hold; the rest waits for the next. */
export type LedgerLimits = {
  /** Operations in one group. Default 512. */
  readonly groupOperations?: number;
  /** Bytes of values after which a group takes no further operation. Default 16 MiB. */
  readonly groupBytes?: number;
};

/** What a ledger needs. The store stays its owner's to close. */
export type LedgerOptions = {
  readonly store: Store;
  /** The epoch `store.acquire()` gave. */
  readonly epoch: number;
  /** The log's origin, the first line of every checkpoint and the name of its key. */
  readonly origin: string;
  /** The log key. */
  readonly signer: Signer;
  /** Verifier keys of earlier log keys, for a store whose last checkpoint was signed before a rotation. */
  readonly formerVkeys?: readonly string[];
  readonly limits?: LedgerLimits;
};
