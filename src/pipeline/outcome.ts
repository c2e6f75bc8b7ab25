import type { JsonValue } from "../canonical/jcs.js";
import type { ExecutionRecord, HostCall } from "../contracts/execution.js";
import { readOutput } from "../contracts/invocation.js";
import { schemaChecksOf } from "../contracts/json-schema-loading.js";
import type { ManifestFunction } from "../contracts/manifest.js";
import type { ErrorCode } from "../errors.js";
import type { ExecutionStatus, SandboxOutcome } from "../ports.js";

/** The stable code of every end that is not `completed`. */
export const statusCodes: Readonly<Record<Exclude<ExecutionStatus, "completed">, ErrorCode>> = {
  guest_error: "EXO_GUEST_ERROR",
  trapped: "EXO_TRAPPED",
  out_of_fuel: "EXO_OUT_OF_FUEL",
  out_of_memory: "EXO_OUT_OF_MEMORY",
  stack_overflow: "EXO_STACK_OVERFLOW",
  output_limit: "EXO_OUTPUT_LIMIT",
  host_call_limit: "EXO_HOST_CALL_LIMIT",
  capability_denied: "EXO_CAPABILITY_DENIED",
  timed_out: "EXO_TIMED_OUT",
  host_fault: "EXO_HOST_FAULT",
  in_doubt: "EXO_IN_DOUBT",
};

/** How a run ended once its output and its transcript were looked at. `value` is the output as callers get it. */
export type RunEnd = {
  readonly status: ExecutionStatus;
  readonly error?: ExecutionRecord["error"];
  readonly output?: Uint8Array;
  readonly value?: JsonValue | Uint8Array;
};

/**
 * The end of a run from what the sandbox saw and what the transcript holds (spec/contracts.md, ExecutionRecord). Pure:
 * recording and replay both use it, so that one cannot say something else than the other.
 *
 * An output that is not of its declared type, or breaks the manifest's output schema, is the guest's error. A guest that failed after a call of its was denied
 * ended `capability_denied`: that is the reason a person can act on.
 */
export function endOf(outcome: SandboxOutcome, fn: ManifestFunction, calls: readonly HostCall[]): RunEnd {
  if (outcome.status === "completed") {
    const bytes = outcome.output ?? new Uint8Array(0);
    const value = readOutput(fn.output, bytes);
    if (value === undefined) {
      return { status: "guest_error", error: { code: "EXO_GUEST_ERROR", message: `the output is not ${fn.output}` } };
    }
    const fit = schemaChecksOf(fn)?.checkOutput(fn, value);
    return fit?.ok === false
      ? { status: "guest_error", error: fit.error }
      : { status: "completed", output: bytes, value };
  }
  const denied = calls.find((call) => call.outcome === "denied");
  if (denied !== undefined && (outcome.status === "guest_error" || outcome.status === "trapped")) {
    const message = outcome.error?.message ?? `call ${denied.seq} of ${denied.capability} was denied`;
    return { status: "capability_denied", error: { code: "EXO_CAPABILITY_DENIED", message } };
  }
  const { code = statusCodes[outcome.status], message } = outcome.error ?? {};
  return { status: outcome.status, error: { code, ...(message === undefined ? {} : { message }) } };
}
