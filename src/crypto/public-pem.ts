import { concatBytes, decodeHex, encodeBase64 } from "./encoding.js";

/** SPKI header of an Ed25519 key (RFC 8410); the raw 32 bytes follow. */
const spkiHeader = decodeHex("302a300506032b6570032100") ?? new Uint8Array(0);

/** A raw 32-byte Ed25519 public key as SubjectPublicKeyInfo in PEM (RFC 8410, RFC 7468), with its last newline. */
export function encodePublicPem(publicKey: Uint8Array): string {
  const der = encodeBase64(concatBytes(spkiHeader, publicKey));
  return `-----BEGIN PUBLIC KEY-----\n${der}\n-----END PUBLIC KEY-----\n`;
}
