import type { ExtismPluginOptions } from "@extism/extism";
import { engine, type HostFunction, type WasmInstance, type WasmModule } from "./engine.js";

type Sdk = typeof import("@extism/extism");

let sdk: Promise<Sdk> | undefined;

/** Loads the Extism SDK once; nothing loads it before a guest is to run. */
function loadSdk(): Promise<Sdk> {
  sdk ??= import("@extism/extism");
  return sdk;
}

/** Host functions by import module and name. */
export type HostImports = Readonly<Record<string, Readonly<Record<string, HostFunction>>>>;

/**
 * A fresh instance of a module, made by Extism in this thread with exactly these imports. The SDK serves as a loader
 * only. It calls nothing of the guest: sealed modules have no start section, and {@link compileGuest} has renamed the
 * exports that the SDK would call.
 *
 * Rejects with what the SDK or the engine throws: a WebAssembly.RuntimeError when a data or element segment does not
 * fit.
 */
export async function instantiate(module: WasmModule, imports: HostImports): Promise<WasmInstance> {
  const { createPlugin } = await loadSdk();
  const plugin = await createPlugin(
    { wasm: [{ module, name: "main" }] },
    { ...options, functions: imports as Functions },
  );
  return plugin.getInstance();
}

/** Given so that the SDK never looks for the platform's own: loading that costs a worker 30 ms. */
function refuseFetch(): Promise<never> {
  return Promise.reject(new Error("a guest has no network"));
}

function ignore(): void {}

type Functions = NonNullable<ExtismPluginOptions["functions"]>;

// All options, in the order in which the SDK fills in the missing ones: it adds them one by one to a copy, and when it
// has to add many, that copy becomes a slow object and every plugin costs half as much again.
const options: ExtismPluginOptions = {
  useWasi: false,
  enableWasiOutput: false,
  functions: {},
  runInWorker: false,
  logger: {
    trace: ignore,
    debug: ignore,
    info: ignore,
    log: ignore,
    warn: ignore,
    error: ignore,
  } as unknown as Console,
  logLevel: "silent",
  fetch: refuseFetch,
  allowedPaths: {},
  allowedHosts: [],
  config: {},
  memory: {},
  timeoutMs: null,
  nodeWorkerArgs: {},
};

/**
 * Makes an import that the SDK passes on as it is. The SDK binds every host function to its call context; the kernel
 * has no use for it, engines call a plain function from WebAssembly about twice as fast as a bound one, and a function
 * of another WebAssembly module is called without JavaScript in between only if it is passed on itself.
 */
export function plain(host: HostFunction): HostFunction {
  return Object.hasOwn(host, "bind") ? host : Object.defineProperty(host, "bind", { value: () => host });
}

/** Exports the SDK would call while it instantiates, before there is any fuel, and what they are called instead. */
const entryPoints: ReadonlyMap<string, string> = new Map([
  ["_initialize", "exo:initial"],
  ["_start", "exo:_s"],
  ["hs_init", "exo:hs_"],
]);

/** Name under which an export of the original is found in a module that {@link compileGuest} returned. */
export function exportName(name: string): string {
  return entryPoints.get(name) ?? name;
}

/** True when the module has no export that the SDK would call by itself. */
export function hasNoEntryPoint(module: WasmModule): boolean {
  return !engine.Module.exports(module).some((item) => entryPoints.has(item.name));
}

/** Compiles sealed bytes for {@link instantiate}. Rejects with a WebAssembly.CompileError when they are not valid. */
export async function compileGuest(bytes: Uint8Array): Promise<WasmModule> {
  const module = await engine.compile(bytes);
  return hasNoEntryPoint(module) ? module : engine.compile(hideEntryPoints(bytes));
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * A copy of a valid module with the exports `_initialize`, `_start` and `hs_init` renamed, to names of the same length
 * that begin with the prefix admission reserves.
 */
function hideEntryPoints(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const renamed = new Uint8Array(bytes);
  let at = 8;
  const number = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = renamed[at++] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        return value;
      }
    }
  };
  while (at < renamed.length) {
    const section = renamed[at++];
    const size = number();
    const end = at + size;
    for (let left = section === 7 ? number() : 0; left > 0; left--) {
      const length = number();
      const hidden = length > 11 ? undefined : entryPoints.get(decoder.decode(renamed.subarray(at, at + length)));
      renamed.set(encoder.encode(hidden ?? ""), at);
      at += length + 1;
      number();
    }
    at = end;
  }
  return renamed;
}
