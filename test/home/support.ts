import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { systemEntropy } from "../../src/crypto/random.js";
import { ExoArmurError } from "../../src/errors.js";
import { type CreatedHome, createHome } from "../../src/home/create.js";
import type { OwnerPorts } from "../../src/home/owner-lock.js";

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A new folder that is removed after the test. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "exo-home-"));
  folders.push(folder);
  return folder;
}

/** Files below a folder, by path. */
export function contents(folder: string): Map<string, Uint8Array> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
  return new Map(files.sort().map((name) => [name, Uint8Array.from(readFileSync(join(folder, name)))]));
}

/** What a lock is told of this process. */
export const ownPorts: OwnerPorts = { pid: process.pid, clock: { now: () => Date.now() }, entropy: systemEntropy };

/** A module of no content: the WebAssembly header. */
export const emptyWasm = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** A manifest draft as a file. */
export function manifestBytes(name: string, extra: object = {}): Uint8Array {
  return encodeUtf8(
    JSON.stringify({
      schema: "exoarmur.executor/v1",
      name,
      version: "1.0.0",
      functions: [{ name: "run", action: `${name}.run` }],
      ...extra,
    }),
  );
}

/** A home `.exoarmur` in a new folder, with one plugin. */
export function freshHome(): Promise<CreatedHome> {
  return createHome(join(freshFolder(), ".exoarmur"), {
    entropy: systemEntropy,
    bundledPlugins: [{ name: "echo", wasm: emptyWasm, manifest: manifestBytes("echo") }],
  });
}

/** The ExoArmurError that `run` throws or rejects with; fails when there is none. */
export async function faultOf(run: () => unknown): Promise<ExoArmurError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof ExoArmurError) return error;
    throw error;
  }
  throw new Error("expected an ExoArmurError, nothing was thrown");
}

/** A Node file error. */
export function errnoError(code: string): Error {
  return Object.assign(new Error(code), { code });
}
