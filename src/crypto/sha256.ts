import * as backend from "#crypto";

/** SHA-256 (FIPS 180-4) of the parts one after the other: 32 bytes. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return backend.sha256(parts);
}

/** SHA-256 of `bytes` as 64 lower-case hex characters. */
export function sha256Hex(bytes: Uint8Array): string {
  return backend.sha256Hex(bytes);
}

/** SHA-512 (FIPS 180-4): 64 bytes. For digests that others chose; our own are SHA-256. */
export function sha512(bytes: Uint8Array): Uint8Array {
  return backend.sha512(bytes);
}

/** HMAC-SHA-256 (RFC 2104) under `key` of the parts one after the other: 32 bytes. */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  return backend.hmacSha256(key, parts);
}
