import { decodeUtf8, encodeUtf8, equalBytes } from "../crypto/encoding.js";
import { type NoteKey, noteKey, parseVkey } from "../crypto/note-key.js";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import type { StoreReader } from "../ports.js";
import { type Checkpoint, checkpointSigner, openCheckpoint } from "./checkpoint.js";
import { GroupCommitter } from "./group-committer.js";
import type { Ledger, LedgerOptions } from "./ledger-types.js";
import { CHECKPOINT_KEY, LEAVES, leafKey, NODES, nodeReader } from "./store-layout.js";
import { emptyRoot, type Frontier, frontierFromNodes, frontierRoot } from "./tree.js";

export type { Ledger, LedgerLimits, LedgerOptions, LedgerTx, Sealed } from "./ledger-types.js";

/**
 * Opens the log in a store as its single writer, after `store.acquire()`. A store without a log gets the signed
 * checkpoint of the empty tree. The stored checkpoint must carry a signature of the log key, and the root computed from
 * the stored tree must be the one it names: else EXO_STORE_DAMAGED. EXO_FENCED and EXO_STORE as the store's commit.
 * The whole tree is not read; auditTree does that (spec/log.md).
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const { store, epoch, origin, signer, formerVkeys = [] } = options;
  const sign = checkpointSigner(origin, signer);
  const stored = store.get(CHECKPOINT_KEY);
  if (stored === undefined) {
    requireNoLog(store);
    const note = await sign({ origin, size: 0, root: emptyRoot() });
    await store.commit([{ key: CHECKPOINT_KEY, value: encodeUtf8(note) }], epoch);
    return new GroupCommitter(options, sign, { size: 0, peaks: [] }, note);
  }
  const note = decodeUtf8(stored) ?? "";
  const frontier = checkStoredLog(
    store,
    openStored(note, origin, [noteKey(origin, signer.publicKey), ...formerVkeys.map(parseVkey)]),
  );
  return new GroupCommitter(options, sign, frontier, note);
}

function openStored(note: string, origin: string, keys: readonly NoteKey[]): Checkpoint {
  try {
    const checkpoint = openCheckpoint(note, keys);
    if (checkpoint.origin === origin) return checkpoint;
    throw new ExoArmurError(
      "EXO_STORE_DAMAGED",
      `The stored checkpoint is of the log ${checkpoint.origin}, not ${origin}.`,
    );
  } catch (error) {
    if (isExoArmurError(error, "EXO_NOTE") || isExoArmurError(error, "EXO_SIGNATURE")) {
      throw new ExoArmurError(
        "EXO_STORE_DAMAGED",
        `The stored checkpoint is not one of this log: ${error.message}`,
        {},
        { cause: error },
      );
    }
    throw error;
  }
}

function requireNoLog(store: StoreReader): void {
  for (const range of [LEAVES, NODES]) {
    for (const [key] of store.range({ ...range, limit: 1 })) {
      throw new ExoArmurError("EXO_STORE_DAMAGED", `The store has the log entry ${key} but no checkpoint.`);
    }
  }
}

function checkStoredLog(store: StoreReader, { size, root }: Checkpoint): Frontier {
  const readNode = nodeReader(store);
  const frontier = frontierFromNodes(size, readNode);
  if (!equalBytes(frontierRoot(frontier), root)) {
    throw new ExoArmurError(
      "EXO_STORE_DAMAGED",
      `The stored tree of ${size} leaves does not have the root its checkpoint names.`,
    );
  }
  const [last] = [...store.range({ ...LEAVES, limit: 1, reverse: true })];
  if ((last?.[0] ?? leafKey(-1)) !== leafKey(size - 1)) {
    throw new ExoArmurError(
      "EXO_STORE_DAMAGED",
      `The checkpoint is of ${size} leaves, the last stored leaf is ${last?.[0] ?? "missing"}.`,
    );
  }
  return frontier;
}
