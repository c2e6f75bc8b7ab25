import { canonicalize } from "../canonical/jcs.js";
import { formatTime, parseTime } from "../canonical/time.js";
import type { Challenge, SessionRole } from "../contracts/access.js";
import { concatBytes, decodeBase64Url, encodeBase64Url, equalSecrets } from "../crypto/encoding.js";
import { hmacSha256 } from "../crypto/sha256.js";
import { ok, type Result, refuse } from "../errors.js";
import type { Clock, Entropy } from "../ports.js";

const randomLength = 16;

/** What challenges are made with. `lifeMs` is how long one may be answered, in milliseconds. */
export type ChallengePorts = {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly cellId: string;
  readonly lifeMs: number;
};

/**
 * Makes challenges and takes each back once. A challenge is not kept: its nonce carries a seal by a key of this process,
 * so that asking for many fills nothing. Only those that were answered with a good signature are kept, until they expire.
 */
export class ChallengeDesk {
  readonly #ports: ChallengePorts;
  readonly #sealKey: Uint8Array;
  /** Expiry of the answered ones by nonce, oldest first. */
  readonly #taken = new Map<string, number>();

  constructor(ports: ChallengePorts) {
    this.#ports = ports;
    this.#sealKey = ports.entropy.bytes(32);
  }

  /** A fresh challenge for a key. It is given for any key id: what it says of whether the key is admitted is nothing. */
  issue(keyId: string, role: SessionRole, audience: string): Challenge {
    const { clock, entropy, cellId, lifeMs } = this.#ports;
    const now = clock.now();
    const open = {
      schema: "exoarmur.control-challenge/v1" as const,
      audience,
      cellId,
      keyId,
      role,
      issuedAt: formatTime(now),
      expiresAt: formatTime(now + lifeMs),
    };
    const random = entropy.bytes(randomLength);
    return { ...open, nonce: encodeBase64Url(concatBytes(random, this.#seal(open, random))) };
  }

  /**
   * Takes a challenge whose signature is good. EXO_AUTHENTICATION unless it is one of this desk's own, not expired and
   * not taken before.
   */
  take(challenge: Challenge): Result<void> {
    const { nonce, ...open } = challenge;
    const bytes = decodeBase64Url(nonce) ?? new Uint8Array(0);
    const random = bytes.subarray(0, randomLength);
    if (!equalSecrets(bytes.subarray(randomLength), this.#seal(open, random))) {
      return refuse("EXO_AUTHENTICATION", "the challenge was not issued here, or before a restart");
    }
    const now = this.#ports.clock.now();
    const expiresAt = parseTime(open.expiresAt);
    if (expiresAt <= now) return refuse("EXO_AUTHENTICATION", `the challenge expired at ${open.expiresAt}`);
    for (const [old, end] of this.#taken) {
      if (end > now) break;
      this.#taken.delete(old);
    }
    if (this.#taken.has(nonce)) return refuse("EXO_AUTHENTICATION", "the challenge was answered before");
    this.#taken.set(nonce, expiresAt);
    return ok(undefined);
  }

  #seal(open: Omit<Challenge, "nonce">, random: Uint8Array): Uint8Array {
    return hmacSha256(this.#sealKey, random, canonicalize(open)).subarray(0, randomLength);
  }
}
