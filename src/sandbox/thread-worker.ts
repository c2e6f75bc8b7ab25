import { Worker, type WorkerOptions } from "node:worker_threads";
import type { GuestAnswer, SandboxJob } from "../ports.js";
import { BoundedCache } from "./bounded-cache.js";
import type { WasmModule } from "./engine.js";
import { compileGuest } from "./extism.js";
import { type AnswerMessage, packBytes, type RunMessage, type WorkerData, type WorkerMessage } from "./protocol.js";
import { moduleCacheBytes, moduleCacheSize, workerHeapMb, workerStackMb } from "./settings.js";
import { deadLink, type WorkerEvents, type WorkerKind, type WorkerLink } from "./worker-link.js";

/** What worker threads are made from. */
export type ThreadOptions = {
  /** The built worker entry, `sandbox/worker.js`. */
  readonly workerUrl: URL;
  /** Laid over the options each worker is started with, for tests of worker failure. */
  readonly workerOptions?: WorkerOptions | undefined;
};

const cacheBounds = { entries: moduleCacheSize, bytes: moduleCacheBytes };

/** Workers that are threads of this process. A module is compiled once, here, for all of them. */
export function threadKind(options: ThreadOptions): WorkerKind {
  const modules = new BoundedCache<Promise<WasmModule>>(cacheBounds);
  const compiled = ({ digest, bytes }: SandboxJob["module"]): Promise<WasmModule> => {
    const known = modules.get(digest);
    if (known !== undefined) {
      return known;
    }
    const module = keepingAlive(compileGuest(bytes));
    modules.add(digest, module, bytes.byteLength);
    module.catch(() => modules.delete(digest));
    return module;
  };
  const start = (events: WorkerEvents): WorkerLink => {
    try {
      return new ThreadLink(options, compiled, events);
    } catch (error) {
      return deadLink(events, error);
    }
  };
  return { name: "threads", start };
}

/** A compilation under way does not keep Node 24 and later from ending; a timer does. */
function keepingAlive<T>(work: Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, 60_000);
  return work.finally(() => clearInterval(timer));
}

class ThreadLink implements WorkerLink {
  readonly #worker: Worker;
  readonly #compiled: (module: SandboxJob["module"]) => Promise<WasmModule>;
  readonly #events: WorkerEvents;
  readonly #answered = new Int32Array(new SharedArrayBuffer(4));
  /** Digests of the modules that the thread has. */
  readonly #known = new BoundedCache<true>(cacheBounds);
  readonly #exited: Promise<void>;
  #ready = false;
  /** A run that was sent before the thread had come up. */
  #sent: number | undefined;

  constructor(
    options: ThreadOptions,
    compiled: (module: SandboxJob["module"]) => Promise<WasmModule>,
    events: WorkerEvents,
  ) {
    this.#compiled = compiled;
    this.#events = events;
    const data: WorkerData = { answered: this.#answered.buffer as SharedArrayBuffer };
    const worker = new Worker(options.workerUrl, {
      env: {},
      execArgv: [],
      stdin: false,
      stdout: true,
      stderr: true,
      resourceLimits: { stackSizeMb: workerStackMb, maxOldGenerationSizeMb: workerHeapMb },
      ...options.workerOptions,
      workerData: data,
    });
    this.#worker = worker;
    this.#exited = new Promise((resolve) => {
      worker.once("exit", () => {
        events.failed("the worker exited");
        resolve();
      });
    });
    worker.on("message", (message: WorkerMessage) => this.#receive(message));
    worker.on("messageerror", () => events.failed("a message could not be read"));
    worker.on("error", (error) => events.failed(`the worker failed: ${String(error).slice(0, 300)}`));
    worker.unref();
  }

  async run(run: number, job: SandboxJob): Promise<void> {
    const { digest, bytes } = job.module;
    const module = await this.#compiled(job.module);
    const sent = this.#known.get(digest) === undefined ? { module } : {};
    const input = packBytes(job.input, false);
    const message: RunMessage = {
      kind: "run",
      run,
      digest,
      ...sent,
      forget: this.#known.add(digest, true, bytes.byteLength),
      job: { function: job.function, input: input.bytes, limits: job.limits },
    };
    try {
      this.#worker.postMessage(message, input.move);
    } catch (error) {
      this.#events.failed(`a job could not be sent: ${String(error).slice(0, 300)}`);
      return;
    }
    if (this.#ready) {
      this.#events.begun(run);
    } else {
      this.#sent = run;
    }
  }

  answer(run: number, seq: number, answer: GuestAnswer): void {
    const packed = answer.kind === "answer" ? packBytes(answer.response, false) : undefined;
    const sent: GuestAnswer = packed === undefined ? answer : { kind: "answer", response: packed.bytes };
    const message: AnswerMessage = { kind: "answer", run, seq, answer: sent };
    this.#worker.postMessage(message, packed?.move ?? []);
    Atomics.add(this.#answered, 0, 1);
    Atomics.notify(this.#answered, 0);
  }

  hold(held: boolean): void {
    if (held) {
      this.#worker.ref();
    } else {
      this.#worker.unref();
    }
  }

  async kill(): Promise<void> {
    void this.#worker.terminate();
    await this.#exited;
  }

  #receive(message: WorkerMessage): void {
    if (message.kind === "ready") {
      this.#ready = true;
      this.#events.ready();
      if (this.#sent !== undefined) {
        this.#events.begun(this.#sent);
      }
    } else if (message.kind === "call") {
      this.#events.called(message.run, message.call);
    } else {
      this.#events.ended(message.run, message.outcome, message.fault);
    }
  }
}
