import type { GuestState, Line } from "./guest-state.js";
import { lineBytes, logRequest } from "./log-line.js";

/** Levels of the log lines that standard output and standard error become. */
const levels: ReadonlyMap<number, string> = new Map([
  [1, "info"],
  [2, "warn"],
]);

/** A line this near to its greatest length is written as it is, so that there is always room for a whole character. */
const characterBytes = 4;

const newline = 0x0a;

/** True for a standard stream that the guest has not closed. */
export function isOpen(state: GuestState, fd: number): boolean {
  return fd >= 0 && fd <= 2 && ((state.openStreams >> fd) & 1) === 1;
}

/** True for the standard streams that are written to. */
export function isOutput(fd: number): boolean {
  return levels.has(fd);
}

/** Bytes that the present line of a stream can still take: at least four. */
export function roomOf(state: GuestState, fd: number): number {
  return lineBytes - (state.lines.get(fd)?.length ?? 0);
}

/**
 * Takes what fits of `bytes`, up to and with the last line end if there is one, and returns how much that is: the rest
 * is for the guest to write again. A line end, or a line that is full, makes one log line; what has no end waits.
 */
export function writeStream(state: GuestState, fd: number, bytes: Uint8Array): number {
  const line = lineOf(state, fd);
  const room = lineBytes - line.length;
  const ended = bytes.lastIndexOf(newline, room - 1) + 1;
  const taken = ended > 0 ? ended : cut(bytes, room);
  line.bytes.set(bytes.subarray(0, taken), line.length);
  line.length += taken;
  if (ended > 0 || line.length > lineBytes - characterBytes) {
    log(state, fd, line, ended > 0 ? 1 : 0);
  }
  return taken;
}

function lineOf(state: GuestState, fd: number): Line {
  let line = state.lines.get(fd);
  if (line === undefined) {
    line = { bytes: new Uint8Array(lineBytes), length: 0 };
    state.lines.set(fd, line);
  }
  return line;
}

/** Logs what waits for its line end. */
export function flushStream(state: GuestState, fd: number): void {
  const line = state.lines.get(fd);
  if (line !== undefined && line.length > 0) {
    log(state, fd, line, 0);
  }
}

/** Logs what waits in all streams, in the order of their descriptors. */
export function flushStreams(state: GuestState): void {
  for (const fd of levels.keys()) {
    flushStream(state, fd);
  }
}

/** Logs a line without its last `ending` bytes, and begins another. */
function log(state: GuestState, fd: number, line: Line, ending: number): void {
  const request = logRequest(levels.get(fd) ?? "info", line.bytes.subarray(0, line.length - ending));
  line.length = 0;
  state.kernel.callCapability("log", request);
}

/** At most `most` bytes, and no part of a character of UTF-8, which has up to three bytes after its first. */
function cut(bytes: Uint8Array, most: number): number {
  if (bytes.length <= most) {
    return bytes.length;
  }
  let end = most;
  while (end > most - characterBytes + 1 && isContinuation(bytes[end])) {
    end--;
  }
  return isContinuation(bytes[end]) ? most : end;
}

function isContinuation(byte: number | undefined): boolean {
  return ((byte ?? 0) & 0xc0) === 0x80;
}
