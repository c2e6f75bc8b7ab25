import { formatTime, parseTime } from "../canonical/time.js";
import { noticeSchema } from "../contracts/notice.js";
import type { Ledger } from "../log/ledger-types.js";
import { readState } from "../pipeline/documents.js";
import { dueReminders } from "../pipeline/reminders.js";
import { noticeKeys } from "../pipeline/store-keys.js";
import type { Clock, Entropy, Logger, Notice, Notifier, StoreReader } from "../ports.js";

/** What the desk works with. */
export type NoticeDeskParts = {
  readonly notifier: Notifier;
  readonly store: StoreReader;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly logger: Logger;
};

/** Bounds of the desk (spec/notifications.md). Times in milliseconds. */
export const noticeLimits = {
  /** Notices that wait; beyond them the oldest are given up. */
  waiting: 1000,
  attempts: 10,
  firstRestMs: 1000,
  maxRestMs: 300_000,
  /** A notice that a stopped runtime left behind longer ago than this is given up. */
  maxAgeMs: 86_400_000,
  remindEveryMs: 10_000,
  /** How long the last deliveries may take when the runtime closes. */
  closeMs: 2000,
} as const;

type Waiting = {
  readonly notice: Notice;
  /** Its key in the store; null for a reminder, which is made from the store again. */
  readonly key: string | null;
  attempts: number;
  dueAt: number;
};

/**
 * Brings notices to the notifier, one at a time, beside the pipeline: what it tells is in the store already, and nothing
 * waits for it. A notice leaves the store when it was taken or given up, so that each is delivered at least once.
 */
export class NoticeDesk {
  readonly #parts: NoticeDeskParts;
  readonly #waiting = new Map<string, Waiting>();
  /** Keys to delete: their notices were delivered or given up. */
  readonly #done = new Set<string>();
  /** Reminders that this process brought or gave up. */
  #reminded = new Set<string>();
  #passes: Promise<void> = Promise.resolve();
  #queued = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #clockwork: ReturnType<typeof setInterval> | undefined;
  readonly #stop = new AbortController();
  #closing = false;

  constructor(parts: NoticeDeskParts) {
    this.#parts = parts;
  }

  /** Takes up what an earlier process left, and looks for reminders from now on. */
  start(): void {
    this.#clockwork = setInterval(() => this.look(), noticeLimits.remindEveryMs).unref();
    this.look();
  }

  /** There are new notices in the store. */
  recorded(): void {
    this.look();
  }

