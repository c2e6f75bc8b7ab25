import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { engine } from "./engine.js";
import { importNames, loadModule } from "./mock-host.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
type Manifest = {
  schema: string;
  name: string;
  version: string;
  functions: { name: string; action: string; effects: string; target?: string }[];
  capabilities: { name: string }[];
};
/** Every module the build makes and ships or offers to tests: its path without an ending, and its digest. */
function guests(): { path: string; name: string; digest: string }[] {
  return ["plugins", "test/fixtures"].flatMap((folder) => {
    const digests = JSON.parse(readFileSync(`${root}${folder}/digests.json`, "utf8")) as Record<string, string>;
    return Object.entries(digests).map(([file, digest]) => {
      const name = file.replace(".wasm", "");
      return { path: `${folder}/${name}`, name, digest };
    });
  });
}

function manifest(path: string): Manifest {
  return JSON.parse(readFileSync(`${root}${path}.json`, "utf8")) as Manifest;
}

const env = (...names: string[]): string[] => names.map((name) => `extism:host/env/${name}`);
const user = (...names: string[]): string[] => names.map((name) => `extism:host/user/${name}`);
const sdk = env(
  "alloc",
  "error_set",
  "free",
  "input_length",
  "input_load_u64",
  "input_load_u8",
  "length",
  "load_u64",
  "load_u8",
  "output_set",
  "store_u64",
  "store_u8",
);

/** What the functions act on, where that is no path. */
const targets: Readonly<Record<string, string>> = {
  containment: "/endpoint",
  http: "/url",
  kv: "/key",
  "kv.list": "/prefix",
};

/** The limits that are not the defaults, and why. */
function limitsOf(name: string): object {
  // The demo waits for the plugin that never ends to use up its fuel.
  if (name === "spin") return { limits: { fuel: 100_000_000 } };
  // One request a run; a large body as a tree of values, about 600 units of fuel a byte.
  if (name === "http")
    return { limits: { fuel: 3_000_000_000, hostCalls: 1, memoryPages: 1024, outputBytes: 16_777_216 } };
  if (name === "json-transform") return { limits: { memoryPages: 1024 } };
  if (name === "containment") return { limits: { hostCalls: 1, fuel: 20_000_000 } };
  return {};
}

