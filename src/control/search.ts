import type { IntentHead } from "../contracts/control.js";
import type { CanonicalEvent } from "../contracts/event.js";
import { type IntentRecord, readState } from "../pipeline/documents.js";
import { type Position, positions } from "../pipeline/positions.js";
import { readEvent } from "../pipeline/recorder.js";
import { intentKeys } from "../pipeline/store-keys.js";
import type { Desk } from "./desk.js";
import type { FedEvent } from "./feed.js";
import { type IndexedIntent, readIndexed } from "./intent-index.js";
import type { Page } from "./pages.js";
import { type Principal, seesIntent } from "./principal.js";
import { intentHead } from "./views.js";

/** What a list is asked for. `from` is inclusive, `until` not. */
export type IntentQuery = {
  readonly q?: string | undefined;
  readonly actorId?: string | undefined;
  readonly action?: string | undefined;
  readonly state?: string | undefined;
  readonly from?: string | undefined;
  readonly until?: string | undefined;
  readonly cursor?: string | undefined;
};

/** Who asks, of which tenants, and for how many. */
export type Asking = {
  readonly principal: Principal;
  readonly shown: (tenantId: string) => boolean;
  readonly limit: number;
};

/** Whether a time is within the bounds of a list. */
function isWithin(time: string, { from, until }: Pick<IntentQuery, "from" | "until">): boolean {
  return (from === undefined || time >= from) && (until === undefined || time < until);
}

/**
 * The intents of a query, newest first: those in memory, and behind them older ones out of the store, a bounded number of
 * which is looked at for a page. EXO_SCHEMA for a cursor of another list.
 */
export async function pageIntents(desk: Desk, query: IntentQuery, asking: Asking): Promise<Page<IntentHead>> {
  const { store, feed, cursors, intents, limits } = desk;
  feed.catchUp();
  const before = query.cursor === undefined ? feed.size : Number(cursors.open("intents", query.cursor));
  await intents.fill();
  const fits = matcherOf(query, asking);
  const items: IntentHead[] = [];
  let last = before;
  const next = (): Page<IntentHead> => ({ items, nextCursor: cursors.seal("intents", String(last)) });
  const take = (intent: IndexedIntent): void => {
    const head = fits(intent) ? headOf(desk, intent, query, asking.principal) : undefined;
    if (head !== undefined) items.push(head);
    last = intent.index;
  };
  for (const intent of intents.before(before)) {
    if (items.length === asking.limit) return next();
    take(intent);
  }
  let looked = 0;
  const until = Math.min(before, intents.from);
  for (const position of positions(store, { from: 0, until, reverse: true })) {
    if (position.eventType !== "intent_received") continue;
    if (items.length === asking.limit || looked === limits.scan) return next();
    looked += 1;
    take(readIndexed(store, position));
  }
  return { items, nextCursor: null };
}

/** What can be told in memory; whether the caller may see an intent is settled by its record. */
function matcherOf(query: IntentQuery, { principal, shown }: Asking): (intent: IndexedIntent) => boolean {
  const { agent } = principal;
  const { q = "", actorId, action, state } = query;
  const words = q
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  return (intent) =>
    shown(intent.tenantId) &&
    (agent === null || intent.agent === agent.actor.id) &&
    (actorId === undefined || intent.actorId === actorId) &&
    (action === undefined || intent.action === action) &&
    (state === undefined || intent.state === state) &&
    isWithin(intent.recordedAt, query) &&
    words.every((word) => intent.text.includes(word));
}

/** An intent as it is now, unless it is not the caller's to see or no longer what was asked for. */
function headOf(
  { store }: Desk,
  { intentId }: IndexedIntent,
  { state }: IntentQuery,
  principal: Principal,
): IntentHead | undefined {
  const record = readState<IntentRecord>(store, intentKeys.one(intentId));
  if (record === undefined || !seesIntent(principal, record)) return undefined;
  return state === undefined || record.state === state ? intentHead(store, record) : undefined;
}

/** What events are asked for. */
export type EventQuery = {
  readonly correlationId?: string | undefined;
  readonly actorId?: string | undefined;
  readonly eventType?: string | undefined;
  readonly from?: string | undefined;
  readonly until?: string | undefined;
  readonly cursor?: string | undefined;
};

/** What an event that is read counts for, beside one whose type is enough to pass it over. */
const readCost = 10;

/** The events of a query, newest first, out of a bounded stretch of the log. EXO_SCHEMA for a cursor of another list. */
export function pageEvents(desk: Desk, query: EventQuery, asking: Asking): Page<CanonicalEvent> {
  const { store, feed, ledger, cursors, limits } = desk;
  const before = query.cursor === undefined ? ledger.size : Number(cursors.open("events", query.cursor));
  const items: CanonicalEvent[] = [];
  let [last, cost] = [before, 0];
  for (const position of positions(store, { from: 0, until: before, reverse: true })) {
    if (items.length === asking.limit || cost >= limits.scanEvents) {
      return { items, nextCursor: cursors.seal("events", String(last)) };
    }
    last = position.index;
    cost += 1;
    if (query.eventType !== undefined && position.eventType !== query.eventType) continue;
    cost += readCost;
    if (isAsked(feed.peek(position), query, asking)) items.push(readAt(desk, position));
  }
  return { items, nextCursor: null };
}

/** Whether an event is one that is asked for, and the caller's to see. */
export function isAsked({ head }: Pick<FedEvent, "head">, query: EventQuery, { principal, shown }: Asking): boolean {
  const { tenantId, intentId, correlationId, actor, eventType, recordedAt } = head;
  // What belongs to no intent is the whole cell's.
  if (!shown(tenantId) || (intentId === null && principal.tenants !== null)) return false;
  if (query.correlationId !== undefined && correlationId !== query.correlationId) return false;
  if (query.eventType !== undefined && eventType !== query.eventType) return false;
  if (query.actorId !== undefined && actor.id !== query.actorId) return false;
  return isWithin(recordedAt, query);
}

function readAt({ store }: Desk, { key }: Position): CanonicalEvent {
  return readEvent(store.get(key) ?? new Uint8Array(0));
}
