import * as backend from "#crypto";
import { ok, type Result, refuse } from "../errors.js";
import { encodeHex } from "./encoding.js";
import { readEcdsaSignature } from "./p256-encoding.js";

/** Bytes of a P-256 public key here: the compressed point of SEC 1, which is the one text a key has. */
export const p256KeyLength = 33;

/**
 * Admits a P-256 public key (spec/keys.md, Passkeys): 33 bytes, a compressed point with x below p, on the curve. The
 * curve has no other points to keep out: its cofactor is 1, and the identity has no such encoding. The value is a copy.
 * Refuses with EXO_KEY (length) or EXO_KEY_REFUSED.
 */
export function admitP256Key(raw: Uint8Array): Result<Uint8Array> {
  if (raw.length !== p256KeyLength) {
    return refuse("EXO_KEY", `A P-256 public key has ${p256KeyLength} bytes, this one has ${raw.length}.`);
  }
  if (raw[0] !== 2 && raw[0] !== 3) {
    return refuse("EXO_KEY_REFUSED", `The public key ${encodeHex(raw)} is not a compressed point.`);
  }
  if (!backend.isP256Point(raw)) {
    return refuse("EXO_KEY_REFUSED", `The public key ${encodeHex(raw)} is not a point of the curve P-256.`);
  }
  return ok(raw.slice());
}

/**
 * Verifies ECDSA on P-256 with SHA-256 (ES256) over `message`, the signature in strict DER. A high S is as good as a low
 * one: authenticators make both. False for anything else. The key must have passed `admitP256Key`.
 */
export function verifyP256(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const raw = readEcdsaSignature(signature);
  return raw !== undefined && publicKey.length === p256KeyLength && backend.verifyP256(publicKey, message, raw);
}
