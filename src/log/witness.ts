import { equalBytes } from "../crypto/encoding.js";
import { cosignature, formatNote } from "../crypto/note.js";
import { type NoteKey, noteKey } from "../crypto/note-key.js";
import { ExoArmurError } from "../errors.js";
import type { Signer } from "../ports.js";
import { type Checkpoint, openCheckpoint, openLogCheckpoint, readCheckpoint } from "./checkpoint.js";
import { emptyRoot, verifyConsistency } from "./tree.js";

/** What a witness is asked to cosign, and what it knows. */
export type WitnessRequest = {
  /** The log's signed checkpoint, a C2SP note. */
  readonly note: string | Uint8Array;
  /** Keys of logs the witness is to watch; those named like the checkpoint's origin count. */
  readonly logKeys: readonly NoteKey[];
  /** The last checkpoint it cosigned of this log, a note; undefined for the first one of a log. */
  readonly last: string | undefined;
  /** Consistency proof from the last checkpoint to this one; empty for the first and for one of the same size. */
  readonly proof: readonly Uint8Array[];
};

/** Who cosigns, and when. */
export type WitnessSigner = {
  /** Name of the witness, a note key name. */
  readonly name: string;
  readonly signer: Signer;
  /** Whole seconds since the Unix epoch. */
  readonly seconds: number;
};

/**
 * Cosigns a checkpoint (C2SP tlog-cosignature, `cosignature/v1`) if one of the log's keys signed it and it is the last
 * cosigned checkpoint grown, or the same again. Returns the note with its other lines as they were and the witness's own
 * line last. The caller must make it durable as the next `last` before anybody sees it (spec/log.md). EXO_NOTE,
 * EXO_TRUST for a log it does not know, EXO_SIGNATURE, EXO_LOG_FORK for a smaller, other or inconsistent tree,
 * EXO_LOG_PROOF for a proof that is missing, wrong or superfluous, EXO_KEY for an unfit name.
 */
export async function witnessCheckpoint(request: WitnessRequest, witness: WitnessSigner): Promise<string> {
  const { note, logKeys, last, proof } = request;
  const next = openLogCheckpoint(note, logKeys);
  const own = noteKey(witness.name, witness.signer.publicKey, 4);
  requireGrowth(last === undefined ? undefined : requireOwn(last, logKeys, own), next, proof);
  const { text, signatures } = readCheckpoint(note).note;
  const others = signatures.filter(({ name, keyHash }) => name !== own.name || keyHash !== own.keyHash);
  return formatNote(text, [...others, await cosignature(text, witness.name, witness.signer, witness.seconds)]);
}

/** What is kept must bear the log's signature and the witness's. */
function requireOwn(last: string, logKeys: readonly NoteKey[], own: NoteKey): Checkpoint {
  openLogCheckpoint(last, logKeys);
  return openCheckpoint(last, [own]);
}

function requireGrowth(last: Checkpoint | undefined, next: Checkpoint, proof: readonly Uint8Array[]): void {
  const from = last?.size ?? 0;
  if (last !== undefined && last.origin !== next.origin)
    throw new ExoArmurError("EXO_LOG_FORK", `The last checkpoint is of the log ${last.origin}, not ${next.origin}.`);
  if (next.size < from)
    throw new ExoArmurError("EXO_LOG_FORK", `The checkpoint is of ${next.size} leaves, the last one was of ${from}.`);
  if (next.size === 0 && !equalBytes(next.root, emptyRoot()))
    throw new ExoArmurError("EXO_LOG_FORK", "The checkpoint is of no leaves and does not have their root.");
  // From the empty tree, and to the same tree again, nothing is proven.
  if ((from === 0 || from === next.size) && proof.length > 0)
    throw new ExoArmurError("EXO_LOG_PROOF", `There is no consistency proof from ${from} to ${next.size} leaves.`);
  if (last === undefined || from === 0) return;
  if (from < next.size && proof.length === 0)
    throw new ExoArmurError("EXO_LOG_PROOF", `A consistency proof from ${from} to ${next.size} leaves is needed.`);
  const claim = { oldSize: from, newSize: next.size, oldRoot: last.root, newRoot: next.root, proof };
  if (verifyConsistency(claim)) return;
  const message = `The tree of ${next.size} leaves is not shown to begin with the last one of ${from}.`;
  throw new ExoArmurError("EXO_LOG_FORK", message);
}
