import type { WorkerOptions } from "node:worker_threads";
import type { SandboxHost } from "../ports.js";
import { type ScheduleOptions, Scheduler } from "./scheduler.js";
import { threadKind } from "./thread-worker.js";

/** Options of {@link createSandboxPool}. */
export type SandboxPoolOptions = ScheduleOptions & {
  /** The built worker entry, `sandbox/worker.js`. */
  readonly workerUrl: URL;
  /** Laid over the options each worker is started with, for tests of worker failure. */
  readonly workerOptions?: WorkerOptions;
};

/**
 * A SandboxHost over worker threads (spec/sandbox.md, Isolation).
 *
 * @throws ExoArmurError EXO_USAGE when a size or bound is not a whole number, or the size is 0.
 */
export function createSandboxPool(options: SandboxPoolOptions): SandboxHost {
  return new Scheduler(threadKind(options), options);
}
