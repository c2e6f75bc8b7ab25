import type { Clock } from "../ports.js";

/** How many requests: `burst` at once, then `perSecond`. */
export type Rate = { readonly burst: number; readonly perSecond: number };

type Bucket = { left: number; at: number };

const maxBuckets = 10_000;

/** Token buckets by name. Bounded: of more names than fit, the one that was longest not seen is forgotten. */
export class Buckets {
  readonly #buckets = new Map<string, Bucket>();
  readonly #clock: Clock;
  readonly #rate: Rate;

  constructor(clock: Clock, rate: Rate) {
    this.#clock = clock;
    this.#rate = rate;
  }

  /** Takes `cost` from a bucket. 0 when there was enough, else how many seconds to wait, and nothing was taken. */
  take(name: string, cost = 1): number {
    const { burst, perSecond } = this.#rate;
    const now = this.#clock.now();
    const known = this.#buckets.get(name);
    const gained = known === undefined ? burst : (Math.max(0, now - known.at) * perSecond) / 1000;
    const left = Math.min(burst, (known?.left ?? 0) + gained);
    const enough = left >= cost;
    this.#buckets.delete(name);
    this.#buckets.set(name, { left: enough ? left - cost : left, at: now });
    if (this.#buckets.size > maxBuckets) this.#forgetOldest();
    return enough ? 0 : Math.ceil((cost - left) / perSecond);
  }

  #forgetOldest(): void {
    for (const name of this.#buckets.keys()) {
      this.#buckets.delete(name);
      return;
    }
  }
}
