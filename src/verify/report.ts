import type { Digest } from "../canonical/digest.js";
import type { HiddenRole } from "../contracts/redaction.js";
import type { ErrorCode } from "../errors.js";
import type { CedarEngine } from "../policy/program.js";

/**
 * Ends of a check. `unable`: asked for and could not be made, never a pass. `not_applicable`: not asked for, or there
 * is nothing of the kind in this bundle.
 */
export type CheckState = "pass" | "fail" | "unable" | "not_applicable";

/** One check's result. `code` is set for fail and unable. */
export type CheckResult = {
  readonly id: string;
  readonly title: string;
  readonly state: CheckState;
  readonly code?: ErrorCode;
  /** What was found, expected or missing. */
  readonly message: string;
};

/**
 * fail if any check failed. Else `unsupported_revision` if one could not be made because this build does not know a
 * revision: another build may. Else unable if any check could not be made, else pass.
 */
export type VerificationResult = "pass" | "fail" | "unable" | "unsupported_revision";

/** Outcome of a whole verification. */
export type VerificationReport = {
  readonly schema: "exoarmur.verification/v1";
  /** `pinned`: keys came from a trust file. `self_check_only`: keys came from the bundle, which shows integrity, not identity. */
  readonly trustMode: "pinned" | "self_check_only";
  /** Digest of the signed statement; null when the file is no bundle. */
  readonly bundleDigest: Digest | null;
  readonly intentId: string | null;
  readonly correlationId: string | null;
  readonly result: VerificationResult;
  /** What the statement names and the file does not hold; empty for a whole bundle and for a disclosed call. */
  readonly hidden: readonly HiddenRole[];
  readonly checks: readonly CheckResult[];
  readonly counts: Readonly<Record<CheckState, number>>;
  /** Fixed sentences: what a pass does not prove. */
  readonly limits: readonly string[];
};

/** What some checks need and not every place has loaded; without one such a check is `unable`. */
export type Engines = { readonly cedar?: CedarEngine };

/** Ends a check early with its state. Private to this folder's checks. */
export class CheckEnd extends Error {
  readonly state: Exclude<CheckState, "pass">;
  readonly code: ErrorCode | undefined;

  constructor(state: Exclude<CheckState, "pass">, code: ErrorCode | undefined, message: string) {
    super(message);
    this.state = state;
    this.code = code;
  }
}

/** Proven wrong. */
export function fail(code: ErrorCode, message: string): never {
  throw new CheckEnd("fail", code, message);
}

/** Asked for and cannot be made. */
export function unable(code: ErrorCode, message: string): never {
  throw new CheckEnd("unable", code, message);
}

/** Not asked for, or nothing of the kind is in this bundle. */
export function notApplicable(message: string): never {
  throw new CheckEnd("not_applicable", undefined, message);
}

/** Fails the check unless `condition` holds. */
export function expect(condition: boolean, code: ErrorCode, message: string): asserts condition {
  if (!condition) fail(code, message);
}

const ofBundle = [
  "A pass does not prove that the outside world gave these answers: it proves the computation, given the recorded answers.",
  "A pass over one file cannot show that nothing else happened: spent-once and completeness need the log (log check).",
] as const;

const selfCheck =
  "No trust file was given: the keys are the bundle's own. This proves integrity, not identity: anybody could have made it.";

/** Sums checks up into a report. `limits` are a bundle's unless given. */
export function makeReport(
  facts: Pick<VerificationReport, "trustMode" | "bundleDigest" | "intentId" | "correlationId">,
  checks: readonly CheckResult[],
  {
    hidden = [],
    limits = facts.trustMode === "pinned" ? ofBundle : [selfCheck, ...ofBundle],
  }: Partial<Pick<VerificationReport, "hidden" | "limits">> = {},
): VerificationReport {
  const counts: Record<CheckState, number> = { pass: 0, fail: 0, unable: 0, not_applicable: 0 };
  for (const check of checks) counts[check.state] += 1;
  return { schema: "exoarmur.verification/v1", ...facts, result: resultOf(checks), hidden, checks, counts, limits };
}

function resultOf(checks: readonly CheckResult[]): VerificationResult {
  if (checks.some(({ state }) => state === "fail")) return "fail";
  const unmade = checks.filter(({ state }) => state === "unable");
  if (unmade.length === 0) return "pass";
  return unmade.some(({ code }) => code === "EXO_REVISION") ? "unsupported_revision" : "unable";
}
