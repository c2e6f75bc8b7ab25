import { existsSync, readFileSync } from "node:fs";

/** True once nothing of a process is left, not even its entry that somebody has yet to ask about. */
export function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

/** False for a process that has ended, though nobody may have asked how. */
export function isRunning(pid: number): boolean {
  const stat = `/proc/${pid}/stat`;
  try {
    return !isGone(pid) && (!existsSync(stat) || !/\) Z /.test(readFileSync(stat, "latin1")));
  } catch {
    return false;
  }
}
