import { Worker, type WorkerOptions } from "node:worker_threads";
import type { ErrorCode } from "../errors.js";
import type { GuestAnswer, GuestCall, Logger, SandboxJob, SandboxOutcome } from "../ports.js";
import type { WasmModule } from "./engine.js";
import { type AnswerMessage, packBytes, type RunMessage, type WorkerData, type WorkerMessage } from "./protocol.js";
import {
  callGraceMs,
  moduleCacheSize,
  startTimeoutMs,
  terminateTimeoutMs,
  workerHeapMb,
  workerStackMb,
} from "./settings.js";

/** What a guest worker is made from. */
export type GuestWorkerOptions = {
  readonly url: URL;
  readonly logger?: Logger | undefined;
  readonly workerOptions?: WorkerOptions | undefined;
  /** Called once, when the worker can take no more jobs. */
  readonly onGone: () => void;
};

/** One job under way. */
type Running = {
  readonly run: number;
  readonly job: SandboxJob;
  readonly finish: (outcome: SandboxOutcome) => void;
  readonly abort: AbortController;
  timer: NodeJS.Timeout | undefined;
  /** Settles when the capability call under way has been answered or has failed. */
  calling: Promise<void> | undefined;
  calls: number;
  fuel: number;
};

/** A worker thread that runs one job at a time. After a deadline or a fault it is gone for good. */
export class GuestWorker {
  readonly #worker: Worker;
  readonly #answered = new Int32Array(new SharedArrayBuffer(4));
  readonly #known = new Set<string>();
  readonly #options: GuestWorkerOptions;
  #ready = false;
  #gone = false;
  #runs = 0;
  #running: Running | undefined;
  readonly #exited: Promise<void>;

