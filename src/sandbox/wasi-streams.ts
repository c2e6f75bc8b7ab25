import type { GuestState } from "./guest-state.js";
import { lineBytes, logRequest } from "./log-line.js";

/** Levels of the log lines that standard output and standard error become. */
const levels: ReadonlyMap<number, string> = new Map([
  [1, "info"],
  [2, "warn"],
]);

/** A line this near to its greatest length is written as it is, so that there is always room for a whole character. */
const characterBytes = 4;

const newline = 0x0a;

const empty = new Uint8Array(0);

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
  return lineBytes - (state.unended.get(fd)?.length ?? 0);
}

/**
 * Takes what fits of `bytes`, up to and with the last line end if there is one, and returns how much that is: the rest
 * is for the guest to write again. A line end, or a line that is full, makes one log line; what has no end waits.
 */
export function writeStream(state: GuestState, fd: number, bytes: Uint8Array): number {
  const room = roomOf(state, fd);
  const ended = bytes.lastIndexOf(newline, room - 1) + 1;
  const taken = ended > 0 ? ended : cut(bytes, room);
  const before = state.unended.get(fd) ?? empty;
  const line = new Uint8Array(before.length + taken);
  line.set(before);
  line.set(bytes.subarray(0, taken), before.length);
  if (ended > 0 || line.length > lineBytes - characterBytes) {
    state.unended.delete(fd);
    log(state, fd, ended > 0 ? line.subarray(0, line.length - 1) : line);
  } else if (taken > 0) {
    state.unended.set(fd, line);
  }
  return taken;
}

/** Logs what waits for its line end. */
export function flushStream(state: GuestState, fd: number): void {
  const line = state.unended.get(fd);
  if (line !== undefined) {
    state.unended.delete(fd);
    log(state, fd, line);
  }
}

/** Logs what waits in all streams, in the order of their descriptors. */
export function flushStreams(state: GuestState): void {
  for (const fd of levels.keys()) {
    flushStream(state, fd);
  }
}

function log(state: GuestState, fd: number, line: Uint8Array): void {
  state.kernel.callCapability("log", logRequest(levels.get(fd) ?? "info", line));
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
