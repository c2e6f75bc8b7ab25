import { encodeUtf8 } from "../../crypto/encoding.js";
import { ExoArmurError } from "../../errors.js";
import { readDecimal } from "../../log/checkpoint.js";
import { formatProofFile } from "../../log/proof-file.js";
import { discloseCall } from "../../pipeline/disclose.js";
import type { LogProver } from "../../pipeline/finish.js";
import { verifyCall } from "../../verify/verify-call.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { writeOutput } from "../files.js";
import { withHomeView } from "../home-view.js";
import { countOf, printJson } from "../output.js";

/** What was proven: the bytes of the proof, the line that says what it shows, and the same as JSON. */
type Proven = { readonly bytes: Uint8Array; readonly line: string; readonly facts: Readonly<Record<string, unknown>> };

/**
 * `log prove INDEX`: the C2SP proof of one log entry. `log prove INTENT-ID --call SEQ`: one host call of a run, alone
 * (spec/bundle.md, Disclosing one call). EXO_USAGE, EXO_LOG_RANGE, EXO_INTENT_UNKNOWN, EXO_STORE_DAMAGED.
 */
export async function proveLog(
  context: CliContext,
  [what = ""]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const call = countOption(options, "call");
  const index = readDecimal(what);
  if (call === undefined && index === undefined) {
    throw new ExoArmurError("EXO_USAGE", `expected the number of a log entry, or --call with the id of an intent`);
  }
  const out = textOption(options, "out");
  if (out === undefined && hasFlag(options, "json")) {
    throw new ExoArmurError("EXO_USAGE", "--json and the proof both take standard output; name a file with --out");
  }
  const proven = await withHomeView(homeDir(context, textOption(options, "home")), ({ store, log, prover }): Proven => {
    if (log() === undefined) throw new ExoArmurError("EXO_LOG_RANGE", "the log is empty; nothing was recorded yet");
    return call === undefined ? proveEntry(prover, Number(index)) : proveCall(discloseCall(store, prover, what, call));
  });
  if (out === undefined) {
    context.stdout(proven.bytes);
    return exitCodes.done;
  }
  await writeOutput(context, out, proven.bytes);
  if (hasFlag(options, "json")) printJson(context, { ...proven.facts, path: out });
  else context.stdout(`${proven.line}\n${out}   ${countOf(proven.bytes.length, "byte")}\n`);
  return exitCodes.done;
}

function proveEntry(log: LogProver, index: number): Proven {
  const text = formatProofFile({ index, proof: log.prove(index), checkpoint: log.checkpoint() });
  return {
    bytes: encodeUtf8(text),
    line: `log entry ${index}`,
    facts: { schema: "exoarmur.log-proof/v1", index },
  };
}

/** Says what a disclosure shows by verifying it, so that none is handed out that does not hold. */
function proveCall(bytes: Uint8Array): Proven {
  const { call, intentId, checks, result } = verifyCall(bytes);
  if (call === null || result !== "pass") {
    const broken = checks.find(({ state }) => state === "fail" || state === "unable");
    throw new ExoArmurError("EXO_STORE_DAMAGED", `the disclosure does not hold: ${broken?.message ?? result}`);
  }
  const { seq, capability, outcome, assurance } = call;
  return {
    bytes,
    line: `call ${seq} of intent ${intentId ?? ""}   ${capability}   ${outcome}`,
    facts: { schema: "exoarmur.call-proof/v1", intentId, seq, capability, outcome, assurance },
  };
}

function countOption(options: Options, name: string): number | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const count = readDecimal(text);
  if (count !== undefined) return count;
  throw new ExoArmurError("EXO_USAGE", `--${name} expects a whole number from 0, got ${JSON.stringify(text)}`);
}
