import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { RootDatabase } from "lmdb";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import type { Store, StoreChange, StoreRange } from "../ports.js";
import { requireKey } from "./keys.js";
import { checkLmdbFile } from "./lmdb-file.js";

/** How to open the store. */
export type LmdbOptions = {
  /** Address space to reserve, in bytes; the file is only as large as its content. Default 64 GiB, or 2 GiB where that is refused. */
  readonly mapSize?: number;
  /** Opens for reading beside the store's owner. `acquire` and `commit` then throw EXO_STORE. */
  readonly readOnly?: boolean;
  /** Reads the whole file first and refuses it for any node of its trees that is not whole, not only for branch pages. */
  readonly whole?: boolean;
};

type Database = RootDatabase<Uint8Array, string | number>;

const GIB = 2 ** 30;
const MAP_SIZES = [64 * GIB, 2 * GIB];

/** A number sorts before every string, so no range of a caller can meet the epoch. */
const EPOCH_KEY = 0;

/** The lowest key there can be: keys are printable ASCII. */
const FIRST_KEY = " ";

/**
 * Opens the LMDB store in the folder `path` (made when missing, unless read-only). A commit is one LMDB transaction
 * that checks the epoch first; LMDB syncs its pages and then writes its root page through a synchronous descriptor, so
 * a resolved commit is on disk. Values are copied out. EXO_STORE when it cannot be opened, EXO_STORE_DAMAGED when the
 * file is not a whole LMDB file; a damaged page deep inside may still end the process (spec/log.md).
 */
export async function openLmdbStore(path: string, options: LmdbOptions = {}): Promise<Store> {
  const { mapSize, readOnly = false, whole = false } = options;
  try {
    if (!readOnly) mkdirSync(path, { recursive: true });
    checkLmdbFile(join(path, "data.mdb"), readOnly, whole);
    const { open } = await import("lmdb");
    const settings = {
      path,
      readOnly,
      encoding: "binary",
      compression: false,
      cache: false,
      overlappingSync: false,
    } as const;
    // Batches by event turn would reject a promise nobody holds when a commit fails.
    const attempt = (size: number): Database =>
      open({ ...settings, maxDbs: 1, mapSize: size, eventTurnBatching: false } as Parameters<typeof open>[0]);
    return new LmdbStore(openWithin(mapSize === undefined ? MAP_SIZES : [mapSize], attempt), readOnly);
  } catch (error) {
    if (isExoArmurError(error)) throw error;
    throw new ExoArmurError(
      "EXO_STORE",
      `The store in ${path} could not be opened: ${messageOf(error)}`,
      {},
      { cause: error },
    );
  }
}

function openWithin(sizes: readonly number[], attempt: (size: number) => Database): Database {
  const [size = GIB, ...smaller] = sizes;
  try {
    return attempt(size);
  } catch (error) {
    if (smaller.length === 0) throw error;
    return openWithin(smaller, attempt);
  }
}

class LmdbStore implements Store {
  readonly #db: Database;
  readonly #readOnly: boolean;
  readonly #ranges = new Set<Iterator<unknown>>();
  #failure: ExoArmurError | undefined;
  #closed: Promise<void> | undefined;

  constructor(db: Database, readOnly: boolean) {
    this.#db = db;
    this.#readOnly = readOnly;
  }

  get(key: string): Uint8Array | undefined {
    this.#requireOpen();
    if (key < FIRST_KEY) return undefined;
    return ownBytes(this.#db.getBinary(key));
  }

  *range({
    gte,
    lt,
    limit = Number.POSITIVE_INFINITY,
    reverse = false,
  }: StoreRange): Generator<readonly [string, Uint8Array]> {
    this.#requireOpen();
    const low = gte < FIRST_KEY ? FIRST_KEY : gte;
    if (low >= lt || limit <= 0) return;
    const bounds = reverse ? { start: lt, end: low, reverse, inclusiveEnd: true } : { start: low, end: lt };
    const entries = this.#db.getRange(bounds)[Symbol.iterator]();
    this.#ranges.add(entries);
    try {
      let left = limit;
      for (let step = entries.next(); left > 0 && !step.done; step = entries.next()) {
        const { key, value } = step.value as { key: string; value: Uint8Array };
        // A reverse walk begins at its upper bound, which is not part of the range.
        if (key === lt) continue;
        left -= 1;
        yield [key, ownBytes(value)];
        this.#requireOpen();
      }
    } finally {
      this.#ranges.delete(entries);
      entries.return?.();
    }
  }

  async acquire(): Promise<number> {
    let epoch = 0;
    await this.#transact(() => {
      epoch = this.#epoch() + 1;
      void this.#db.put(EPOCH_KEY, new TextEncoder().encode(String(epoch)));
    });
    return epoch;
  }

  async commit(changes: readonly StoreChange[], epoch: number): Promise<void> {
    for (const { key } of changes) requireKey(key);
    await this.#transact(() => {
      const present = this.#epoch();
      if (present !== epoch)
        throw new ExoArmurError("EXO_FENCED", `Epoch ${epoch} has ended; the store is at epoch ${present}.`);
      for (const { key, value } of changes) {
        if (value === null) void this.#db.remove(key);
        else void this.#db.put(key, value);
      }
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#shut();
    return this.#closed;
  }

  async #shut(): Promise<void> {
    // LMDB must not be left with open cursors when its memory goes away.
    for (const entries of this.#ranges) entries.return?.();
    await this.#db.close();
  }

  #epoch(): number {
    const bytes = this.#db.getBinary(EPOCH_KEY);
    return bytes === undefined ? 0 : Number(new TextDecoder().decode(bytes));
  }

  /** Runs `work` as one transaction: a child transaction, since lmdb commits a plain one although its callback threw. */
  async #transact(work: () => void): Promise<void> {
    this.#requireWritable();
    try {
      await this.#db.childTransaction(() => {
        if (this.#failure) throw this.#failure;
        work();
      });
    } catch (error) {
      if (isExoArmurError(error)) throw error;
      const cause = await commitErrorOf(error);
      this.#failure ??= new ExoArmurError(
        "EXO_STORE",
        `The store takes no more writes since one failed: ${messageOf(cause)}`,
        {},
        { cause },
      );
      throw new ExoArmurError("EXO_STORE", `The store could not be written: ${messageOf(cause)}`, {}, { cause });
    }
  }

  #requireWritable(): void {
    this.#requireOpen();
    if (this.#readOnly) throw new ExoArmurError("EXO_STORE", "The store is open for reading only.");
    if (this.#failure) throw this.#failure;
  }

  #requireOpen(): void {
    if (this.#closed) throw new ExoArmurError("EXO_CLOSED", "The store is closed.");
  }
}

/** lmdb's buffers are copies here (`getBinary`, encoding `binary`); callers get plain arrays, whose slice() copies. */
function ownBytes<T extends Uint8Array | undefined>(buffer: T): T extends undefined ? undefined : Uint8Array;
function ownBytes(buffer: Uint8Array | undefined): Uint8Array | undefined {
  return buffer && new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

/** A failed flush hides its reason in a second promise. */
async function commitErrorOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !("commitError" in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (reason) {
    return reason;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
