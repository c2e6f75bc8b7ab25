/** Who waits for the next change of an intent, by intent. */
export class Waiters {
  readonly #wakes = new Map<string, Set<() => void>>();

  /** Wakes whoever waits for a change of an intent. */
  announce(intentId: string): void {
    const wakes = this.#wakes.get(intentId);
    this.#wakes.delete(intentId);
    for (const wake of wakes ?? []) wake();
  }

  /** Resolves at the next change of an intent, rejects when the signal aborts. */
  async changed(intentId: string, signal: AbortSignal | undefined): Promise<void> {
    let wake = (): void => undefined;
    const change = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const wakes = this.#wakes.get(intentId) ?? new Set();
    wakes.add(wake);
    this.#wakes.set(intentId, wakes);
    try {
      await untilAborted(change, signal);
    } finally {
      wakes.delete(wake);
    }
  }
}

/** Settles as `promise` does, or rejects with the signal's reason; the work behind the promise goes on. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  signal.throwIfAborted();
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
