import { entryKeyId, type Role, type Trust } from "../contracts/trust.js";
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

/**
 * Records what changed in the trust file's keys since the log last saw them (spec/keys.md, Rotation and revocation),
 * however the file was changed: `key_rotated` for a key that came in, `key_revoked` for one that ends, earlier than
 * known, or is gone. A key whose end was put off comes in again. The keys that a store begins with are taken as they are.
 */
export function recordKeyChanges(tx: LedgerTx, ports: PipelinePorts): void {
  const known = readState<KnownKey[]>(tx, stateKeys.keys);
  const present = keysOf(ports.deployment.trust);
  if (known !== undefined) {
    const ended = known.flatMap((key) => endOf(key, present));
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
function endOf(key: KnownKey, present: readonly KnownKey[]): (Omit<KnownKey, "from" | "until"> & { until: number })[] {
  const now = present.find((one) => isSame(one, key));
  const until = now === undefined ? 0 : now.until;
  if (until === null || (key.until !== null && key.until <= until)) return [];
  return [{ role: key.role, id: key.id, keyId: key.keyId, until }];
}

function keysOf({ keys }: Trust): KnownKey[] {
  return keys.map((key) => ({
    role: key.role,
    id: key.id,
    keyId: entryKeyId(key),
    from: key.from,
    until: key.until,
  }));
}
