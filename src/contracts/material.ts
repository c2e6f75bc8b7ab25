import { type Digest, digestOf } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import { concatBytes, encodeUtf8 } from "../crypto/encoding.js";
import { hmacSha256 } from "../crypto/sha256.js";

/** Bytes of salt in front of a salted material's content. */
export const saltBytes = 32;

/** A material: its key in a bundle and its bytes, salt included where its role is salted. */
export type Material = { readonly digest: Digest; readonly bytes: Uint8Array };

/** Makes the material of unsalted bytes. */
export function plainMaterial(bytes: Uint8Array): Material {
  return { digest: digestOf(bytes), bytes };
}

/**
 * The salt of one content (spec/bundle.md): HMAC-SHA-256(home salt key, role NUL intentId NUL content). Derived, so that
 * rebuilding a document gives the same digest; keyed, so that nobody without the key can guess a withheld content.
 */
export function saltFor(saltKey: Uint8Array, role: string, intentId: string, content: Uint8Array): Uint8Array {
  return hmacSha256(saltKey, encodeUtf8(`${role}\0${intentId}\0`), content);
}

/** Makes a salted material: 32 salt bytes followed by the content. */
export function saltedMaterial(saltKey: Uint8Array, role: string, intentId: string, content: Uint8Array): Material {
  return plainMaterial(concatBytes(saltFor(saltKey, role, intentId, content), content));
}

/** Makes the salted material of a JSON document's canonical bytes. */
export function saltedJson(saltKey: Uint8Array, role: string, intentId: string, document: unknown): Material {
  return saltedMaterial(saltKey, role, intentId, canonicalize(document));
}

/** The content of a salted material, or undefined when it is too short to hold a salt. */
export function unsalt(bytes: Uint8Array): Uint8Array | undefined {
  return bytes.length < saltBytes ? undefined : bytes.subarray(saltBytes);
}
