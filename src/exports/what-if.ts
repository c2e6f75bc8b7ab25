/** exoarmur/what-if: recorded decisions under another policy, and whether a policy allows more than another (spec/what-if.md). */
export type { Backtest, Flip } from "../contracts/backtest.js";
export type { Change } from "../policy/change.js";
export type { PolicyDiff, Widening, WideningClass } from "../policy/diff.js";
export { diffPolicies } from "../policy/diff.js";
export type { BacktestFilter } from "../replay/backtest.js";
export { backtestPolicy } from "../replay/backtest.js";
