import { type ComponentChildren, createContext } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import type { Api } from "./api.js";
import { paceOf } from "./live-pace.js";

/** How often everything is asked anew whatever the stream tells: not all that is shown is an event. Milliseconds. */
const everyMs = 15_000;

/** Least time between two announcements, in milliseconds. */
const quietMs = 10_000;

const Tick = createContext(0);

type LiveProps = { readonly api: Pick<Api, "follow">; readonly children: ComponentChildren };

/** Follows the control plane for everything inside, over one stream, while somebody sees the page. */
export function Live({ api, children }: LiveProps) {
  const [tick, setTick] = useState(0);
  useEffect(() => followWhileSeen(api, () => setTick((before) => before + 1)), [api]);
  return <Tick.Provider value={tick}>{children}</Tick.Provider>;
}

/** A number that grows when what is shown may have changed. It stands still while nobody sees the page. */
export function useTick(): number {
  return useContext(Tick);
}

/** Follows until what it gives is called. A stream that ends for good leaves the slow look at everything. */
function followWhileSeen(api: LiveProps["api"], changed: () => void): () => void {
  const pace = paceOf(changed, () => performance.now());
  let stream: AbortController | null = null;
  const follow = async ({ signal }: AbortController): Promise<void> => {
    let known = false;
    for await (const { kind } of api.follow(signal)) {
      // The first word of a stream is that there is one.
      if (known || kind !== "ready") pace.touch();
      known = true;
    }
  };
  const look = (isFirst: boolean): void => {
    if (document.visibilityState !== "visible") {
      stream?.abort();
      stream = null;
      return;
    }
    if (stream !== null) return;
    stream = new AbortController();
    follow(stream).catch(() => undefined);
    if (!isFirst) pace.touch();
  };
  const onVisibility = (): void => look(false);
  const timer = setInterval(() => document.visibilityState === "visible" && pace.touch(), everyMs);
  document.addEventListener("visibilitychange", onVisibility);
  look(true);
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", onVisibility);
    stream?.abort();
    pace.stop();
  };
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
