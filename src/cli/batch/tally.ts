import { type ExitCode, exitCodes } from "../exit-codes.js";
import { formatCount } from "../output.js";

/** What many results can be, the one that decides over all others first: the result, its exit code, how it is counted. */
export type Outcomes<R extends string> = readonly (readonly [R, ExitCode, string])[];

/** What many results come to. */
export type Tally<R extends string, T> = {
  readonly result: R;
  readonly code: ExitCode;
  readonly counts: Readonly<Record<string, number>>;
  /** Rows without the good ones, the worst first. */
  readonly bad: readonly T[];
  /** Counts in words, the good ones first and always. */
  readonly sums: string;
};

/** Counts rows by result. `none` is what no rows at all come to. */
export function tally<R extends string, T extends { readonly result: R }>(
  outcomes: Outcomes<R>,
  rows: readonly T[],
  { good, none }: { readonly good: R; readonly none: R },
): Tally<R, T> {
  const of = (state: R): readonly T[] => rows.filter(({ result }) => result === state);
  const result = outcomes.find(([state]) => of(state).length > 0)?.[0] ?? none;
  const code = outcomes.find(([state]) => state === result)?.[1] ?? exitCodes.internal;
  return {
    result,
    code,
    counts: Object.fromEntries(outcomes.map(([state]) => [state, of(state).length])),
    bad: outcomes.flatMap(([state]) => (state === good ? [] : of(state))),
    sums: outcomes
      .toReversed()
      .filter(([state]) => state === good || of(state).length > 0)
      .map(([state, , words]) => `${formatCount(of(state).length)} ${words}`)
      .join(", "),
  };
}