  constructor(options: GuestWorkerOptions) {
    this.#options = options;
    const data: WorkerData = { answered: this.#answered.buffer as SharedArrayBuffer };
    const worker = new Worker(options.url, {
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
        this.#fail("the worker exited");
        resolve();
      });
    });
    worker.on("message", (message: WorkerMessage) => this.#receive(message));
    worker.on("messageerror", () => this.#fail("a message could not be read"));
    worker.on("error", (error) => this.#fail(`the worker failed: ${String(error).slice(0, 300)}`));
    worker.unref();
  }

  /** True once the thread has come up. */
  get started(): boolean {
    return this.#ready;
  }

  /** True while the worker can take a job. */
  get idle(): boolean {
    return !this.#gone && this.#running === undefined;
  }

  /** Runs one job; never rejects. The caller makes sure that the worker is idle. */
  run(job: SandboxJob, module: WasmModule): Promise<SandboxOutcome> {
    const run = ++this.#runs;
    const { digest } = job.module;
    return new Promise((resolve) => {
      const running: Running = {
        run,
        job,
        finish: resolve,
        abort: new AbortController(),
        timer: undefined,
        calling: undefined,
        calls: 0,
        fuel: 0,
      };
      this.#running = running;
      this.#worker.ref();
      if (this.#ready) {
        this.#startDeadline(running);
      } else {
        running.timer = setTimeout(() => this.#fail("the worker did not start"), startTimeoutMs);
      }
      const input = packBytes(job.input, false);
      const message: RunMessage = {
        kind: "run",
        run,
        digest,
        ...this.#moduleFor(digest, module),
        job: { function: job.function, input: input.bytes, limits: job.limits },
      };
      try {
        this.#worker.postMessage(message, input.move);
      } catch (error) {
        this.#fail(`a job could not be sent: ${String(error).slice(0, 300)}`);
      }
    });
  }

  /** Ends the worker; a job under way ends as a host fault. Resolves when the thread is gone, at the latest after 2 s. */
  async terminate(): Promise<void> {
    this.#retire();
    void this.#worker.terminate();
    const wait = new Timeout(terminateTimeoutMs);
    await Promise.race([this.#exited, wait.promise]);
    wait.clear();
  }

  /** The module if the worker has not got it yet, and the oldest module when there are too many. */
  #moduleFor(digest: string, module: WasmModule): { module?: WasmModule; forget?: string } {
    if (this.#known.delete(digest)) {
      this.#known.add(digest);
      return {};
    }
    this.#known.add(digest);
    const [oldest] = this.#known;
    if (this.#known.size <= moduleCacheSize || oldest === undefined) {
      return { module };
    }
    this.#known.delete(oldest);
    return { module, forget: oldest };
  }

  #receive(message: WorkerMessage): void {
    if (message.kind === "ready") {
      this.#ready = true;
      if (this.#running !== undefined) {
        clearTimeout(this.#running.timer);
        this.#startDeadline(this.#running);
      }
      return;
    }
    const running = this.#running;
    if (running === undefined || running.run !== message.run) {
      return;
    }
    if (message.kind === "call") {
      running.calls = message.call.seq + 1;
      running.fuel = message.call.fuel;
      running.calling = this.#answer(running, message.call);
      return;
    }
    if (message.fault !== undefined) {
      this.#options.logger?.log("error", "sandbox: host fault", { fault: message.fault });
    }
    this.#finish(running, message.outcome);
  }

  /** Has one call answered and wakes the guest. Whatever goes wrong outside ends the run as a host fault. */
  async #answer(running: Running, call: GuestCall): Promise<void> {
    let answer: GuestAnswer;
    try {
      answer = await running.job.call(call, running.abort.signal);
      this.#post(running, call.seq, answer);
    } catch (error) {
      this.#options.logger?.log("error", "sandbox: a host call failed", { error: String(error).slice(0, 300) });
      const code: ErrorCode = "EXO_HOST_FAULT";
      this.#post(running, call.seq, { kind: "stop", status: "host_fault", code, message: "a host call failed" });
    }
  }

  #post(running: Running, seq: number, answer: GuestAnswer): void {
    const { run } = running;
    if (this.#running !== running || this.#gone) {
      return;
    }
    const packed = answer.kind === "answer" ? packBytes(answer.response, false) : undefined;
    const sent: GuestAnswer = packed === undefined ? answer : { kind: "answer", response: packed.bytes };
    const message: AnswerMessage = { kind: "answer", run, seq, answer: sent };
    this.#worker.postMessage(message, packed?.move ?? []);
    Atomics.add(this.#answered, 0, 1);
    Atomics.notify(this.#answered, 0);
  }

  #startDeadline(running: Running): void {
    running.timer = setTimeout(() => void this.#timeOut(running), running.job.limits.timeoutMs);
  }

  /** The wall-clock guard: abort, let the call under way settle, end the thread, then answer the job. */
  async #timeOut(running: Running): Promise<void> {
    // If this thread was busy, the end of the run may be waiting behind the timer: look first.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#running !== running || this.#gone) {
      return;
    }
    this.#retire();
    running.abort.abort();
    if (running.calling !== undefined) {
      const grace = new Timeout(callGraceMs);
      await Promise.race([running.calling, grace.promise]);
      grace.clear();
    }
    await this.terminate();
    this.#finish(running, interrupted("timed_out", "EXO_TIMED_OUT", running));
  }

  /** The worker is of no more use; a job under way ends as a host fault. */
  #fail(reason: string): void {
    const wasGone = this.#gone;
    this.#retire();
    if (!wasGone) {
      this.#options.logger?.log("error", "sandbox: worker lost", { reason });
      void this.#worker.terminate();
    }
    const running = this.#running;
    if (running !== undefined && !running.abort.signal.aborted) {
      running.abort.abort();
      this.#finish(running, interrupted("host_fault", "EXO_HOST_FAULT", running));
    }
  }

  #retire(): void {
    if (!this.#gone) {
      this.#gone = true;
      this.#options.onGone();
    }
  }

  #finish(running: Running, outcome: SandboxOutcome): void {
    if (this.#running !== running) {
      return;
    }
    clearTimeout(running.timer);
    this.#running = undefined;
    this.#worker.unref();
    running.finish(outcome);
  }
}

function interrupted(status: "timed_out" | "host_fault", code: ErrorCode, running: Running): SandboxOutcome {
  return { status, error: { code }, fuelUsed: running.fuel, memoryPeakPages: 0, hostCalls: running.calls };
}

/** A wait with an end that can be called off. */
class Timeout {
  readonly promise: Promise<void>;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.promise = new Promise((resolve) => {
      this.#timer = setTimeout(resolve, ms);
    });
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
