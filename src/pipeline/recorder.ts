import { type Digest, digestOf } from "../canonical/digest.js";
import { canonicalizeOwn } from "../canonical/jcs.js";
import { parseCanonical } from "../canonical/read.js";
import { formatTime, parseTime } from "../canonical/time.js";
import { parseContract } from "../contracts/common.js";
import {
  type CanonicalEvent,
  type EventHeader,
  type EventPayload,
  type EventType,
  eventHeaderSchema,
} from "../contracts/event.js";
import { type Material, saltBytes, saltedMaterial } from "../contracts/material.js";
import { encodeBase64Url } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import type { IdSource, StoreReader } from "../ports.js";
import { readState, writeState } from "./documents.js";
import { putPosition } from "./positions.js";
import { eventKeys } from "./store-keys.js";

/** What an event is about. `intentId` is null for system events, whose correlation is `system`. */
export type EventSubject = {
  readonly tenantId: string;
  readonly correlationId: string;
  readonly intentId: string | null;
};

/** An event that was appended, as two materials: its hashed header and its salted payload. */
export type RecordedEvent = { readonly header: EventHeader; readonly event: Material; readonly payload: Material };

type ChainHead = { tenantId: string; correlationId: string; next: number; previous: Digest | null; recordedAt: string };

/** The head a transaction wrote last. A transaction that appends one event usually appends the next one to it. */
const writtenHeads = new WeakMap<StoreReader, { readonly key: string; readonly head: ChainHead }>();

function readHead(reader: StoreReader, key: string): ChainHead | undefined {
  const written = writtenHeads.get(reader);
  return written?.key === key ? written.head : readState<ChainHead>(reader, key);
}

/** What recording needs from the runtime. */
export type RecorderPorts = { readonly ids: IdSource; readonly saltKey: Uint8Array; readonly cellId: string };

/**
 * Appends an event to its chain and its leaf to the log, inside a transaction (spec/contracts.md, CanonicalEvent).
 *
 * @param now milliseconds from `chainTime`, so that recordedAt never goes back along a chain
 */
export function appendEvent<T extends EventType>(
  tx: LedgerTx,
  ports: RecorderPorts,
  subject: EventSubject,
  eventType: T,
  payload: EventPayload<T>,
  actor: { id: string; type: string },
  now: number,
): RecordedEvent {
  const headKey = eventKeys.head(subject.tenantId, subject.correlationId);
  const head = readHead(tx, headKey);
  const eventId = ports.ids.next();
  const content = saltedMaterial(ports.saltKey, "event_payload", eventId, canonicalizeOwn(payload));
  const header: EventHeader = {
    schema: "exoarmur.event/v1",
    eventId,
    eventType,
    actor,
    correlationId: subject.correlationId,
    sequence: head?.next ?? 0,
    previous: head?.previous ?? null,
    cellId: ports.cellId,
    tenantId: subject.tenantId,
    intentId: subject.intentId,
    payloadDigest: content.digest,
    recordedAt: formatTime(now),
  };
  const bytes = canonicalizeOwn(header);
  const digest = digestOf(bytes);
  const key = eventKeys.one(subject.tenantId, subject.correlationId, header.sequence);
  tx.put(key, packEvent(bytes, content.bytes));
  putPosition(tx, { index: tx.appendLeaf("event", digest), eventType, key });
  const { tenantId, correlationId } = subject;
  const next: ChainHead = {
    tenantId,
    correlationId,
    next: header.sequence + 1,
    previous: digest,
    recordedAt: header.recordedAt,
  };
  writeState(tx, headKey, next);
  writtenHeads.set(tx, { key: headKey, head: next });
  return { header, event: { digest, bytes }, payload: content };
}

/** `now`, or the time of the chain's last event when the clock has gone behind it. Milliseconds. */
export function chainTime(
  reader: StoreReader,
  subject: Pick<EventSubject, "tenantId" | "correlationId">,
  now: number,
): number {
  const head = readHead(reader, eventKeys.head(subject.tenantId, subject.correlationId));
  return head === undefined ? now : Math.max(now, parseTime(head.recordedAt));
}

/** A stored event: length of the header in 4 bytes (big-endian), the header, the salted payload. */
function packEvent(header: Uint8Array, payload: Uint8Array): Uint8Array {
  const packed = new Uint8Array(4 + header.length + payload.length);
  new DataView(packed.buffer).setUint32(0, header.length);
  packed.set(header, 4);
  packed.set(payload, 4 + header.length);
  return packed;
}

/** Splits a stored event into its two materials, byte for byte. EXO_STORE_DAMAGED when it is cut short. */
export function unpackEvent(packed: Uint8Array): { header: Uint8Array; payload: Uint8Array } {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const length = packed.length < 4 ? Number.POSITIVE_INFINITY : view.getUint32(0);
  if (4 + length + saltBytes > packed.length)
    throw new ExoArmurError("EXO_STORE_DAMAGED", "a stored event is cut short");
  return { header: packed.slice(4, 4 + length), payload: packed.slice(4 + length) };
}

/** A stored event as the CanonicalEvent document. EXO_JSON_*, EXO_SCHEMA when it was tampered with. */
export function readEvent(packed: Uint8Array): CanonicalEvent {
  const { header, payload } = unpackEvent(packed);
  const parsed = parseContract(eventHeaderSchema, parseCanonical(header), "event");
  return {
    ...parsed,
    payload: parseCanonical(payload.slice(saltBytes)) as CanonicalEvent["payload"],
    salt: encodeBase64Url(payload.slice(0, saltBytes)),
  };
}

/** Events of one chain in order of sequence, as stored. */
export function storedEvents(reader: StoreReader, tenantId: string, correlationId: string): Uint8Array[] {
  const packed: Uint8Array[] = [];
  for (const [, value] of reader.range(eventKeys.range(tenantId, correlationId))) packed.push(value);
  return packed;
}

/** Number of events a chain's head says it has. */
export function chainLength(reader: StoreReader, tenantId: string, correlationId: string): number {
  return readState<ChainHead>(reader, eventKeys.head(tenantId, correlationId))?.next ?? 0;
}

/** Whether a chain's head goes on from its last event, as stored: the next one is linked to what the head says. */
export function headGoesOn(
  reader: StoreReader,
  tenantId: string,
  correlationId: string,
  last: Uint8Array | undefined,
): boolean {
  const head = readState<ChainHead>(reader, eventKeys.head(tenantId, correlationId));
  if (head === undefined || last === undefined) return head === undefined && last === undefined;
  return head.previous === digestOf(unpackEvent(last).header) && head.recordedAt === readEvent(last).recordedAt;
}

/** Every (tenant, correlation) that has a chain. */
export function chainHeads(reader: StoreReader): { tenantId: string; correlationId: string }[] {
  const heads: { tenantId: string; correlationId: string }[] = [];
  for (const [key] of reader.range(eventKeys.heads)) {
    const head = readState<ChainHead>(reader, key);
    if (head !== undefined) heads.push({ tenantId: head.tenantId, correlationId: head.correlationId });
  }
  return heads;
}
