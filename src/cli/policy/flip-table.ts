import type { Flip } from "../../contracts/backtest.js";
import { formatCount, formatFirst, formatRows } from "../output.js";

/** Flips and missing inputs shown one by one above the sums, at most. */
const shownRows = 20;

/** What a table of flips is made from. */
export type Flips = {
  readonly flips: readonly Flip[];
  readonly notCheckable: readonly { readonly intentId: string; readonly code: string; readonly message: string }[];
  readonly counts: {
    readonly same: number;
    readonly flips: number;
    readonly notCheckable: number;
    readonly classes: Readonly<Record<string, number>>;
  };
};

/** Flips one by one with the rules on both sides, what could not be checked, and how many of each class there are. */
export function formatFlips({ flips, notCheckable, counts }: Flips): string {
  const rows = flips.map(({ intentId, recordedAt, action, target, classes, recorded, candidate: now }) => [
    classes.join(", "),
    recordedAt,
    intentId,
    action,
    `${recorded.ruleIds.join(", ")} -> ${now.ruleIds.join(", ")}`,
    target ?? "",
  ]);
  const unable = notCheckable.map(({ intentId, code, message }) => ["unable", intentId, `${code}: ${message}`]);
  const classes = Object.entries(counts.classes).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    formatFirst(rows, shownRows),
    formatFirst(unable, shownRows),
    classes.length === 0 ? "" : `${formatRows(classes.map(([name, count]) => [formatCount(count), name]))}\n`,
  ].join("");
}

/** The sums of a table of flips, in words. */
export function sumsOf({ same, flips, notCheckable }: Flips["counts"]): string {
  return [
    `${formatCount(same)} the same`,
    ...(flips === 0 ? [] : [`${formatCount(flips)} would differ`]),
    ...(notCheckable === 0 ? [] : [`${formatCount(notCheckable)} not checkable`]),
  ].join(", ");
}
