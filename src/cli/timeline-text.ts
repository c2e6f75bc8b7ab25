import type { Divergence } from "../contracts/replay-report.js";
import { divergingStep } from "../replay/story/diverging-step.js";
import type { Step, Story } from "../replay/story/step.js";
import { countOf, formatCount, formatTable } from "./output.js";

/** Host calls that are shown one by one: so many at either end, unless all are asked for. */
const shownCalls = 5;

/** Rows of a step that are worth a cell beside its summary, first match. */
const telling = ["rule", "rules", "target", "in words", "reason", "who may decide"] as const;

/**
 * The recorded story of an action as lines, one a step (spec/cli.md, replay): when, what, its outcome, the fuel used up to
 * there. The step at which a replay parted from the record is marked with `>`.
 *
 * @param all every host call, not the first and last alone
 */
export function formatTimeline(story: Story, divergence: Divergence | null, all: boolean): string {
  const own = divergence?.intentId === story.intentId ? divergence : null;
  const parted = divergingStep(story.steps, own);
  const calls = story.steps.filter(({ kind }) => kind === "call").length;
  const hides = (step: Step, at: number): boolean =>
    !all &&
    at !== parted &&
    step.kind === "call" &&
    calls > 2 * shownCalls &&
    (step.seq ?? 0) >= shownCalls &&
    (step.seq ?? 0) < calls - shownCalls;
  const day = story.steps.find(({ at }) => at !== null)?.at?.slice(0, 10) ?? "recorded";
  const rows: string[][] = [["", day, "step", "", "fuel", story.intentId]];
  let hidden = 0;
  for (const [at, step] of story.steps.entries()) {
    if (hides(step, at)) {
      hidden += 1;
      continue;
    }
    if (hidden > 0) rows.push(hiddenRow(hidden));
    hidden = 0;
    rows.push(rowOf(step, at === parted));
  }
  return formatTable(rows);
}

function hiddenRow(count: number): string[] {
  return ["", "", "...", countOf(count, "host call"), "", "--verbose shows all"];
}

function rowOf({ at, title, summary, seq, fuel, rows }: Step, parted: boolean): string[] {
  const told = telling.map((label) => rows.find(([name]) => name === label)?.[1]).find((text) => text !== undefined);
  return [
    parted ? ">" : "",
    at === null ? "" : at.slice(11, -1),
    seq === null ? title : `call ${seq}   ${title}`,
    summary,
    fuel === null ? "" : formatCount(fuel),
    told ?? "",
  ];
}
