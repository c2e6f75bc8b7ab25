import type { Digest } from "../canonical/digest.js";
import { parseCanonical } from "../canonical/read.js";
import { parseTime } from "../canonical/time.js";
import { parseContract } from "../contracts/common.js";
import { type Envelope, payloadTypes } from "../contracts/dsse.js";
import { eventHeaderSchema } from "../contracts/event.js";
import { endStates } from "../contracts/lifecycle.js";
import { grantsSchema } from "../contracts/manifest.js";
import { unsalt } from "../contracts/material.js";
import {
  type DroppableRole,
  type MaterialsDropOrder,
  materialsDropOrderSchema,
  maxDroppedAtOnce,
} from "../contracts/retention.js";
import { ExoArmurError } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import type { StoreReader } from "../ports.js";
import { type IntentRecord, readState, writeState } from "./documents.js";
import { writesKeys } from "./key-values.js";
import { appendSystemEvent, keepOrder, openOrder, requireKnownTenant, requireTenant } from "./orders.js";
import { readIntentRecord } from "./present.js";
import { unpackEvent } from "./recorder.js";
import { blobKey, eventKeys, intentKeys } from "./store-keys.js";
import type { PipelinePorts } from "./types.js";

/** Intents that one transaction looks at, so that a long order does not hold up the log. */
const intentsAtOnce = 500;

/** What an order, or a part of it, dropped. `kept` counts what it chose and the store still needs. */
export type DropCounts = {
  readonly intents: number;
  readonly materials: number;
  readonly bytes: number;
  readonly kept: number;
};

/** What is chosen by an order: everything of it but who signed it. */
export type DropChoice = Pick<MaterialsDropOrder, "tenantId" | "intentIds" | "endedBefore" | "roles">;

/** A material that would be dropped now. */
export type Droppable = { readonly role: DroppableRole; readonly digest: Digest; readonly bytes: number };

/**
 * Carries out a part of a signed order in one transaction: blobs go, the intents' state says so, and one
 * `materials_dropped` event names them, so that no crash can leave one without the other.
 *
 * @param after key of the last intent that a part before this one was done with, or the empty string
 * @returns `next` is where to go on, null at the end
 * @throws ExoArmurError EXO_ORDER, EXO_TRUST, EXO_SIGNATURE, EXO_TENANT_UNKNOWN; EXO_INTENT_UNKNOWN and EXO_MATERIAL_KEPT
 *   when the order names an intent that does not exist in its tenant, or has not ended: then nothing of it is done
 */
export function dropPart(
  tx: LedgerTx,
  envelope: Envelope,
  after: string,
  ports: PipelinePorts,
): DropCounts & { readonly next: string | null } {
  const { materialsDrop } = payloadTypes;
  const opened = openOrder<MaterialsDropOrder>(tx, envelope, materialsDrop, materialsDropOrderSchema, ports);
  const { order, material } = opened;
  requireTenant(opened.key, order.tenantId);
  if (order.tenantId !== null) requireKnownTenant(ports, order.tenantId);
  if (after === "") for (const intentId of order.intentIds ?? []) requireEnded(tx, intentId, order);
  const counts = { intents: 0, materials: 0, bytes: 0, kept: 0 };
  const dropped: { intentId: string; role: DroppableRole; digest: Digest }[] = [];
  let next: string | null = null;
  let [last, seen] = [after, 0];
  for (const [key, record] of chosenIntents(tx, order, after)) {
    if (dropped.length === maxDroppedAtOnce || seen === intentsAtOnce) {
      next = last;
      break;
    }
    const { droppable, kept } = droppableOf(tx, record, order);
    const taken = droppable.slice(0, maxDroppedAtOnce - dropped.length);
    for (const { role, digest, bytes } of taken) {
      tx.delete(blobKey(digest));
      dropped.push({ intentId: record.intentId, role, digest });
      counts.bytes += bytes;
    }
    if (taken.length > 0) {
      writeState(tx, key, { ...record, dropped: [...(record.dropped ?? []), ...taken.map(({ digest }) => digest)] });
    }
    if (taken.length < droppable.length) {
      // The rest of this intent goes with the next part.
      next = last;
      break;
    }
    if (droppable.length > 0) counts.intents += 1;
    counts.kept += kept;
    last = key;
    seen += 1;
  }
  counts.materials = dropped.length;
  keepOrder(tx, opened);
  if (dropped.length > 0) {
    const payload = { envelopeDigest: material.digest, reason: order.reason, materials: dropped };
    appendSystemEvent(tx, ports, "materials_dropped", payload, { id: order.operator.id, type: "operator" });
  }
  return { ...counts, next };
}