  /** Starts a pass over what is due, after the one that is under way. Never throws. */
  look(): void {
    if (this.#queued || this.#closing) return;
    this.#queued = true;
    this.#passes = this.#passes.then(async () => {
      this.#queued = false;
      await this.#pass();
    });
  }

  /** Resolves when no pass is under way or asked for. */
  async idle(): Promise<void> {
    await this.#passes;
  }

  /** Brings what was never tried once more, for a moment, and ends. What is left stays in the store. */
  async close(): Promise<void> {
    clearInterval(this.#clockwork);
    clearTimeout(this.#retry);
    this.#closing = true;
    const end = setTimeout(() => this.#stop.abort(), noticeLimits.closeMs);
    this.#passes = this.#passes.then(() => this.#pass());
    await this.#passes;
    clearTimeout(end);
  }

  async #pass(): Promise<void> {
    const { logger } = this.#parts;
    try {
      this.#take();
      for (const waiting of this.#waiting.values()) {
        if (this.#isDue(waiting)) await this.#bring(waiting);
      }
      await this.#forget();
    } catch (error) {
      logger.log("error", "notices could not be looked after", { error: String(error) });
    }
    this.#rest();
  }

  #isDue({ attempts, dueAt }: Waiting): boolean {
    if (this.#closing) return !this.#stop.signal.aborted && attempts === 0;
    return dueAt <= this.#parts.clock.now();
  }

  /** Takes up what is new in the store, and the reminders that are due. */
  #take(): void {
    const { store, clock, logger } = this.#parts;
    const now = clock.now();
    const keys = [...store.range(noticeKeys.all)].map(([key]) => key).filter((key) => !this.#done.has(key));
    const surplus = keys.splice(0, Math.max(0, keys.length - noticeLimits.waiting));
    for (const key of surplus) this.#drop(key);
    if (surplus.length > 0) logger.log("error", `${surplus.length} notices were given up: too many wait`);
    const held = new Set([...this.#waiting.values()].map(({ key }) => key));
    for (const key of keys) {
      if (held.has(key)) continue;
      const parsed = noticeSchema.safeParse(readState<unknown>(store, key));
      if (parsed.success && parseTime(parsed.data.at) > now - noticeLimits.maxAgeMs) {
        this.#waiting.set(parsed.data.id, { notice: parsed.data, key, attempts: 0, dueAt: now });
      } else {
        this.#drop(key);
        logger.log("warn", `a notice was given up: ${parsed.success ? "too old" : "not readable"}`, { key });
      }
    }
    this.#remind(now);
  }

  #remind(now: number): void {
    const due = dueReminders(this.#parts.store, now);
    const known = new Set<string>();
    for (const notice of due) {
      if (this.#reminded.has(notice.id)) known.add(notice.id);
      else if (!this.#waiting.has(notice.id) && this.#waiting.size < noticeLimits.waiting) {
        this.#waiting.set(notice.id, { notice, key: null, attempts: 0, dueAt: now });
      }
    }
    this.#reminded = known;
    // Decided meanwhile: a reminder that was not taken yet is not brought any more.
    const still = new Set(due.map(({ id }) => id));
    for (const [id, { key }] of this.#waiting) if (key === null && !still.has(id)) this.#waiting.delete(id);
  }

  async #bring(waiting: Waiting): Promise<void> {
    const { notifier, logger, clock } = this.#parts;
    const { notice, key } = waiting;
    try {
      await notifier.deliver(notice, this.#stop.signal);
    } catch (error) {
      waiting.attempts += 1;
      const why = reasonOf(error);
      if (waiting.attempts < noticeLimits.attempts) {
        waiting.dueAt = clock.now() + this.#restOf(waiting.attempts);
        const until = formatTime(waiting.dueAt);
        logger.log("warn", `notice ${notice.id} was not delivered: ${why}; tried again at ${until}`);
        return;
      }
      logger.log("error", `notice ${notice.id} was given up after ${waiting.attempts} tries: ${why}`);
    }
    this.#waiting.delete(notice.id);
    if (key === null) this.#reminded.add(notice.id);
    else this.#done.add(key);
  }

  /** Twice as long with every failure, half of it by chance, so that receivers are not met by all at once. */
  #restOf(attempts: number): number {
    const whole = Math.min(noticeLimits.firstRestMs * 2 ** (attempts - 1), noticeLimits.maxRestMs);
    const [byte = 0, next = 0] = this.#parts.entropy.bytes(2);
    return Math.round(whole / 2 + (whole / 2) * ((byte * 256 + next) / 65_536));
  }

  #drop(key: string): void {
    this.#done.add(key);
    for (const [id, waiting] of this.#waiting) if (waiting.key === key) this.#waiting.delete(id);
  }

  /** Deletes from the store what is done. Where that fails it is tried with the next pass. */
  async #forget(): Promise<void> {
    const keys = [...this.#done];
    if (keys.length === 0) return;
    await this.#parts.ledger.transact((tx) => {
      for (const key of keys) tx.delete(key);
    });
    for (const key of keys) this.#done.delete(key);
  }

  #rest(): void {
    clearTimeout(this.#retry);
    if (this.#closing) return;
    const next = Math.min(...[...this.#waiting.values()].map(({ dueAt }) => dueAt));
    if (!Number.isFinite(next)) return;
    const ms = Math.max(next - this.#parts.clock.now(), 50);
    this.#retry = setTimeout(() => this.look(), Math.min(ms, noticeLimits.maxRestMs)).unref();
  }
}

/** In words, without what an error may say of the receiver's address beyond its host. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : "the delivery failed";
}
