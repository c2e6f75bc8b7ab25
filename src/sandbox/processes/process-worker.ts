import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { ExoArmurError, isExoArmurError } from "../../errors.js";
import type { AbiValue, GuestAnswer, SandboxJob } from "../../ports.js";
import { BoundedCache } from "../bounded-cache.js";
import { moduleCacheBytes, moduleCacheSize } from "../settings.js";
import { deadLink, type WorkerEvents, type WorkerKind, type WorkerLink } from "../worker-link.js";
import { Conversation } from "./conversation.js";
import { encodeFrameHead, FrameReader } from "./frames.js";
import { killGroup, type ProcessGuard } from "./guard.js";
import type { Launch, ProcessUser } from "./launch.js";

/** What child processes are made from. */
export type ProcessOptions = {
  readonly launch: Launch;
  /** Ends children when this process is gone. */
  readonly guard: ProcessGuard;
  /** Whom a child runs as; this process's own user when left out. */
  readonly user?: ProcessUser | undefined;
};

/** Most characters of what a child says on its standard error that are kept, to tell why it did not start. */
const errorCharacters = 1000;

/** Longest wait for what a process said before it ended, and for its end after its pipe's. */
const lastWordsMs = 200;

const nothing = new Uint8Array(0);

/** Workers that are child processes with an empty environment. Each compiles the modules it runs itself. */
export function processKind(options: ProcessOptions): WorkerKind {
  return { name: "processes", start: (events) => startProcess(options, events) };
}

/** Starts one child process. */
export function startProcess(
  options: ProcessOptions,
  events: WorkerEvents,
): WorkerLink & { readonly pid?: number | undefined } {
  try {
    return new ProcessLink(options, events);
  } catch (error) {
    return deadLink(events, error);
  }
}

class ProcessLink implements WorkerLink {
  readonly #guard: ProcessGuard;
  readonly #child: ChildProcess;
  readonly #toChild: Socket;
  readonly #pipes: readonly Socket[];
  readonly #events: WorkerEvents;
  readonly #talk: Conversation;
  readonly #reader: FrameReader;
  /** Digests of the modules that the child has. */
  readonly #known = new BoundedCache<true>({ entries: moduleCacheSize, bytes: moduleCacheBytes });
  readonly #exited: Promise<void>;
  #said = "";
  /** Nothing that still comes counts. */
  #gone = false;
  #hasExited = false;

