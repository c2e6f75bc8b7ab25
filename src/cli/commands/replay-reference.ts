import type { ReferenceCorrelation, ReferenceReplay } from "../../contracts/reference-event.js";
import { ExoArmurError } from "../../errors.js";
import { ReplayEngine } from "../../replay/replay-engine.js";
import { hasFlag, type Options, textOption } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { countOf, formatCount, formatRows, printJson } from "../output.js";

const resultCodes = { success: exitCodes.done, failure: exitCodes.refused, partial: exitCodes.unable } as const;

/** The largest stream that is read, in bytes. */
const maxBytes = 67_108_864;

/**
 * `replay FILE` in reference mode (spec/reference-replay.md): CanonicalEvents of ExoArmur-Core by its rules and ours.
 * EXO_USAGE for `--trust`, since nobody signs such a stream.
 */
export async function replayReferenceFile(context: CliContext, bytes: Uint8Array, options: Options): Promise<ExitCode> {
  if (textOption(options, "trust") !== undefined) {
    throw new ExoArmurError(
      "EXO_USAGE",
      "--trust does not apply to a stream of ExoArmur-Core: nobody signs its events",
    );
  }
  if (bytes.length > maxBytes) {
    throw new ExoArmurError("EXO_JSON_SIZE", `the events are larger than ${formatCount(maxBytes)} bytes`);
  }
  const report = await new ReplayEngine().replayReference(bytes, textOption(options, "correlation"));
  if (hasFlag(options, "json")) printJson(context, report);
  else context.stdout(formatReference(report));
  return resultCodes[report.result];
}

function formatReference({ result, correlations }: ReferenceReplay): string {
  const failures = correlations.flatMap(failuresOf);
  const warnings = correlations.flatMap(warningsOf);
  return [
    formatRows([
      ["mode", "reference: CanonicalEvents of ExoArmur-Core, replayed by its rules and by stricter ones of ours"],
      ...correlations.map((one) => [one.result, one.correlationId, countsOf(one)]),
    ]),
    `\nReplay result: ${result}\n`,
    `Failures: ${failures.length === 0 ? "none" : failures.length}\n`,
    formatRows([
      ...failures.map((message) => ["failure", message]),
      ...warnings.map((message) => ["warning", message]),
    ]),
    "Nothing was executed again, nobody signs these events, and a stream that was cut at its end looks whole.\n",
  ].join("");
}

function countsOf({ reference, stricter }: ReferenceCorrelation): string {
  const counts = `${reference.processed_events} of ${countOf(reference.total_events, "event")} processed`;
  return stricter.length === 0 ? counts : `${counts}; ExoArmur-Core itself says ${reference.result}`;
}

const failuresOf = ({ correlationId, reference, stricter }: ReferenceCorrelation): string[] =>
  [...reference.failures, ...messagesOf(stricter, "failure")].map((message) => `${correlationId}: ${message}`);

const warningsOf = ({ correlationId, reference, stricter }: ReferenceCorrelation): string[] =>
  [...reference.warnings, ...messagesOf(stricter, "partial")].map((message) => `${correlationId}: ${message}`);

const messagesOf = (found: ReferenceCorrelation["stricter"], result: "failure" | "partial"): string[] =>
  found.filter((finding) => finding.result === result).map(({ rule, message }) => `${message} (${rule})`);
