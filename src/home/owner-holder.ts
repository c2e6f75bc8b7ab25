import { closeSync, fstatSync, openSync, readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import type { Clock } from "../ports.js";
import { errnoOf } from "./paths.js";

/** How often an owner touches its lock, in milliseconds. */
export const heartbeatMs = 5_000;

/** A lock whose owner cannot be asked counts as dead after this long without a heartbeat, in milliseconds. */
const silenceMs = 20_000;

/** What a process writes into its lock. */
export type HolderText = {
  /** Process id, 0 when the lock's content cannot be read. */
  readonly pid: number;
  /** When the process started, in its system's own words; null where that is not told. */
  readonly startTime: string | null;
  /** Machine and process namespace in which the pid has its meaning. */
  readonly place: string;
  /** One of a kind for every lock. */
  readonly token: string;
};

/** Who wrote a lock. `touched` is its last heartbeat, in milliseconds since the Unix epoch. */
export type Holder = HolderText & { readonly touched: number };

/** What process `pid` of this machine writes into its lock. */
export function describeHolder(pid: number, token: string): HolderText {
  return { pid, startTime: readProcess(pid)?.startTime ?? null, place: placeOfProcess(), token };
}

/** Reads a lock; undefined when there is none. Content nobody wrote gives pid 0 and a token made of the inode. */
export function readHolder(file: string): Holder | undefined {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { mtimeMs, ino } = fstatSync(fd);
    const unknown: HolderText = { pid: 0, startTime: null, place: "", token: `inode-${ino}` };
    return { ...(parse(readFileSync(fd, "utf8")) ?? unknown), touched: mtimeMs };
  } finally {
    closeSync(fd);
  }
}

/**
 * Is the holder's process still there? In our own process namespace the system is asked, and the start time tells a
 * reused pid. Of any other (a container, another machine's disk) only the heartbeat speaks; one from the future is none.
 */
export function isLive(holder: Holder, clock: Clock): boolean {
  if (holder.pid === 0 || holder.place !== placeOfProcess()) {
    return Math.abs(clock.now() - holder.touched) <= silenceMs;
  }
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    if (errnoOf(error) === "ESRCH") return false;
  }
  const found = readProcess(holder.pid);
  if (found === undefined) return true;
  return !found.ended && (holder.startTime === null || holder.startTime === found.startTime);
}

function parse(text: string): HolderText | undefined {
  try {
    const { pid, startTime, place, token } = JSON.parse(text) as Partial<Record<keyof HolderText, unknown>>;
    const sound =
      typeof pid === "number" &&
      Number.isInteger(pid) &&
      pid > 0 &&
      (startTime === null || typeof startTime === "string") &&
      typeof place === "string" &&
      typeof token === "string" &&
      /^[0-9a-f]{32}$/.test(token);
    return sound ? { pid, startTime, place, token } : undefined;
  } catch {
    return undefined;
  }
}

/** Start time in clock ticks since boot and whether the process only waits to be collected. Linux alone tells. */
function readProcess(pid: number): { readonly startTime: string; readonly ended: boolean } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in parentheses, which may hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, startTime] = [fields[0], fields[19]];
    if (state === undefined || startTime === undefined) return undefined;
    return { startTime, ended: state === "Z" || state === "X" };
  } catch {
    return undefined;
  }
}

let ownPlace: string | undefined;

function placeOfProcess(): string {
  ownPlace ??= findPlace();
  return ownPlace;
}

function findPlace(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot}/${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return `host/${hostname()}`;
  }
}
