import { type Digest, digestOf } from "../canonical/digest.js";
import { decodeAbi } from "../canonical/msgpack.js";
import { transcriptBytes } from "../capabilities/bounds.js";
import { answerDocument, type GivenAnswer } from "../contracts/answer-document.js";
import type { Counterfactual } from "../contracts/counterfactual.js";
import { type HostCall, hostCallSchema } from "../contracts/execution.js";
import type { Trust } from "../contracts/trust.js";
import { decodeBase64Url, encodeBase64Url } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import type { SandboxHost } from "../ports.js";
import { Evidence } from "../verify/evidence.js";
import { CheckEnd } from "../verify/report.js";
import { verifyBundle } from "../verify/verify-bundle.js";
import { reExecute } from "./re-execute.js";
import { runEndOf } from "./run-end.js";

/** One recorded host call and its answer as a document that can be edited. */
export type RecordedAnswer = { readonly capability: string; readonly answer: unknown };

/** What a counterfactual run is made with. */
export type CounterfactualOptions = {
  readonly sandbox: SandboxHost;
  /** Whose keys count; without one the bundle's own. */
  readonly trust?: Trust;
  /** Number of the host call that is answered otherwise. */
  readonly seq: number;
  readonly answer: GivenAnswer;
};

/**
 * Makes a bundle's run again with one host call answered otherwise (spec/what-if.md, Another answer). Calls before it get
 * the recorded answers, and so do later ones while the guest asks what it asked then; its fuel may differ. Nothing is
 * performed and nothing is recorded.
 *
 * @param bytes the exact bytes of a `*.proof.json` file
 * @throws ExoArmurError EXO_BUNDLE and its like for what is no bundle; EXO_CHECK_FAILED when the bundle itself does not
 *   verify; EXO_OVERRIDE when it has no such call; EXO_REPLAY_UNABLE and EXO_MATERIAL_MISSING when the run cannot be made
 */
export async function counterfactual(
  bytes: Uint8Array,
  { sandbox, trust, seq, answer }: CounterfactualOptions,
): Promise<Counterfactual> {
  const wrong = verifyBundle(bytes, trust === undefined ? {} : { trust }).checks.find(({ state }) => state === "fail");
  if (wrong !== undefined) {
    const message = `the bundle does not verify, so there is no record to depart from: ${wrong.title}: ${wrong.message}`;
    throw new ExoArmurError("EXO_CHECK_FAILED", message);
  }
  const evidence = Evidence.open(bytes);
  const recorded = callOf(evidence, seq);
  const replaced = { ...recorded, outcome: answer.outcome, ...bytesOf(answer.response) };
  try {
    const { comparison, divergence } = await reExecute(evidence, sandbox, { replaced });
    return {
      schema: "exoarmur.counterfactual/v1",
      counterfactual: true,
      bundleDigest: evidence.digest,
      intentId: evidence.predicate.intentId,
      override: {
        seq,
        capability: recorded.capability,
        recorded: recorded.responseDigest,
        given: replaced.responseDigest,
      },
      end: runEndOf(divergence),
      execution: comparison,
      divergence,
    };
  } catch (error) {
    throw unableOf(error);
  }
}

/** The recorded answer of one host call, to be edited and given back. EXO_OVERRIDE, EXO_MATERIAL_MISSING. */
export function recordedAnswer(bytes: Uint8Array, seq: number): RecordedAnswer {
  const { capability, response } = callOf(Evidence.open(bytes), seq);
  const value = decodeAbi(decodeBase64Url(response) ?? new Uint8Array(0), { maxBytes: transcriptBytes });
  return { capability, answer: answerDocument(value) };
}

function callOf(evidence: Evidence, seq: number): HostCall {
  const calls = evidence.digestsOf("host_call");
  const digest = calls[seq];
  if (digest === undefined) {
    throw new ExoArmurError("EXO_OVERRIDE", `the run made ${calls.length} host calls, none numbered ${seq}`);
  }
  try {
    return evidence.document(digest, "host_call", hostCallSchema);
  } catch (error) {
    throw unableOf(error);
  }
}

function bytesOf(response: Uint8Array): { readonly response: string; readonly responseDigest: Digest } {
  return { response: encodeBase64Url(response), responseDigest: digestOf(response) };
}

/** The end of a check, as the error that it is for a caller that asked for the run alone. */
function unableOf(error: unknown): unknown {
  return error instanceof CheckEnd
    ? new ExoArmurError(error.code ?? "EXO_REPLAY_UNABLE", error.message, {}, { cause: error })
    : error;
}
