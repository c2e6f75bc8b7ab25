import { closeSync, fstatSync, readdirSync, readSync, type Stats, writeSync } from "node:fs";
import { ExoArmurError } from "../errors.js";
import type { AbiValue, GuestAnswer, GuestCall, SandboxOutcome } from "../ports.js";
import { engine } from "./engine.js";
import { compileGuest, instantiate } from "./extism.js";
import { takeKernel } from "./imports/kernel.js";
import {
  decodeFrameHead,
  decodeFrameHeader,
  encodeFrameHead,
  type Frame,
  frameHeaderBytes,
} from "./processes/frames.js";
import { fromHost, openFilesPath, toHost } from "./processes/launch.js";
import type { HostHead } from "./processes/protocol.js";
import { describeGuest, type Guest, runGuest } from "./run.js";

// Entry point of a sandbox child process: runs one job at a time. It sleeps in a blocking read between jobs and while
// the host answers a call, and ends when the host's end of the pipe is gone.

const nothing = new Uint8Array(0);
/** What is known of each module that was sent: the guest, or why there is none. */
const guests = new Map<string, Guest | Error>();

// The SDK asks whether a manifest is a Response; the platform's own class would load a whole HTTP client for that.
Object.defineProperty(globalThis, "Response", { value: class Response {} });

/** What was read ahead, so that a small frame takes one system call. */
const ahead = new Uint8Array(65_536);
let aheadFrom = 0;
let aheadTo = 0;

/** Reads once, sleeping until there is something; ends the process when the host is gone. */
function readInto(bytes: Uint8Array, at: number): number {
  const count = readSync(fromHost, bytes, at, bytes.byteLength - at, null);
  if (count === 0) {
    process.exit(0);
  }
  return count;
}

function read(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    if (aheadFrom === aheadTo) {
      if (length - at >= ahead.byteLength) {
        at += readInto(bytes, at);
        continue;
      }
      aheadFrom = 0;
      aheadTo = readInto(ahead, 0);
    }
    const part = ahead.subarray(aheadFrom, Math.min(aheadTo, aheadFrom + length - at));
    bytes.set(part, at);
    at += part.byteLength;
    aheadFrom += part.byteLength;
  }
  return bytes;
}

function receive(): Frame {
  const { head, body } = decodeFrameHeader(read(frameHeaderBytes));
  return { head: decodeFrameHead(read(head)), body: read(body) };
}

function write(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) {
    at += writeSync(toHost, bytes, at);
  }
}

function send(head: AbiValue, body: Uint8Array = nothing): void {
  const before = encodeFrameHead(head, body.byteLength);
  if (body.byteLength < ahead.byteLength) {
    const frame = new Uint8Array(before.byteLength + body.byteLength);
    frame.set(before);
    frame.set(body, before.byteLength);
    write(frame);
    return;
  }
  write(before);
  write(body);
}

function answerOf({ head, body }: Frame, run: number, seq: number): GuestAnswer {
  const said = head as HostHead;
  if ((said.kind !== "answer" && said.kind !== "stop") || said.run !== run || said.seq !== seq) {
    throw new ExoArmurError("EXO_INTERNAL", `expected the answer to call ${seq} of run ${run}, got ${said.kind}`);
  }
  return said.kind === "answer"
    ? { kind: "answer", response: body }
    : { kind: "stop", status: said.status, code: said.code, message: said.message };
}

function ask(run: number, { seq, capability, fuel, request }: GuestCall): GuestAnswer {
  send({ kind: "call", run, seq, capability, fuel }, request);
  return answerOf(receive(), run, seq);
}

async function addModule(digest: string, bytes: Uint8Array): Promise<void> {
  try {
    guests.set(digest, describeGuest(await compileGuest(bytes)));
  } catch (error) {
    guests.set(digest, new Error(plainText(error)));
  }
}

async function runJob(said: Extract<HostHead, { kind: "run" }>, input: Uint8Array): Promise<void> {
  const { run, digest, limits } = said;
  for (const old of said.forget) {
    guests.delete(old);
  }
  const guest = guests.get(digest) ?? new Error("a job came without its module");
  send({ kind: "begun", run });
  let fault: string | undefined;
  let outcome: SandboxOutcome = hostFault;
  if (guest instanceof Error) {
    fault = plainText(guest.message);
  } else {
    const job = { function: said.function, input, limits };
    outcome = await runGuest(
      guest,
      job,
      (call) => ask(run, call),
      (text) => {
        fault = plainText(text);
      },
    );
  }
  const { status, output, error, fuelUsed, memoryPeakPages, hostCalls } = outcome;
  const head = {
    kind: "end",
    run,
    status,
    fuelUsed,
    memoryPeakPages,
    hostCalls,
    ...(error === undefined ? {} : { code: error.code }),
    // The host knows the message of its own stop.
    ...(status === "guest_error" && error?.message !== undefined ? { message: error.message.slice(0, 1024) } : {}),
    ...(fault === undefined ? {} : { fault }),
  };
  send(head, output);
}

const hostFault: SandboxOutcome = {
  status: "host_fault",
  error: { code: "EXO_HOST_FAULT" },
  fuelUsed: 0,
  memoryPeakPages: 0,
  hostCalls: 0,
};

/** Text of an engine for a log, in characters that every encoding has. */
function plainText(error: unknown): string {
  return String(error)
    .replace(/[^\x20-\x7e]/g, "?")
    .slice(0, 500);
}

/**
 * Open files that are neither the pipes nor of Node.js's own making: what the host's libraries opened without asking that
 * no child should have it. LMDB opens its data file so. Pipes tell by their owner where the host is another user.
 */
function strangers(): number[] {
  const uid = process.getuid?.();
  return readdirSync(openFilesPath)
    .map(Number)
    .filter((fd) => {
      try {
        const stat = fd > toHost ? fstatSync(fd) : undefined;
        return stat !== undefined && (stat.isFIFO() ? stat.uid !== uid : isNamed(stat));
      } catch {
        // The one that the list was read from.
        return false;
      }
    });
}

function isNamed(stat: Stats): boolean {
  return stat.isFile() || stat.isDirectory() || stat.isSocket() || stat.isBlockDevice();
}

/** Node's permission model, as far as this asks it; absent when it is off. */
type Permission = { has(scope: string, path?: string): boolean };

function isRestricted(): boolean {
  const { permission } = process as { permission?: Permission };
  return permission !== undefined && !["fs.write", "fs.read", "child", "worker"].some((scope) => permission.has(scope));
}

for (const fd of strangers()) {
  closeSync(fd);
}
// An empty module and a kernel, so that the first job finds the SDK loaded and all code compiled.
takeKernel();
await instantiate(new engine.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])), {});
send({
  kind: "ready",
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  variables: Object.keys(process.env).length,
  strangers: strangers().length,
  restricted: isRestricted(),
});
for (;;) {
  const { head, body } = receive();
  const said = head as HostHead;
  if (said.kind === "module") {
    await addModule(said.digest, body);
  } else if (said.kind === "run") {
    await runJob(said, body);
  } else {
    throw new ExoArmurError("EXO_INTERNAL", `expected a module or a run, got ${said.kind}`);
  }
}
