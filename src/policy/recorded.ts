import type { ActionIntent } from "../contracts/intent.js";
import type { PolicyInput } from "../contracts/policy.js";
import type { PolicyOutcome } from "./evaluate.js";
import type { PolicySubject } from "./match.js";
import type { PolicyProgram } from "./program.js";

/** What a policy judged, from the recorded intent and PolicyInput. Whether the two belong together is the caller's to check. */
export function recordedSubject(intent: ActionIntent, input: PolicyInput): PolicySubject {
  const { requester, effects, attestations = [] } = input;
  return { intent, requester, effects, attestations };
}

/** What a policy says of a recorded input: the one it was recorded under, or a candidate. EXO_CEDAR_ENGINE. */
export function evaluateRecorded(policy: PolicyProgram, intent: ActionIntent, input: PolicyInput): PolicyOutcome {
  return policy.evaluate(recordedSubject(intent, input));
}
