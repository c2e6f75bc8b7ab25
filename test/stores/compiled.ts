import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CHILD = fileURLToPath(new URL("child.mjs", import.meta.url));

/** The LMDB store compiled for processes of its own, which cannot run TypeScript. */
export class CompiledStore {
  readonly #folder = mkdtempSync(join(tmpdir(), "exo-compiled-"));
  readonly #dist = join(this.#folder, "dist");

  constructor() {
    writeFileSync(join(this.#folder, "package.json"), `{"type":"module"}`);
    symlinkSync(join(ROOT, "node_modules"), join(this.#folder, "node_modules"));
    const config = join(this.#folder, "tsconfig.json");
    const options = { rootDir: join(ROOT, "src"), outDir: this.#dist, declaration: false, noEmitOnError: false };
    writeFileSync(
      config,
      JSON.stringify({
        extends: join(ROOT, "tsconfig.json"),
        compilerOptions: options,
        include: [],
        files: [join(ROOT, "src/stores/lmdb.ts")],
      }),
    );
    const compiled = spawnSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", config], { encoding: "utf8", cwd: ROOT });
    if (compiled.error) throw compiled.error;
  }

  /** Runs the child to its end, under the wrapping command if one is given; returns what it printed. */
  run(store: string, mode: string, wrap: readonly string[] = []): string {
    const [command = "", ...args] = [...wrap, process.execPath, CHILD, this.#dist, store, mode];
    const { stdout, error } = spawnSync(command, args, { encoding: "utf8", timeout: 50_000 });
    if (error) throw error;
    return stdout;
  }

  start(store: string, mode: string): ChildProcessByStdio<Writable, Readable, null> {
    return spawn(process.execPath, [CHILD, this.#dist, store, mode], { stdio: ["pipe", "pipe", "inherit"] });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
