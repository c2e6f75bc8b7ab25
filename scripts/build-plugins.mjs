// Builds the shipped executors (AssemblyScript), the test fixtures (WAT) and the SDK's test probe, and writes digests.json
// beside the first two.
//
//   node scripts/build-plugins.mjs            write plugins/*.wasm, test/fixtures/*.wasm, test/plugins/probe.wasm
//   node scripts/build-plugins.mjs --check    build in memory, compare with the files; exit 1 and name what differs

import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parentPort, Worker, workerData } from "node:worker_threads";
import asc from "assemblyscript/asc";
import wabtFactory from "wabt";

/** Marks the threads that this script starts: it is imported in others too. */
const compilerThread = "exoarmur plugin compiler";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Executors under plugins/: source plugins/NAME/assembly/index.ts, module plugins/NAME.wasm, manifest plugins/NAME.json. */
export const plugins = ["containment", "fs", "http", "json-transform", "kv", "spin", "table-stats"];

/** Guests for tests under test/fixtures/: source NAME.wat, module NAME.wasm, manifest NAME.json. */
export const fixtures = [
  "big-output",
  "clock",
  "echo",
  "guest-error",
  "loop",
  "many-calls",
  "memory-bomb",
  "nan",
  "recurse",
  "start-loop",
  "trap",
];

/**
 * Compiler options. The stub runtime never frees, which suits an instance that serves one call and keeps modules small;
 * abort is the SDK's own, so that no plugin imports one. No debug names, no source map, no SIMD, no threads.
 */
export const compilerOptions = [
  "--optimizeLevel",
  "3",
  "--shrinkLevel",
  "0",
  "--converge",
  "--runtime",
  "stub",
  "--noColors",
];
const abortOption = ["--use", "abort=plugins/sdk/assembly/io/abortRun"];

/**
 * Bytes of the module compiled from an AssemblyScript entry file, a path under the repository. Throws what asc prints.
 * `text` stands in for a file that is not there.
 */
export async function compilePlugin(entry, text) {
  const source = text ?? (await readFile(join(root, entry), "utf8"));
  // The alias names an element of the SDK; a program that doesn't import the SDK has no such element and can't abort.
  const options = source.includes("sdk/assembly/") ? [...compilerOptions, ...abortOption] : compilerOptions;
  let wasm;
  let said = "";
  const { error } = await asc.main([entry, "--outFile", "out.wasm", ...options], {
    readFile: (name) => (name === entry ? source : readFile(join(root, name), "utf8").catch(() => null)),
    writeFile: (_name, contents) => {
      wasm = contents;
    },
    listFiles: () => [],
    stderr: {
      write: (text) => {
        said += text;
      },
    },
  });
  if (error || wasm === undefined) throw new Error(`${entry}: ${error?.message ?? "no output"}\n${said}`);
  return wasm;
}

/** Bytes of the module assembled from a WAT file, a path under the repository. */
export async function assembleFixture(path) {
  const wabt = await wabtFactory();
  const module = wabt.parseWat(path, await readFile(join(root, path), "utf8"));
  try {
    module.validate();
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}

/** Modules of several entry files, by entry, made in as many threads as there are processors: each takes seconds. */
async function compilePlugins(entries) {
  const modules = new Map();
  const waiting = [...entries];
  const lane = async () => {
    const worker = new Worker(new URL(import.meta.url), { workerData: compilerThread });
    try {
      for (let entry = waiting.shift(); entry !== undefined; entry = waiting.shift()) {
        worker.postMessage(entry);
        const [bytes] = await once(worker, "message");
        modules.set(entry, bytes);
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), entries.length) }, lane));
  return modules;
}

/** Every file the build makes, path under the repository to bytes. */
export async function buildAll() {
  const files = new Map();
  const entryOf = (name) => `plugins/${name}/assembly/index.ts`;
  const modules = await compilePlugins([...plugins, "sdk-probe"].map(entryOf));
  await buildFolder(files, "plugins", plugins, (name) => modules.get(entryOf(name)));
  await buildFolder(files, "test/fixtures", fixtures, (name) => assembleFixture(`test/fixtures/${name}.wat`));
  files.set("test/plugins/probe.wasm", modules.get(entryOf("sdk-probe")));
  return files;
}

async function buildFolder(files, folder, names, build) {
  const digests = {};
  for (const name of names) {
    const bytes = await build(name);
    files.set(`${folder}/${name}.wasm`, bytes);
    digests[`${name}.wasm`] = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  }
  files.set(`${folder}/digests.json`, Buffer.from(`${JSON.stringify(digests, null, 2)}\n`));
}

async function write(files) {
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), bytes);
    console.log(`${path}  ${bytes.length} bytes`);
  }
  return 0;
}

async function check(files) {
  let differing = 0;
  for (const [path, bytes] of files) {
    const present = await readFile(join(root, path)).catch(() => null);
    if (present?.equals(bytes)) continue;
    differing++;
    console.error(`${path}: ${present === null ? "missing" : "differs from a fresh build"}`);
  }
  console.log(`${files.size - differing} of ${files.size} files are what the sources build to`);
  return differing === 0 ? 0 : 1;
}

if (workerData === compilerThread) {
  // A module that does not compile ends the thread with asc's message, which reaches whoever waits for it.
  parentPort.on("message", (entry) => void compilePlugin(entry).then((bytes) => parentPort.postMessage(bytes)));
} else if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const unknown = process.argv.slice(2).filter((argument) => argument !== "--check");
  if (unknown.length > 0) {
    console.error(`usage: build-plugins.mjs [--check], got ${unknown.join(" ")}`);
    process.exitCode = 2;
  } else {
    const files = await buildAll();
    process.exitCode = await (process.argv.includes("--check") ? check(files) : write(files));
  }
}
