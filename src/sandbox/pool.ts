import type { WorkerOptions } from "node:worker_threads";
import type { SandboxHost } from "../ports.js";
import { type IsolationOptions, openProcessKind } from "./processes/isolation.js";
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

/** Options of {@link openProcessPool}. */
export type ProcessPoolOptions = ScheduleOptions & IsolationOptions;

/**
 * A SandboxHost over child processes (spec/sandbox.md, Isolation). Resolves once one has come up confined.
 *
 * @throws ExoArmurError EXO_ISOLATION when a child does not start or cannot be confined, EXO_USAGE as for
 * {@link createSandboxPool}.
 */
export async function openProcessPool(options: ProcessPoolOptions): Promise<SandboxHost> {
  return new Scheduler(await openProcessKind(options), options);
}
