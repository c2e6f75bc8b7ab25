import { ExoArmurError, ok, type Result, refuse } from "../errors.js";
import type { Signer } from "../ports.js";
import { verifyEd25519 } from "./ed25519.js";
import { concatBytes, decodeBase64, decodeHex, decodeUtf8, encodeBase64, encodeHex, encodeUtf8 } from "./encoding.js";
import { isNoteName, type NoteAlgorithm, type NoteKey, noteKey } from "./note-key.js";

/** One signature line: who it says signed, and the bytes after the 4-byte key hash. Nothing is checked by being here. */
export type NoteSignature = { readonly name: string; readonly keyHash: string; readonly signature: Uint8Array };

/** A note taken apart. `text` ends in a newline; `signed` is its UTF-8, which signatures cover. */
export type Note = {
  readonly text: string;
  readonly signed: Uint8Array;
  readonly signatures: readonly NoteSignature[];
};

/** A signature that verified. `time` is the witness's own, seconds since the Unix epoch, on cosignatures alone. */
export type VerifiedSignature = NoteSignature & { readonly publicKey: Uint8Array; readonly time?: number };

/** Bounds of what is read at all; C2SP asks for at least 16 signatures. */
const maxNoteBytes = 1_048_576;
const maxSignatures = 100;
const dash = "\u2014 ";

/**
 * Signs `text` (ends in a newline, no other control characters) as `name` and returns the whole note (C2SP
 * signed-note). Throws EXO_NOTE for a text that cannot be one, EXO_KEY for a bad name.
 */
export async function signNote(text: string, name: string, signer: Signer): Promise<string> {
  return formatNote(text, [await noteSignature(text, name, signer)]);
}

/** The plain Ed25519 signature line of `text` by `signer` as `name`. Throws EXO_NOTE, EXO_KEY. */
export async function noteSignature(text: string, name: string, signer: Signer): Promise<NoteSignature> {
  checkText(text);
  const { keyHash } = noteKey(name, signer.publicKey);
  return { name, keyHash, signature: await signer.sign(encodeUtf8(text)) };
}

/** The witness cosignature/v1 line of a checkpoint text at `seconds` since the Unix epoch. Throws EXO_NOTE, EXO_KEY. */
export async function cosignature(text: string, name: string, signer: Signer, seconds: number): Promise<NoteSignature> {
  checkText(text);
  if (!Number.isSafeInteger(seconds) || seconds < 0) {
    throw new ExoArmurError("EXO_NOTE", `A cosignature's time is whole seconds since 1970, not ${seconds}.`);
  }
  const { keyHash } = noteKey(name, signer.publicKey, 4);
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, BigInt(seconds));
  return { name, keyHash, signature: concatBytes(time, await signer.sign(cosigned(encodeUtf8(text), seconds))) };
}

/** The note of `text` and these signatures, in their order. Throws EXO_NOTE for a text that cannot be one. */
export function formatNote(text: string, signatures: readonly NoteSignature[]): string {
  checkText(text);
  if (signatures.length === 0) throw malformed("has no signature");
  if (signatures.length > maxSignatures) throw malformed(`has ${signatures.length} signatures`);
  let out = `${text}\n`;
  for (const line of signatures) {
    const hash = decodeHex(line.keyHash);
    if (hash?.length !== 4 || !isNoteName(line.name))
      throw malformed("has a signature without a proper name and key hash");
    out += `${dash}${line.name} ${encodeBase64(concatBytes(hash, line.signature))}\n`;
  }
  return out;
}

