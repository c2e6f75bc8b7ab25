import { encodeAbi } from "../../canonical/msgpack.js";
import { type WasiAnswer, type WasiErrno, type WasiRow, wasiErrno, wasiRows } from "../../contracts/wasi.js";
import { ExoArmurError } from "../../errors.js";
import type { AbiValue } from "../../ports.js";
import type { HostFunction } from "../engine.js";
import { GuestExit } from "../entry.js";
import { type Answer, readAnswer } from "./answer.js";
import { type GuestState, guestState } from "./guest-state.js";
import { lineBytes } from "./log-line.js";

import { pointer, readVectors, within } from "./wasi-memory.js";
import { flushStream, isOpen, isOutput, roomOf, writeStream } from "./wasi-streams.js";

const stdin = 0;

/** Bytes one `random_bytes` call may ask for; a longer random_get makes several. */
const randomChunk = 65_536;

/** Resolution of both clocks in nanoseconds: the capability counts milliseconds. */
const nanosPerMs = 1_000_000n;

const realtime = 0;
const monotonic = 1;

/** Where written bytes are put together; nothing is kept in it between two calls. */
const scratch = new Uint8Array(lineBytes + 1);

/** File type of the standard streams: a character device, so that libraries write line by line. */
const characterDevice = 2;
const rightRead = 1n << 1n;
const rightWrite = 1n << 6n;

/** Error number of a capability's refusal. */
function refusalOf(answer: Extract<Answer, { ok: false }>): WasiErrno {
  return answer.code === "EXO_CAPABILITY_DENIED" ? "acces" : "io";
}

function ask(state: GuestState, capability: string, request: AbiValue): Answer {
  return readAnswer(state.kernel.callCapability(capability, encodeAbi(request)));
}

/** Two zeros: how many texts there are, and how many bytes they take. */
function sizesGet(state: GuestState, count: number, bytes: number): WasiErrno {
  const counts = within(state, count, 4);
  const sizes = within(state, bytes, 4);
  if (counts === undefined || sizes === undefined) {
    return "fault";
  }
  counts.setUint32(pointer(count), 0, true);
  sizes.setUint32(pointer(bytes), 0, true);
  return "success";
}

function clockResolution(state: GuestState, clock: number, result: number): WasiErrno {
  const view = within(state, result, 8);
  if (clock !== realtime && clock !== monotonic) {
    return "inval";
  }
  if (view === undefined) {
    return "fault";
  }
  view.setBigUint64(pointer(result), nanosPerMs, true);
  return "success";
}

/** Both clocks are the capability's; the monotonic one never goes back within a run. */
function clockTime(state: GuestState, clock: number, _precision: bigint, result: number): WasiErrno {
  if (clock !== realtime && clock !== monotonic) {
    return "inval";
  }
  const view = within(state, result, 8);
  if (view === undefined) {
    return "fault";
  }
  const answer = ask(state, "clock_now", {});
  if (!answer.ok) {
    return refusalOf(answer);
  }
  const { ms } = answer.value;
  if (typeof ms !== "number" || !Number.isSafeInteger(ms) || ms < 0) {
    return "io";
  }
  state.monotonicMs = clock === monotonic ? Math.max(state.monotonicMs, ms) : state.monotonicMs;
  view.setBigUint64(pointer(result), BigInt(clock === monotonic ? state.monotonicMs : ms) * nanosPerMs, true);
  return "success";
}

function randomGet(state: GuestState, buffer: number, length: number): WasiErrno {
  const size = pointer(length);
  if (within(state, buffer, size) === undefined) {
    return "fault";
  }
  for (let done = 0; done < size; done += randomChunk) {
    const part = Math.min(randomChunk, size - done);
    const answer = ask(state, "random_bytes", { length: part });
    if (!answer.ok) {
      return refusalOf(answer);
    }
    const { bytes } = answer.value;
    const view = within(state, pointer(buffer) + done, part);
    if (!(bytes instanceof Uint8Array) || bytes.length !== part || view === undefined) {
      return "io";
    }
    new Uint8Array(view.buffer).set(bytes, pointer(buffer) + done);
  }
  return "success";
}

