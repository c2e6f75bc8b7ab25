import { ExoArmurError } from "../../errors.js";
import { type RedactChoice, type RedactedBundle, redactBundle } from "../../proof/redact.js";
import type { VerificationReport } from "../../verify/report.js";
import { verifyBundle } from "../../verify/verify-bundle.js";
import { hasFlag, type Options, textOption, textsOption } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputs, readInput, writeOutput } from "../files.js";
import { countOf, formatRows, printJson } from "../output.js";
import { formatHidden } from "./verify.js";

/**
 * `redact BUNDLE -o OUT --hide ROLE|--keep ROLE`: leaves materials out and says what stays hidden, what can be told all
 * the same, and which checks cannot be made any more. EXO_USAGE, EXO_FILE; EXO_REDACT and as redactBundle; EXO_BUNDLE for
 * a bundle that does not hold, which is not handed on.
 */
export async function redact(
  context: CliContext,
  [path = "-"]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const out = textOption(options, "out") ?? "-";
  const json = hasFlag(options, "json");
  if (out === "-" && json)
    throw new ExoArmurError("EXO_USAGE", "--json and -o - both take standard output; name a file");
  const choice = choiceOf(options);
  const bytes = await readInput(context, path, inputs.bundle);
  const redacted = redactBundle(bytes, choice);
  const [before, after] = [sound(bytes), sound(redacted.bytes)];
  const lost = unmade(after).filter((id) => !unmade(before).includes(id));
  if (out === "-") {
    context.stdout(redacted.bytes);
    return exitCodes.done;
  }
  await writeOutput(context, out, redacted.bytes, path);
  if (json) printJson(context, documentOf(redacted, lost, out));
  else context.stdout(formatRedacted(redacted, lost, out));
  return exitCodes.done;
}

function choiceOf(options: Options): RedactChoice {
  const [hide, keep] = [textsOption(options, "hide"), textsOption(options, "keep")];
  if (hide.length > 0) return { hide };
  if (keep.length > 0) return { keep };
  throw new ExoArmurError("EXO_USAGE", "say what to leave out with --hide, or what to keep with --keep");
}

/** Verifies, so that nothing is handed on that is proven wrong. */
function sound(bytes: Uint8Array): VerificationReport {
  const report = verifyBundle(bytes);
  const broken = report.checks.find(({ state }) => state === "fail");
  if (broken === undefined) return report;
  throw new ExoArmurError("EXO_BUNDLE", `the bundle does not hold: ${broken.title}: ${broken.message}`);
}

function unmade({ checks }: VerificationReport): readonly string[] {
  return checks.filter(({ state }) => state === "unable").map(({ id }) => id);
}

function documentOf({ bytes, hidden, readable }: RedactedBundle, unable: readonly string[], path: string): object {
  return { schema: "exoarmur.redacted/v1", path, bytes: bytes.length, hidden, readable, unable };
}

function formatRedacted({ bytes, hidden, readable }: RedactedBundle, unable: readonly string[], out: string): string {
  const rows = [
    ...readable.map(({ role, from, how }) => ["readable", `${role} from ${from.join(" and ")}`, how]),
    ["unable", unable.join(", ")],
    ["written", out, countOf(bytes.length, "byte")],
  ];
  return `${formatHidden(hidden)}${formatRows(rows)}`;
}
