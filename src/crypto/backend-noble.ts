/** The `#crypto` backend without Node: noble and Web APIs only. Same exports and results as backend-node.ts. */
import { p256 } from "@noble/curves/nist.js";
import { getPublicKey, hashes, Point, sign } from "@noble/ed25519";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 as nobleSha256, sha512 as nobleSha512 } from "@noble/hashes/sha2.js";
import { encodeHex } from "./codecs-portable.js";
import { isCanonicalPoint, isReducedSignature } from "./ed25519-encoding.js";

export {
  decodeBase64,
  decodeBase64Url,
  decodeHex,
  decodeUtf8,
  encodeBase64,
  encodeBase64Url,
  encodeHex,
  encodeUtf8,
} from "./codecs-portable.js";

hashes.sha512 = nobleSha512;

/** Order of the prime-order subgroup. */
const order = Point.CURVE().n;

export function sha256(parts: readonly Uint8Array[]): Uint8Array {
  const hasher = nobleSha256.create();
  for (const part of parts) hasher.update(part);
  return hasher.digest();
}

export function sha256Hex(bytes: Uint8Array): string {
  return encodeHex(nobleSha256(bytes));
}

export function sha512(bytes: Uint8Array): Uint8Array {
  return nobleSha512(bytes);
}

export function hmacSha256(key: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  const mac = hmac.create(nobleSha256, key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

export function publicKeyFromSeed(seed: Uint8Array): Uint8Array {
  return getPublicKey(seed);
}

export function openSeed(seed: Uint8Array): (message: Uint8Array) => Uint8Array {
  const own = seed.slice();
  return (message) => sign(message, own);
}

export function verifyStrict(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!isCanonicalPoint(publicKey) || !isReducedSignature(signature)) return false;
  const key = decodePoint(publicKey);
  if (key === undefined) return false;
  const commitment = signature.subarray(0, 32);
  const hash = nobleSha512.create().update(commitment).update(publicKey).update(message).digest();
  // noble's own verify is cofactored and takes R apart by torsion; RFC 8032's equation compares encode(S*B - k*A) with R.
  const expected = Point.BASE.multiplyUnsafe(littleEndian(signature.subarray(32)))
    .subtract(key.multiplyUnsafe(littleEndian(hash) % order))
    .toBytes();
  return expected.every((byte, index) => byte === commitment[index]);
}

export function isP256Point(compressed: Uint8Array): boolean {
  try {
    p256.Point.fromBytes(compressed);
    return true;
  } catch {
    return false;
  }
}

export function verifyP256(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return isP256Point(publicKey) && p256.verify(signature, message, publicKey, { lowS: false, format: "compact" });
}

function decodePoint(bytes: Uint8Array): Point | undefined {
  try {
    return Point.fromBytes(bytes, false);
  } catch {
    return undefined;
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${encodeHex(bytes.slice().reverse())}`);
}
