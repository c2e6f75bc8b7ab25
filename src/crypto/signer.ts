import type { Signer } from "../ports.js";
import { openSeed, publicKeyOf } from "./ed25519.js";
import { keyIdOf } from "./key-id.js";

/** A Signer over a 32-byte seed held in this process; the seed is copied. Throws EXO_KEY for another length. */
export function signerFromSeed(seed: Uint8Array): Signer {
  const publicKey = publicKeyOf(seed);
  return { keyId: keyIdOf(publicKey), publicKey, sign: openSeed(seed) };
}
