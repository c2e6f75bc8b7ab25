import { operatorClasses } from "../contracts/action-class.js";
import { checkFlags, type Features, readFlags } from "../contracts/features.js";
import type { SafetyConfig } from "../contracts/safety.js";
import { ExoArmurError } from "../errors.js";
import type { Environment } from "./system.js";

/**
 * A safety configuration under the flags that are on (spec/safety.md, Action classes): the same one while operator
 * approval is not required. EXO_FLAG.
 */
export function safetyUnder(safety: SafetyConfig, env: Environment, features: Features): SafetyConfig {
  const flags = checkFlags(readFlags(env, features));
  if (!flags.ok) throw new ExoArmurError(flags.error.code, flags.error.message);
  if (!flags.value.has("EXOARMUR_FLAG_V2_OPERATOR_APPROVAL_REQUIRED")) return safety;
  return { ...safety, operatorApproval: [...operatorClasses] };
}
