import type { Backtest } from "../../contracts/backtest.js";
import { ExoArmurError } from "../../errors.js";
import { backtestPolicy } from "../../replay/backtest.js";
import { hasFlag, type Options, textOption, timeOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { withHomeView } from "../home-view.js";
import { countOf, formatCount, formatRows, printJson } from "../output.js";
import { formatFlips, sumsOf } from "../policy/flip-table.js";
import { readPolicyArgument } from "../policy/read-policy.js";

/**
 * `backtest --policy FILE`: every recorded decision under a candidate policy. Reads only, beside the owner. Exit 1 for
 * flips with `--fail-on-flip`, else 6 when a decision could not be evaluated. EXO_USAGE for a malformed time.
 */
export async function backtest(context: CliContext, _args: readonly string[], options: Options): Promise<ExitCode> {
  const filter = {
    since: timeOption(options, "since"),
    until: timeOption(options, "until"),
    tenant: textOption(options, "tenant") ?? null,
  };
  const [file, plugin] = [textOption(options, "policy"), textOption(options, "plugin")];
  if (plugin !== undefined && file === undefined) {
    const { backtestModule } = await import("./backtest-plugin.js");
    return await backtestModule(context, plugin, filter, options);
  }
  if (file === undefined || plugin !== undefined) {
    throw new ExoArmurError("EXO_USAGE", "backtest takes --policy or --plugin");
  }
  const candidate = await readPolicyArgument(context, file);
  const report = await withHomeView(homeDir(context, textOption(options, "home")), ({ store }) =>
    backtestPolicy(store, candidate, filter),
  );
  if (hasFlag(options, "json")) printJson(context, report);
  else context.stdout(formatBacktest(report));
  if (hasFlag(options, "failOnFlip") && report.flips.length > 0) return exitCodes.refused;
  return report.notCheckable.length > 0 ? exitCodes.unable : exitCodes.done;
}

function formatBacktest(report: Backtest): string {
  const { candidate, counts, result } = report;
  return [
    formatFlips(report),
    formatRows([
      ["candidate", `${candidate.policyId} version ${candidate.version}`, candidate.digest],
      ["records", countOf(counts.intents, "intent"), `${formatCount(counts.notJudged)} not judged by policy`],
    ]),
    `${[result, countOf(counts.decisions, "decision"), sumsOf(counts)].join("   ")}\n`,
  ].join("");
}
