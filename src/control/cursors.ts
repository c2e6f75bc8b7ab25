import {
  concatBytes,
  decodeBase64Url,
  decodeUtf8,
  encodeBase64Url,
  encodeUtf8,
  equalSecrets,
} from "../crypto/encoding.js";
import { hmacSha256 } from "../crypto/sha256.js";
import { ExoArmurError } from "../errors.js";
import type { Entropy } from "../ports.js";

const nonceLength = 16;
const sealLength = 16;

/**
 * Cursors of lists: a place in the store, sealed, since it can be the key of a document of another tenant. Under a key of
 * this process, so that a cursor ends with it.
 */
export class Cursors {
  readonly #key: Uint8Array;
  readonly #entropy: Entropy;

  constructor(entropy: Entropy) {
    this.#entropy = entropy;
    this.#key = entropy.bytes(32);
  }

  /** A key of the store as a cursor of one list. */
  seal(list: string, key: string): string {
    const nonce = this.#entropy.bytes(nonceLength);
    const hidden = this.#mask(nonce, encodeUtf8(key));
    return encodeBase64Url(concatBytes(nonce, hidden, this.#sealOf(list, nonce, hidden)));
  }

  /** The key of a cursor of the same list. EXO_SCHEMA for any other text, and after a restart. */
  open(list: string, cursor: string): string {
    const bytes = decodeBase64Url(cursor) ?? new Uint8Array(0);
    const nonce = bytes.subarray(0, nonceLength);
    const hidden = bytes.subarray(nonceLength, Math.max(nonceLength, bytes.length - sealLength));
    const seal = bytes.subarray(nonceLength + hidden.length);
    const key = equalSecrets(seal, this.#sealOf(list, nonce, hidden))
      ? decodeUtf8(this.#mask(nonce, hidden))
      : undefined;
    if (key !== undefined) return key;
    throw new ExoArmurError("EXO_SCHEMA", "the cursor is none of this list's, or from before a restart", {
      pointer: "/cursor",
    });
  }

  #sealOf(list: string, nonce: Uint8Array, hidden: Uint8Array): Uint8Array {
    return hmacSha256(this.#key, encodeUtf8(`seal/${list}/`), nonce, hidden).subarray(0, sealLength);
  }

  #mask(nonce: Uint8Array, bytes: Uint8Array): Uint8Array {
    const out = bytes.slice();
    for (let at = 0; at < out.length; at += 32) {
      const block = hmacSha256(this.#key, encodeUtf8(`mask/${at}/`), nonce);
      for (let i = 0; i < 32 && at + i < out.length; i++) out[at + i] = (out[at + i] ?? 0) ^ (block[i] ?? 0);
    }
    return out;
  }
}
