import { ExoArmurError } from "../errors.js";
import type { Entropy } from "../ports.js";

/** getRandomValues fills at most this many bytes a call. */
const chunk = 65_536;

/** The platform's cryptographic randomness. For composition roots, which pass it down as a port. */
export const systemEntropy: Entropy = {
  bytes(length) {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new ExoArmurError("EXO_INTERNAL", `A length of random bytes is a count, not ${length}.`);
    }
    const out = new Uint8Array(length);
    for (let offset = 0; offset < length; offset += chunk) {
      globalThis.crypto.getRandomValues(out.subarray(offset, offset + chunk));
    }
    return out;
  },
};
