import { existsSync } from "node:fs";
import { afterAll } from "vitest";
import type { SandboxHost } from "../../src/ports.js";
import { createSandboxPool, type SandboxPoolOptions } from "../../src/sandbox/pool.js";

const workerUrl = new URL("../../dist/sandbox/worker.js", import.meta.url);

/** A pool of real workers for one test file, closed when the file is done. Needs the built worker entry. */
export function realPool(options: Partial<SandboxPoolOptions> = {}): SandboxHost {
  if (!existsSync(workerUrl)) throw new Error("dist/sandbox/worker.js is missing; build first");
  const pool = createSandboxPool({ workerUrl, size: 2, ...options });
  afterAll(() => pool.close());
  return pool;
}
