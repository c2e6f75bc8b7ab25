import { encodeBase64, equalBytes } from "../crypto/encoding.js";
import { sha256, sha512 } from "../crypto/sha256.js";
import { readByteSequences } from "./structured-field.js";

const algorithms: ReadonlyMap<string, (bytes: Uint8Array) => Uint8Array> = new Map([
  ["sha-256", (bytes: Uint8Array) => sha256(bytes)],
  ["sha-512", sha512],
]);

/** A Content-Digest field (RFC 9530) with the SHA-256 of a body. */
export function contentDigest(body: Uint8Array): string {
  return `sha-256=:${encodeBase64(sha256(body))}:`;
}

/**
 * True when a Content-Digest field has a SHA-256 or SHA-512, and every one it has is the body's. Other algorithms say
 * nothing: RFC 9530 has them for compatibility only.
 */
export function isContentDigest(field: string, body: Uint8Array): boolean {
  const known = [...(readByteSequences(field) ?? [])].filter(([name]) => algorithms.has(name));
  return (
    known.length > 0 &&
    known.every(([name, digest]) => equalBytes(algorithms.get(name)?.(body) ?? new Uint8Array(), digest))
  );
}
