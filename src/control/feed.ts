import { saltBytes } from "../contracts/material.js";
import { decodeUtf8, encodeBase64Url } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import type { Ledger } from "../log/ledger-types.js";
import { type Position, positions } from "../pipeline/positions.js";
import { unpackEvent } from "../pipeline/recorder.js";
import type { Logger, StoreReader } from "../ports.js";

/** What of an event's header decides who may see it. The store's own: read without its contract. */
export type EventHead = {
  readonly eventType: string;
  readonly tenantId: string;
  readonly correlationId: string;
  readonly intentId: string | null;
  readonly actor: { readonly id: string; readonly type: string };
  readonly recordedAt: string;
};

/** A recorded event as it is passed on. */
export type FedEvent = {
  /** Index of its leaf in the log. */
  readonly index: number;
  readonly head: EventHead;
  /** Canonical JSON of its payload. */
  readonly payload: string;
  /** The CanonicalEvent document as JSON, on one line. */
  readonly text: string;
};

/** Events kept as texts: what was recorded last is what everybody who follows asks for. */
const keptEvents = 1024;
/** Positions looked at in one turn of the process. */
const turnEvents = 256;

/** What follows the log. Called for every event once, in order; what it throws is logged. */
export type Follower = (position: Position, read: () => FedEvent) => void;

/**
 * What is recorded, in the order of the log, from the time it was opened on: the one place that is told of commits and
 * reads what they added.
 */
export class Feed {
  readonly #ports: { readonly store: StoreReader; readonly ledger: Ledger; readonly logger: Logger };
  readonly #followers = new Set<Follower>();
  readonly #sleepers = new Set<() => void>();
  readonly #kept = new Map<number, FedEvent>();
  readonly #unwatch: () => void;
  #next: number;
  #due: ReturnType<typeof setImmediate> | undefined;

  constructor(ports: { readonly store: StoreReader; readonly ledger: Ledger; readonly logger: Logger }) {
    this.#ports = ports;
    this.#next = ports.ledger.size;
    this.#unwatch = ports.ledger.watch(() => this.#schedule());
  }

  /** Leaves of the log of which everybody has been told. */
  get size(): number {
    return this.#next;
  }

  /** Has every event from now on passed on. */
  follow(follower: Follower): void {
    this.#followers.add(follower);
  }

  /** Passes on now what is due, so that who reads next is not behind what was answered before. */
  catchUp(): void {
    while (this.#next < this.#ports.ledger.size) this.#pump();
  }

  /** Waits until the log is longer than `size`, at most `ms` and until `signal` aborts; whether it is. */
  async longer(size: number, ms: number, signal: AbortSignal): Promise<boolean> {
    if (this.#next > size || signal.aborted) return this.#next > size;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#sleepers.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
    return this.#next > size;
  }

  /** The event at a position. EXO_STORE_DAMAGED. */
  read({ index, key }: Position): FedEvent {
    const known = this.#kept.get(index);
    if (known !== undefined) return known;
    const event = readFed(this.#ports.store, index, key);
    this.#kept.set(index, event);
    if (this.#kept.size > keptEvents) this.#kept.delete(this.#kept.keys().next().value ?? -1);
    return event;
  }

  /** The same for who looks at much once: what is kept for those who follow stays. EXO_STORE_DAMAGED. */
  peek({ index, key }: Position): FedEvent {
    return this.#kept.get(index) ?? readFed(this.#ports.store, index, key);
  }

  /** Ends following, and wakes whoever waits. */
  close(): void {
    this.#unwatch();
    if (this.#due !== undefined) clearImmediate(this.#due);
    for (const wake of this.#sleepers) wake();
  }

  /** A commit must not wait for those who follow; many of a moment are read together. */
  #schedule(): void {
    this.#due ??= setImmediate(() => {
      this.#due = undefined;
      this.#pump();
    });
  }

  #pump(): void {
    const { store, ledger, logger } = this.#ports;
    const until = Math.min(ledger.size, this.#next + turnEvents);
    try {
      for (const position of positions(store, { from: this.#next, until })) this.#pass(position);
    } catch (error) {
      logger.log("error", "events could not be followed", { error: String(error) });
    }
    this.#next = Math.max(this.#next, until);
    for (const wake of this.#sleepers) wake();
    if (until < ledger.size) this.#schedule();
  }

  #pass(position: Position): void {
    for (const follower of this.#followers) {
      try {
        follower(position, () => this.read(position));
      } catch (error) {
        this.#ports.logger.log("error", "an event was not taken in", { index: position.index, error: String(error) });
      }
    }
  }
}

function readFed(store: StoreReader, index: number, key: string): FedEvent {
  const packed = store.get(key);
  if (packed === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", `the event of leaf ${index} is missing`);
  const { header, payload: salted } = unpackEvent(packed);
  const [text, payload] = [decodeUtf8(header), decodeUtf8(salted.subarray(saltBytes))];
  if (text === undefined || payload === undefined) {
    throw new ExoArmurError("EXO_STORE_DAMAGED", `the event of leaf ${index} is not text`);
  }
  const head = JSON.parse(text) as EventHead;
  const salt = encodeBase64Url(salted.subarray(0, saltBytes));
  // Both are canonical JSON, so that the document can be written without being read.
  return { index, head, payload, text: `${text.slice(0, -1)},"payload":${payload},"salt":"${salt}"}` };
}
