import type { ShadowReport } from "../../contracts/shadow.js";
import { reportShadows } from "../../replay/shadow-report.js";
import { hasFlag, type Options, textOption, timeOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { withHomeView } from "../home-view.js";
import { countOf, formatCount, formatRows, printJson } from "../output.js";
import { formatFlips, sumsOf } from "../policy/flip-table.js";

/**
 * `policy shadow`: what the candidate of shadow mode said beside the policy in force. Reads only, beside the owner. Exit 1
 * for flips with `--fail-on-flip`, else 6 when a decision could not be read. EXO_USAGE for a malformed time.
 */
export async function shadow(context: CliContext, _args: readonly string[], options: Options): Promise<ExitCode> {
  const filter = {
    since: timeOption(options, "since"),
    until: timeOption(options, "until"),
    tenant: textOption(options, "tenant") ?? null,
  };
  const report = await withHomeView(homeDir(context, textOption(options, "home")), ({ store }) =>
    reportShadows(store, filter),
  );
  if (hasFlag(options, "json")) printJson(context, report);
  else context.stdout(formatShadows(report));
  if (hasFlag(options, "failOnFlip") && report.flips.length > 0) return exitCodes.refused;
  return report.notCheckable.length > 0 ? exitCodes.unable : exitCodes.done;
}

function formatShadows(report: ShadowReport): string {
  const { candidates, counts, result } = report;
  return [
    formatFlips(report),
    formatRows([
      ...candidates.map(({ policyId, version, digest, decisions, flips }) => [
        "candidate",
        `${policyId} version ${version}`,
        digest,
        `${countOf(decisions, "decision")}, ${countOf(flips, "flip")}`,
      ]),
      ["enforced", countOf(counts.enforced, "decision"), `${formatCount(counts.notShadowed)} without a candidate`],
    ]),
    `${[result, countOf(counts.decisions, "shadow decision"), sumsOf(counts)].join("   ")}\n`,
  ].join("");
}
