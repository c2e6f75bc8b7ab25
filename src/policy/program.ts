import type { PolicyDecision } from "../contracts/policy.js";
import { type AnyPolicy, type CedarPolicy, isCedar } from "../contracts/policy-cedar.js";
import { ExoArmurError } from "../errors.js";
import { compilePolicy } from "./compile.js";
import { evaluatePolicy, evaluatorName, type PolicyOutcome, policyRevision } from "./evaluate.js";
import { explainPolicy, type RuleExplanation } from "./explain.js";
import type { PolicySubject } from "./match.js";

/** A policy ready to run, whichever language it is in. */
export type PolicyProgram = {
  readonly document: AnyPolicy;
  /** What a decision says of its evaluator. */
  readonly evaluator: PolicyDecision["evaluator"];
  /** Judges a subject. Whatever goes wrong is a deny; never throws. */
  readonly decide: (subject: PolicySubject) => PolicyOutcome;
  /** As `decide`, for who can also say that it could not be told: EXO_CEDAR_ENGINE. */
  readonly evaluate: (subject: PolicySubject) => PolicyOutcome;
  /** How every rule answers, also those that did not decide. EXO_CEDAR_ENGINE. */
  readonly explain: (subject: PolicySubject) => RuleExplanation[];
};

/** Cedar's engine, whose code and 4 MB of Wasm are loaded when a policy needs them. */
export type CedarEngine = {
  /** Compiles a Cedar policy whose shape was validated. EXO_SCHEMA, EXO_CEDAR_ENGINE. */
  readonly compile: (document: CedarPolicy) => PolicyProgram;
};

/**
 * Compiles a policy in either language.
 *
 * @param cedar the engine, null where none is loaded
 * @throws ExoArmurError EXO_SCHEMA; EXO_CEDAR_ENGINE for a Cedar policy without an engine
 */
export function compileProgram(document: AnyPolicy, cedar: CedarEngine | null): PolicyProgram {
  if (!isCedar(document)) {
    const policy = compilePolicy(document);
    const evaluate = (subject: PolicySubject) => evaluatePolicy(policy, subject);
    return {
      document,
      evaluator: { name: evaluatorName, revision: policyRevision },
      decide: evaluate,
      evaluate,
      explain: (subject) => explainPolicy(policy, subject),
    };
  }
  if (cedar === null) throw new ExoArmurError("EXO_CEDAR_ENGINE", "the policy is in Cedar, whose engine is not loaded");
  return cedar.compile(document);
}

/** Loads Cedar's engine, once however often it is asked. */
export type LoadCedar = () => Promise<CedarEngine>;

/** As compileProgram; the engine is loaded when the policy needs it. EXO_CEDAR_ENGINE where none can be. */
export async function loadProgram(document: AnyPolicy, load: LoadCedar | undefined): Promise<PolicyProgram> {
  return compileProgram(document, isCedar(document) && load !== undefined ? await load() : null);
}
