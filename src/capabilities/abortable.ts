/** How awaited work ended. `thrown` keeps no error: what a host's error says must not reach a guest. */
export type Ended<T> =
  | { readonly state: "value"; readonly value: T }
  | { readonly state: "thrown" }
  | { readonly state: "aborted" };

/**
 * Runs `work` and waits for it or for the signal, whichever is first. Work that is under way when the signal aborts is
 * not stopped by this; its end is ignored. Never rejects. A signal that has aborted before keeps the work from starting.
 */
export async function endOf<T>(work: () => Promise<T> | T, signal: AbortSignal): Promise<Ended<T>> {
  if (signal.aborted) return { state: "aborted" };
  let onAbort: (() => void) | undefined;
  try {
    const result = work();
    if (!isThenable(result)) return { state: "value", value: result };
    const aborted = new Promise<Ended<T>>((resolve) => {
      onAbort = () => resolve({ state: "aborted" });
      signal.addEventListener("abort", onAbort, { once: true });
      // A signal that aborted while the work was being started sends no event any more.
      if (signal.aborted) onAbort();
    });
    const value = Promise.resolve(result).then((settled): Ended<T> => ({ state: "value", value: settled }));
    return await Promise.race([value, aborted]);
  } catch {
    return { state: "thrown" };
  } finally {
    if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
  }
}

function isThenable<T>(result: Promise<T> | T): result is Promise<T> {
  return typeof result === "object" && result !== null && "then" in result && typeof result.then === "function";
}
