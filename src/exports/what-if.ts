/** exoarmur/what-if: recorded decisions under another policy, and whether a policy allows more than another (spec/what-if.md). */
import type { Backtest } from "../contracts/backtest.js";
import type { AnyPolicy } from "../contracts/policy-cedar.js";
import { type CedarEngine, compileProgram } from "../policy/program.js";
import type { StoreReader } from "../ports.js";
import { type BacktestFilter, backtestPolicy as backtestProgram } from "../replay/backtest.js";

export type { Backtest, Flip } from "../contracts/backtest.js";
export type { Change } from "../policy/change.js";
export type { PolicyDiff, Widening, WideningClass } from "../policy/diff.js";
export { diffPolicies } from "../policy/diff.js";
export type { BacktestFilter } from "../replay/backtest.js";

/**
 * Evaluates every recorded policy decision of a store again under a candidate (spec/what-if.md, Backtest). Reads only.
 *
 * @param cedar the engine of `exoarmur/cedar`, needed for a candidate in Cedar alone
 * @throws ExoArmurError EXO_SCHEMA for a candidate that does not compile; EXO_CEDAR_ENGINE
 */
export function backtestPolicy(
  store: StoreReader,
  candidate: AnyPolicy,
  filter: BacktestFilter,
  cedar: CedarEngine | null = null,
): Backtest {
  return backtestProgram(store, compileProgram(candidate, cedar), filter);
}
