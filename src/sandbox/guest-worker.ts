import type { ErrorCode } from "../errors.js";
import type { GuestAnswer, GuestCall, Logger, SandboxJob, SandboxOutcome } from "../ports.js";
import { callGraceMs, startTimeoutMs, terminateTimeoutMs } from "./settings.js";
import type { WorkerKind, WorkerLink } from "./worker-link.js";

/** What a guest worker is made from. */
export type GuestWorkerOptions = {
  readonly kind: WorkerKind;
  readonly logger?: Logger | undefined;
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
  /** The host ended the run instead of answering a call. */
  stopped: boolean;
};

/** A worker that runs one job at a time. After a deadline or a fault it is gone for good. */
export class GuestWorker {
  readonly #link: WorkerLink;
  readonly #options: GuestWorkerOptions;
  #ready = false;
  #gone = false;
  #runs = 0;
  #running: Running | undefined;
  #killed: Promise<void> | undefined;

  constructor(options: GuestWorkerOptions) {
    this.#options = options;
    this.#link = options.kind.start({
      ready: () => {
        this.#ready = true;
      },
      begun: (run) => this.#startDeadline(run),
      called: (run, call) => this.#takeCall(run, call),
      ended: (run, outcome, fault) => this.#takeEnd(run, outcome, fault),
      failed: (reason) => this.#fail(reason),
    });
  }

  /** True once the worker has come up and been given a job. */
  get served(): boolean {
    return this.#ready && this.#runs > 0;
  }

  /** True while the worker can take a job. */
  get idle(): boolean {
    return !this.#gone && this.#running === undefined;
  }

  /** Runs one job; never rejects. The caller makes sure that the worker is idle. */
  run(job: SandboxJob): Promise<SandboxOutcome> {
    return new Promise((resolve) => {
      const running: Running = {
        run: ++this.#runs,
        job,
        finish: resolve,
        abort: new AbortController(),
        timer: setTimeout(() => this.#fail("the worker did not start"), startTimeoutMs),
        calling: undefined,
        calls: 0,
        fuel: 0,
        stopped: false,
      };
      this.#running = running;
      this.#link.hold(true);
      this.#link.run(running.run, job).catch((error: unknown) => {
        this.#log("sandbox: host fault", { fault: String(error).slice(0, 500) });
        this.#finish(running, interrupted("host_fault", "EXO_HOST_FAULT", running));
      });
    });
  }

  /** Ends the worker; a job under way ends as a host fault. Resolves when it is gone, at the latest after 2 s. */
  async terminate(): Promise<void> {
    this.#end();
    await this.#kill();
  }

  #startDeadline(run: number): void {
    const running = this.#running;
    if (running?.run === run) {
      clearTimeout(running.timer);
      running.timer = setTimeout(() => void this.#timeOut(running), running.job.limits.timeoutMs);
    }
  }

  #takeCall(run: number, call: GuestCall): void {
    const running = this.#running;
    if (running?.run === run) {
      running.calls = call.seq + 1;
      running.fuel = call.fuel;
      running.calling = this.#answer(running, call);
    }
  }

  #takeEnd(run: number, outcome: SandboxOutcome, fault: string | undefined): void {
    const running = this.#running;
    if (running?.run === run) {
      if (fault !== undefined) {
        this.#log("sandbox: host fault", { fault });
      }
      this.#finish(running, outcome);
      // What the worker was short of it may still hold, and the next run is somebody else's.
      if (outcome.status === "host_fault" && !running.stopped) {
        this.#end();
      }
    }
  }

  /** Has one call answered and wakes the guest. Whatever goes wrong outside ends the run as a host fault. */
  async #answer(running: Running, call: GuestCall): Promise<void> {
    try {
      this.#post(running, call.seq, await running.job.call(call, running.abort.signal));
    } catch (error) {
      this.#log("sandbox: a host call failed", { error: String(error).slice(0, 300) });
      const code: ErrorCode = "EXO_HOST_FAULT";
      this.#post(running, call.seq, { kind: "stop", status: "host_fault", code, message: "a host call failed" });
    }
  }

  #post(running: Running, seq: number, answer: GuestAnswer): void {
    if (this.#running === running && !this.#gone) {
      running.stopped = answer.kind === "stop";
      this.#link.answer(running.run, seq, answer);
    }
  }

  /** The wall-clock guard: abort, let the call under way settle, end the worker, then answer the job. */
  async #timeOut(running: Running): Promise<void> {
    // If this thread was busy, the end of the run may be waiting behind the timer: look first.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#running !== running || this.#gone) {
      return;
    }
    this.#retire();
    running.abort.abort();
    if (running.calling !== undefined) {
      await within(callGraceMs, running.calling);
    }
    await this.#kill();
    this.#finish(running, interrupted("timed_out", "EXO_TIMED_OUT", running));
  }

  #fail(reason: string): void {
    if (!this.#gone) {
      this.#log("sandbox: worker lost", { reason });
    }
    this.#end();
  }

  /** The worker is of no more use; a job under way ends as a host fault, unless its deadline is ending it. */
  #end(): void {
    this.#retire();
    void this.#kill();
    const running = this.#running;
    if (running !== undefined && !running.abort.signal.aborted) {
      running.abort.abort();
      this.#finish(running, interrupted("host_fault", "EXO_HOST_FAULT", running));
    }
  }

  #kill(): Promise<void> {
    this.#killed ??= within(terminateTimeoutMs, this.#link.kill());
    return this.#killed;
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
    this.#link.hold(false);
    running.finish(outcome);
  }

  #log(message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#options.logger?.log("error", message, fields);
  }
}

function interrupted(status: "timed_out" | "host_fault", code: ErrorCode, running: Running): SandboxOutcome {
  return { status, error: { code }, fuelUsed: running.fuel, memoryPeakPages: 0, hostCalls: running.calls };
}

/** Waits for work, at most so long. The wait keeps the process alive and ends with the work. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const wait = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, wait]);
  clearTimeout(timer);
}
