import { encodeUtf8 } from "../../crypto/encoding.js";
import { ExoArmurError } from "../../errors.js";
import { hasFlag, type Options, textOption, textsOption } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputs, readInput } from "../files.js";
import { createStderrLogger } from "../logging.js";
import { printJson } from "../output.js";
import { readGrants } from "../plugins/grants.js";
import { locatePlugin, readPlugin } from "../plugins/locate.js";
import { runTrial, type TrialEnd } from "../plugins/trial.js";
import { formatTrial } from "../plugins/trial-text.js";
import { withProgress } from "../progress.js";

/**
 * `plugins run PLUGIN`: one call in the real sandbox with the real broker, without a home; nothing is recorded. EXO_USAGE
 * for a function or grant that is none; what reading a plugin and admitting it can throw.
 */
export async function runPlugin(
  context: CliContext,
  [what = "."]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const plugin = await readPlugin(context, await locatePlugin(context, what, textOption(options, "home")));
  const { draft, wasm } = plugin;
  const fn = chooseFunction(draft.name, draft.functions, textOption(options, "function"));
  const grants = await readGrants(textsOption(options, "grant"), context.cwd);
  const given = textOption(options, "input") ?? "{}";
  const input = given.startsWith("{") ? encodeUtf8(given) : await readInput(context, given, inputs.intent);
  const started = context.elapsed();
  const trial = runTrial(context, { draft, wasm, fn, input, grants }, createStderrLogger(context));
  const end = await withProgress(context, `running ${draft.name} ${fn}`, trial);
  const executor = `${draft.name}@${draft.version} ${fn}`;
  if (hasFlag(options, "json")) {
    const { name, version } = draft;
    printJson(context, {
      schema: "exoarmur.trial/v1",
      executor: { name, version, function: fn },
      ...end,
      recorded: false,
    });
  } else context.stdout(formatTrial(end, { executor, milliseconds: context.elapsed() - started }));
  return exitCodeOf(end);
}

function chooseFunction(plugin: string, functions: readonly { name: string }[], asked: string | undefined): string {
  const names = functions.map(({ name }) => name);
  const [only] = names;
  if (asked === undefined && only !== undefined && names.length === 1) return only;
  if (asked !== undefined && names.includes(asked)) return asked;
  const what = asked === undefined ? "is missing" : `there is no ${asked}`;
  throw new ExoArmurError("EXO_USAGE", `--function ${what}; ${plugin} has ${names.join(", ")}`);
}

function exitCodeOf(end: TrialEnd): ExitCode {
  if (end.refused !== null) return exitCodes.refused;
  return end.status === "completed" ? exitCodes.done : exitCodes.failed;
}
