import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Logger, SandboxJob, SandboxOutcome } from "../../src/ports.js";
import { type ScheduleOptions, Scheduler } from "../../src/sandbox/scheduler.js";
import type { WorkerEvents, WorkerKind, WorkerLink } from "../../src/sandbox/worker-link.js";
import { limits } from "./support.js";

const outcome: SandboxOutcome = { status: "completed", fuelUsed: 1, memoryPeakPages: 0, hostCalls: 0 };
const fault = { status: "host_fault", error: { code: "EXO_HOST_FAULT" } };

/** A worker that does what the test says. */
class FakeWorker implements WorkerLink {
  readonly events: WorkerEvents;
  readonly jobs: SandboxJob[] = [];
  killed = false;
  held = false;
  answers: unknown[] = [];
  #gone: () => void = () => {};
  /** When false, a killed worker is never gone. */
  dies = true;

  constructor(events: WorkerEvents) {
    this.events = events;
  }
  async run(run: number, job: SandboxJob): Promise<void> {
    this.jobs.push(job);
    this.events.ready();
    this.events.begun(run);
  }
  answer(run: number, seq: number, answer: unknown): void {
    this.answers.push([run, seq, answer]);
  }
  hold(held: boolean): void {
    this.held = held;
  }
  kill(): Promise<void> {
    this.killed = true;
    return this.dies ? Promise.resolve() : new Promise((resolve) => (this.#gone = resolve));
  }
  end(): void {
    this.events.ended(this.jobs.length, outcome);
  }
  get gone(): () => void {
    return this.#gone;
  }
}

class FakeKind implements WorkerKind {
  readonly name = "threads";
  readonly workers: FakeWorker[] = [];
  make: (events: WorkerEvents) => FakeWorker = (events) => new FakeWorker(events);
  start(events: WorkerEvents): WorkerLink {
    const worker = this.make(events);
    this.workers.push(worker);
    return worker;
  }
}

function jobOf(tenant?: string, timeoutMs = 1000, call: SandboxJob["call"] = () => new Promise(() => {})): SandboxJob {
  return {
    ...(tenant === undefined ? {} : { tenant }),
    module: { digest: "d", bytes: new Uint8Array(1) },
    function: "run",
    input: new Uint8Array(10),
    limits: { ...limits, timeoutMs },
    call,
  };
}

let kind: FakeKind;
const scheduler = (options: ScheduleOptions = {}): Scheduler => new Scheduler(kind, { size: 2, ...options });
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
const live = (): number => kind.workers.filter((worker) => !worker.killed).length;

beforeEach(() => {
  vi.useFakeTimers();
  kind = new FakeKind();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("workers", () => {
  it("start with the first job, not before, and one more stands by a moment later", async () => {
    const pool = scheduler();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(kind.workers).toHaveLength(0);
    const run = pool.run(jobOf());
    await vi.advanceTimersByTimeAsync(149);
    expect(kind.workers).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(kind.workers).toHaveLength(2);
    kind.workers[0]?.end();
    expect(await run).toEqual(outcome);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(kind.workers).toHaveLength(2);
  });

  it("are never more than the size and one that stands by", async () => {
    const pool = scheduler();
    for (let i = 0; i < 20; i++) void pool.run(jobOf());
    await vi.advanceTimersByTimeAsync(500);
    expect(kind.workers).toHaveLength(3);
    expect(pool.load()).toEqual({ running: 2, queued: 18, size: 2, queueBound: 1024 });
    expect(kind.workers.map((worker) => worker.jobs.length)).toEqual([1, 1, 0]);
  });

  it("that end a run late are replaced by the one that stands by, and that one too", async () => {
    const pool = scheduler({ size: 1 });
    const late = pool.run(jobOf());
    const next = pool.run(jobOf());
    await vi.advanceTimersByTimeAsync(500);
    const [first, spare] = kind.workers as [FakeWorker, FakeWorker];
    await vi.advanceTimersByTimeAsync(501);
    expect(await late).toMatchObject({ status: "timed_out", error: { code: "EXO_TIMED_OUT" } });
    expect(first.killed).toBe(true);
    expect(spare.jobs).toHaveLength(1);
    spare.end();
    expect(await next).toEqual(outcome);
    await vi.advanceTimersByTimeAsync(200);
    expect(live()).toBe(2);
  });

  it("that were lost without any work are not replaced before there is a job", async () => {
    const pool = scheduler();
    const run = pool.run(jobOf("t", 600_000));
    await vi.advanceTimersByTimeAsync(200);
    kind.workers[1]?.events.failed("gone");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(kind.workers).toHaveLength(2);
    kind.workers[0]?.end();
    await run;
  });

  it("that fail again and again cost one start for each job", async () => {
    kind.make = (events) => {
      queueMicrotask(() => events.failed("broken"));
      const worker = new FakeWorker(events);
      worker.run = () => Promise.resolve();
      return worker;
    };
    const pool = scheduler({ size: 1 });
    for (let i = 0; i < 5; i++) expect(await pool.run(jobOf())).toMatchObject(fault);
    expect(pool.load()).toMatchObject({ running: 0, queued: 0 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(kind.workers.length).toBeLessThanOrEqual(6);
  });

  it("that end a run as a host fault of their own are replaced: they may still be short of what they lacked", async () => {
    const pool = scheduler({ size: 1 });
    const run = pool.run(jobOf());
    await vi.advanceTimersByTimeAsync(200);
    kind.workers[0]?.events.ended(1, { ...outcome, ...fault } as SandboxOutcome);
    expect(await run).toMatchObject(fault);
    expect(kind.workers.map((worker) => worker.killed)).toEqual([true, false]);
  });

  it("whose run the host ended as a host fault live on", async () => {
    const pool = scheduler({ size: 1 });
    const run = pool.run(jobOf("t", 1000, () => Promise.reject(new Error("broken"))));
    await settle();
    kind.workers[0]?.events.called(1, { seq: 0, capability: "log", request: new Uint8Array(0), fuel: 7 });
    await settle();
    expect(kind.workers[0]?.answers).toMatchObject([[1, 0, { kind: "stop", status: "host_fault" }]]);
    kind.workers[0]?.events.ended(1, { ...outcome, ...fault } as SandboxOutcome);
    expect(await run).toMatchObject(fault);
    expect(kind.workers[0]?.killed).toBe(false);
  });

  it("keep the process alive while they run a job only", async () => {
    const pool = scheduler();
    const run = pool.run(jobOf());
    await settle();
    expect(kind.workers[0]?.held).toBe(true);
    kind.workers[0]?.end();
    await run;
    expect(kind.workers[0]?.held).toBe(false);
  });

  it("whose job cannot be prepared are as they were", async () => {
    const lines: unknown[] = [];
    const logger: Logger = { log: (level, message, fields) => lines.push([level, message, fields]) };
    kind.make = (events) => {
      const worker = new FakeWorker(events);
      const { run } = worker;
      worker.run = (number, job) => (number === 1 ? Promise.reject(new Error("no")) : run.call(worker, number, job));
      return worker;
    };
    const pool = scheduler({ size: 1, logger });
    expect(await pool.run(jobOf())).toMatchObject(fault);
    expect(lines).toEqual([["error", "sandbox: host fault", { fault: "Error: no" }]]);
    const run = pool.run(jobOf());
    await settle();
    kind.workers[0]?.events.ended(2, outcome);
    expect(await run).toEqual(outcome);
    expect(kind.workers[0]?.killed).toBe(false);
  });
});

describe("deadlines", () => {
  it("begin when the guest does, not with the wait in the queue or for the worker", async () => {
    kind.make = (events) => {
      const worker = new FakeWorker(events);
      worker.run = (run) => {
        setTimeout(() => events.begun(run), 5000);
        return Promise.resolve();
      };
      return worker;
    };
    const pool = scheduler({ size: 1 });
    let ended: SandboxOutcome | undefined;
    void pool.run(jobOf()).then((end) => (ended = end));
    await vi.advanceTimersByTimeAsync(5999);
    expect(ended).toBeUndefined();
    await vi.advanceTimersByTimeAsync(2);
    expect(ended).toMatchObject({ status: "timed_out" });
  });

  it("of a worker that never begins end after 30 s as a host fault", async () => {
    kind.make = (events) => {
      const worker = new FakeWorker(events);
      worker.run = () => Promise.resolve();
      return worker;
    };
    const pool = scheduler();
    const run = pool.run(jobOf());
    await vi.advanceTimersByTimeAsync(30_000);
    expect(await run).toMatchObject(fault);
    expect(kind.workers[0]?.killed).toBe(true);
  });

  it("let a call under way settle for 250 ms, and a worker that will not die for 2 s", async () => {
    kind.make = (events) => Object.assign(new FakeWorker(events), { dies: false });
    const pool = scheduler();
    const signals: AbortSignal[] = [];
    const call: SandboxJob["call"] = (_, signal) => {
      signals.push(signal);
      return new Promise(() => {});
    };
    let ended: SandboxOutcome | undefined;
    void pool.run(jobOf("t", 1000, call)).then((end) => (ended = end));
    await settle();
    kind.workers[0]?.events.called(1, { seq: 0, capability: "log", request: new Uint8Array(0), fuel: 7 });
    await vi.advanceTimersByTimeAsync(1001);
    expect(signals[0]?.aborted).toBe(true);
    expect(kind.workers[0]?.killed).toBe(false);
    await vi.advanceTimersByTimeAsync(250);
    expect(kind.workers[0]?.killed).toBe(true);
    expect(ended).toBeUndefined();
    await vi.advanceTimersByTimeAsync(2000);
    expect(ended).toEqual({
      status: "timed_out",
      error: { code: "EXO_TIMED_OUT" },
      fuelUsed: 7,
      memoryPeakPages: 0,
      hostCalls: 1,
    });
    // The run is over: what the worker still says reaches nobody.
    kind.workers[0]?.events.ended(1, outcome);
    expect(kind.workers[0]?.answers).toEqual([]);
  });
});

describe("the queue", () => {
  it("takes tenants in turn", async () => {
    const pool = scheduler({ size: 1 });
    const order: string[] = [];
    for (const tenant of ["a", "a", "a", "b", "c", "b"]) {
      void pool.run(jobOf(tenant)).then(() => order.push(tenant));
    }
    for (let i = 0; i < 6; i++) {
      await settle();
      kind.workers[0]?.end();
    }
    await settle();
    expect(order.join("")).toBe("aabcab");
  });

  it("does not let a newcomer pass those who wait", async () => {
    const pool = scheduler({ size: 1 });
    const order: string[] = [];
    const run = (name: string): Promise<unknown> => pool.run(jobOf()).then(() => order.push(name));
    const first = run("first");
    void run("second");
    await settle();
    // At this moment the worker is idle and the second job waits.
    void first.then(() => run("third"));
    for (let i = 0; i < 3; i++) {
      kind.workers[0]?.end();
      await settle();
    }
    expect(order).toEqual(["first", "second", "third"]);
  });

  it("refuses with its bounds and its load, and a job that finds an idle worker needs no room", async () => {
    const pool = scheduler({ size: 1, queueBound: 1, queueBytes: 10 });
    void pool.run(jobOf());
    void pool.run(jobOf());
    await expect(pool.run(jobOf())).rejects.toMatchObject({
      code: "EXO_OVERLOADED",
      message:
        "the sandbox queue has no room for a job of 10 bytes: 1 of 1 jobs wait with 10 of 10 bytes of input; 1 of 1 workers run",
    });
    const none = scheduler({ size: 1, queueBound: 0, queueBytes: 0 });
    const direct = none.run(jobOf());
    await expect(none.run(jobOf())).rejects.toMatchObject({ code: "EXO_OVERLOADED" });
    await settle();
    kind.workers[1]?.end();
    expect(await direct).toEqual(outcome);
  });

  it("refuses large inputs by their bytes", async () => {
    const pool = scheduler({ size: 1, queueBytes: 25 });
    void pool.run(jobOf());
    void pool.run(jobOf("a"));
    void pool.run(jobOf("b"));
    await expect(pool.run(jobOf("c"))).rejects.toMatchObject({
      code: "EXO_OVERLOADED",
      message: expect.stringContaining("2 of 1024 jobs wait with 20 of 25 bytes of input"),
    });
  });

  it("is answered in full by a pool that closes, which starts no spare any more", async () => {
    const pool = scheduler({ size: 1 });
    const ends = [pool.run(jobOf()), pool.run(jobOf())];
    const closing = pool.close();
    await expect(pool.run(jobOf())).rejects.toMatchObject({ code: "EXO_CLOSED" });
    for (let i = 0; i < 2; i++) {
      await settle();
      kind.workers[0]?.end();
    }
    expect(await Promise.all(ends)).toEqual([outcome, outcome]);
    await closing;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(kind.workers).toHaveLength(1);
    expect(live()).toBe(0);
  });
});

describe("closing", () => {
  it("an idle pool ends every worker and starts none in their place", async () => {
    const pool = scheduler({ size: 2 });
    const ends = [pool.run(jobOf()), pool.run(jobOf())];
    await vi.advanceTimersByTimeAsync(200);
    for (const worker of kind.workers.slice(0, 2)) worker.end();
    await Promise.all(ends);
    await pool.close();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(kind.workers).toHaveLength(3);
    expect(live()).toBe(0);
  });
});

describe("options", () => {
  it.each([{ size: 0 }, { size: 1.5 }, { queueBound: -1 }, { queueBytes: -1 }, { queueBytes: Number.NaN }])(
    "%j are refused",
    (options) => {
      expect(() => scheduler(options)).toThrow(expect.objectContaining({ code: "EXO_USAGE" }));
    },
  );
});
