import type { GuestAnswer, GuestCall, SandboxJob, SandboxOutcome } from "../ports.js";

/** What a worker tells of itself. Whoever makes a link has checked that these come in turn and of the run they name. */
export type WorkerEvents = {
  /** The worker has come up. */
  ready(): void;
  /** The guest of this run starts now: the deadline runs from here. */
  begun(run: number): void;
  /** The guest waits for the answer to a call. */
  called(run: number, call: GuestCall): void;
  /** The run has ended. `fault` tells people what a host fault was. */
  ended(run: number, outcome: SandboxOutcome, fault?: string): void;
  /** The worker can take no more jobs: it exited, failed, or broke the protocol. */
  failed(reason: string): void;
};

/** The host's end of one worker: carries messages, knows nothing of deadlines and queues. */
export interface WorkerLink {
  /** Sends a job to the worker. Rejects when its module does not compile; the worker is then as it was. */
  run(run: number, job: SandboxJob): Promise<void>;
  /** Sends the answer to a call. Throws for an answer that cannot be sent; the guest is then still waiting. */
  answer(run: number, seq: number, answer: GuestAnswer): void;
  /** Whether the worker keeps this process alive. It does not at first. */
  hold(held: boolean): void;
  /** Ends the worker at once. Resolves when it is gone. */
  kill(): Promise<void>;
}

/** A way of making workers. */
export interface WorkerKind {
  readonly name: "threads" | "processes";
  /** Starts a worker. */
  start(events: WorkerEvents): WorkerLink;
}

/** What stands for a worker that could not even be started: fails as soon as its maker has it. */
export function deadLink(events: WorkerEvents, error: unknown): WorkerLink {
  queueMicrotask(() => events.failed(`the worker could not be started: ${String(error).slice(0, 300)}`));
  return { run: () => Promise.resolve(), answer: () => {}, hold: () => {}, kill: () => Promise.resolve() };
}
