import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ExoArmurError } from "../../errors.js";
import { defaultMemoryMb, startTimeoutMs } from "../settings.js";
import type { WorkerKind } from "../worker-link.js";
import { ProcessGuard } from "./guard.js";
import { lateThreadsKb, launchOf, type ProcessUser, shellPath } from "./launch.js";
import { type ProcessOptions, processKind, startProcess } from "./process-worker.js";

/** What the child processes of a pool are confined to. */
export type IsolationOptions = {
  /** The built entry, `sandbox/worker-process.js`. */
  readonly processUrl: URL;
  /** Most memory a child may use beyond what it starts with, in MiB; default 1,024. Holds on Linux. */
  readonly memoryMb?: number | undefined;
  /** Whom children run as when this process is root; default user and group 65534. Only root may give it. */
  readonly user?: ProcessUser | undefined;
};

/** One restriction of a pool's workers, and whether it holds here. */
export type Restriction = { readonly what: string; readonly inForce: boolean; readonly detail: string };

const nobody: ProcessUser = { uid: 65_534, gid: 65_534 };

/**
 * Prepares child processes as workers: starts one to see that it can be confined and how much memory it starts with.
 *
 * @throws ExoArmurError EXO_ISOLATION when a child does not start or cannot be confined.
 */
export async function openProcessKind(options: IsolationOptions): Promise<WorkerKind> {
  return processKind(await confine(options));
}

/** Starts a child as a pool would and tells what it is confined to, from the kernel where it can be asked. */
export async function examineProcesses(options: IsolationOptions): Promise<readonly Restriction[]> {
  const confined = await confine(options);
  return await withChild(confined, (pid) => restrictionsOf(confined, pid));
}

async function confine({ processUrl, memoryMb = defaultMemoryMb, user }: IsolationOptions): Promise<ProcessOptions> {
  if (!existsSync(shellPath)) {
    throw new ExoArmurError("EXO_ISOLATION", `sandbox processes need ${shellPath}, which is not here`);
  }
  const entry = fileURLToPath(processUrl);
  const drop = userOf(user);
  // V8 sets aside more or less address space at its start, depending on its version, and that counts as data.
  const guard = new ProcessGuard();
  const startKb = await withChild({ launch: launchOf({ entry }), guard, user: drop }, dataOf);
  const dataKb = startKb === undefined ? undefined : startKb + lateThreadsKb + memoryMb * 1024;
  return { launch: launchOf({ entry, dataKb }), guard, user: drop };
}

function userOf(user: ProcessUser | undefined): ProcessUser | undefined {
  if (process.getuid?.() === 0) {
    return user ?? nobody;
  }
  if (user !== undefined) {
    throw new ExoArmurError("EXO_ISOLATION", `only root can run sandbox processes as user ${user.uid}`);
  }
  return undefined;
}

/** Starts a child, waits until it is ready, looks at it and ends it. EXO_ISOLATION when it does not come up. */
async function withChild<T>(options: ProcessOptions, look: (pid: number) => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let kill = (): Promise<void> => Promise.resolve();
  try {
    return await new Promise<T>((resolve, reject) => {
      const fail = (reason: string): void => {
        const who =
          options.user === undefined ? "" : ` as user ${options.user.uid}, who must be able to read the package`;
        reject(new ExoArmurError("EXO_ISOLATION", `a sandbox process did not start${who}: ${reason}`.slice(0, 1500)));
      };
      const child = startProcess(options, {
        ready: () => {
          try {
            resolve(look(child.pid as number));
          } catch (error) {
            fail(String(error));
          }
        },
        begun: () => {},
        called: () => {},
        ended: () => {},
        failed: fail,
      });
      child.hold(true);
      kill = () => child.kill();
      timer = setTimeout(() => fail("it took too long"), startTimeoutMs);
    });
  } finally {
    clearTimeout(timer);
    await kill();
  }
}

/** A line of a process's status or limits, as Linux tells them; undefined elsewhere. */
function procLine(pid: number, file: "status" | "limits", name: string): string | undefined {
  if (process.platform !== "linux") {
    return undefined;
  }
  const lines = readFileSync(`/proc/${pid}/${file}`, "utf8").split("\n");
  const line = lines.find((text) => text.startsWith(name));
  if (line === undefined) {
    throw new ExoArmurError("EXO_ISOLATION", `/proc/${pid}/${file} does not tell ${name}`);
  }
  return line.slice(name.length).trim();
}

function dataOf(pid: number): number | undefined {
  const text = procLine(pid, "status", "VmData:");
  return text === undefined ? undefined : Number.parseInt(text, 10);
}

const limitNames = [
  ["memory", "Max data size", "bytes"],
  ["core dumps", "Max core file size", "bytes"],
  ["files written", "Max file size", "bytes"],
  ["open files", "Max open files", "files"],
] as const;

function restrictionsOf({ user }: ProcessOptions, pid: number): Restriction[] {
  const limits = limitNames.map(([what, name, unit]): Restriction => {
    const soft = procLine(pid, "limits", name)?.split(/\s+/)[0];
    const inForce = soft !== undefined && soft !== "unlimited";
    return { what, inForce, detail: inForce ? `at most ${soft} ${unit}` : "not known to hold on this platform" };
  });
  return [
    // A child that does not find these itself is not let come up.
    { what: "environment", inForce: true, detail: "empty" },
    { what: "open files of the host", inForce: true, detail: "none but the pipes" },
    { what: "permission model", inForce: true, detail: "reads the package's code, writes nothing, starts nothing" },
    user === undefined
      ? { what: "user", inForce: false, detail: "the runtime's own: only root can give processes another" }
      : { what: "user", inForce: true, detail: `${user.uid}, group ${user.gid}, no further groups` },
    ...limits,
  ];
}
