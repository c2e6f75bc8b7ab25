import { ulidSource } from "../../src/canonical/ids.js";
import type { Trust, TrustedKey } from "../../src/contracts/trust.js";
import { encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";
import { formatVkey, noteKey } from "../../src/crypto/note-key.js";
import { sha256 } from "../../src/crypto/sha256.js";
import { signerFromSeed } from "../../src/crypto/signer.js";
import type { Clock, Entropy, IdSource, Signer } from "../../src/ports.js";

/** 2026-01-31T09:00:00.000Z. */
export const startMs = 1_769_850_000_000;

/** A clock that stands still until it is moved. */
export type TestClock = Clock & { set(ms: number): void; advance(ms: number): void };

export function testClock(at = startMs): TestClock {
  let now = at;
  return {
    now: () => now,
    set: (ms) => {
      now = ms;
    },
    advance: (ms) => {
      now += ms;
    },
  };
}

/** Bytes that look random and are the same for the same seed. */
export function seededEntropy(seed: string): Entropy {
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

/** Ids that are the same for the same seed and clock. */
export function seededIds(clock: Clock, seed: string): IdSource {
  return ulidSource(clock, seededEntropy(`ids/${seed}`));
}

/** A key of its own for every name, the same in every run. */
export function signerNamed(name: string): Signer {
  return signerFromSeed(sha256(encodeUtf8(`test key ${name}`)));
}

export const keys = {
  runtime: signerNamed("runtime"),
  log: signerNamed("log"),
  author: signerNamed("author"),
  otherAuthor: signerNamed("other author"),
  operator: signerNamed("operator"),
  alice: signerNamed("alice"),
  bob: signerNamed("bob"),
  carol: signerNamed("carol"),
  mallory: signerNamed("mallory"),
  publisher: signerNamed("publisher"),
} as const;

export const origin = "exoarmur/test";

/** A line of the trust file. */
export function trusted(
  role: TrustedKey["role"],
  id: string,
  signer: Signer,
  more: Partial<TrustedKey> = {},
): TrustedKey {
  return { role, id, publicKey: encodeBase64(signer.publicKey), from: null, until: null, ...more };
}

/** The keys every rig trusts unless told otherwise; mallory is never among them. */
export const usualKeys: readonly TrustedKey[] = [
  trusted("runtime", "runtime", keys.runtime),
  trusted("log", "log", keys.log),
  trusted("policy-author", "author", keys.author),
  trusted("operator", "ops", keys.operator),
  trusted("approver", "alice", keys.alice),
  trusted("approver", "bob", keys.bob),
  trusted("approver", "carol", keys.carol),
];

export function trustOf(list: readonly TrustedKey[]): Trust {
  return {
    schema: "exoarmur.trust/v1",
    logs: [{ origin, vkey: formatVkey(noteKey(origin, keys.log.publicKey)) }],
    keys: [...list],
    witnesses: { threshold: 0, vkeys: [] },
  };
}
