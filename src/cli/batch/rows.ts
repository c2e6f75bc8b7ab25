import type { HiddenRole } from "../../contracts/redaction.js";
import type { CheckResult, VerificationReport, VerificationResult } from "../../verify/report.js";

/** What is kept of one file's verification: enough to say what is wrong with it, of a size that thousands can have. */
export type BatchRow = {
  readonly result: VerificationResult;
  readonly bundleDigest: string | null;
  readonly intentId: string | null;
  /** Materials left out, role by role. */
  readonly hidden: readonly Pick<HiddenRole, "role" | "cover" | "count">[];
  /** Checks that failed or could not be made, in the order of the report. */
  readonly wrong: readonly Pick<CheckResult, "id" | "state" | "code" | "message">[];
  /** What a pass does not prove; none for a file that was not read. */
  readonly limits: readonly string[];
};

/** The row of a report. */
export function rowOf({ result, bundleDigest, intentId, hidden, checks, limits }: VerificationReport): BatchRow {
  return {
    result,
    bundleDigest,
    intentId,
    hidden: hidden.map(({ role, cover, count }) => ({ role, cover, count })),
    wrong: checks
      .filter(({ state }) => state === "fail" || state === "unable")
      .map(({ id, state, code, message }) => ({ id, state, ...(code === undefined ? {} : { code }), message })),
    limits,
  };
}

/** The row of a file that gave no report. A file that cannot be read fails; one whose verification broke off is unable. */
export function rowWithout(state: "fail" | "unable", code: CheckResult["code"] & string, message: string): BatchRow {
  return {
    result: state,
    bundleDigest: null,
    intentId: null,
    hidden: [],
    wrong: [{ id: "file", state, code, message }],
    limits: [],
  };
}
