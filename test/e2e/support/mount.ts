import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A small file system of its own in memory, which can be full and can be read-only. */
export type Mount = {
  readonly path: string;
  readOnly(on: boolean): void;
  remove(): void;
};

/** Mounts a tmpfs of this size, or undefined where that is not permitted: it takes root on Linux. */
export function mountMemory(bytes: number): Mount | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  const path = mkdtempSync(join(tmpdir(), "exo-mount-"));
  if (!mount(["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", path])) {
    rmSync(path, { recursive: true });
    return undefined;
  }
  return {
    path,
    readOnly: (on) => {
      if (!mount(["-o", `remount,${on ? "ro" : "rw"}`, path])) throw new Error(`${path} could not be remounted`);
    },
    remove: () => {
      spawnSync("umount", ["-l", path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

function mount(args: readonly string[]): boolean {
  return spawnSync("mount", args).status === 0;
}
