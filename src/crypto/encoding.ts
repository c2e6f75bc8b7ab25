import * as backend from "#crypto";
import { ExoArmurError } from "../errors.js";

/** Lower-case hex of bytes. */
export function encodeHex(bytes: Uint8Array): string {
  return backend.encodeHex(bytes);
}

/** Bytes of lower-case hex, or undefined when `text` is anything else (odd length, upper case, other characters). */
export function decodeHex(text: string): Uint8Array | undefined {
  return backend.decodeHex(text);
}

/** Standard base64 with padding (RFC 4648, section 4). */
export function encodeBase64(bytes: Uint8Array): string {
  return backend.encodeBase64(bytes);
}

/** Bytes of standard padded base64, or undefined unless `text` is exactly what encodeBase64 would give for them. */
export function decodeBase64(text: string): Uint8Array | undefined {
  return backend.decodeBase64(text);
}

/** URL-safe base64 without padding (RFC 4648, section 5). */
export function encodeBase64Url(bytes: Uint8Array): string {
  return backend.encodeBase64Url(bytes);
}

/** Bytes of unpadded URL-safe base64, or undefined unless `text` is exactly what encodeBase64Url would give for them. */
export function decodeBase64Url(text: string): Uint8Array | undefined {
  return backend.decodeBase64Url(text);
}

/** UTF-8 of well-formed text. Throws EXO_JSON_SURROGATE for a lone surrogate, which has no UTF-8. */
export function encodeUtf8(text: string): Uint8Array {
  if (!isWellFormed(text)) throw new ExoArmurError("EXO_JSON_SURROGATE", "The text holds a lone surrogate.");
  return backend.encodeUtf8(text);
}

/** Text of well-formed UTF-8, a leading U+FEFF kept as it is, or undefined when the bytes are not well-formed. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  return backend.decodeUtf8(bytes);
}

/** True when every surrogate of `text` has its partner. */
export function isWellFormed(text: string): boolean {
  return nativeIsWellFormed === undefined ? !loneSurrogate.test(text) : nativeIsWellFormed.call(text);
}

/** True when both arrays hold the same bytes. Not constant-time: compare no secrets with it. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** True when both arrays hold the same bytes, in a time that depends on their lengths alone. */
export function equalSecrets(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** All parts in one new array. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/** Order by byte, a prefix before what it begins: negative, 0 or positive, as for Array.prototype.sort. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

// isWellFormed is ES2024: every Node from 20 has it, older browsers do not.
const nativeIsWellFormed = (String.prototype as { isWellFormed?: (this: string) => boolean }).isWellFormed;
const loneSurrogate = /\p{Surrogate}/u;
