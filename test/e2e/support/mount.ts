import { spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { Shell } from "../cli.js";

/** A folder on a small file system of its own in memory, which can be full and can be read-only. */
export type MountedShell = {
  readonly shell: Shell;
  readOnly(on: boolean): void;
  remove(): void;
};

/** A copy of a shell's folder on a tmpfs of `bytes`, or undefined where mounting is not permitted: it takes root on Linux. */
export function mountShell(from: Shell, bytes: number): MountedShell | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  const shell = new Shell();
  if (!mount(["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", shell.cwd])) {
    shell.remove();
    return undefined;
  }
  cpSync(from.cwd, shell.cwd, { recursive: true, preserveTimestamps: true });
  return {
    shell,
    readOnly: (on) => {
      if (!mount(["-o", `remount,${on ? "ro" : "rw"}`, shell.cwd])) throw new Error("could not be mounted again");
    },
    remove: () => {
      spawnSync("umount", ["-l", shell.cwd]);
      shell.remove();
    },
  };
}

function mount(args: readonly string[]): boolean {
  return spawnSync("mount", args).status === 0;
}
