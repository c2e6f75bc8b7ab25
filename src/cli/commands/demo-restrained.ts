import { resolve } from "node:path";
import { checkFlags, type Features, flagNames, readFlags } from "../../contracts/features.js";
import { ExoArmurError, isExoArmurError } from "../../errors.js";
import { demoFolder } from "../../home/demo-folder.js";
import { openHome } from "../../home/open.js";
import { hasFlag, type Options, textOption, type Work } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { isAsDecided, playRestrained, restrainedLines } from "../demo/restrained.js";
import type { OperatorDecision } from "../demo/restrained-event.js";
import { makeRestrainedHome } from "../demo/restrained-home.js";
import { replayLines, replayRestrained } from "../demo/restrained-replay.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { createStderrLogger } from "../logging.js";
import { printJson, shownPath, visible } from "../output.js";
import { withProgress } from "../progress.js";

/**
 * `demo restrained-autonomy`: a telemetry event leads to a containment that waits for an operator (spec/cli.md,
 * Restrained autonomy). Without the three flags it says how to set them. With `--replay` nothing is done but to look.
 */
export const restrainedAutonomy: Work = async (context, _args, options) => {
  const home = resolve(context.cwd, textOption(options, "home") ?? demoFolder(".exoarmur"));
  const streamId = textOption(options, "replay");
  if (streamId !== undefined) return await replay(context, options, home, streamId);
  const missing = await missingFlags(context);
  if (missing.length > 0) return sayDisabled(context, options, missing);
  const paths = await makeRestrainedHome(home);
  const played = playRestrained({
    paths,
    decision: decisionOf(options),
    env: context.env,
    logger: createStderrLogger(context),
  });
  const outcome = await withProgress(context, "demo", played);
  const ok = isAsDecided(outcome);
  if (hasFlag(options, "json")) {
    printJson(context, { schema: "exoarmur.restrained-autonomy/v1", enabled: true, ok, ...outcome });
  } else {
    printLines(
      context,
      restrainedLines(outcome, (path) => shownPath(context, path)),
    );
  }
  return ok ? exitCodes.done : exitCodes.refused;
};

function decisionOf(options: Options): OperatorDecision {
  const decision = textOption(options, "operatorDecision");
  return decision === "approve" || decision === "deny" ? decision : "none";
}

async function replay(context: CliContext, options: Options, home: string, streamId: string): Promise<ExitCode> {
  const replayed = replayRestrained(home, streamId, createStderrLogger(context));
  const found = await withProgress(context, "replaying", replayed);
  if (hasFlag(options, "json")) printJson(context, { schema: "exoarmur.restrained-replay/v1", ...found });
  else printLines(context, replayLines(found));
  return found.verified ? exitCodes.done : exitCodes.refused;
}

/** The flags that are off, of environment and the usual home's configuration. EXO_FLAG when they do not go together. */
async function missingFlags(context: CliContext): Promise<readonly string[]> {
  const flags = checkFlags(readFlags(context.env, await configuredFeatures(context)));
  if (!flags.ok) throw new ExoArmurError(flags.error.code, flags.error.message);
  return flagNames.filter((name) => !flags.value.has(name));
}

/** `features` of the home that other commands would use; none where there is no home. */
async function configuredFeatures(context: CliContext): Promise<Features> {
  try {
    return (await openHome(homeDir(context, undefined))).resolved.features;
  } catch (error) {
    if (isExoArmurError(error, "EXO_HOME_MISSING")) return {};
    throw error;
  }
}

function sayDisabled(context: CliContext, options: Options, missing: readonly string[]): ExitCode {
  if (hasFlag(options, "json")) {
    printJson(context, { schema: "exoarmur.restrained-autonomy/v1", enabled: false, missing });
  } else {
    printLines(context, [
      "V2 restrained autonomy is disabled. To enable it, set all three flags:",
      ...flagNames.map((name) => `  ${name}=true${missing.includes(name) ? "" : "   (is on)"}`),
      "or under features of config.json, without EXOARMUR_FLAG_ and in lower case.",
    ]);
  }
  return exitCodes.done;
}

function printLines(context: CliContext, lines: readonly string[]): void {
  context.stdout(`${lines.map(visible).join("\n")}\n`);
}
