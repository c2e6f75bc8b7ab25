import { type ErrorCode, errorKind, isExoArmurError } from "../errors.js";
import type { IntentRecord } from "../pipeline/documents.js";
import { readState } from "../pipeline/documents.js";
import { positions } from "../pipeline/positions.js";
import { intentKeys } from "../pipeline/store-keys.js";
import type { Clock, Logger, StoreReader } from "../ports.js";
import type { FedEvent, Feed } from "./feed.js";
import { type Principal, seesIntent } from "./principal.js";
import { TooMany } from "./too-many.js";

/** Bounds of live streams (spec/control-plane.md, Live). Times in milliseconds. */
export type LiveLimits = {
  /** Streams of one key or token at once. */
  readonly streams: number;
  /** Greatest distance, in leaves, over which a stream is taken up again. */
  readonly replay: number;
  /**
   * After how long without an event a beat is sent; as often the credential is looked at again, and a reader who has taken
   * nothing for twice as long is cut off.
   */
  readonly beatMs: number;
  /** While events come the credential is looked at again after this long. */
  readonly proveMs: number;
};

/** What streams are made with. */
export type LivePorts = {
  readonly feed: Feed;
  readonly store: StoreReader;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: LiveLimits;
  readonly closing: AbortSignal;
};

/** Who reads a stream, and from where. */
export type Reader = {
  readonly principal: Principal;
  /** Leaf index of the last message that was seen; undefined begins with what comes next. */
  readonly after: number | undefined;
  /** The credential as it counts now; throws when it does not any more. */
  readonly prove: () => Promise<Principal>;
  /** Which tenants the reader asked for, under a principal. Throws for one it does not reach. */
  readonly shown: (principal: Principal) => (tenantId: string) => boolean;
  /** Aborts when the reader is gone or the control plane closes. */
  readonly signal: AbortSignal;
  /** Ends the connection whatever still waits to be sent. */
  readonly hangUp: () => void;
};

/** A stream that was opened. `ended` resolves when nothing of it is left. */
export type Live = { readonly body: ReadableStream<Uint8Array>; readonly ended: Promise<void> };

/** Positions looked at, and bytes of events put together, before other work gets its turn. */
const sliceEvents = 200;
const sliceBytes = 131_072;

/** The open streams. */
export class LiveStreams {
  readonly #ports: LivePorts;
  readonly #open = new Map<string, number>();

  constructor(ports: LivePorts) {
    this.#ports = ports;
  }

