/** How soon a first change is shown, and how long after it the next; milliseconds. */
const pace = { soonMs: 300, leastMs: 5000 } as const;

/** Changes that come one by one, shown together. */
export type Pace = {
  /** Something changed. */
  readonly touch: () => void;
  readonly stop: () => void;
};

/** Calls `show` soon after a change, and at most once in {@link pace}.leastMs however many come. */
export function paceOf(show: () => void, now: () => number): Pace {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = Number.NEGATIVE_INFINITY;
  const shown = (): void => {
    timer = undefined;
    last = now();
    show();
  };
  return {
    touch: () => {
      timer ??= setTimeout(shown, Math.max(pace.soonMs, Math.min(pace.leastMs, last + pace.leastMs - now())));
    },
    stop: () => clearTimeout(timer),
  };
}
