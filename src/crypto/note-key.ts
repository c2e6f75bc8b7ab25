import { ExoArmurError } from "../errors.js";
import { admitPublicKey } from "./ed25519.js";
import { concatBytes, decodeBase64, encodeBase64, encodeHex, encodeUtf8 } from "./encoding.js";
import { sha256 } from "./sha256.js";

/** Signature types of C2SP signed-note: 1 is plain Ed25519, 4 a timestamped witness cosignature. */
export type NoteAlgorithm = 1 | 4;

/** A key of a note. `keyHash` is 8 lower-case hex characters, `publicKey` the raw 32 bytes. */
export type NoteKey = {
  readonly name: string;
  readonly keyHash: string;
  readonly algorithm: NoteAlgorithm;
  readonly publicKey: Uint8Array;
};

/** True for a key name a note can carry: not empty, no space, no plus, no control character, well-formed. */
export function isNoteName(name: string): boolean {
  return name !== "" && !forbiddenInName.test(name);
}

/** A note key of this name and raw public key. Throws EXO_KEY for a bad name, EXO_KEY or EXO_KEY_REFUSED for the key. */
export function noteKey(name: string, publicKey: Uint8Array, algorithm: NoteAlgorithm = 1): NoteKey {
  if (!isNoteName(name)) throw new ExoArmurError("EXO_KEY", "A key name is not empty and has no space or plus.");
  const key = admitPublicKey(publicKey);
  if (!key.ok) throw new ExoArmurError(key.error.code, key.error.message);
  return { name, keyHash: noteKeyHash(name, key.value, algorithm), algorithm, publicKey: key.value };
}

/** The verifier key text `name+hash+base64(type || key)` of C2SP signed-note. */
export function formatVkey(key: NoteKey): string {
  return `${key.name}+${key.keyHash}+${encodeBase64(concatBytes(Uint8Array.of(key.algorithm), key.publicKey))}`;
}

/** Reads a verifier key text; its hash must fit. Throws EXO_KEY when malformed, EXO_KEY_REFUSED for an unfit key. */
export function parseVkey(text: string): NoteKey {
  const parts = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/s.exec(text);
  const [, name = "", hash = "", encoded = ""] = parts ?? [];
  const data = decodeBase64(encoded);
  const algorithm = data?.[0];
  if (data?.length !== 33 || (algorithm !== 1 && algorithm !== 4)) {
    throw new ExoArmurError("EXO_KEY", "A verifier key is name+hash+base64 of a type (1 or 4) and 32 key bytes.");
  }
  const key = noteKey(name, data.subarray(1), algorithm);
  if (key.keyHash !== hash) {
    throw new ExoArmurError("EXO_KEY", `The verifier key's hash is ${hash}, its key has ${key.keyHash}.`);
  }
  return key;
}

function noteKeyHash(name: string, publicKey: Uint8Array, algorithm: NoteAlgorithm): string {
  return encodeHex(sha256(encodeUtf8(`${name}\n`), Uint8Array.of(algorithm), publicKey).subarray(0, 4));
}

// White space by Unicode's property (\s lacks U+0085), plus, ASCII controls, lone surrogates.
// biome-ignore lint/suspicious/noControlCharactersInRegex: the format forbids exactly these.
const forbiddenInName = /[\s\u0085+\0-\x1f\x7f]|\p{Surrogate}/u;