/** The ended intents of a choice, by key, after one. An intent that has not ended keeps what it has. */
export function* chosenIntents(
  reader: StoreReader,
  choice: DropChoice,
  after = "",
): Generator<readonly [string, IntentRecord]> {
  const { tenantId, endedBefore } = choice;
  const before = endedBefore === null ? Number.POSITIVE_INFINITY : parseTime(endedBefore);
  for (const key of intentKeysOf(reader, choice, after)) {
    const record = readState<IntentRecord>(reader, key);
    if (record === undefined || !endStates.has(record.state)) continue;
    if (tenantId !== null && record.tenantId !== tenantId) continue;
    if (before !== Number.POSITIVE_INFINITY && !(endOf(reader, record) < before)) continue;
    yield [key, record];
  }
}

function* intentKeysOf(reader: StoreReader, { intentIds }: DropChoice, after: string): Generator<string> {
  if (intentIds !== null) {
    const keys = [...new Set(intentIds.map(intentKeys.one))].sort();
    yield* keys.filter((key) => key > after);
    return;
  }
  const { gte, lt } = intentKeys.all;
  // The next key there can be is the one a character longer.
  const from = after === "" ? gte : `${after} `;
  for (const [key] of reader.range({ gte: from, lt })) yield key;
}

/**
 * What a choice would drop of an ended intent now, and how many materials it chose that are kept: the host calls and the
 * intent of a run that could write keys, since the stored values are held to them (spec/log.md, `log check`).
 */
export function droppableOf(
  reader: StoreReader,
  record: IntentRecord,
  { roles }: Pick<DropChoice, "roles">,
): { readonly droppable: readonly Droppable[]; readonly kept: number } {
  const chosen = record.materials.filter(({ role }) => (roles as readonly string[]).includes(role));
  const needed: ReadonlySet<string> = couldWriteKeys(reader, record) ? new Set(["intent", "host_call"]) : new Set();
  const gone = new Set(record.dropped);
  const droppable: Droppable[] = [];
  let kept = 0;
  for (const { role, digest } of chosen) {
    if (gone.has(digest)) continue;
    // What is missing without an order stays a matter of `log check`.
    const bytes = reader.get(blobKey(digest))?.length;
    if (bytes === undefined) continue;
    if (needed.has(role)) kept += 1;
    else droppable.push({ role: role as DroppableRole, digest, bytes });
  }
  return { droppable, kept };
}

function couldWriteKeys(reader: StoreReader, { materials, events }: IntentRecord): boolean {
  if (!events.some(({ eventType }) => eventType === "execution_started")) return false;
  const digest = materials.findLast(({ role }) => role === "grants")?.digest;
  const bytes = digest === undefined ? undefined : reader.get(blobKey(digest));
  const content = bytes === undefined ? undefined : unsalt(bytes);
  // Grants that cannot be read do not show that nothing was written.
  return content === undefined || writesKeys(parseContract(grantsSchema, parseCanonical(content), "stored grants"));
}

/** When an intent ended, in milliseconds; infinity when that cannot be read. */
function endOf(reader: StoreReader, { tenantId, correlationId, events }: IntentRecord): number {
  const last = events.at(-1);
  const packed = last === undefined ? undefined : reader.get(eventKeys.one(tenantId, correlationId, last.sequence));
  if (packed === undefined) return Number.POSITIVE_INFINITY;
  return parseTime(
    parseContract(eventHeaderSchema, parseCanonical(unpackEvent(packed).header), "stored event").recordedAt,
  );
}

/** Refuses a named intent that is not of the choice. EXO_INTENT_UNKNOWN, EXO_MATERIAL_KEPT while it has not ended. */
export function requireEnded(reader: StoreReader, intentId: string, { tenantId }: DropChoice): void {
  const record = readIntentRecord(reader, intentId);
  if (tenantId !== null && record.tenantId !== tenantId) {
    throw new ExoArmurError("EXO_INTENT_UNKNOWN", `no intent of tenant ${tenantId} has the id ${intentId}`);
  }
  if (endStates.has(record.state)) return;
  throw new ExoArmurError("EXO_MATERIAL_KEPT", `intent ${intentId} has not ended; its state is ${record.state}`);
}