  /** How many streams are open. */
  get count(): number {
    let sum = 0;
    for (const streams of this.#open.values()) sum += streams;
    return sum;
  }

  /** Opens a stream. EXO_RATE when the credential has too many, EXO_FORBIDDEN for a tenant it does not reach. */
  open(reader: Reader): Live {
    const { credential } = reader.principal;
    const { streams } = this.#ports.limits;
    reader.shown(reader.principal);
    const now = this.#open.get(credential) ?? 0;
    if (now >= streams)
      throw new TooMany(5, "streams", reader.principal, `at most ${streams} live streams of one credential at once`);
    this.#open.set(credential, now + 1);
    const stream = new LiveStream(this.#ports, reader);
    const ended = stream.ended.then(() => {
      const left = (this.#open.get(credential) ?? 1) - 1;
      if (left === 0) this.#open.delete(credential);
      else this.#open.set(credential, left);
    });
    return { body: stream.body(), ended };
  }
}

/**
 * One stream. It is read, never pushed to: all it holds is the place in the log up to which its reader has been told, and
 * what the reader asks for next is read from there. So a reader who is slow costs nothing, and none can miss an event.
 */
class LiveStream {
  readonly #ports: LivePorts;
  readonly #reader: Reader;
  readonly #opening: string;
  #next: number;
  #principal: Principal;
  #provenAt: number;
  /** Whether the reader waits for more, and how often it was looked at while it did not. */
  #waits = false;
  #looks = 0;
  #ending: { readonly code: ErrorCode; readonly message: string } | null = null;
  #said = false;
  readonly #wake = new AbortController();
  readonly #watch: ReturnType<typeof setInterval>;
  readonly ended: Promise<void>;
  #settle = (): void => undefined;

  constructor(ports: LivePorts, reader: Reader) {
    const { feed, clock, limits } = ports;
    this.#ports = ports;
    this.#reader = reader;
    this.#principal = reader.principal;
    this.#provenAt = clock.now();
    const { size } = feed;
    const after = reader.after ?? size - 1;
    const known = after < size && size - 1 - after <= limits.replay;
    this.#next = known ? after + 1 : size;
    const kind = known ? "ready" : "reset";
    this.#opening = `retry: 1000\n${message(this.#next - 1, kind, JSON.stringify({ size }))}`;
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#watch = setInterval(() => void this.#look(), limits.beatMs);
    this.#watch.unref();
    reader.signal.addEventListener("abort", this.#gone, { once: true });
  }

  body(): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
      this.#waits = true;
      const text = await this.#more();
      this.#waits = false;
      this.#looks = 0;
      if (text !== null) controller.enqueue(encoder.encode(text));
      else {
        this.#finish();
        controller.close();
      }
    };
    // Nothing is made before it is asked for.
    return new ReadableStream({ pull, cancel: () => this.#finish() }, { highWaterMark: 0 });
  }

  /** What the reader is told next; null ends it. */
  async #more(): Promise<string | null> {
    if (!this.#said) {
      this.#said = true;
      return this.#opening;
    }
    const { feed, clock, limits } = this.#ports;
    for (;;) {
      if (this.#ending !== null) return this.#end(this.#ending);
      if (this.#wake.signal.aborted) return null;
      if (this.#next >= feed.size) {
        const grown = await feed.longer(this.#next, limits.beatMs, this.#wake.signal);
        if (!grown && !this.#wake.signal.aborted) return beat(this.#next - 1);
        continue;
      }
      // A clock that went back must not put it off.
      if (Math.abs(clock.now() - this.#provenAt) >= limits.proveMs) await this.#prove();
      if (this.#ending !== null) continue;
      const text = this.#trySlice();
      if (text !== "") return text;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #trySlice(): string {
    try {
      return this.#slice();
    } catch (error) {
      this.#fail(error);
      return "";
    }
  }

  /** The next events that the reader may see, as far as one turn goes. */
  #slice(): string {
    const { feed, store } = this.#ports;
    const { size } = feed;
    const shown = this.#reader.shown(this.#principal);
    const until = Math.min(size, this.#next + sliceEvents);
    let text = "";
    for (const position of positions(store, { from: this.#next, until })) {
      this.#next = position.index + 1;
      const event = feed.read(position);
      if (shown(event.head.tenantId) && this.#sees(event)) text += message(event.index, "recorded", event.text);
      if (text.length >= sliceBytes) return text;
    }
    this.#next = until;
    return text;
  }

  #sees({ head: { tenantId, intentId } }: FedEvent): boolean {
    const principal = this.#principal;
    // What belongs to no intent is the whole cell's.
    if (intentId === null) return principal.tenants === null;
    if (principal.agent === null) return true;
    const record = readState<IntentRecord>(this.#ports.store, intentKeys.one(intentId));
    return record !== undefined && record.tenantId === tenantId && seesIntent(principal, record);
  }

  async #prove(): Promise<void> {
    try {
      this.#principal = await this.#reader.prove();
      this.#provenAt = this.#ports.clock.now();
      this.#reader.shown(this.#principal);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const known = isExoArmurError(error) && errorKind(error.code) !== "internal";
    if (!known) this.#ports.logger.log("error", "a live stream failed", { error: String(error) });
    const message = "the stream failed; the log of the control plane has the reason";
    this.#ending ??= known ? { code: error.code, message: error.message } : { code: "EXO_INTERNAL", message };
  }

  /** Looks at the credential and the reader, whether it asks for anything or not. */
  async #look(): Promise<void> {
    await this.#prove();
    if (!this.#waits) this.#looks += 1;
    // Who reads is told why it ends; to who does not, nothing more can be sent.
    if (this.#waits && this.#ending !== null) this.#wake.abort();
    else if (this.#ending !== null || this.#looks > 2) this.#cut();
  }

  readonly #gone = (): void => {
    if (!this.#ports.closing.aborted) {
      this.#finish();
      return;
    }
    this.#ending ??= { code: "EXO_CLOSED", message: "the control plane is closing" };
    if (this.#waits) this.#wake.abort();
    else this.#cut();
  };

  #cut(): void {
    this.#finish();
    this.#reader.hangUp();
  }

  #end(ending: { readonly code: ErrorCode; readonly message: string }): string {
    this.#ending = null;
    this.#wake.abort();
    return `event: end\ndata: ${JSON.stringify(ending)}\n\n`;
  }

  #finish(): void {
    clearInterval(this.#watch);
    this.#reader.signal.removeEventListener("abort", this.#gone);
    this.#wake.abort();
    this.#settle();
  }
}

/** A comment that keeps the connection, and moves the place the stream is taken up from. */
function beat(id: number): string {
  return `: beat\n${id < 0 ? "" : `id: ${id}\n`}\n`;
}

/** One message of the stream. Its data is JSON, which has no line breaks. */
function message(id: number, event: string, data: string): string {
  return `${id < 0 ? "" : `id: ${id}\n`}event: ${event}\ndata: ${data}\n\n`;
}
