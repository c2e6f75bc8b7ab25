import { basename } from "node:path";
import { ExoArmurError } from "../../errors.js";
import type { BacktestFilter } from "../../replay/backtest.js";
import { backtestPlugin, type PluginBacktest } from "../../replay/backtest-plugin.js";
import { openSandbox } from "../../runtime/sandbox.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputs, readInput } from "../files.js";
import { formatBytes } from "../hex-dump.js";
import { withHomeView } from "../home-view.js";
import { createStderrLogger } from "../logging.js";
import { countOf, formatCount, formatRows, printJson } from "../output.js";
import { withProgress } from "../progress.js";

/** Runs shown one by one above the sums, at most. */
const shownRows = 10;

/**
 * `backtest --plugin NAME.wasm`: the recorded runs of the executor NAME with that module instead. Exit 1 for differences
 * with `--fail-on-flip`, else 6 when a run could not be made again. EXO_USAGE for a file of another ending.
 */
export async function backtestModule(
  context: CliContext,
  file: string,
  filter: BacktestFilter,
  options: Options,
): Promise<ExitCode> {
  const name = basename(file, ".wasm");
  if (name === basename(file))
    throw new ExoArmurError("EXO_USAGE", "--plugin expects NAME.wasm, NAME being the executor's");
  const wasm = await readInput(context, file, inputs.module);
  const report = await withHomeView(homeDir(context, textOption(options, "home")), async ({ home, store, prover }) => {
    const sandbox = await openSandbox({ ...home.resolved.sandbox, workers: 1 }, createStderrLogger(context));
    try {
      const running = backtestPlugin(store, prover, sandbox, { name, wasm }, filter);
      return await withProgress(context, "running again", running);
    } finally {
      await sandbox.close();
    }
  });
  if (hasFlag(options, "json")) printJson(context, report);
  else context.stdout(formatReport(report));
  if (hasFlag(options, "failOnFlip") && report.differences.length > 0) return exitCodes.refused;
  return report.notCheckable.length > 0 ? exitCodes.unable : exitCodes.done;
}

function formatReport({ candidate, runs, ends, fuelChange, differences, notCheckable }: PluginBacktest): string {
  const parted = differences
    .slice(0, shownRows)
    .flatMap(({ intentId, action, end, divergence }) => [
      [end, intentId, action, divergence.step],
      ["", `expected ${divergence.expected}, came ${divergence.actual}`.slice(0, 240)],
      ...formatBytes(divergence),
    ]);
  const unable = notCheckable
    .slice(0, shownRows)
    .map(({ intentId, code, message }) => ["unable", intentId, `${code}: ${message}`]);
  const hidden = Math.max(0, differences.length - shownRows) + Math.max(0, notCheckable.length - shownRows);
  const figures =
    fuelChange &&
    Object.entries(fuelChange).map(
      ([name, value]) => `${name} ${value < 0 ? "-" : "+"}${formatCount(Math.abs(value))}`,
    );
  const sums = Object.entries({ ...ends, "not checkable": notCheckable.length }).filter(
    ([what, count]) => count > 0 || what === "identical",
  );
  return [
    formatRows([...parted, ...unable]),
    hidden === 0 ? "" : `... and ${formatCount(hidden)} more; --json has all\n`,
    formatRows([
      ["candidate", candidate.name, candidate.digest],
      ["fuel", figures === null ? "no identical run" : figures.join(", ")],
      ["runs", countOf(runs, "run"), sums.map(([what, count]) => `${formatCount(count)} ${what}`).join(", ")],
    ]),
  ].join("");
}