/** Standard input is at its end; no buffer is touched. */
function fdRead(state: GuestState, fd: number, vectors: number, count: number, result: number): WasiErrno {
  if (fd !== stdin || !isOpen(state, fd)) {
    return "badf";
  }
  const view = within(state, result, 4);
  if (view === undefined || within(state, vectors, pointer(count) * 8) === undefined) {
    return "fault";
  }
  view.setUint32(pointer(result), 0, true);
  return "success";
}

function fdWrite(state: GuestState, fd: number, vectors: number, count: number, result: number): WasiErrno {
  if (!isOpen(state, fd) || !isOutput(fd)) {
    return "badf";
  }
  const view = within(state, result, 4);
  // One byte more than a line takes tells whether it is cut inside a character.
  const target = scratch.subarray(0, roomOf(state, fd) + 1);
  const length = readVectors(state, vectors, count, target);
  if (typeof length === "string") {
    return length;
  }
  if (view === undefined) {
    return "fault";
  }
  view.setUint32(pointer(result), writeStream(state, fd, target.subarray(0, length)), true);
  return "success";
}

function fdClose(state: GuestState, fd: number): WasiErrno {
  if (!isOpen(state, fd)) {
    return "badf";
  }
  flushStream(state, fd);
  state.openStreams &= ~(1 << fd);
  return "success";
}

/** fdstat: file type, flags, rights; 24 bytes. Without the rights to seek and tell a stream is a terminal. */
function fdstatGet(state: GuestState, fd: number, result: number): WasiErrno {
  if (!isOpen(state, fd)) {
    return "badf";
  }
  const view = within(state, result, 24);
  if (view === undefined) {
    return "fault";
  }
  const at = pointer(result);
  new Uint8Array(view.buffer, at, 24).fill(0);
  view.setUint8(at, characterDevice);
  view.setBigUint64(at + 8, fd === stdin ? rightRead : rightWrite, true);
  return "success";
}

/** filestat: 64 bytes, all zero but the file type at 16. */
function filestatGet(state: GuestState, fd: number, result: number): WasiErrno {
  if (!isOpen(state, fd)) {
    return "badf";
  }
  const view = within(state, result, 64);
  if (view === undefined) {
    return "fault";
  }
  const at = pointer(result);
  new Uint8Array(view.buffer, at, 64).fill(0);
  view.setUint8(at + 16, characterDevice);
  return "success";
}

type Implementation = (state: GuestState, ...args: never[]) => WasiErrno;

/** There is nothing to copy, so the pointers are not followed. */
const nothing: Implementation = () => "success";

/** What answers the rows whose answer is `host`. */
const implementations: Readonly<Record<string, Implementation>> = {
  args_get: nothing,
  args_sizes_get: sizesGet,
  environ_get: nothing,
  environ_sizes_get: sizesGet,
  clock_res_get: clockResolution,
  clock_time_get: clockTime,
  fd_close: fdClose,
  fd_fdstat_get: fdstatGet,
  fd_filestat_get: filestatGet,
  // The offset is ignored: a log has none.
  fd_pwrite: (state, fd: number, vectors: number, count: number, _offset: bigint, result: number) =>
    fdWrite(state, fd, vectors, count, result),
  fd_read: fdRead,
  fd_write: fdWrite,
  proc_exit: (_state, code: number) => {
    throw new GuestExit(code >>> 0);
  },
  random_get: randomGet,
};

function implement({ name, answer }: WasiRow): Implementation {
  const own = Object.hasOwn(implementations, name) ? implementations[name] : undefined;
  if (own === undefined) {
    return fixed(answer, name);
  }
  return own;
}

function fixed(answer: WasiAnswer, name: string): Implementation {
  switch (answer.kind) {
    case "always":
      return () => answer.errno;
    case "stream":
      return (state, ...args: unknown[]) => (isOpen(state, args[answer.fdArg ?? 0] as number) ? answer.errno : "badf");
    default:
      throw new ExoArmurError("EXO_INTERNAL", `nothing answers ${name}`);
  }
}

/** Every function of WASI preview1, by name (spec/abi.md, WASI). */
export const wasiImports: Readonly<Record<string, HostFunction>> = Object.fromEntries(
  wasiRows.map((row) => {
    const answer = implement(row) as (state: GuestState, ...args: unknown[]) => WasiErrno;
    return [row.name, (...args: unknown[]) => wasiErrno[answer(guestState(), ...args)]];
  }),
);
