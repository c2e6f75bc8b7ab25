import type { FinalVerdict } from "../contracts/safety.js";

/** A verdict of one side with the rules that determined it. The verdict is text: whatever is unknown is a deny. */
export type SideVerdict = { readonly verdict: string; readonly ruleIds: readonly string[] };

const policyVerdicts: ReadonlySet<string> = new Set(["allow", "deny", "require_approval", "defer"]);
const safetyVerdicts: ReadonlySet<string> = new Set(["allow", "deny", "require_human", "require_quorum"]);

/**
 * The final verdict over policy and safety (spec/safety.md): a safety deny overrides all, then policy deny, defer
 * (a deny), require_quorum, require_human, require_approval, allow. A verdict this build does not know, `warn` too, is
 * a deny by the rule `unknown-verdict`. `ruleIds` lists what fired, as `safety:<id>` and `policy:<id>`.
 */
export function resolveVerdict(policy: SideVerdict, safety: SideVerdict): FinalVerdict {
  const ruleIds = [...policy.ruleIds.map((id) => `policy:${id}`), ...safety.ruleIds.map((id) => `safety:${id}`)];
  const final = (verdict: FinalVerdict["verdict"], more: readonly string[] = []): FinalVerdict => ({
    schema: "exoarmur.final-verdict/v1",
    verdict,
    ruleIds: [...ruleIds, ...more],
  });
  if (!policyVerdicts.has(policy.verdict) || !safetyVerdicts.has(safety.verdict)) {
    return final("deny", ["unknown-verdict"]);
  }
  if (safety.verdict === "deny" || policy.verdict === "deny" || policy.verdict === "defer") return final("deny");
  if (safety.verdict === "require_quorum") return final("require_quorum");
  if (safety.verdict === "require_human") return final("require_human");
  if (policy.verdict === "require_approval") return final("require_approval");
  return final("allow");
}
