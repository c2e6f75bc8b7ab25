import type { ReplayReport } from "../contracts/replay-report.js";
import type { Options } from "./action.js";
import type { CliContext } from "./context.js";
import { type ExitCode, exitCodes } from "./exit-codes.js";

/** Exit codes by result (spec/replay.md). */
export const resultCodes: Readonly<Record<ReplayReport["result"], ExitCode>> = {
  success: exitCodes.done,
  failure: exitCodes.refused,
  no_audit_records: exitCodes.refused,
  partial: exitCodes.unable,
};

/** The bytes of a bundle, and the path they were read from. */
export type BundleInput = { readonly path: string; readonly bytes: Uint8Array };

/** What is asked of a bundle instead of its plain replay. */
export type Question = (context: CliContext, bundle: BundleInput, options: Options) => Promise<ExitCode>;
