import { kvFamilies, spaceOf } from "../capabilities/kv/places.js";
import { emptySpace, KeyValueView, type SpaceHead } from "../capabilities/kv/view.js";
import type { Grants } from "../contracts/manifest.js";
import { ExoArmurError } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import type { StoreReader } from "../ports.js";
import { readState, writeState } from "./documents.js";

/** Whose keys and values a space holds: one executor's in one tenant. */
export type SpaceOwner = { readonly tenantId: string; readonly executor: string };

/** State document of a space: its head, and whose it is. */
export type SpaceRecord = SpaceHead & SpaceOwner;

/** What a run brought from its start. `head` is null for a run that cannot write keys. */
export type RunKeys = SpaceOwner & { readonly head: SpaceHead | null; readonly reserved: number };

/** True for a run that may write keys, and so takes turns with every other such run of its space. */
export function writesKeys({ capabilities }: Pick<Grants, "capabilities">): boolean {
  return capabilities.some(({ name }) => name === "kv_put" || name === "kv_delete");
}

/**
 * Sets aside the versions a run may give, in the transaction that records its start, so that none is given twice even
 * if the process dies. The head is the one before that: it stays true while the run has its turn.
 */
export function reserveVersions(tx: LedgerTx, owner: SpaceOwner, grants: Grants): RunKeys {
  if (!writesKeys(grants)) return { ...owner, head: null, reserved: 0 };
  const head = readHead(tx, owner);
  const reserved = grants.limits.hostCalls;
  writeHead(tx, owner, { ...head, version: head.version + reserved });
  return { ...owner, head, reserved };
}

/** A run's view of its space: as it was at the start for a run that may write, else what is committed at each call. */
export function openKeyValues(reader: StoreReader, { tenantId, executor, head }: RunKeys): KeyValueView {
  return new KeyValueView(reader, spaceOf(tenantId, executor), head ?? emptySpace);
}

/**
 * Settles a space with the run's outcome, in the transaction that records it: `apply` puts what the run wrote, else it
 * leaves nothing but the versions it gave, which nobody is given again. EXO_INTERNAL when the run did not have its turn.
 */
export function settleKeys(
  tx: LedgerTx,
  { head, reserved, ...owner }: RunKeys,
  view: KeyValueView,
  apply: boolean,
): void {
  if (head === null) return;
  const present = readHead(tx, owner);
  if (present.version !== head.version + reserved || present.entries !== head.entries) {
    throw new ExoArmurError("EXO_INTERNAL", "the keys and values were changed beside the run that held the turn");
  }
  const { entries, bytes } = apply ? view.head : head;
  writeHead(tx, owner, { version: view.head.version, entries, bytes });
  if (!apply) return;
  for (const [key, value] of view.changes) {
    if (value === null) tx.delete(key);
    else tx.put(key, value);
  }
}

function readHead(reader: StoreReader, { tenantId, executor }: SpaceOwner): SpaceHead {
  const record = readState<SpaceRecord>(reader, kvFamilies.head(spaceOf(tenantId, executor))) ?? emptySpace;
  return { version: record.version, entries: record.entries, bytes: record.bytes };
}

/** A space in which nothing was ever put has no head. */
function writeHead(tx: LedgerTx, { tenantId, executor }: SpaceOwner, head: SpaceHead): void {
  const key = kvFamilies.head(spaceOf(tenantId, executor));
  if (head.version === 0) tx.delete(key);
  else writeState(tx, key, { tenantId, executor, ...head } satisfies SpaceRecord);
}
