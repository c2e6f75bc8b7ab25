import { readJson } from "../../canonical/read.js";
import { readAnswerDocument } from "../../contracts/answer-document.js";
import type { Counterfactual } from "../../contracts/counterfactual.js";
import { ExoArmurError } from "../../errors.js";
import { counterfactual, recordedAnswer } from "../../replay/counterfactual.js";
import { hasFlag, type Options, textOption } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputs, readInput } from "../files.js";
import { formatBytes } from "../hex-dump.js";
import { formatRows, printJson } from "../output.js";
import { withProgress } from "../progress.js";
import type { BundleInput } from "../replay-question.js";
import { formatExecutions, signed } from "../replay-text.js";
import { withSandbox } from "../sandbox-use.js";
import { readTrustOption } from "./verify.js";

/** `replay BUNDLE --answer SEQ`: a recorded answer as JSON. EXO_USAGE, EXO_OVERRIDE, EXO_MATERIAL_MISSING. */
export async function printAnswer(context: CliContext, { bytes }: BundleInput, options: Options): Promise<ExitCode> {
  printJson(context, recordedAnswer(bytes, sequenceOf(textOption(options, "answer") ?? "", "answer")).answer);
  return exitCodes.done;
}

/**
 * `replay BUNDLE --override SEQ=FILE`: the run with one host call answered otherwise (spec/what-if.md). Exit 6 when the
 * guest then asks something that the record has no answer to. EXO_USAGE, EXO_FILE, EXO_JSON_*, and what counterfactual
 * throws.
 */
export async function replayOverride(context: CliContext, { bytes }: BundleInput, options: Options): Promise<ExitCode> {
  const [, number = "", file = ""] = /^([^=]*)=(.+)$/s.exec(textOption(options, "override") ?? "") ?? [];
  const seq = sequenceOf(number, "override");
  const answer = readAnswerDocument(readJson(await readInput(context, file, inputs.answer)));
  const trust = await readTrustOption(context, options);
  const asked = trust === undefined ? { seq, answer } : { seq, answer, trust };
  const work = withSandbox(context, options, 1, (sandbox) => counterfactual(bytes, { sandbox, ...asked }));
  const report = await withProgress(context, "replaying", work);
  if (hasFlag(options, "json")) printJson(context, report);
  else context.stdout(formatCounterfactual(report));
  return report.end === "host calls differ" ? exitCodes.unable : exitCodes.done;
}

function sequenceOf(text: string, name: string): number {
  if (/^(?:0|[1-9]\d{0,8})$/.test(text)) return Number(text);
  const form = name === "override" ? "SEQ=FILE" : "SEQ";
  throw new ExoArmurError("EXO_USAGE", `--${name} expects ${form}, SEQ being the number of a host call from 0`);
}

function formatCounterfactual({ override, end, execution, divergence }: Counterfactual): string {
  const { recorded, replayed } = execution;
  const difference =
    divergence === null
      ? []
      : [
          ["differs", divergence.step],
          ["", `recorded ${divergence.expected}, now ${divergence.actual}`],
          ...formatBytes(divergence),
        ];
  return [
    formatRows([["answered", `host call ${override.seq} ${override.capability}`, override.given]]),
    formatExecutions([execution]),
    formatRows([...difference, ["fuel", signed(replayed.fuel - recorded.fuel)]]),
    `\nCounterfactual: ${end}\n`,
    "Nobody gave this answer: what came of it is no record, and no evidence of anything.\n",
  ].join("");
}
