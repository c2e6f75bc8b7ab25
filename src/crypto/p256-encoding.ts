import { concatBytes, decodeHex, equalBytes } from "./encoding.js";

/** Order n of P-256's group, big-endian bytes (SEC 2, section 2.4.2). */
const order = bytesOfHex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

/** SubjectPublicKeyInfo of an uncompressed P-256 point (RFC 5480), up to the point's 65 bytes. */
const spkiHeader = bytesOfHex("3059301306072a8648ce3d020106082a8648ce3d030107034200");

/**
 * r and s, 32 bytes each, of an ECDSA-Sig-Value (RFC 3279) in DER: both from 1 to n-1, lengths and integers in their
 * shortest form, nothing after the end. Undefined for anything else.
 */
export function readEcdsaSignature(der: Uint8Array): Uint8Array | undefined {
  // Two integers of at most 33 bytes never need a length of more than one byte.
  if (der[0] !== 0x30 || der[1] !== der.length - 2 || der.length > 72) return undefined;
  const r = readInteger(der, 2);
  const s = r === undefined ? undefined : readInteger(der, r.end);
  return r === undefined || s?.end !== der.length ? undefined : concatBytes(r.scalar, s.scalar);
}

function readInteger(
  der: Uint8Array,
  start: number,
): { readonly scalar: Uint8Array; readonly end: number } | undefined {
  const length = der[start + 1] ?? 0;
  const end = start + 2 + length;
  // One that goes beyond the end leaves the caller at another place than the end.
  if (der[start] !== 0x02 || length > 33) return undefined;
  const bytes = der.subarray(start + 2, end);
  const [first = 0, second = 0] = bytes;
  // Negative, or with a leading zero that no sign asks for.
  if (first > 0x7f || (first === 0 && length > 1 && second <= 0x7f)) return undefined;
  const digits = first === 0 ? bytes.subarray(1) : bytes;
  if (digits.length === 0 || digits.length > 32) return undefined;
  const scalar = new Uint8Array(32);
  scalar.set(digits, 32 - digits.length);
  return isBelowOrder(scalar) ? { scalar, end } : undefined;
}

function isBelowOrder(scalar: Uint8Array): boolean {
  for (const [index, limit] of order.entries()) {
    const difference = (scalar[index] ?? 0) - limit;
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/**
 * The compressed point, 33 bytes, of a P-256 key as browsers hand it out: SubjectPublicKeyInfo in DER with an uncompressed
 * point. Undefined for another algorithm or form. Whether the point is on the curve is left to `admitP256Key`.
 */
export function compressSpki(spki: Uint8Array): Uint8Array | undefined {
  const point = spki.subarray(spkiHeader.length);
  if (!equalBytes(spki.subarray(0, spkiHeader.length), spkiHeader)) return undefined;
  if (point.length !== 65 || point[0] !== 4) return undefined;
  return concatBytes(Uint8Array.of(2 + ((point[64] ?? 0) & 1)), point.subarray(1, 33));
}

function bytesOfHex(hex: string): Uint8Array {
  return decodeHex(hex) ?? new Uint8Array(0);
}
