import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { importNames, loadModule } from "./mock-host.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
type Manifest = {
  schema: string;
  name: string;
  version: string;
  functions: { name: string; action: string; effects: string; target?: string }[];
  capabilities: { name: string }[];
};
const manifest = (path: string): Manifest => JSON.parse(readFileSync(`${root}${path}`, "utf8")) as Manifest;
const modules = (folder: string): string[] => readdirSync(`${root}${folder}`).filter((name) => name.endsWith(".wasm")).sort();
const env = (...names: string[]): string[] => names.map((name) => `extism:host/env/${name}`);
const user = (...names: string[]): string[] => names.map((name) => `extism:host/user/${name}`);
const sdk = env(
  "alloc", "error_set", "free", "input_length", "input_load_u64", "input_load_u8", "length", "load_u64", "load_u8", "output_set", "store_u64", "store_u8",
);

describe("modules", () => {
  test("imports are exactly these", () => {
    for (const [path, expected] of [
      ["plugins/fs.wasm", [...sdk, ...user("fs_list", "fs_read", "fs_remove", "fs_write")]],
      ["plugins/table-stats.wasm", [...sdk, ...user("fs_read")]],
      ["plugins/spin.wasm", []],
      ["test/fixtures/big-output.wasm", env("alloc", "input_length", "input_load_u8", "output_set")],
      ["test/fixtures/clock.wasm", [...env("alloc", "length", "output_set", "store_u8"), ...user("clock_now")]],
      ["test/fixtures/echo.wasm", env("alloc", "input_length", "input_load_u64", "input_load_u8", "output_set", "store_u64", "store_u8")],
      ["test/fixtures/guest-error.wasm", env("alloc", "error_set", "store_u8")],
      ["test/fixtures/loop.wasm", []],
      ["test/fixtures/many-calls.wasm", [...env("alloc", "free", "input_length", "input_load_u8", "output_set", "store_u64"), ...user("log")]],
      ["test/fixtures/memory-bomb.wasm", env("alloc", "output_set", "store_u64")],
      ["test/fixtures/nan.wasm", env("alloc", "output_set", "store_u64")],
      ["test/fixtures/recurse.wasm", env("input_length", "input_load_u8")],
      ["test/fixtures/start-loop.wasm", []],
      ["test/fixtures/trap.wasm", []],
    ] as const) {
      expect(importNames(loadModule(path)), path).toEqual(expected);
    }
  });

  test("no custom sections, no export but the functions and the memory", () => {
    for (const folder of ["plugins", "test/fixtures"]) {
      for (const file of modules(folder)) {
        const module = loadModule(`${folder}/${file}`);
        const names = manifest(`${folder}/${file.replace(".wasm", ".json")}`).functions.map(({ name }) => name);
        expect(WebAssembly.Module.exports(module).map(({ name }) => name).sort(), file).toEqual([...names, "memory"].sort());
        for (const section of ["name", "sourceMappingURL", "producers", "target_features"]) {
          expect(WebAssembly.Module.customSections(module, section), file).toEqual([]);
        }
      }
    }
  });

  test("every manifest asks for the capabilities its module imports", () => {
    for (const folder of ["plugins", "test/fixtures"]) {
      for (const file of modules(folder)) {
        const document = manifest(`${folder}/${file.replace(".wasm", ".json")}`);
        const imported = importNames(loadModule(`${folder}/${file}`)).flatMap((name) => name.split("extism:host/user/")[1] ?? []);
        expect({ ...document, functions: [], capabilities: document.capabilities.map(({ name }) => name).sort() }, file).toEqual({
          schema: "exoarmur.executor/v1", name: file.replace(".wasm", ""), version: "1.0.0", functions: [], capabilities: imported,
        });
        for (const fn of document.functions) expect(fn.effects === "none" || fn.target === "/path", `${file} ${fn.name}`).toBe(true);
      }
    }
  });

  test("digests.json names the bytes of every module", () => {
    for (const folder of ["plugins", "test/fixtures"]) {
      const digests = Object.fromEntries(
        modules(folder).map((file) => [file, `sha256:${createHash("sha256").update(readFileSync(`${root}${folder}/${file}`)).digest("hex")}`]),
      );
      expect(JSON.parse(readFileSync(`${root}${folder}/digests.json`, "utf8"))).toEqual(digests);
    }
  });

  test("a fresh build gives the same bytes", { timeout: 600_000 }, async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["scripts/build-plugins.mjs", "--check"], { cwd: root });
    expect(stdout).toBe("17 of 17 files are what the sources build to\n");
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
  for (const [path, name] of [["plugins/spin.wasm", "spin"], ["test/fixtures/loop.wasm", "spin"], ["test/fixtures/start-loop.wasm", "run"]] as const) {
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
    expect(messages, path).toEqual(["started"]);
  }
});
