/** What a scenario is given in place of the machine's clock, ids and entropy. */
import { ulidSource } from "../../dist/canonical/ids.js";
import { encodeBase64, encodeUtf8 } from "../../dist/crypto/encoding.js";
import { sha256 } from "../../dist/crypto/sha256.js";
import { signerFromSeed } from "../../dist/crypto/signer.js";

/** 2026-01-31T23:59:50.000Z: days and months change while the scenarios run. */
const startMs = 1_769_903_990_000;

/** A clock that moves 137 ms at every reading. */
function tickingClock() {
  let now = startMs;
  return {
    now: () => {
      now += 137;
      return now;
    },
  };
}

/** Bytes that look random and are the same for the same seed. */
export function seededEntropy(seed) {
  let counter = 0;
  return {
    bytes: (length) => {
      const out = new Uint8Array(length);
      for (let at = 0; at < length; at += 32) {
        out.set(sha256(encodeUtf8(`${seed}/${counter++}`)).subarray(0, Math.min(32, length - at)), at);
      }
      return out;
    },
  };
}

/** Ports that are the same for the same seed. */
export function seededWorld(seed) {
  const clock = tickingClock();
  return { clock, entropy: seededEntropy(seed), ids: ulidSource(clock, seededEntropy(`ids/${seed}`)) };
}

/** A key of its own for every name, the same in every process. */
export function signerNamed(name) {
  return signerFromSeed(sha256(encodeUtf8(`stability ${name}`)));
}

/** A trusted key as trust documents name it. */
export function trusted(role, id, signer) {
  return { role, id, publicKey: encodeBase64(signer.publicKey), from: null, until: null };
}

/** A copy of a JSON document with the keys of every object in an order that depends on `seed`; 0 keeps the order. */
export function reorder(value, seed) {
  if (seed === 0 || typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map((item) => reorder(item, seed));
  const rank = (key) => sha256(encodeUtf8(`${seed}/${key}`))[0];
  const keys = Object.keys(value).sort((a, b) => rank(a) - rank(b));
  return Object.fromEntries(keys.map((key) => [key, reorder(value[key], seed)]));
}
