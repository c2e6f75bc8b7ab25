/** exoarmur/cedar: Cedar's engine on Node.js, for verifying and replaying what was decided under a Cedar policy. */

export type { CedarEngine } from "../policy/program.js";
export { loadCedar } from "../runtime/cedar.js";
