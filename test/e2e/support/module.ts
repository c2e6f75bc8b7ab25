import { type ChildProcess, spawn } from "node:child_process";
import { type Ended, ending, ROOT } from "../cli.js";

/** Starts a program in the package's own scope, where `import "exoarmur"` is the package itself. */
export function startModule(code: string, args: readonly string[] = []): ChildProcess {
  return spawn(process.execPath, ["--input-type=module", "--eval", code, "--", ...args], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs such a program to the end it comes to by itself; one that hangs for 30 seconds is killed. */
export async function runModule(code: string, args: readonly string[] = []): Promise<Ended> {
  const child = startModule(code, args);
  const limit = setTimeout(() => child.kill("SIGKILL"), 30_000);
  try {
    return await ending(child);
  } finally {
    clearTimeout(limit);
  }
}
