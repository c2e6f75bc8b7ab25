import { encodeUtf8 } from "../../crypto/encoding.js";
import { ExoArmurError } from "../../errors.js";
import { readDecimal } from "../../log/checkpoint.js";
import { type LogProver, proveLeaf } from "../../log/cosigned.js";
import { formatProofFile, type ProofFile } from "../../log/proof-file.js";
import { discloseCall } from "../../pipeline/disclose.js";
import { presentBundle } from "../../pipeline/present.js";
import type { StoreReader } from "../../ports.js";
import { verifyCall } from "../../verify/verify-call.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { exportOption } from "../exported.js";
import { writeOutput } from "../files.js";
import { withHomeView } from "../home-view.js";
import { countOf, printJson } from "../output.js";

/** What was proven: the bytes of the proof, the line that says what it shows, and the same as JSON. */
type Proven = { readonly bytes: Uint8Array; readonly line: string; readonly facts: Readonly<Record<string, unknown>> };

/**
 * `log prove INDEX`: the C2SP proof of one log entry, of an export with --dir. `log prove INTENT-ID`: the bundle of an ended intent, proven anew;
 * with `--call SEQ` one host call of its run, alone (spec/bundle.md, Disclosing one call). EXO_USAGE, EXO_LOG_RANGE, EXO_INTENT_UNKNOWN, EXO_STORE_DAMAGED, and what
 * exportOption throws.
 */
export async function proveLog(
  context: CliContext,
  [what = ""]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const call = countOption(options, "call");
  const index = readDecimal(what);
  const out = textOption(options, "out");
  if (out === undefined && hasFlag(options, "json")) {
    throw new ExoArmurError("EXO_USAGE", "--json and the proof both take standard output; name a file with --out");
  }
  const exported = await exportOption(context, options);
  if (exported !== undefined && (index === undefined || call !== undefined))
    throw new ExoArmurError("EXO_USAGE", "--dir proves entries by their number; what an intent did is in its home");
  const proven =
    exported !== undefined && index !== undefined
      ? entryProof(await exported.prove(index))
      : await proveFromHome(context, options, what, { index, call });
  if (out === undefined) {
    context.stdout(proven.bytes);
    return exitCodes.done;
  }
  await writeOutput(context, out, proven.bytes);
  if (hasFlag(options, "json")) printJson(context, { ...proven.facts, path: out });
  else context.stdout(`${proven.line}\n${out}   ${countOf(proven.bytes.length, "byte")}\n`);
  return exitCodes.done;
}

function proveFromHome(
  context: CliContext,
  options: Options,
  what: string,
  { index, call }: { readonly index: number | undefined; readonly call: number | undefined },
): Promise<Proven> {
  return withHomeView(homeDir(context, textOption(options, "home")), ({ store, log, prover }): Proven => {
    if (log() === undefined) throw new ExoArmurError("EXO_LOG_RANGE", "the log is empty; nothing was recorded yet");
    if (call !== undefined) return proveCall(discloseCall(store, prover, what, call));
    return index === undefined ? proveIntent(store, prover, what) : entryProof(proveLeaf(store, prover, index));
  });
}

function entryProof(proof: ProofFile): Proven {
  const { index } = proof;
  return {
    bytes: encodeUtf8(formatProofFile(proof)),
    line: `log entry ${index}`,
    facts: { schema: "exoarmur.log-proof/v1", index },
  };
}

function proveIntent(store: StoreReader, log: LogProver, intentId: string): Proven {
  const bundle = presentBundle(store, log, intentId);
  if (bundle === undefined)
    throw new ExoArmurError("EXO_LOG_RANGE", `intent ${intentId} has not ended, so it has no bundle`);
  return {
    bytes: bundle.bytes(),
    line: `bundle of intent ${intentId}`,
    facts: { schema: "exoarmur.bundle-proof/v1", intentId, digest: bundle.digest },
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
