import { decodeUtf8, encodeUtf8 } from "../crypto/encoding.js";
import { formatNote, type NoteSignature, parseNote } from "../crypto/note.js";
import type { NoteKey } from "../crypto/note-key.js";
import { ExoArmurError } from "../errors.js";
import type { StoreReader } from "../ports.js";
import { readCheckpoint } from "./checkpoint.js";
import type { LedgerTx } from "./ledger-types.js";
import type { ProofFile } from "./proof-file.js";

/** Half-open key range of the checkpoints that witnesses cosigned: `g/` and the size in 16 digits (spec/log.md). */
const COSIGNED = { gte: "g/", lt: "g0" } as const;

/** What a log proof is made from: a ledger, or a view of one beside its owner. */
export type LogProver = { checkpoint(): string; prove(index: number, size?: number): Uint8Array[] };

/**
 * Keeps a cosigned checkpoint. One of the same tree that is there already stays as it is and gets the lines of those who
 * had not signed it: an earlier time says more than a later one. EXO_NOTE when malformed, EXO_STORE_DAMAGED.
 */
export function keepCosigned(tx: LedgerTx, note: string): void {
  const { size, note: given } = readCheckpoint(note);
  const present = cosignedOf(tx, size);
  const kept = present === undefined ? undefined : parseNote(present);
  if (kept?.text !== given.text) {
    tx.put(cosignedKey(size), encodeUtf8(note));
    return;
  }
  const isKept = (line: NoteSignature): boolean =>
    kept.signatures.some(({ name, keyHash }) => name === line.name && keyHash === line.keyHash);
  const merged = [...kept.signatures, ...given.signatures.filter((line) => !isKept(line))];
  if (merged.length > kept.signatures.length) tx.put(cosignedKey(size), encodeUtf8(formatNote(given.text, merged)));
}

/**
 * The proof of one leaf: under the first cosigned checkpoint that has it, since the earliest time that witnesses vouch
 * for says the most, else under the newest checkpoint. EXO_LOG_RANGE, EXO_STORE_DAMAGED.
 */
export function proveLeaf(reader: StoreReader, log: LogProver, index: number): ProofFile {
  for (const [, value] of reader.range({ gte: cosignedKey(index + 1), lt: COSIGNED.lt, limit: 1 })) {
    const checkpoint = readStored(value);
    return { index, proof: log.prove(index, readCheckpoint(checkpoint).size), checkpoint };
  }
  const checkpoint = log.checkpoint();
  return { index, proof: log.prove(index, readCheckpoint(checkpoint).size), checkpoint };
}

/** The kept note of a checkpoint of this size, or undefined. EXO_STORE_DAMAGED. */
export function cosignedOf(reader: StoreReader, size: number): string | undefined {
  const value = reader.get(cosignedKey(size));
  return value === undefined ? undefined : readStored(value);
}

/** Size of the newest kept checkpoint that has a line of this witness, or 0. EXO_STORE_DAMAGED, EXO_NOTE. */
export function lastCosignedBy(reader: StoreReader, { name, keyHash }: NoteKey): number {
  for (const [, value] of reader.range({ ...COSIGNED, reverse: true })) {
    const { size, note } = readCheckpoint(readStored(value));
    if (note.signatures.some((line) => line.name === name && line.keyHash === keyHash)) return size;
  }
  return 0;
}

function cosignedKey(size: number): string {
  return `${COSIGNED.gte}${String(size).padStart(16, "0")}`;
}

function readStored(value: Uint8Array): string {
  const note = decodeUtf8(value);
  if (note === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", "A kept cosigned checkpoint is no UTF-8 text.");
  return note;
}
