import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { processStackMb, workerHeapMb } from "../settings.js";

/** The child's end of the pipe that carries the host's frames. */
export const fromHost = 3;
/** The child's end of the pipe that carries its own frames. */
export const toHost = 4;

/** Native stack of a child's main thread in KiB: what V8 may use of it, and room for what is called. */
const v8StackKb = processStackMb * 1024;
const osStackKb = v8StackKb + 8192;

/** Memory that threads of Node.js which start late are counted with, in KiB: two stacks, which they hardly touch. */
export const lateThreadsKb = 2 * osStackKb;

/** Most open files of a child. Node.js itself needs about 25. */
const openFiles = 64;

/** Where a process finds the numbers of its own open files. */
export const openFilesPath = "/dev/fd";

/** The shell that sets limits. */
export const shellPath = "/bin/sh";

/** A user and group by number. */
export type ProcessUser = { readonly uid: number; readonly gid: number };

/** What a child process is confined to. */
export type LaunchOptions = {
  /** Absolute path of the built entry, `sandbox/worker-process.js`. */
  readonly entry: string;
  /** Most private writable memory in KiB; no bound when left out. */
  readonly dataKb?: number | undefined;
};

/** Packages the entry loads, besides this one. */
const packages = ["@extism/extism", "msgpackr"];

/** How a child process is started: a command and its arguments. */
export type Launch = { readonly command: string; readonly args: readonly string[] };

/** The shell sets the limits, then becomes Node.js. Shells put variables of their own into an empty environment. */
function scriptOf(dataKb: number | undefined): string {
  const limits = { c: 0, f: 0, n: openFiles, s: osStackKb, ...(dataKb === undefined ? {} : { d: dataKb }) };
  const lines = Object.entries(limits).map(([name, value]) => `ulimit -${name} ${value} || exit 126`);
  return [...lines, 'exec env -i "$@"'].join("\n");
}

/** Where a package is found from a folder, as Node.js looks for it; itself and what it is a link to. */
function findPackage(name: string, from: string): string[] {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = join(folder, "node_modules", name);
    if (existsSync(join(found, "package.json"))) {
      return [found, realpathSync(found)];
    }
    if (folder === dirname(folder)) {
      return [];
    }
  }
}

/** All a child may read: the built code and the packages it loads. */
function readablePaths(entry: string): readonly string[] {
  const dist = dirname(dirname(entry));
  const folders = [dist, ...packages.flatMap((name) => findPackage(name, dist))];
  return [...new Set([...folders.map((folder) => join(folder, "/")), join(dirname(dist), "package.json")])];
}

/** The name of the permission model's flag in this version of Node.js. */
function permissionFlag(): string {
  return process.allowedNodeEnvironmentFlags.has("--permission") ? "--permission" : "--experimental-permission";
}

/** The command line of a child process (spec/sandbox.md, Isolation). */
export function launchOf({ entry, dataKb }: LaunchOptions): Launch {
  const flags = [
    permissionFlag(),
    ...[...readablePaths(entry), openFilesPath].map((path) => `--allow-fs-read=${path}`),
    `--max-old-space-size=${workerHeapMb}`,
    `--stack-size=${v8StackKb}`,
    // V8's helper threads have left the thread they help waiting for ever; a child that runs one guest needs none.
    "--single-threaded",
    "--disallow-code-generation-from-strings",
    "--disable-proto=delete",
    "--no-addons",
    "--no-global-search-paths",
    "--no-deprecation",
    "--no-warnings",
  ];
  return { command: shellPath, args: ["-c", scriptOf(dataKb), "sh", process.execPath, ...flags, entry] };
}
