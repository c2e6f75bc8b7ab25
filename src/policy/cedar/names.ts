/** Revision of the behaviour, recorded in every decision: mapping, precedence and the pinned release of Cedar. */
export const cedarRevision = 1;

/** Name of this evaluator in decisions. */
export const cedarEvaluatorName = "exoarmur.cedar";

/** Rationale of a decision that Cedar's engine could not make; no evaluation can give it again. */
export const engineFailure = "evaluation error: Cedar's engine failed";
