import { resolve } from "node:path";
import { digestOf } from "../../canonical/digest.js";
import { decodeUtf8 } from "../../crypto/encoding.js";
import { ExoArmurError, isExoArmurError, ok, type Result, refuse } from "../../errors.js";
import { readKeyFile } from "../../home/keys.js";
import { agreementOf, majorityOf, verifierKeys } from "../../replay/agreement.js";
import { attestReplay } from "../../replay/attest-replay.js";
import { loadCedar } from "../../runtime/cedar.js";
import { Evidence } from "../../verify/evidence.js";
import { CheckEnd } from "../../verify/report.js";
import { hasFlag, type Options, textOption, textsOption } from "../action.js";
import { agreementCodes, formatAgreement, thresholdOption } from "../agreement-text.js";
import type { CliContext } from "../context.js";
import type { ExitCode } from "../exit-codes.js";
import { inputs, readInput, writeOutput } from "../files.js";
import { formatRows, printJson } from "../output.js";
import { withProgress } from "../progress.js";
import { type BundleInput, resultCodes } from "../replay-question.js";
import { formatReport } from "../replay-text.js";
import { withSandbox } from "../sandbox-use.js";
import { readTrustOption } from "./verify.js";

/**
 * `replay BUNDLE --attest --key K [-o FILE]`: replays and signs what was found, whatever it was; ends as the replay does.
 * Without `-o` the report is all that is printed. EXO_USAGE, EXO_FILE, EXO_KEY, EXO_KEY_MODE, trust file errors.
 */
export async function attest(context: CliContext, bundle: BundleInput, options: Options): Promise<ExitCode> {
  const [file, second] = textsOption(options, "key");
  if (file === undefined || second !== undefined) throw new ExoArmurError("EXO_USAGE", "--attest takes one --key");
  const { signer } = await readKeyFile(resolve(context.cwd, file), "verifier");
  const trust = await readTrustOption(context, options);
  const work = withSandbox(context, options, 1, (sandbox) =>
    attestReplay(bundle.bytes, { sandbox, signer, cedar: loadCedar, ...(trust === undefined ? {} : { trust }) }),
  );
  const { report, envelope } = await withProgress(context, "replaying", work);
  const out = textOption(options, "out");
  if (out === undefined || out === "-") {
    context.stdout(decodeUtf8(envelope) ?? "");
    return resultCodes[report.result];
  }
  await writeOutput(context, out, envelope, bundle.path);
  if (hasFlag(options, "json")) printJson(context, report);
  else context.stdout(`${formatReport(report)}${formatRows([["signed", out, `by key ${signer.keyId}`]])}`);
  return resultCodes[report.result];
}

/**
 * `replay BUNDLE --check-attestation FILE... --trust FILE [--threshold K]`: how many verifiers of the trust file signed the
 * same about this very file. Nothing is executed. Exit 0 when at least K found success, 1 when they agree on a failure, 6
 * otherwise. EXO_USAGE without a trust file; EXO_TRUST when it names no verifier; EXO_FILE.
 */
export async function checkAttestations(context: CliContext, bundle: BundleInput, options: Options): Promise<ExitCode> {
  const trust = await readTrustOption(context, options);
  if (trust === undefined) throw new ExoArmurError("EXO_USAGE", "--check-attestation needs --trust: whose word counts");
  const keys = verifierKeys(trust, tenantOf(bundle.bytes));
  if (keys.length === 0) {
    throw new ExoArmurError("EXO_TRUST", "the trust file has no key of the role verifier that counts for this bundle");
  }
  const threshold = thresholdOption(options, majorityOf(new Set(keys.map(({ person }) => person)).size));
  const handedIn = [];
  for (const path of textsOption(options, "checkAttestation")) {
    handedIn.push({ from: path, answer: await reportFile(context, path), keys });
  }
  const agreement = agreementOf(digestOf(bundle.bytes), handedIn, threshold);
  if (hasFlag(options, "json")) printJson(context, agreement);
  else context.stdout(formatAgreement(agreement));
  return agreementCodes[agreement.result];
}

/** One file that is too large is its own fault and does not end the count; one that cannot be read does. */
async function reportFile(context: CliContext, path: string): Promise<Result<Uint8Array>> {
  try {
    return ok(await readInput(context, path, inputs.reExecution));
  } catch (error) {
    if (isExoArmurError(error, "EXO_ENVELOPE")) return refuse(error.code, error.message);
    throw error;
  }
}

function tenantOf(bytes: Uint8Array): string | null {
  try {
    return Evidence.open(bytes).predicate.tenantId;
  } catch (error) {
    if (error instanceof CheckEnd) return null;
    throw error;
  }
}
