import { monotonicFactory } from "ulid";
import { ExoArmurError } from "../errors.js";
import type { Clock, Entropy, IdSource } from "../ports.js";

/** 26 characters of Crockford base32, upper case; the first is at most 7, since 128 bits fill 25.6 characters. */
const form = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** Characters of a ULID's random part. */
const randomLength = 16;

/**
 * ULIDs from the clock and entropy given. Every id is greater than the one before: within one millisecond, and when the
 * clock goes back, the random part is counted up from the last id. Throws EXO_INTERNAL for a clock outside 1 to 2^48-1.
 */
export function ulidSource(clock: Clock, entropy: Entropy): IdSource {
  let pool: Uint8Array = new Uint8Array(0);
  let used = 0;
  const generate = monotonicFactory(() => {
    if (used >= pool.length) {
      pool = entropy.bytes(randomLength);
      used = 0;
    }
    return (pool[used++] ?? 0) / 256;
  });
  return {
    next() {
      const now = clock.now();
      // The library reads the wall clock by itself when it is given 0 or NaN.
      if (!Number.isInteger(now) || now < 1 || now >= 2 ** 48) {
        throw new ExoArmurError("EXO_INTERNAL", `The clock gave ${now}, which no ULID can hold.`);
      }
      return generate(now);
    },
  };
}

/** True for a ULID in its one spelling: 26 characters, upper case, no overflow. */
export function isUlid(text: string): boolean {
  return form.test(text);
}

/** Returns `text` when it is a ULID. Throws EXO_ID otherwise. */
export function checkUlid(text: string): string {
  if (!isUlid(text))
    throw new ExoArmurError("EXO_ID", "An id is a ULID: 26 characters of upper-case Crockford base32.");
  return text;
}
