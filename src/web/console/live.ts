import { useEffect, useRef, useState } from "preact/hooks";

/** How often the control plane is asked anew while somebody looks, in milliseconds. */
const everyMs = 5000;

/** Least time between two announcements, in milliseconds. */
const quietMs = 10_000;

/** A number that grows when what is shown may have changed. It stands still while nobody sees the page. */
export function useTick(): number {
  const [tick, setTick] = useState(0);
  useEffect(() => {
    const next = (): void => {
      if (document.visibilityState === "visible") setTick((before) => before + 1);
    };
    const timer = setInterval(next, everyMs);
    document.addEventListener("visibilitychange", next);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", next);
    };
  }, []);
  return tick;
}

/** What was asked for: the newest answer, and why a newer one could not be had. */
export type Answer<T> = {
  readonly value: T | null;
  readonly error: unknown;
  /** Asks again now. */
  readonly again: () => void;
};

/**
 * Asks when the component appears and whenever `tick` grows, one request at a time; the answer before stays until the next
 * one is there. A component that asks for something else needs another `key`.
 */
export function useAnswer<T>(read: (signal: AbortSignal) => Promise<T>, tick = 0): Answer<T> {
  const [answer, setAnswer] = useState<{ readonly value: T | null; readonly error: unknown }>({
    value: null,
    error: null,
  });
  const latest = useRef(read);
  latest.current = read;
  const work = useRef({ gone: new AbortController(), busy: false, dirty: false });
  const ask = (): void => {
    const one = work.current;
    one.dirty = one.busy;
    if (one.busy || one.gone.signal.aborted) return;
    one.busy = true;
    const { signal } = one.gone;
    latest
      .current(signal)
      .then(
        (value) => signal.aborted || setAnswer({ value, error: null }),
        (error: unknown) => signal.aborted || setAnswer(({ value }) => ({ value, error })),
      )
      .finally(() => {
        one.busy = false;
        if (one.dirty) ask();
      });
  };
  useEffect(() => {
    const one = { gone: new AbortController(), busy: false, dirty: false };
    work.current = one;
    return () => one.gone.abort();
  }, []);
  useEffect(ask, [tick]);
  return { ...answer, again: ask };
}

/** The text to announce: `text`, but not sooner than {@link quietMs} after the one before. */
export function useQuietly(text: string): string {
  const [said, say] = useState("");
  const last = useRef(0);
  useEffect(() => {
    const wait = Math.max(0, last.current + quietMs - Date.now());
    const timer = setTimeout(() => {
      last.current = Date.now();
      say(text);
    }, wait);
    return () => clearTimeout(timer);
  }, [text]);
  return said;
}