/** Takes a note apart without verifying anything. Throws EXO_NOTE when it is malformed or over 1 MiB. */
export function parseNote(note: Uint8Array | string): Note {
  if (note.length > maxNoteBytes) throw malformed(`is larger than ${maxNoteBytes} bytes`);
  const whole = typeof note === "string" ? note : decodeUtf8(note);
  if (whole === undefined) throw malformed("is not well-formed UTF-8");
  const split = whole.lastIndexOf("\n\n");
  if (split < 0 || !whole.endsWith("\n")) throw malformed("is not a text, an empty line and signature lines");
  const text = whole.slice(0, split + 1);
  checkText(text);
  const lines = whole.slice(split + 2).split("\n");
  lines.pop();
  if (lines.length === 0 || lines.length > maxSignatures) throw malformed(`has ${lines.length} signatures`);
  return { text, signed: encodeUtf8(text), signatures: lines.map(parseLine) };
}

/**
 * Verifies a note by these keys. Lines of other keys are ignored. A line of one of these keys that does not verify
 * refuses the note, and so does a note none of them signed (both EXO_SIGNATURE). A key that signed twice is in the
 * result once, at its first line; callers that count signers must also compare `publicKey`, since one key may have two
 * names. Throws EXO_KEY when two of `keys` share name and hash.
 */
export function verifyNote(note: Note, keys: readonly NoteKey[]): Result<readonly VerifiedSignature[]> {
  const known = new Map<string, NoteKey>();
  for (const key of keys) {
    if (known.has(`${key.name}+${key.keyHash}`)) {
      throw new ExoArmurError("EXO_KEY", `Two keys are named ${key.name}+${key.keyHash}.`);
    }
    known.set(`${key.name}+${key.keyHash}`, key);
  }
  const verified = new Map<string, VerifiedSignature>();
  for (const line of note.signatures) {
    const id = `${line.name}+${line.keyHash}`;
    const key = known.get(id);
    if (key === undefined) continue;
    const extra = verifyLine(note.signed, line.signature, key);
    if (extra === undefined) return refuse("EXO_SIGNATURE", `The note's signature by ${id} does not verify.`);
    if (!verified.has(id)) verified.set(id, { ...line, publicKey: key.publicKey, ...extra });
  }
  if (verified.size === 0) return refuse("EXO_SIGNATURE", "The note has no signature by a known key.");
  return ok([...verified.values()]);
}

function verifyLine(signed: Uint8Array, signature: Uint8Array, key: NoteKey): { time?: number } | undefined {
  const verifiers: Record<NoteAlgorithm, () => { time?: number } | undefined> = {
    1: () => (verifyEd25519(key.publicKey, signed, signature) ? {} : undefined),
    4: () => {
      if (signature.length !== 72) return undefined;
      const time = Number(new DataView(signature.buffer, signature.byteOffset, 8).getBigUint64(0));
      if (!Number.isSafeInteger(time)) return undefined;
      return verifyEd25519(key.publicKey, cosigned(signed, time), signature.subarray(8)) ? { time } : undefined;
    },
  };
  return verifiers[key.algorithm]();
}

/** What a witness signs (c2sp.org/tlog-cosignature). */
function cosigned(text: Uint8Array, seconds: number): Uint8Array {
  return concatBytes(encodeUtf8(`cosignature/v1\ntime ${seconds}\n`), text);
}

function parseLine(line: string): NoteSignature {
  const [name = "", encoded = "", ...more] = line.startsWith(dash) ? line.slice(dash.length).split(" ") : [];
  const data = decodeBase64(encoded);
  if (!isNoteName(name) || data === undefined || data.length < 5 || more.length > 0) {
    throw malformed("has a line after its text that is not a signature");
  }
  return { name, keyHash: encodeHex(data.subarray(0, 4)), signature: data.slice(4) };
}

function checkText(text: string): void {
  if (!text.endsWith("\n")) throw malformed("has a text that does not end in a newline");
  if (forbiddenInText.test(text)) throw malformed("has a control character or a lone surrogate");
}

function malformed(what: string): ExoArmurError {
  return new ExoArmurError("EXO_NOTE", `The note ${what}.`);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the format forbids exactly these.
const forbiddenInText = /[\0-\x09\x0b-\x1f]|\p{Surrogate}/u;
