import type { ReplayReport } from "../../contracts/replay-report.js";
import type { ReplayEngine } from "../../replay/replay-engine.js";
import { type Outcomes, tally } from "../batch/tally.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { countOf, formatFirst, printJson } from "../output.js";
import { withBar } from "../progress.js";

/** How everything is replayed and reported. */
export type ReplayAllOptions = { readonly jobs: number; readonly json: boolean };

type Result = ReplayReport["result"];

/** Results from the one that decides over all others. */
const worst: Outcomes<Result> = [
  ["no_audit_records", exitCodes.refused, "without records"],
  ["failure", exitCodes.refused, "diverged"],
  ["partial", exitCodes.unable, "could not be checked whole or have not ended"],
  ["success", exitCodes.done, "replayed to the same bytes"],
];

/** Correlations shown one by one below the sums, at most. */
const shownRows = 20;

/** What is kept of one replay: enough to say what is wrong, of a size that thousands can have. */
type Row = { readonly correlationId: string } & Pick<
  ReplayReport,
  "result" | "levels" | "counts" | "divergence" | "warnings"
> & { readonly unable: readonly string[] };

/**
 * `replay --all`: every correlation of a home, `jobs` at a time; one line for each that is no success. The worst result
 * decides; a home in which nothing is recorded has nothing to contradict, and ends as success.
 */
export async function replayAll(
  context: CliContext,
  engine: ReplayEngine,
  { jobs, json }: ReplayAllOptions,
): Promise<ExitCode> {
  const all = engine.correlations();
  const rows: Row[] = [];
  let trustMode: ReplayReport["trustMode"] = "pinned";
  let next = 0;
  await withBar(context, all.length, async (step) => {
    const work = async (): Promise<void> => {
      for (let at = next++; at < all.length; at = next++) {
        context.signal.throwIfAborted();
        const report = await all[at]?.replay();
        if (report === undefined) continue;
        rows[at] = rowOf(report);
        trustMode = report.trustMode;
        step(report.result !== "success");
      }
    };
    await Promise.all(Array.from({ length: Math.min(jobs, all.length) }, work));
  });
  const { result, code, counts, bad, sums } = tally(worst, rows, { good: "success", none: "success" });
  if (json) {
    printJson(context, { schema: "exoarmur.replay-batch/v1", result, trustMode, counts, correlations: rows });
    return code;
  }
  const total = (what: "intents" | "executions"): number => rows.reduce((sum, row) => sum + row.counts[what], 0);
  const records = [countOf(total("intents"), "intent"), countOf(total("executions"), "execution")].join(", ");
  const shown = bad.map((row) => [row.result, row.correlationId, reasonOf(row)]);
  const line = [result, countOf(rows.length, "correlation"), records, sums].join("   ");
  context.stdout(`${formatFirst(shown, shownRows)}${line}\n`);
  return code;
}

function rowOf({ target, result, levels, counts, divergence, warnings, checks }: ReplayReport): Row {
  const unable = checks.filter(({ state }) => state === "unable").map(({ title, message }) => `${title}: ${message}`);
  return { correlationId: target.id, result, levels, counts, divergence, warnings, unable };
}

function reasonOf({ divergence, unable, warnings }: Row): string {
  if (divergence !== null) {
    const { level, step, kind, expected, actual } = divergence;
    return `${level}, ${step}: ${kind}: expected ${expected}, came ${actual}`.slice(0, 240);
  }
  return (unable[0] ?? warnings[0] ?? "").slice(0, 240);
}
