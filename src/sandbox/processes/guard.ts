import { type ChildProcess, spawn } from "node:child_process";
import { shellPath } from "./launch.js";

/** Reads `+ PID` and `- PID`; at the end of its input it kills the process groups that are left. */
const script = `
list=
while read -r sign pid; do
  case $sign in
    +) list="$list $pid" ;;
    -) rest=; for one in $list; do [ "$one" = "$pid" ] || rest="$rest $one"; done; list=$rest ;;
  esac
done
for one in $list; do kill -s KILL -- "-$one" 2>/dev/null; done`;

/**
 * Ends child processes when this process is gone, however it went and whatever they compute: a shell that waits for the
 * end of a pipe. It runs as this process's own user, out of the children's reach, while there are children.
 */
export class ProcessGuard {
  readonly #groups = new Set<number>();
  #shell: ChildProcess | undefined;

  /** Guards a process group. */
  add(pid: number): void {
    this.#groups.add(pid);
    if (this.#shell === undefined) {
      this.#start();
    }
    this.#write(`+ ${pid}\n`);
  }

  /** The group is gone. */
  remove(pid: number): void {
    if (this.#groups.delete(pid)) {
      this.#write(`- ${pid}\n`);
    }
    if (this.#groups.size === 0) {
      const shell = this.#shell;
      this.#shell = undefined;
      shell?.stdin?.end();
    }
  }

  #start(): void {
    const shell = spawn(shellPath, ["-c", script], {
      cwd: "/",
      env: {},
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    shell.unref();
    (shell.stdin as unknown as { unref(): void }).unref();
    shell.stdin.on("error", () => {});
    const lose = (): void => {
      if (this.#shell === shell) {
        this.#shell = undefined;
        // Nobody would end them any more.
        for (const pid of this.#groups) {
          killGroup(pid);
        }
      }
    };
    shell.once("exit", lose);
    shell.once("error", lose);
    this.#shell = shell;
  }

  #write(line: string): void {
    this.#shell?.stdin?.write(line);
  }
}

/** Kills all of a process group. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left in it.
  }
}
