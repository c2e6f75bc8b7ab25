import { type AccessDenial, maxAccessDenials } from "../contracts/event.js";
import type { DeniedAccess } from "../pipeline/access.js";
import type { Clock, Logger } from "../ports.js";
import type { Metrics } from "./metrics.js";

/** What one denied request is counted by. */
export type Denial = Omit<AccessDenial, "count">;

/** What the record of denials is made with. */
export type DenialPorts = {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Appends the event. */
  readonly record: (denied: DeniedAccess) => Promise<void>;
  /** Least time between two events, in milliseconds. */
  readonly windowMs: number;
  readonly metrics: Metrics;
};

/**
 * Counts denied requests and has them recorded (spec/control-plane.md, Denied access): the first after a quiet window at
 * once, all others together when the window ends. However many are denied, the log gets at most one event a window, of at
 * most 64 rows; when there are more kinds, the rest is one row whose cause is `other`.
 */
export class DenialLog {
  readonly #ports: DenialPorts;
  #rows = new Map<string, AccessDenial>();
  #since = 0;
  #lastFlush = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(ports: DenialPorts) {
    this.#ports = ports;
  }

  /** Counts a denied request. */
  count(denial: Denial): void {
    this.#ports.metrics.add("access_denied_total", [denial.code, denial.cause]);
    const now = this.#ports.clock.now();
    if (this.#rows.size === 0) this.#since = now;
    this.#add(denial);
    if (this.#timer !== undefined) return;
    // A clock that went back must not put the record off.
    const wait = Math.min(Math.max(0, this.#lastFlush + this.#ports.windowMs - now), this.#ports.windowMs);
    this.#timer = setTimeout(() => void this.flush(), wait);
    this.#timer.unref();
  }

  /** Has what was counted recorded now. Resolves when it is, or when that failed, which is logged. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#rows.size > 0) {
      const denials = [...this.#rows.values()];
      const until = this.#ports.clock.now();
      const denied = { since: Math.min(this.#since, until), until, denials };
      this.#rows = new Map();
      this.#lastFlush = until;
      this.#writing = this.#writing.then(() => this.#write(denied));
    }
    await this.#writing;
  }

  #add({ code, cause, route, credential }: Denial): void {
    const key = JSON.stringify([code, cause, route, credential]);
    const known = this.#rows.get(key);
    if (known !== undefined) {
      this.#rows.set(key, { ...known, count: known.count + 1 });
    } else if (this.#rows.size < maxAccessDenials - 1) {
      this.#rows.set(key, { code, cause, route, credential, count: 1 });
    } else {
      const rest = this.#rows.get("")?.count ?? 0;
      this.#rows.set("", { code: "EXO_FORBIDDEN", cause: "other", route: null, credential: null, count: rest + 1 });
    }
  }

  async #write(denied: DeniedAccess): Promise<void> {
    try {
      await this.#ports.record(denied);
    } catch (error) {
      this.#ports.logger.log("error", "denied access could not be recorded", { error: String(error) });
    }
  }
}
