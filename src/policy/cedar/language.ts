import type { CedarEngine } from "../program.js";
import { compileCedar } from "./compile.js";
import { evaluateCedar, evaluateCedarNow, explainCedar } from "./evaluate.js";
import { CedarInstance, type CedarModule } from "./instance.js";
import { cedarEvaluatorName, cedarRevision } from "./names.js";

/** Cedar's engine over an instance of its module, which must be nobody else's. EXO_CEDAR_ENGINE. */
export function createCedar(module: CedarModule): CedarEngine {
  const instance = new CedarInstance(module);
  const evaluator = { name: cedarEvaluatorName, revision: cedarRevision, engine: instance.version };
  return {
    compile: (document) => {
      const policy = compileCedar(document, instance);
      return {
        document,
        evaluator,
        decide: (subject) => evaluateCedarNow(policy, subject),
        evaluate: (subject) => evaluateCedar(policy, subject),
        explain: (subject) => explainCedar(policy, subject),
      };
    },
  };
}
