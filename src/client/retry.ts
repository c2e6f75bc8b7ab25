import type { Entropy } from "../ports.js";
import { TryAgain } from "./transport.js";

/** How often and how long something is tried again. Times in milliseconds. */
export type Patience = { readonly attempts: number; readonly firstMs: number; readonly mostMs: number };

/**
 * Does `work` until it gives a value, again after every TryAgain: after twice as long each time, half of it by chance so
 * that many who were refused together do not come back together. The last refusal is thrown.
 */
export async function withRetries<T>(
  work: () => Promise<T>,
  { attempts, firstMs, mostMs }: Patience,
  entropy: Entropy,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof TryAgain) || attempt >= attempts) throw error;
      await pauseBefore(attempt + 1, error.afterMs, { firstMs, mostMs }, entropy, signal);
    }
  }
}

/** Waits as long as it takes before an attempt; the first is made at once. Rejects with `signal.reason` when that aborts. */
export async function pauseBefore(
  attempt: number,
  leastMs: number,
  { firstMs, mostMs }: Pick<Patience, "firstMs" | "mostMs">,
  entropy: Entropy,
  signal: AbortSignal | undefined,
): Promise<void> {
  const [chance = 0] = entropy.bytes(1);
  const full = attempt < 2 ? 0 : Math.min(mostMs, firstMs * 2 ** (attempt - 2));
  await pause(Math.max(leastMs, (full * (1 + chance / 255)) / 2), signal);
}

/** Waits; rejects with the signal's reason when that aborts. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", stop, { once: true });
  });
}
