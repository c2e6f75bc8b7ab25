import { hasFlag, type Options } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { createStderrLogger } from "../logging.js";
import { formatCount, formatRows, formatTable, printJson } from "../output.js";
import { type CaseResult, readCases, runCase } from "../plugins/cases.js";
import { locatePlugin, readPlugin } from "../plugins/locate.js";
import { withProgress } from "../progress.js";

/**
 * `plugins test [DIR]`: every case of `cases/*.json` as a trial. Exit 1 when one of them fails. EXO_FILE when there is no
 * module or no case; what reading a plugin and admitting it can throw.
 */
export async function testPlugin(
  context: CliContext,
  [what = "."]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const plugin = await readPlugin(context, await locatePlugin(context, what, undefined));
  const cases = await readCases(plugin.place.folder);
  const results: CaseResult[] = [];
  for (const one of cases) {
    const running = runCase(context, plugin, one, createStderrLogger(context));
    results.push(await withProgress(context, `case ${one[0]}`, running));
  }
  const failed = results.filter(({ problems }) => problems.length > 0).length;
  const passed = results.length - failed;
  if (hasFlag(options, "json")) {
    const { name, version } = plugin.draft;
    printJson(context, { schema: "exoarmur.plugin-test/v1", name, version, passed, failed, cases: results });
  } else {
    context.stdout(formatTable(results.map(rowOf)));
    const broken = results.flatMap(({ name, problems }) => problems.map((problem) => [name, problem]));
    context.stdout(`${formatRows(broken)}${passed} passed, ${failed} failed\n`);
  }
  return failed === 0 ? exitCodes.done : exitCodes.refused;
}

function rowOf({ name, problems, end }: CaseResult): readonly string[] {
  const figures = end.refused === null ? [end.status, `${formatCount(end.fuel.used)} fuel`] : ["refused"];
  return [problems.length === 0 ? "pass" : "FAIL", name, ...figures];
}
