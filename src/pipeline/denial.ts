import type { Reason } from "../contracts/event.js";
import type { ErrorCode } from "../errors.js";
import { reasonOf } from "./finish.js";
import type { Judgement } from "./judge.js";

/** The reason of a denial that policy or safety gave: the safety gate's first, since it overrides. */
export function denialOf({ decision, safety, final }: Judgement): Reason {
  if (safety.verdict === "deny") {
    return reasonOf({ code: safetyCode(safety.ruleIds), message: safety.rationale }, safety.ruleIds);
  }
  const unknown = decision.verdict === "allow" || decision.verdict === "require_approval";
  if (unknown) return reasonOf({ code: "EXO_VERDICT_UNKNOWN", message: "the verdicts do not resolve" }, final.ruleIds);
  return reasonOf(
    { code: policyCode(decision.verdict, decision.rationale), message: decision.rationale },
    decision.ruleIds,
  );
}

function safetyCode(ruleIds: readonly string[]): ErrorCode {
  if (ruleIds.some((id) => id.startsWith("kill-switch"))) return "EXO_KILL_SWITCH";
  if (ruleIds.some((id) => id.startsWith("budget"))) return "EXO_BUDGET";
  return "EXO_SAFETY_DENIED";
}

function policyCode(verdict: string, rationale: string): ErrorCode {
  if (verdict === "defer") return "EXO_POLICY_DEFERRED";
  return rationale.startsWith("evaluation error") ? "EXO_POLICY_ERROR" : "EXO_POLICY_DENIED";
}
