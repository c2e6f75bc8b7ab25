import { type EnvelopeKey, envelopeKeyOf } from "../contracts/passkey.js";
import { defaultApproverRole } from "../contracts/policy.js";
import { isValidAt, personOf, type Role, type Trust } from "../contracts/trust.js";
import { decodeBase64 } from "../crypto/encoding.js";
import { parseProofFile } from "../log/proof-file.js";
import type { Evidence } from "./evidence.js";

/** A key a check may accept, with whose it is. `id` and `person` are null in a self-check. */
export type CheckKey = {
  readonly publicKey: Uint8Array;
  /** The same key as envelopes are opened with. */
  readonly envelopeKey: EnvelopeKey;
  readonly id: string | null;
  readonly person: string | null;
  /** Roles an approver may be asked in; empty in a self-check. */
  readonly roles: readonly string[];
};

/** Where the checks take their keys from. */
export type KeySource = {
  readonly trust: Trust | null;
  /** Keys admissible for a role and the bundle's tenant, at the bundle's place in the log or at the index `at`. */
  keysFor(role: Role, at?: number): readonly CheckKey[];
};

/** Index of the bundle's leaf as its proof states it, or null when there is no readable proof. */
export function statedIndex(evidence: Evidence): number | null {
  try {
    return parseProofFile(evidence.bundle.logProof).index;
  } catch {
    return null;
  }
}

/**
 * Keys from a trust file, or from the bundle itself. A trusted key with bounds (from, until) is admissible only when the
 * bundle's log index is known and inside them.
 */
export function keySource(evidence: Evidence, trust: Trust | null): KeySource {
  if (trust === null) {
    return {
      trust,
      keysFor: (role) =>
        evidence.predicate.keys.flatMap((key) => {
          const publicKey = key.role === role ? decodeBase64(key.publicKey) : undefined;
          if (publicKey === undefined) return [];
          const envelopeKey = envelopeKeyOf(publicKey, key.passkey);
          return [{ publicKey, envelopeKey, id: null, person: null, roles: [] }];
        }),
    };
  }
  const stated = statedIndex(evidence);
  const { tenantId } = evidence.predicate;
  return {
    trust,
    keysFor: (role, index = stated ?? -1) =>
      trust.keys.flatMap((key) => {
        const publicKey = decodeBase64(key.publicKey);
        const bounded = key.from !== null || key.until !== null;
        const inside = !bounded || (index >= 0 && isValidAt(key, index));
        const forTenant = key.tenants === undefined || key.tenants.includes(tenantId);
        if (key.role !== role || publicKey === undefined || !inside || !forTenant) return [];
        const envelopeKey = envelopeKeyOf(publicKey, key.passkey);
        const roles = key.roles ?? [defaultApproverRole];
        return [{ publicKey, envelopeKey, id: key.id, person: personOf(key), roles }];
      }),
  };
}
