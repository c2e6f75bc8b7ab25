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
      const [chance = 0] = entropy.bytes(1);
      const full = Math.min(mostMs, firstMs * 2 ** (attempt - 1));
      await pause(Math.max(error.afterMs, (full * (1 + chance / 255)) / 2), signal);
    }
  }
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
