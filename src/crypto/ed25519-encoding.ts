/** Order L of the prime-order subgroup, little-endian bytes (RFC 8032, section 5.1). */
const order = Uint8Array.of(
  0xed,
  0xd3,
  0xf5,
  0x5c,
  0x1a,
  0x63,
  0x12,
  0x58,
  0xd6,
  0x9c,
  0xf7,
  0xa2,
  0xde,
  0xf9,
  0xde,
  0x14,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0x10,
);

/**
 * True when 32 bytes are the one encoding RFC 8032 gives a point: y < 2^255-19, and no sign bit where x is 0.
 * Says nothing of whether the point is on the curve.
 */
export function isCanonicalPoint(bytes: Uint8Array): boolean {
  if (bytes.length !== 32) return false;
  const top = at(bytes, 31) & 0x7f;
  const signed = at(bytes, 31) > 0x7f;
  // x is 0 exactly for y = 1 and y = p-1 = 2^255-20.
  if (signed && top === 0 && at(bytes, 0) === 1 && allEqual(bytes, 1, 31, 0)) return false;
  if (top !== 0x7f || !allEqual(bytes, 1, 31, 0xff)) return true;
  return at(bytes, 0) < 0xec || (at(bytes, 0) === 0xec && !signed);
}

/** True when the second half of a 64-byte signature, the scalar S, is below L. */
export function isReducedSignature(signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  for (let i = 31; i >= 0; i--) {
    const difference = at(signature, 32 + i) - at(order, i);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function at(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}

function allEqual(bytes: Uint8Array, from: number, to: number, value: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== value) return false;
  return true;
}
