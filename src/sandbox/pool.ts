import { availableParallelism } from "node:os";
import type { WorkerOptions } from "node:worker_threads";
import { type ErrorCode, ExoArmurError } from "../errors.js";
import type { Logger, SandboxHost, SandboxJob, SandboxOutcome } from "../ports.js";
import type { WasmModule } from "./engine.js";
import { compileGuest } from "./extism.js";
import { GuestWorker } from "./guest-worker.js";
import { defaultQueueBound, extismVersion, moduleCacheSize } from "./settings.js";

/** Options of {@link createSandboxPool}. */
export type SandboxPoolOptions = {
  /** The built worker entry, `sandbox/worker.js`. */
  readonly workerUrl: URL;
  /** Most worker threads that run jobs; default the machine's parallelism. */
  readonly size?: number;
  /** Most jobs that wait; default 1,024. */
  readonly queueBound?: number;
  readonly logger?: Logger;
  /** Laid over the options each worker is started with, for tests of worker failure. */
  readonly workerOptions?: WorkerOptions;
};

type Waiting = {
  readonly job: SandboxJob;
  readonly module: WasmModule;
  readonly resolve: (outcome: SandboxOutcome) => void;
};

/**
 * A SandboxHost over worker threads (spec/sandbox.md). Workers start when jobs come and let the process exit when idle.
 * A worker that was ended or lost is replaced, and from the first such loss on one more stands by.
 *
 * @throws ExoArmurError EXO_USAGE when a size or bound is not a whole number, or the size is 0.
 */
export function createSandboxPool(options: SandboxPoolOptions): SandboxHost {
  return new SandboxPool(options);
}

class SandboxPool implements SandboxHost {
  readonly engine = `V8 ${process.versions.v8}, Extism ${extismVersion}`;
  readonly #options: SandboxPoolOptions;
  readonly #size: number;
  readonly #queueBound: number;
  readonly #modules = new ModuleCache();
  readonly #workers = new Set<GuestWorker>();
  readonly #queue: Waiting[] = [];
  #spare: GuestWorker | undefined;
  /** Jobs taken and not yet answered. */
  #accepted = 0;
  #running = 0;
  #closed = false;
  #closing: Promise<void> | undefined;
  #drained: (() => void) | undefined;

  constructor(options: SandboxPoolOptions) {
    this.#options = options;
    this.#size = options.size ?? availableParallelism();
    this.#queueBound = options.queueBound ?? defaultQueueBound;
    if (!Number.isSafeInteger(this.#size) || this.#size < 1) {
      throw new ExoArmurError("EXO_USAGE", `expected a pool size of 1 or more, got ${this.#size}`);
    }
    if (!Number.isSafeInteger(this.#queueBound) || this.#queueBound < 0) {
      throw new ExoArmurError("EXO_USAGE", `expected a queue bound of 0 or more, got ${this.#queueBound}`);
    }
  }

  async run(job: SandboxJob): Promise<SandboxOutcome> {
    if (this.#closed) {
      throw new ExoArmurError("EXO_CLOSED", "the sandbox is closed");
    }
    if (this.#accepted >= this.#size + this.#queueBound) {
      throw new ExoArmurError("EXO_OVERLOADED", `the sandbox queue is full (${this.#queueBound})`);
    }
    this.#accepted++;
    try {
      const module = await this.#modules.get(job.module);
      return await new Promise<SandboxOutcome>((resolve) => {
        this.#queue.push({ job, module, resolve });
        this.#pump();
      });
    } catch (error) {
      this.#options.logger?.log("error", "sandbox: host fault", { fault: String(error).slice(0, 500) });
      return hostFault();
    } finally {
      this.#accepted--;
      if (this.#accepted === 0) {
        this.#drained?.();
      }
    }
  }

  load(): { running: number; queued: number; size: number; queueBound: number } {
    const queued = this.#accepted - this.#running;
    return { running: this.#running, queued, size: this.#size, queueBound: this.#queueBound };
  }

  /** Takes no more jobs, answers all that were taken, then ends the workers. */
  close(): Promise<void> {
    this.#closed = true;
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    if (this.#accepted > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
    const workers = [...this.#workers, ...(this.#spare === undefined ? [] : [this.#spare])];
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  /** Starts waiting jobs, in order, while there are workers for them. */
  #pump(): void {
    while (this.#queue.length > 0) {
      const worker = this.#take();
      if (worker === undefined) {
        return;
      }
      void this.#dispatch(worker, this.#queue.shift() as Waiting);
    }
  }

  /** An idle worker, else a new one if there is room. */
  #take(): GuestWorker | undefined {
    for (const worker of this.#workers) {
      if (worker.idle) {
        return worker;
      }
    }
    if (this.#workers.size >= this.#size) {
      return undefined;
    }
    const worker = this.#spare ?? this.#spawn();
    this.#spare = undefined;
    this.#workers.add(worker);
    return worker;
  }

  async #dispatch(worker: GuestWorker, { job, module, resolve }: Waiting): Promise<void> {
    this.#running++;
    const outcome = await worker.run(job, module);
    this.#running--;
    resolve(outcome);
    this.#pump();
  }

  #spawn(): GuestWorker {
    const { workerUrl: url, logger, workerOptions } = this.#options;
    const worker = new GuestWorker({ url, logger, workerOptions, onGone: () => this.#lose(worker) });
    return worker;
  }

  /** Puts another worker in the place of one that is gone, unless it never came up: then the next may not either. */
  #lose(worker: GuestWorker): void {
    if (this.#spare === worker) {
      this.#spare = undefined;
      return;
    }
    this.#workers.delete(worker);
    if (worker.started && !this.#closed) {
      this.#workers.add(this.#spare ?? this.#spawn());
      this.#spare = this.#spawn();
    }
    this.#pump();
  }
}

/** Compiled modules by digest, the least recently used dropped first. */
class ModuleCache {
  readonly #modules = new Map<string, Promise<WasmModule>>();

  get({ digest, bytes }: SandboxJob["module"]): Promise<WasmModule> {
    const module = this.#modules.get(digest) ?? keepingAlive(compileGuest(bytes));
    this.#modules.delete(digest);
    this.#modules.set(digest, module);
    module.catch(() => this.#modules.delete(digest));
    const [oldest] = this.#modules.keys();
    if (this.#modules.size > moduleCacheSize && oldest !== undefined) {
      this.#modules.delete(oldest);
    }
    return module;
  }
}

/** A compilation under way does not keep Node 24 and later from ending; a timer does. */
function keepingAlive<T>(work: Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, 60_000);
  return work.finally(() => clearInterval(timer));
}

function hostFault(): SandboxOutcome {
  const code: ErrorCode = "EXO_HOST_FAULT";
  return { status: "host_fault", error: { code }, fuelUsed: 0, memoryPeakPages: 0, hostCalls: 0 };
}
