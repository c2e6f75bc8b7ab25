import { decodeBase64, encodeBase64, encodeUtf8 } from "../crypto/encoding.js";
import { formatNote, type Note, parseNote, type VerifiedSignature, verifyNote } from "../crypto/note.js";
import { type NoteKey, noteKey, parseVkey } from "../crypto/note-key.js";
import { ExoArmurError } from "../errors.js";
import type { Signer } from "../ports.js";
import { HASH_BYTES, isCount } from "./tree.js";

/** A tree head: the log's origin, its number of leaves and its 32-byte root. */
export type Checkpoint = { readonly origin: string; readonly size: number; readonly root: Uint8Array };

/** A checkpoint whose note verified, and the keys of the given ones that signed it, each once. */
export type OpenedCheckpoint = Checkpoint & { readonly signatures: readonly VerifiedSignature[] };

/**
 * The text of a checkpoint: origin, size in decimal and base64 root, a line each, without extension lines (C2SP
 * tlog-checkpoint, spec/log.md). EXO_NOTE for an unfit origin, size or root.
 */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  const { origin, size, root } = checkpoint;
  if (!isLogOrigin(origin))
    throw new ExoArmurError("EXO_NOTE", "A log's origin is not empty and has no space, plus or control character.");
  if (!isCount(size))
    throw new ExoArmurError("EXO_NOTE", `A checkpoint's size is an integer from 0 to 2^53-1, not ${String(size)}.`);
  if (root.length !== HASH_BYTES)
    throw new ExoArmurError("EXO_NOTE", `A checkpoint's root has 32 bytes, not ${root.length}.`);
  return `${origin}\n${size}\n${encodeBase64(root)}\n`;
}

/** Reads a checkpoint's text (without signatures). EXO_NOTE unless it is what formatCheckpoint writes, byte for byte. */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin = "", sizeText = "", rootText = "", end, ...more] = text.split("\n");
  if (end !== "" || more.length > 0)
    throw new ExoArmurError("EXO_NOTE", "A checkpoint has three lines, each ended by a newline.");
  const size = readDecimal(sizeText);
  if (size === undefined)
    throw new ExoArmurError(
      "EXO_NOTE",
      "A checkpoint's second line is a decimal size up to 2^53-1 without leading zeros.",
    );
  const root = decodeBase64(rootText);
  if (root === undefined)
    throw new ExoArmurError("EXO_NOTE", "A checkpoint's third line is the root in standard base64.");
  const checkpoint = { origin, size, root };
  formatCheckpoint(checkpoint);
  return checkpoint;
}

/**
 * Signs a checkpoint with the log key under the name of the origin; returns the note. EXO_NOTE for an unfit checkpoint,
 * EXO_KEY or EXO_KEY_REFUSED for an unfit key.
 */
export async function signCheckpoint(checkpoint: Checkpoint, signer: Signer): Promise<string> {
  return checkpointSigner(checkpoint.origin, signer)(checkpoint);
}

/** signCheckpoint for many checkpoints of one log: the key is examined once, which costs more than signing. */
export function checkpointSigner(origin: string, signer: Signer): (checkpoint: Checkpoint) => Promise<string> {
  const { name, keyHash } = noteKey(origin, signer.publicKey);
  return async (checkpoint) => {
    const text = formatCheckpoint(checkpoint);
    if (checkpoint.origin !== origin) throw new ExoArmurError("EXO_NOTE", `This key signs for ${origin} alone.`);
    return formatNote(text, [{ name, keyHash, signature: await signer.sign(encodeUtf8(text)) }]);
  };
}

/** Reads a signed checkpoint without verifying it. EXO_NOTE when malformed. */
export function readCheckpoint(note: string | Uint8Array): Checkpoint & { readonly note: Note } {
  const parsed = parseNote(note);
  return { ...parseCheckpoint(parsed.text), note: parsed };
}

/**
 * Reads a signed checkpoint and verifies it by these keys (verifier key texts, or keys already read); at least one must
 * have signed. EXO_NOTE when malformed, EXO_SIGNATURE when no given key signed or one signed wrongly, EXO_KEY for a
 * malformed verifier key. Which key is the log's and which a witness's is for the caller to tell by `signatures`.
 */
export function openCheckpoint(note: string | Uint8Array, vkeys: readonly (string | NoteKey)[]): OpenedCheckpoint {
  const { origin, size, root, note: parsed } = readCheckpoint(note);
  const verified = verifyNote(
    parsed,
    vkeys.map((key) => (typeof key === "string" ? parseVkey(key) : key)),
  );
  if (!verified.ok) throw new ExoArmurError(verified.error.code, verified.error.message);
  return { origin, size, root, signatures: verified.value };
}

/**
 * Opens a log's signed checkpoint by those of the keys that have the origin's name and sign as logs do. EXO_TRUST when
 * there are none; EXO_NOTE, EXO_SIGNATURE as openCheckpoint.
 */
export function openLogCheckpoint(note: string | Uint8Array, keys: readonly NoteKey[]): OpenedCheckpoint {
  const { origin } = readCheckpoint(note);
  const own = keys.filter(({ name, algorithm }) => name === origin && algorithm === 1);
  if (own.length === 0) throw new ExoArmurError("EXO_TRUST", `No key is known for the log ${origin}.`);
  return openCheckpoint(note, own);
}

/** True for text that may be a log's origin: a note key name of printable characters. */
function isLogOrigin(origin: string): boolean {
  return origin !== "" && !/[\s+\p{Cc}\p{Surrogate}]/u.test(origin);
}

/** A decimal without sign and leading zeros, up to 2^53-1; undefined for anything else. */
export function readDecimal(text: string): number | undefined {
  const value = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}
