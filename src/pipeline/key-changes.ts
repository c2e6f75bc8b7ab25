import { entryKeyId, type Role, type Trust, type TrustedKey } from "../contracts/trust.js";
import type { LedgerTx } from "../log/ledger-types.js";
import { readState, writeState } from "./documents.js";
import { runtimeActor } from "./intent-work.js";
import { appendSystemEvent } from "./orders.js";
import { stateKeys } from "./store-keys.js";
import type { PipelinePorts } from "./types.js";

/** An entry of the trust file as the log knows it. */
type KnownKey = {
  readonly role: Role;
  readonly id: string;
  readonly keyId: string;
  readonly from: number | null;
  readonly until: number | null;
};

type EndedKey = Omit<KnownKey, "from" | "until"> & { readonly until: number; readonly reason?: string };

/**
 * Records what changed in the trust file's keys since the log last saw them (spec/keys.md, Rotation and revocation),
 * however the file was changed: `key_rotated` for a key that came in, `key_revoked` for one that ends, earlier than
 * known, or is gone. A key whose end was put off comes in again. The keys that a store begins with are taken as they are.
 */
export function recordKeyChanges(tx: LedgerTx, ports: PipelinePorts): void {
  const known = readState<KnownKey[]>(tx, stateKeys.keys);
  const present = ports.deployment.trust.keys.map(knownKey);
  if (known !== undefined) {
    const ended = known.flatMap((key) => endOf(key, ports.deployment.trust));
    const entered = present.filter((key) => !known.some((one) => isSame(one, key) && !endsLater(key, one)));
    for (const key of ended) appendSystemEvent(tx, ports, "key_revoked", key, runtimeActor);
    for (const { until: _, ...key } of entered) {
      const previous = ended.find(({ role, id }) => role === key.role && id === key.id)?.keyId ?? null;
      appendSystemEvent(tx, ports, "key_rotated", { ...key, previous }, runtimeActor);
    }
    if (ended.length + entered.length === 0) return;
  }
  writeState(tx, stateKeys.keys, present);
}

/** An entry is known by key, role and where it begins: one key can come in again after it ended. */
function isSame(a: KnownKey, b: KnownKey): boolean {
  return a.role === b.role && a.keyId === b.keyId && a.from === b.from;
}

function endsLater({ until }: KnownKey, known: KnownKey): boolean {
  return known.until !== null && (until === null || until > known.until);
}

/** Where a known key ends now, if that is earlier than the log knows. One that is gone counts nowhere. */
function endOf(key: KnownKey, { keys }: Trust): EndedKey[] {
  const now = keys.find((one) => isSame(knownKey(one), key));
  const until = now === undefined ? 0 : now.until;
  if (until === null || (key.until !== null && key.until <= until)) return [];
  const reason = now?.reason === undefined ? {} : { reason: now.reason };
  return [{ role: key.role, id: key.id, keyId: key.keyId, until, ...reason }];
}

function knownKey({ role, id, from, until, ...key }: TrustedKey): KnownKey {
  return { role, id, keyId: entryKeyId(key), from, until };
}
