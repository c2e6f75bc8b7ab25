import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { ExoArmurError } from "../errors.js";
import type { GuestAnswer, GuestCall } from "../ports.js";
import { engine } from "./engine.js";
import { instantiate } from "./extism.js";
import { takeKernel } from "./imports/kernel.js";
import { type AnswerMessage, packBytes, type RunMessage, type WorkerData, type WorkerMessage } from "./protocol.js";
import { describeGuest, type Guest, runGuest } from "./run.js";
import { answerSlackMs } from "./settings.js";

// Entry point of a sandbox worker: runs one job at a time and sleeps while the main thread answers a call.

if (parentPort === null) {
  throw new ExoArmurError("EXO_INTERNAL", "expected to be started as a worker");
}
const port = parentPort;
const answered = new Int32Array((workerData as WorkerData).answered);
const guests = new Map<string, Guest>();

// The SDK loads node:wasi, which warns. A worker must not write: data on its standard streams, which nobody reads,
// would keep the whole process from exiting.
process.removeAllListeners("warning");

// The SDK asks whether a manifest is a Response; the platform's own class would load a whole HTTP client for that.
Object.defineProperty(globalThis, "Response", { value: class Response {} });

function post(message: WorkerMessage, carried: Uint8Array | undefined): void {
  // Requests and outputs are the kernel's own copies: nobody here looks at them again.
  port.postMessage(message, carried === undefined ? [] : packBytes(carried, true).move);
}

/** Sends a call to the main thread and sleeps until it is answered. The main thread ends a run that waits too long. */
function callMain(run: number, call: GuestCall, timeoutMs: number): GuestAnswer {
  let seen = Atomics.load(answered, 0);
  post({ kind: "call", run, call }, call.request);
  for (;;) {
    const woken = Atomics.wait(answered, 0, seen, timeoutMs + answerSlackMs);
    if (woken === "timed-out") {
      throw new ExoArmurError("EXO_INTERNAL", "no answer to a host call");
    }
    seen = Atomics.load(answered, 0);
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      const message = next.message as AnswerMessage;
      if (message.kind === "answer" && message.run === run && message.seq === call.seq) {
        return message.answer;
      }
    }
  }
}

function guestOf({ digest, module, forget }: RunMessage): Guest {
  for (const old of forget) {
    guests.delete(old);
  }
  const known = guests.get(digest);
  if (known !== undefined) {
    return known;
  }
  if (module === undefined) {
    throw new ExoArmurError("EXO_INTERNAL", "a job came without its module");
  }
  const guest = describeGuest(module);
  guests.set(digest, guest);
  return guest;
}

async function runJob(message: RunMessage): Promise<void> {
  const { run, job } = message;
  let fault: string | undefined;
  try {
    const outcome = await runGuest(
      guestOf(message),
      job,
      (call) => callMain(run, call, job.limits.timeoutMs),
      (text) => {
        fault = text;
      },
    );
    post({ kind: "end", run, outcome, ...(fault === undefined ? {} : { fault }) }, outcome.output);
  } catch (error) {
    const outcome = {
      status: "host_fault",
      error: { code: "EXO_HOST_FAULT" },
      fuelUsed: 0,
      memoryPeakPages: 0,
      hostCalls: 0,
    } as const;
    post({ kind: "end", run, outcome, fault: String(error).slice(0, 500) }, undefined);
  }
}

// An answer that comes when nobody waits belongs to a run that has ended: dropped.
port.on("message", (message: RunMessage | AnswerMessage) => {
  if (message.kind === "run") {
    void runJob(message);
  }
});

// An empty module and a kernel, so that the first job finds the SDK loaded and all code compiled.
takeKernel();
await instantiate(new engine.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])), {});
post({ kind: "ready" }, undefined);
