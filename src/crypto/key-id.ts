import { encodeHex, encodeUtf8 } from "./encoding.js";
import { sha256 } from "./sha256.js";

const prefix = encodeUtf8("ed25519\0");

/**
 * Key id of a raw 32-byte Ed25519 public key (spec/keys.md): the first 16 bytes of SHA-256("ed25519" || 0x00 || key),
 * as 32 lower-case hex characters. A hint for finding a key, never a reason to trust it.
 */
export function keyIdOf(publicKey: Uint8Array): string {
  return encodeHex(sha256(prefix, publicKey).subarray(0, 16));
}
