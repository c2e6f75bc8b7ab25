import { useEffect, useRef, useState } from "preact/hooks";
import { type Check, startCheck } from "./check.js";
import type { Named } from "./files.js";
import type { WorkerMessage } from "./messages.js";
import { type Findings, noFindings, withMessage } from "./outcome.js";

/** Checks of one component, one at a time. */
export type Checking = {
  /** Of the check that was started last; null before the first. */
  readonly findings: Findings | null;
  readonly start: (bundle: Named, trust: Named | null) => void;
  readonly stop: (why: string) => void;
};

/** Checks files in workers (check.ts). A new check ends the one before, and the last ends with the component. */
export function useCheck(): Checking {
  const [findings, setFindings] = useState<Findings | null>(null);
  const check = useRef<Check | null>(null);
  const stop = (why: string): void => check.current?.stop(why);
  useEffect(() => () => stop("the view was left"), []);
  const start = (bundle: Named, trust: Named | null): void => {
    stop("another file was opened");
    let found = noFindings(bundle.name, bundle.bytes.length, trust?.name ?? null);
    setFindings(found);
    const tell = (message: WorkerMessage): void => {
      found = withMessage(found, message);
      if (check.current === mine) setFindings(found);
    };
    const mine = startCheck({ bundle: bundle.bytes.slice(), trust: trust?.bytes.slice() ?? null }, tell);
    check.current = mine;
  };
  return { findings, start, stop };
}