  constructor({ launch, guard, user }: ProcessOptions, events: WorkerEvents) {
    this.#guard = guard;
    this.#events = {
      ...events,
      ready: () => {
        this.#stderr.destroy();
        events.ready();
      },
    };
    const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    this.#talk = new Conversation(user ?? own, this.#events);
    this.#reader = new FrameReader(() => this.#talk.mostBody);
    const child = spawn(launch.command, launch.args, {
      cwd: "/",
      env: {},
      // A group of its own: a terminal's interrupt is for the host alone, and the group is killed as one.
      detached: true,
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
      ...user,
    });
    this.#child = child;
    if (child.pid !== undefined) {
      guard.add(child.pid);
    }
    this.#pipes = child.stdio.slice(2) as unknown as Socket[];
    const [, toChild, fromChild] = this.#pipes as [Socket, Socket, Socket];
    this.#toChild = toChild;
    this.#exited = new Promise((resolve) => {
      const lose = (reason: string): void => {
        this.#lose(reason);
        resolve();
      };
      child.once("error", (error) => lose(String(error)));
      child.once("exit", (code, signal) => {
        const reason = `the process ended (${signal ?? code})`;
        if (signal !== null || this.#stderr.destroyed) {
          lose(reason);
          return;
        }
        // What it said last, which tells why it did not come up, may still be on its way.
        const wait = setTimeout(() => lose(reason), lastWordsMs);
        this.#stderr.once("close", () => {
          clearTimeout(wait);
          lose(reason);
        });
      });
    });
    for (const pipe of this.#pipes) {
      // A pipe fails when its other end is gone; the exit tells.
      pipe.on("error", () => {});
    }
    this.#stderr.on("data", (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString("latin1")).slice(0, errorCharacters);
    });
    fromChild.on("data", (chunk: Buffer) => this.#receive(chunk));
    // The exit follows at once if there is one, and tells more.
    fromChild.once("end", () => setTimeout(() => events.failed("the process closed its pipe"), lastWordsMs).unref());
    this.#stderr.unref();
    this.hold(false);
  }

  get #stderr(): Socket {
    return this.#pipes[0] as Socket;
  }

  /** The child's process id, if it could be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  run(run: number, job: SandboxJob): Promise<void> {
    const { digest, bytes } = job.module;
    const isKnown = this.#known.get(digest) !== undefined;
    const limits = { ...job.limits };
    // The head first: what cannot be encoded must not have changed anything.
    const forget = isKnown ? [] : this.#known.add(digest, true, bytes.byteLength);
    const head = { kind: "run", run, digest, function: job.function, limits, forget };
    try {
      const encoded = encodeFrameHead(head, job.input.byteLength);
      if (!isKnown) {
        this.#send(encodeFrameHead({ kind: "module", digest }, bytes.byteLength), bytes);
      }
      this.#talk.sent(run, job);
      this.#send(encoded, job.input);
      return Promise.resolve();
    } catch (error) {
      this.#events.failed(`a job could not be sent: ${String(error).slice(0, 300)}`);
      return Promise.resolve();
    }
  }

  answer(run: number, seq: number, answer: GuestAnswer): void {
    const body = answer.kind === "answer" ? bytesOf(answer.response) : nothing;
    const head: AbiValue =
      answer.kind === "answer"
        ? { kind: "answer", run, seq }
        : { kind: "stop", run, seq, status: answer.status, code: answer.code, message: answer.message };
    const encoded = encodeFrameHead(head, body.byteLength);
    this.#talk.answered(answer);
    this.#send(encoded, body);
  }

  hold(held: boolean): void {
    for (const handle of [this.#child, ...this.#pipes.slice(1)]) {
      if (held) {
        handle.ref();
      } else {
        handle.unref();
      }
    }
  }

  async kill(): Promise<void> {
    this.#killGroup();
    await this.#exited;
  }

  #send(head: Uint8Array, body: Uint8Array): void {
    this.#toChild.cork();
    this.#toChild.write(head);
    if (body.byteLength > 0) {
      // The stream keeps what it cannot write at once, and the bytes are the caller's.
      this.#toChild.write(new Uint8Array(body));
    }
    this.#toChild.uncork();
  }

  #receive(chunk: Buffer): void {
    if (this.#gone) {
      return;
    }
    try {
      this.#reader.push(chunk);
      while (this.#talk.listening) {
        const frame = this.#reader.next();
        if (frame === undefined) {
          return;
        }
        this.#talk.receive(frame, this.#reader.partial);
      }
      if (this.#reader.partial) {
        throw new ExoArmurError("EXO_SCHEMA", "expected nothing before the host has spoken");
      }
    } catch (error) {
      this.#gone = true;
      const why = isExoArmurError(error) ? `${error.code}: ${error.message}` : String(error);
      this.#events.failed(`the process broke the protocol: ${why.slice(0, 300)}`);
    }
  }

  #lose(reason: string): void {
    this.#gone = true;
    // What it may have started.
    this.#killGroup();
    this.#hasExited = true;
    if (this.#child.pid !== undefined) {
      this.#guard.remove(this.#child.pid);
    }
    for (const pipe of this.#pipes) {
      pipe.destroy();
    }
    this.#events.failed(this.#said === "" ? reason : `${reason}: ${errorLine(this.#said)}`);
  }

  #killGroup(): void {
    const { pid } = this.#child;
    if (pid !== undefined && !this.#hasExited) {
      killGroup(pid);
    }
  }
}

/** The line of what a process said that names its error, or all of it on one line. */
function errorLine(said: string): string {
  return said.split("\n").find((line) => /^\w*Error\b/.test(line)) ?? said.trim().replace(/\s+/g, " ");
}

function bytesOf(response: Uint8Array): Uint8Array {
  if (!(response instanceof Uint8Array)) {
    throw new TypeError("expected bytes");
  }
  return response;
}
