import { availableParallelism } from "node:os";
import { ExoArmurError } from "../errors.js";
import type { Logger, SandboxHost, SandboxJob, SandboxOutcome } from "../ports.js";
import { FairQueue, type QueueEntry } from "./fair-queue.js";
import { GuestWorker } from "./guest-worker.js";
import { defaultQueueBound, defaultQueueBytes, extismVersion, spareDelayMs } from "./settings.js";
import type { WorkerKind } from "./worker-link.js";

/** How many workers a pool has and how much may wait for them. */
export type ScheduleOptions = {
  /** Most workers that run jobs; default the machine's parallelism. One more may stand by. */
  readonly size?: number;
  /** Most jobs that wait; default 1,024. */
  readonly queueBound?: number;
  /** Most bytes of input that wait; default 256 MiB. */
  readonly queueBytes?: number;
  readonly logger?: Logger | undefined;
};

type Entry = QueueEntry & { readonly job: SandboxJob; readonly resolve: (outcome: SandboxOutcome) => void };

/**
 * A SandboxHost over workers of one kind: a fair queue with bounds, workers that start when jobs come and let the process
 * exit when idle, one that stands by, and another in the place of each that is lost (spec/sandbox.md, Isolation).
 *
 * @throws ExoArmurError EXO_USAGE when a size or bound is not a whole number, or the size is 0.
 */
export class Scheduler implements SandboxHost {
  readonly engine = `V8 ${process.versions.v8}, Extism ${extismVersion}`;
  readonly #kind: WorkerKind;
  readonly #logger: Logger | undefined;
  readonly #size: number;
  readonly #bound: number;
  readonly #queue: FairQueue<Entry>;
  readonly #workers = new Set<GuestWorker>();
  #spare: GuestWorker | undefined;
  #spareTimer: NodeJS.Timeout | undefined;
  #running = 0;
  #closed = false;
  #closing: Promise<void> | undefined;
  #drained: (() => void) | undefined;

  constructor(kind: WorkerKind, options: ScheduleOptions) {
    this.#kind = kind;
    this.#logger = options.logger;
    this.#size = count("pool size", options.size ?? availableParallelism(), 1);
    this.#bound = count("queue bound", options.queueBound ?? defaultQueueBound, 0);
    const bytes = count("queue bound in bytes", options.queueBytes ?? defaultQueueBytes, 0);
    this.#queue = new FairQueue({ jobs: this.#bound, bytes });
  }

  async run(job: SandboxJob): Promise<SandboxOutcome> {
    if (this.#closed) {
      throw new ExoArmurError("EXO_CLOSED", "the sandbox is closed");
    }
    return await new Promise<SandboxOutcome>((resolve, reject) => {
      const entry: Entry = {
        job,
        resolve,
        tenant: job.tenant ?? "",
        plugin: job.module.digest,
        bytes: job.input.byteLength,
      };
      const worker = this.#queue.jobs === 0 ? this.#take() : undefined;
      if (worker !== undefined) {
        this.#queue.begin(entry);
        void this.#dispatch(worker, entry);
        return;
      }
      const refusal = this.#queue.refusal(entry);
      if (refusal !== undefined) {
        reject(new ExoArmurError("EXO_OVERLOADED", `${refusal}; ${this.#running} of ${this.#size} workers run`));
        return;
      }
      this.#queue.push(entry);
      this.#pump();
    });
  }

  load(): { running: number; queued: number; size: number; queueBound: number } {
    return { running: this.#running, queued: this.#queue.jobs, size: this.#size, queueBound: this.#bound };
  }

  /** Takes no more jobs, answers all that were taken, then ends the workers. */
  close(): Promise<void> {
    this.#closed = true;
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    clearTimeout(this.#spareTimer);
    if (this.#running + this.#queue.jobs > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
    const workers = [...this.#workers, ...(this.#spare === undefined ? [] : [this.#spare])];
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  /** Starts waiting jobs while there are workers for them. */
  #pump(): void {
    while (this.#queue.jobs > 0) {
      const worker = this.#take();
      const entry = worker && this.#queue.next();
      if (worker === undefined || entry === undefined) {
        return;
      }
      void this.#dispatch(worker, entry);
    }
  }

  /** An idle worker, else the one that stands by or a new one if there is room. */
  #take(): GuestWorker | undefined {
    for (const worker of this.#workers) {
      if (worker.idle) {
        return worker;
      }
    }
    return this.#workers.size < this.#size ? this.#enlist() : undefined;
  }

  #enlist(): GuestWorker {
    const worker = this.#spare ?? this.#spawn();
    this.#spare = undefined;
    this.#workers.add(worker);
    if (!this.#closed) {
      this.#spareTimer ??= setTimeout(() => {
        this.#spareTimer = undefined;
        this.#spare ??= this.#spawn();
      }, spareDelayMs).unref();
    }
    return worker;
  }

  async #dispatch(worker: GuestWorker, entry: Entry): Promise<void> {
    this.#running++;
    const outcome = await worker.run(entry.job);
    this.#running--;
    this.#queue.end(entry);
    entry.resolve(outcome);
    this.#pump();
    if (this.#running + this.#queue.jobs === 0) {
      this.#drained?.();
    }
  }

  #spawn(): GuestWorker {
    const worker = new GuestWorker({ kind: this.#kind, logger: this.#logger, onGone: () => this.#lose(worker) });
    return worker;
  }

  /** Puts another worker in the place of one that is gone, unless it did no work: then the next may not either. */
  #lose(worker: GuestWorker): void {
    if (this.#spare === worker) {
      this.#spare = undefined;
      return;
    }
    this.#workers.delete(worker);
    if (worker.served && !this.#closed) {
      this.#enlist();
    }
    this.#pump();
  }
}

function count(what: string, value: number, least: number): number {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new ExoArmurError("EXO_USAGE", `expected a ${what} of ${least} or more, got ${value}`);
  }
  return value;
}
