import { canonicalText } from "../canonical/jcs.js";
import { readJson } from "../canonical/read.js";
import { parseContract } from "../contracts/common.js";
import type { Passkey } from "../contracts/passkey.js";
import { entryKeyId, type Role, type Trust, type TrustedKey, trustSchema } from "../contracts/trust.js";
import { admitEntry } from "../contracts/trust-admission.js";
import { ExoArmurError } from "../errors.js";
import { writeAtomic } from "./atomic.js";

/**
 * Reads one entry of a trust file's `keys`. EXO_JSON_*, EXO_SCHEMA; EXO_KEY and EXO_KEY_REFUSED for a key that is not
 * admitted.
 *
 * @param what names the input in messages
 */
export function readTrustEntry(bytes: Uint8Array, what: string): TrustedKey {
  const entry = parseContract(trustSchema.shape.keys.element, readJson(bytes), what);
  const admitted = admitEntry(entry);
  if (!admitted.ok) throw new ExoArmurError(admitted.error.code, `${what}: /publicKey: ${admitted.error.message}`);
  return entry;
}

/**
 * A trust file with one more key. EXO_TRUST when the key holds the role at one of these log indexes already, which would
 * make two statements of one thing; EXO_SCHEMA when the file would not keep its contract.
 */
export function withKey(trust: Trust, entry: TrustedKey): Trust {
  if (entry.until !== null && entry.until <= (entry.from ?? 0)) {
    throw new ExoArmurError(
      "EXO_TRUST",
      `the entry counts nowhere: expected until beyond ${entry.from ?? 0}, got ${entry.until}`,
    );
  }
  const same = trust.keys.find(
    (key) => key.role === entry.role && key.publicKey === entry.publicKey && overlap(key, entry),
  );
  if (same !== undefined) {
    throw new ExoArmurError(
      "EXO_TRUST",
      `the key ${entryKeyId(entry)} has the role ${entry.role} already, ${rangeText(same)}`,
    );
  }
  return parseContract(trustSchema, { ...trust, keys: [...trust.keys, entry] }, "trust file");
}

/**
 * A trust file in which a key ends: nothing it signs at log index `at` or later counts. An end that stands is only
 * brought forward, because what was refused must stay refused; the reason it has stays unless another is given. EXO_TRUST when no entry has the key id, several roles
 * have it and none is named, or it has ended by then.
 */
export function withEnd(
  trust: Trust,
  keyId: string,
  at: number,
  { role, reason }: { readonly role?: Role | undefined; readonly reason?: string | undefined } = {},
): Trust {
  const known = trust.keys.filter((key) => entryKeyId(key) === keyId && (role === undefined || key.role === role));
  const roles = [...new Set(known.map((key) => key.role))];
  if (roles.length === 0) {
    const named = role === undefined ? "" : ` with the role ${role}`;
    throw new ExoArmurError("EXO_TRUST", `no entry of keys has the key id ${keyId}${named}`);
  }
  if (roles.length > 1) {
    throw new ExoArmurError("EXO_TRUST", `the key ${keyId} has the roles ${roles.join(", ")}; name one with --role`);
  }
  if (!known.some((key) => key.until === null || key.until > at)) {
    const ranges = known.map(rangeText).join("; ");
    throw new ExoArmurError("EXO_TRUST", `the key ${keyId} ends before ${at} already: ${ranges}`);
  }
  const ended = (key: TrustedKey): TrustedKey =>
    known.includes(key) && (key.until === null || key.until > at)
      ? { ...key, until: at, ...(reason === undefined ? {} : { reason }) }
      : key;
  return parseContract(trustSchema, { ...trust, keys: trust.keys.map(ended) }, "trust file");
}

/** Writes a trust file in its canonical form; a reader sees the old one or the new. EXO_HOME_READ_ONLY, EXO_FILE. */
export async function writeTrust(file: string, trust: Trust): Promise<void> {
  await writeAtomic(file, canonicalText(trust));
}

/** A validity in words: `always`, `from 12`, `until 40`, `from 12 until 40`. */
export function rangeText({ from, until }: Pick<TrustedKey, "from" | "until">): string {
  const parts = [from === null ? "" : `from ${from}`, until === null ? "" : `until ${until}`];
  return parts.filter((part) => part !== "").join(" ") || "always";
}

/** What a passkey is pinned to, in words. */
export function passkeyText({ rpId, origins }: Passkey): string {
  return `passkey of ${rpId} at ${origins.join(", ")}`;
}

function overlap(a: TrustedKey, b: TrustedKey): boolean {
  const endOf = ({ until }: TrustedKey): number => until ?? Number.POSITIVE_INFINITY;
  return (a.from ?? 0) < endOf(b) && (b.from ?? 0) < endOf(a);
}
