import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "../cli.js";

/** Folder of the package as it was built. */
export const DIST = join(ROOT, "dist");

const urlOf = (file: string): string => pathToFileURL(join(DIST, file)).href;

/** The package as it was built: workers are only there, and tests of real processes run what is shipped. */
export const built = (await import(urlOf("index.js"))) as typeof import("../../../src/index.js");

/** exoarmur/approval as it was built. */
export const builtApproval = (await import(
  urlOf("exports/approval.js")
)) as typeof import("../../../src/exports/approval.js");

/** exoarmur/stores/memory as it was built. */
export const builtMemory = (await import(urlOf("stores/memory.js"))) as typeof import("../../../src/stores/memory.js");

/** A random source that a seed repeats: numbers from 0 up to 1. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
