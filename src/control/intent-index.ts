import type { EventPayload } from "../contracts/event.js";
import { decodeUtf8 } from "../crypto/encoding.js";
import { type IntentRecord, readState } from "../pipeline/documents.js";
import { type Position, positions } from "../pipeline/positions.js";
import { unpackEvent } from "../pipeline/recorder.js";
import { blobKey, intentKeys } from "../pipeline/store-keys.js";
import type { Logger, StoreReader } from "../ports.js";
import type { EventHead, Feed } from "./feed.js";

/** What of an intent lists are searched by. */
export type IndexedIntent = {
  /** Index of its first event's leaf: the time it was recorded, as an order. */
  readonly index: number;
  readonly intentId: string;
  readonly tenantId: string;
  readonly actorId: string;
  /** Who handed it in with a token; null when it came another way. */
  readonly agent: string | null;
  /** Null, as in lists, once the intent was dropped. */
  readonly action: string | null;
  readonly recordedAt: string;
  /** All that is searched by words, in lower case. */
  readonly text: string;
  state: string;
};

/** The state that an event leaves an intent in, where it changes it for longer than a transaction. */
const stateAfter: Readonly<Record<string, string>> = {
  approval_requested: "pending",
  execution_started: "started",
  execution_in_doubt: "in_doubt",
  execution_resolved: "resolved",
  execution_completed: "completed",
  execution_failed: "failed",
  intent_denied: "denied",
};

/** Intents the index is filled with at a stretch; other work gets its turn in between. */
const stretch = 400;

/**
 * The newest intents in memory, newest last, filled when it is first asked for and kept up with the log from then on. What
 * is older than `from` is not in it.
 */
export class IntentIndex {
  readonly #store: StoreReader;
  readonly #feed: Feed;
  readonly #logger: Logger;
  readonly #most: number;
  #intents: IndexedIntent[] = [];
  readonly #byId = new Map<string, IndexedIntent>();
  #filled: Promise<void> | undefined;
  #from = 0;

  /** @param most intents it holds at least, of as many as there are; up to a tenth more */
  constructor({ store, feed, logger }: { store: StoreReader; feed: Feed; logger: Logger }, most: number) {
    this.#store = store;
    this.#feed = feed;
    this.#logger = logger;
    this.#most = most;
  }

  /** Index of the leaf from which on it holds every intent. */
  get from(): number {
    return this.#from;
  }

  /** Resolves once it is filled. */
  async fill(): Promise<void> {
    this.#filled ??= this.#fill();
    await this.#filled;
  }

  /** The intents before a leaf, newest first. */
  *before(index: number): Generator<IndexedIntent> {
    const intents = this.#intents;
    for (let at = firstAt(intents, index) - 1; at >= 0; at -= 1) {
      const intent = intents[at];
      if (intent !== undefined) yield intent;
    }
  }

  async #fill(): Promise<void> {
    const older: IndexedIntent[] = [];
    let until = this.#feed.size;
    this.#feed.follow((position, read) => this.#take(position, read));
    while (until > 0 && older.length < this.#most) {
      const enough = Math.min(this.#most, older.length + stretch);
      let at = 0;
      for (const position of positions(this.#store, { from: 0, until, reverse: true })) {
        at = position.index;
        if (position.eventType === "intent_received") this.#tryAdd(position, older);
        if (older.length >= enough) break;
      }
      until = at;
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#from = until;
    this.#intents = [...older.reverse(), ...this.#intents];
  }

  #take(position: Position, read: () => { readonly head: EventHead; readonly payload: string }): void {
    const { eventType } = position;
    if (eventType === "intent_received") {
      this.#intents.push(this.#add(position));
      if (this.#intents.length > this.#most * 1.1) this.#forgetOldest();
    } else if (eventType === "materials_dropped") {
      const { materials } = JSON.parse(read().payload) as EventPayload<"materials_dropped">;
      for (const { intentId, role } of materials) if (role === "intent") this.#drop(intentId);
    } else {
      const state = stateAfter[eventType];
      const intent = state === undefined ? undefined : this.#byId.get(read().head.intentId ?? "");
      if (intent !== undefined && state !== undefined) intent.state = state;
    }
  }

  /** One that is damaged is not found; the others are. */
  #tryAdd(position: Position, intents: IndexedIntent[]): void {
    try {
      intents.push(this.#add(position));
    } catch (error) {
      this.#logger.log("error", "an intent cannot be searched", { index: position.index, error: String(error) });
    }
  }

  #add(position: Position): IndexedIntent {
    const intent = readIndexed(this.#store, position);
    this.#byId.set(intent.intentId, intent);
    return intent;
  }

  /** What was dropped from the store is not to be found by it either. */
  #drop(intentId: string): void {
    const known = this.#byId.get(intentId);
    if (known === undefined) return;
    const { tenantId, actorId } = known;
    const [, correlation = ""] = known.text.split("\n");
    const gone = { ...known, action: null, text: textOf([intentId, correlation, actorId, tenantId]) };
    this.#byId.set(intentId, gone);
    const at = firstAt(this.#intents, known.index);
    if (this.#intents[at] === known) this.#intents[at] = gone;
  }

  #forgetOldest(): void {
    for (const { intentId, index } of this.#intents.splice(0, this.#intents.length - this.#most)) {
      this.#byId.delete(intentId);
      this.#from = index + 1;
    }
  }
}

/** An intent by the position of its first event, read from the store. */
export function readIndexed(store: StoreReader, { index, key }: Position): IndexedIntent {
  const packed = store.get(key);
  const header = packed === undefined ? "" : (decodeUtf8(unpackEvent(packed).header) ?? "");
  const { intentId: id, tenantId, correlationId, actor, recordedAt } = JSON.parse(header) as EventHead;
  const intentId = id ?? "";
  const record = readState<IntentRecord>(store, intentKeys.one(intentId));
  const { action, target } = contentOf(store, record);
  const text = textOf([intentId, correlationId, actor.id, tenantId, action ?? "", target]);
  const state = record?.state ?? "";
  const agent = record === undefined || record.requester.method === "library" ? null : record.requester.principal;
  return { index, intentId, tenantId, actorId: actor.id, agent, action, recordedAt, text, state };
}

function textOf(parts: readonly string[]): string {
  return parts.join("\n").toLowerCase();
}

/** What the recorded intent says, as far as it is kept. The store's own document: read without its contract. */
function contentOf(store: StoreReader, record: IntentRecord | undefined): { action: string | null; target: string } {
  const digest = record?.materials.find(({ role }) => role === "intent")?.digest;
  const bytes = digest === undefined ? undefined : store.get(blobKey(digest));
  if (bytes === undefined) return { action: null, target: "" };
  const { action, target } = JSON.parse(decodeUtf8(bytes) ?? "") as { action: string; target?: string };
  return { action, target: target ?? "" };
}

/** Place of the first intent whose index is not below `index`. */
function firstAt(intents: readonly IndexedIntent[], index: number): number {
  let [low, high] = [0, intents.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((intents[middle]?.index ?? 0) < index) low = middle + 1;
    else high = middle;
  }
  return low;
}
