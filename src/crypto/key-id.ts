import { encodeHex, encodeUtf8 } from "./encoding.js";
import { p256KeyLength } from "./p256.js";
import { sha256 } from "./sha256.js";

const prefixes = { ed25519: encodeUtf8("ed25519\0"), p256: encodeUtf8("p256\0") };

/**
 * Key id of a raw public key (spec/keys.md): the first 16 bytes of SHA-256("ed25519" || 0x00 || key), or with "p256" for
 * the 33 bytes of a P-256 key, as 32 lower-case hex characters. A hint for finding a key, never a reason to trust it.
 */
export function keyIdOf(publicKey: Uint8Array): string {
  const prefix = publicKey.length === p256KeyLength ? prefixes.p256 : prefixes.ed25519;
  return encodeHex(sha256(prefix, publicKey).subarray(0, 16));
}
