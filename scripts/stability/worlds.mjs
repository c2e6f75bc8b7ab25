/** What the corpus is run under: V8 flags and Node versions. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter } from "node:path";

/** Node versions of the matrix beside the running one, from the npm package `node`. */
export const nodeVersions = ["22.23.3", "24.21.0", "26.10.0"];

/**
 * Ways to run: V8 flags, and the native stack of the workers in MB where it is not the usual one. `asked` ones must
 * exist in every Node; any other is left out, and named, where V8 does not know it. `compiler` is what the flags must
 * make of a hot function inside a worker, so that flags which do nothing are noticed.
 */
export const ways = [
  { name: "default", flags: [], asked: true },
  { name: "baseline only", flags: ["--liftoff-only"], asked: true, compiler: "liftoff" },
  { name: "optimizing only", flags: ["--no-liftoff"], asked: true, compiler: "turbofan" },
  { name: "compiled ahead", flags: ["--no-wasm-lazy-compilation"], asked: true },
  { name: "stack 500", flags: ["--stack-size=500"], asked: true },
  { name: "stack 700", flags: ["--stack-size=700"], asked: true },
  { name: "stack 984", flags: ["--stack-size=984"], asked: true },
  { name: "stack 2000", flags: ["--stack-size=2000"], asked: true },
  { name: "large worker stacks", flags: [], workerStackMb: 256, asked: true },
  { name: "optimizing early", flags: ["--wasm-tiering-budget=1000"] },
  { name: "optimizing at once", flags: ["--no-wasm-dynamic-tiering"] },
  { name: "inlining", flags: ["--wasm-inlining", "--wasm-inlining-call-indirect", "--wasm-tiering-budget=1000"] },
  { name: "inlining, early V8", flags: ["--experimental-wasm-inlining", "--wasm-tiering-budget=1000"] },
  { name: "explicit bounds", flags: ["--wasm-enforce-bounds-checks"] },
  { name: "old processor", flags: ["--no-enable-avx"] },
  { name: "no background", flags: ["--single-threaded"] },
];

/** Flags by which the native stack is measured: the compilers by themselves, and together with much inlining. */
export const marginWays = ways.filter(({ name }) =>
  ["default", "baseline only", "optimizing only", "inlining", "inlining, early V8"].includes(name),
);

/** The Node binaries of a variable like PATH. Throws when one is not there. */
export function binariesOf(variable = process.env.EXOARMUR_NODES ?? "") {
  const others = variable.split(delimiter).filter(Boolean);
  const missing = others.find((path) => !existsSync(path));
  if (missing !== undefined) throw new Error(`EXOARMUR_NODES names ${missing}, which is not there`);
  return [process.execPath, ...others].map((path) => ({
    path,
    version: execFileSync(path, ["--version"], { encoding: "utf8" }).trim(),
    flags: flagsOf(path),
  }));
}

/** Names of the V8 flags that a binary knows, without `no-`. */
function flagsOf(path) {
  const options = execFileSync(path, ["--v8-options"], { encoding: "utf8", maxBuffer: 1 << 24 });
  return new Set([...options.matchAll(/^ {2}--([a-z0-9-]+)/gm)].map(([, name]) => name));
}

/** The flags of a way that a binary does not know. */
export function unknownFlags({ flags }, known) {
  return flags.filter((flag) => !known.has(flag.replace(/^--(?:no-)?/, "").replace(/=.*$/, "")));
}
