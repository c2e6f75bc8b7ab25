import type { PolicyRule } from "../../contracts/policy.js";
import { hasFlag, type Options, textOption, type Work } from "../action.js";
import { readPackagePlugins } from "../bundled-plugins.js";
import type { CliContext } from "../context.js";
import { playStory, type StoryStep, shownPath, storyRules } from "../demo/story.js";
import { reconstructTruth, truthLines, truthRules } from "../demo/truth-reconstruction.js";
import { makeWorkspace, type Workspace } from "../demo/workspace.js";
import { exitCodes } from "../exit-codes.js";
import { formatCount, formatTable, printJson, visible } from "../output.js";
import { withProgress } from "../progress.js";

async function workspaceOf(context: CliContext, options: Options, rules: readonly PolicyRule[]): Promise<Workspace> {
  const plugins = await readPackagePlugins(["fs", "table-stats", "spin"]);
  return await makeWorkspace({ home: textOption(options, "home") ?? null, entropy: context.entropy, plugins, rules });
}

const columns = ["step", "action", "outcome", "fuel", "host calls", "as it must be"];

function tableRow(step: StoryStep, index: number): string[] {
  const { fuel, hostCalls } = step;
  const figures = [fuel, hostCalls].map((figure) => (figure === null ? "-" : formatCount(figure)));
  return [String(index + 1), step.what, step.outcome, ...figures, step.ok ? "yes" : "NO"];
}

/** `demo`: the whole story on real files and real plugins, without network or server (spec/cli.md). */
export const demo: Work = async (context, _args, options) => {
  const json = hasFlag(options, "json");
  const workspace = await workspaceOf(context, options, storyRules);
  const story = playStory({
    workspace,
    clock: context.clock,
    entropy: context.entropy,
    told: (step, number) => {
      if (!json)
        context.stdout(`${number}  ${visible(step.what)}: ${visible(step.outcome)}. ${visible(step.detail)}\n`);
    },
  });
  const { steps, bundles } = await withProgress(context, "demo", story);
  const ok = steps.length === 7 && steps.every((step) => step.ok);
  const home = shownPath(workspace.paths.home, context.cwd);
  if (json) printJson(context, { ok, steps, home: workspace.paths.home, bundles });
  else {
    context.stdout(`\n${formatTable([columns, ...steps.map(tableRow)])}\n`);
    context.stdout(`bundles  ${shownPath(workspace.paths.bundles, context.cwd)}\n`);
    context.stdout(`trust    ${shownPath(workspace.paths.trust, context.cwd)}\n`);
    context.stdout(
      `next     npx exoarmur replay ${shownPath(bundles[0] ?? home, context.cwd)} --trust ${shownPath(workspace.paths.trust, context.cwd)}\n`,
    );
  }
  return ok ? exitCodes.done : exitCodes.refused;
};

/** `demo truth-reconstruction`: an out-of-root delete is denied, and the file is checked to be there (spec/cli.md). */
export const truthReconstruction: Work = async (context, _args, options) => {
  const workspace = await workspaceOf(context, options, truthRules);
  const { clock, entropy } = context;
  const outcome = await withProgress(context, "demo", reconstructTruth(workspace, { clock, entropy }));
  if (hasFlag(options, "json")) printJson(context, outcome);
  else context.stdout(`${truthLines(outcome).join("\n")}\n`);
  return outcome.denied && !outcome.executed && outcome.replayPassed ? exitCodes.done : exitCodes.refused;
};
