/**
 * What `work` comes to, or undefined when that takes longer than `ms` or the signal aborts. The work goes on.
 * Rejects as the work does.
 */
export async function within<T>(work: Promise<T>, ms: number, signal: AbortSignal): Promise<T | undefined> {
  // Whoever is answered before it fails must not take the process down.
  work.catch(() => undefined);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop = (): void => undefined;
  const given = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
    timer = setTimeout(stop, ms);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, given]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
