import type { CheckState } from "../verify/report.js";

/** The four ends of a check as they are printed. */
export const stateWords: Readonly<Record<CheckState, string>> = {
  pass: "pass",
  fail: "fail",
  unable: "unable",
  not_applicable: "n/a",
};