describe("modules", () => {
  test("imports are exactly these", () => {
    for (const [path, expected] of [
      ["plugins/containment.wasm", [...sdk, ...user("http_request")]],
      ["plugins/http.wasm", [...sdk, ...user("http_request")]],
      [
        "plugins/fs.wasm",
        [
          ...sdk,
          ...user("fs_append", "fs_list", "fs_mkdir", "fs_read", "fs_remove", "fs_rename", "fs_stat", "fs_write"),
        ],
      ],
      ["plugins/json-transform.wasm", sdk.filter((row) => !/\/(free|length|load_u8|load_u64)$/.test(row))],
      ["plugins/kv.wasm", [...sdk, ...user("kv_delete", "kv_get", "kv_list", "kv_put")]],
      ["plugins/table-stats.wasm", [...sdk, ...user("fs_read")]],
      ["plugins/spin.wasm", []],
      ["test/fixtures/big-output.wasm", env("alloc", "input_length", "input_load_u8", "output_set")],
      ["test/fixtures/clock.wasm", [...env("alloc", "length", "output_set", "store_u8"), ...user("clock_now")]],
      [
        "test/fixtures/echo.wasm",
        env("alloc", "input_length", "input_load_u64", "input_load_u8", "output_set", "store_u64", "store_u8"),
      ],
      ["test/fixtures/guest-error.wasm", env("alloc", "error_set", "store_u8")],
      ["test/fixtures/loop.wasm", []],
      [
        "test/fixtures/many-calls.wasm",
        [...env("alloc", "free", "input_length", "input_load_u8", "output_set", "store_u64"), ...user("log")],
      ],
      ["test/fixtures/memory-bomb.wasm", env("alloc", "output_set", "store_u64")],
      ["test/fixtures/nan.wasm", env("alloc", "output_set", "store_u64")],
      ["test/fixtures/recurse.wasm", env("input_length", "input_load_u8")],
      ["test/fixtures/start-loop.wasm", []],
      ["test/fixtures/trap.wasm", []],
    ] as const) {
      expect([path, importNames(loadModule(path))]).toEqual([path, expected]);
    }
  });

  test("no custom sections, no export but the functions and the memory", () => {
    for (const { path, name } of guests()) {
      const module = loadModule(`${path}.wasm`);
      const exported = engine.Module.exports(module).map((row) => row.name);
      const functions = manifest(path).functions.map((row) => row.name);
      expect([name, ...exported.sort()]).toEqual([name, ...[...functions, "memory"].sort()]);
      for (const section of ["name", "sourceMappingURL", "producers", "target_features"]) {
        expect([name, engine.Module.customSections(module, section)]).toEqual([name, []]);
      }
    }
  });

  test("every manifest names its module and asks for the capabilities it imports", () => {
    for (const { path, name } of guests()) {
      const { functions, capabilities, ...rest } = manifest(path);
      const imported = importNames(loadModule(`${path}.wasm`)).flatMap(
        (row) => row.split("extism:host/user/")[1] ?? [],
      );
      expect(rest).toEqual({ schema: "exoarmur.executor/v1", name, version: "1.0.0", ...limitsOf(name) });
      expect([name, ...capabilities.map((row) => row.name).sort()]).toEqual([name, ...imported]);
      for (const row of functions) {
        const target = targets[`${name}.${row.name}`] ?? targets[name] ?? "/path";
        expect([name, row.name, row.target]).toEqual([name, row.name, row.effects === "none" ? undefined : target]);
      }
    }
  });

  test("digests.json names the bytes of every module", () => {
    for (const { path, digest } of guests()) {
      const hex = createHash("sha256")
        .update(readFileSync(`${root}${path}.wasm`))
        .digest("hex");
      expect([path, digest]).toEqual([path, `sha256:${hex}`]);
    }
  });

  test("a fresh build gives the same bytes", async () => {
    // The large plugins take the compiler long: scripts/build-plugins.mjs --check is a gate of its own.
    const build = (await import("../../scripts/build-plugins.mjs" as string)) as {
      fixtures: string[];
      compilePlugin: (entry: string) => Promise<Uint8Array>;
      assembleFixture: (path: string) => Promise<Uint8Array>;
    };
    const spin = await build.compilePlugin("plugins/spin/assembly/index.ts");
    expect(readFileSync(`${root}plugins/spin.wasm`)).toEqual(Buffer.from(spin));
    for (const name of build.fixtures) {
      const bytes = await build.assembleFixture(`test/fixtures/${name}.wat`);
      expect(readFileSync(`${root}test/fixtures/${name}.wasm`)).toEqual(Buffer.from(bytes));
    }
    await expect(build.compilePlugin("plugins/spin/assembly/missing.ts")).rejects.toThrow("ENOENT");
  });
});

test("the endless guests do not end by themselves", async () => {
  const source = `
    const { parentPort, workerData } = require("node:worker_threads");
    const module = new WebAssembly.Module(require("node:fs").readFileSync(workerData.path));
    parentPort.postMessage("started");
    const { exports } = new WebAssembly.Instance(module);
    exports[workerData.name]();
    parentPort.postMessage("ended");`;
  for (const [path, name] of [
    ["plugins/spin.wasm", "spin"],
    ["test/fixtures/loop.wasm", "spin"],
    ["test/fixtures/start-loop.wasm", "run"],
  ] as const) {
    const worker = new Worker(source, { eval: true, workerData: { path: `${root}${path}`, name } });
    const messages: unknown[] = [];
    await new Promise<void>((resolve, reject) => {
      worker.on("message", (message) => {
        messages.push(message);
        setTimeout(resolve, 300);
      });
      worker.on("error", reject);
    });
    await worker.terminate();
    expect([path, ...messages]).toEqual([path, "started"]);
  }
});
