import { type ErrorCode, ExoArmurError } from "../errors.js";
import type { ExecutionStatus } from "../ports.js";

/**
 * Ends a run from inside a host function. A guest cannot catch it: admission lets no exception instructions through.
 * Only the sandbox throws and catches it; nothing outside ever sees one.
 */
export class Stop extends Error {
  readonly status: ExecutionStatus;
  readonly code: string;
  readonly note: string | undefined;

  constructor(status: ExecutionStatus, code: string, note?: string) {
    super(code);
    this.status = status;
    this.code = code;
    this.note = note;
  }
}

/** The stop for a pointer or length outside the guest's blocks. */
export function boundsStop(): Stop {
  return new Stop("trapped", "EXO_KERNEL_BOUNDS" satisfies ErrorCode);
}

/** The stop for a guest that asks the kernel for more than its byte or block cap. */
export function memoryStop(): Stop {
  return new Stop("out_of_memory", "EXO_OUT_OF_MEMORY" satisfies ErrorCode);
}

/** The stop for an output longer than outputBytes. */
export function outputStop(): Stop {
  return new Stop("output_limit", "EXO_OUTPUT_LIMIT" satisfies ErrorCode);
}

/** What ends the run of a guest that was to get memory which the host does not have: no stop, a fault of the host. */
export function shortageFault(): ExoArmurError {
  return new ExoArmurError("EXO_HOST_FAULT", "no memory for the blocks of a guest that is below its cap");
}
