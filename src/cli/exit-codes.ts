import { isExoArmurError } from "../errors.js";
import type { ExecutionResultStatus } from "../pipeline/types.js";

/** Every exit code of the command (spec/cli.md). */
export const exitCodes = {
  /** Done, executed, verified, identical. */
  done: 0,
  /** Refused, or proven wrong. */
  refused: 1,
  usage: 2,
  denied: 3,
  pending: 4,
  failed: 5,
  /** A check that was asked for could not be made. */
  unable: 6,
  inDoubt: 7,
  internal: 70,
  /** Ended by Ctrl-C or SIGTERM. */
  interrupted: 130,
} as const;

/** An exit code of the command. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The exit code of an action by its status. */
export const statusCodes: Readonly<Record<ExecutionResultStatus, ExitCode>> = {
  executed: exitCodes.done,
  denied: exitCodes.denied,
  approval_pending: exitCodes.pending,
  failed: exitCodes.failed,
  in_doubt: exitCodes.inDoubt,
  running: exitCodes.inDoubt,
};

/** The exit code of an error that ended a command. What nobody foresaw is internal. */
export function exitCodeOf(error: unknown): ExitCode {
  if (!isExoArmurError(error) || error.code === "EXO_INTERNAL") return exitCodes.internal;
  return error.code === "EXO_USAGE" ? exitCodes.usage : exitCodes.refused;
}
