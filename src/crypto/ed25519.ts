import { Point } from "@noble/ed25519";
import * as backend from "#crypto";
import { ExoArmurError, ok, type Result, refuse } from "../errors.js";
import { isCanonicalPoint } from "./ed25519-encoding.js";
import { encodeHex } from "./encoding.js";

/** Verdicts by key bytes: admission costs two milliseconds. Cleared when full, so it stays bounded. */
const admitted = new Map<string, string>();
const admittedLimit = 4_096;

/** The 32-byte public key of a 32-byte seed (RFC 8032, section 5.1.5). Throws EXO_KEY for another length. */
export function publicKeyOf(seed: Uint8Array): Uint8Array {
  return backend.publicKeyFromSeed(checkSeed(seed));
}

/**
 * The 64-byte Ed25519 signature of `message` under a 32-byte seed. Parses the seed every time: to sign more than once,
 * take `openSeed` or a Signer. Throws EXO_KEY for a seed of another length.
 */
export function signEd25519(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return openSeed(seed)(message);
}

/** A signing function over a 32-byte seed, which is parsed once and copied. Throws EXO_KEY for another length. */
export function openSeed(seed: Uint8Array): (message: Uint8Array) => Uint8Array {
  return backend.openSeed(checkSeed(seed));
}

/**
 * Strict RFC 8032 verification (spec/keys.md): S < L, canonical public key, and encode(S*B - k*A) equal to R byte for
 * byte, without the cofactor. False for anything else, wrong lengths included. It does not admit the key: a small-order
 * key verifies forged signatures, so a key from outside must have passed `admitPublicKey` once.
 */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return backend.verifyStrict(publicKey, message, signature);
}

/**
 * Admits a raw public key (spec/keys.md): 32 bytes, canonical encoding, on the curve, not of small order, without a
 * torsion component. The value is a copy. Refuses with EXO_KEY (length) or EXO_KEY_REFUSED. Verdicts are cached.
 */
export function admitPublicKey(raw: Uint8Array): Result<Uint8Array> {
  if (raw.length !== 32) return refuse("EXO_KEY", `A public key has 32 bytes, this one has ${raw.length}.`);
  const name = encodeHex(raw);
  let fault = admitted.get(name);
  if (fault === undefined) {
    fault = findFault(raw);
    if (admitted.size >= admittedLimit) admitted.clear();
    admitted.set(name, fault);
  }
  return fault === "" ? ok(raw.slice()) : refuse("EXO_KEY_REFUSED", `The public key ${name} ${fault}.`);
}

function findFault(raw: Uint8Array): string {
  if (!isCanonicalPoint(raw)) return "is not canonically encoded";
  let point: Point;
  try {
    point = Point.fromBytes(raw, false);
  } catch {
    return "is not a point of the curve";
  }
  if (point.isSmallOrder()) return "is of small order";
  return point.isTorsionFree() ? "" : "has a torsion component";
}

function checkSeed(seed: Uint8Array): Uint8Array {
  if (seed.length !== 32) throw new ExoArmurError("EXO_KEY", `A seed has 32 bytes, this one has ${seed.length}.`);
  return seed;
}
