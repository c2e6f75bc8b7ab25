import wabtInit from "wabt";
import { digestOf } from "../../src/canonical/digest.js";
import { sealModule, type SealedModule, type SealOptions } from "../../src/wasm/seal.js";

const wabt = await wabtInit();

// The type checker of the sources has no WebAssembly library; tests use the engine's own objects.
const engine = (globalThis as any).WebAssembly;

/** Assembles WAT. `features` are wabt's names; those enabled by default suffice for admitted modules. */
export function assemble(source: string, features: Record<string, boolean> = {}): Uint8Array {
  const module = wabt.parseWat("test.wat", source, {
    mutable_globals: true,
    sat_float_to_int: true,
    sign_extension: true,
    multi_value: true,
    bulk_memory: true,
    reference_types: true,
    ...features,
  });
  try {
    return new Uint8Array(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

export const defaults: SealOptions = { capabilities: [], memoryPages: 64, tableElements: 1000 };

/** Seals, failing the test on a refusal. */
export function seal(bytes: Uint8Array, options: Partial<SealOptions> = {}): SealedModule {
  const result = sealModule(bytes, { ...defaults, ...options });
  if (!result.ok) {
    throw new Error(`${result.error.code}: ${result.error.message}`);
  }
  return result.value;
}

/** The refusal of a module that must not be admitted. */
export function refusal(bytes: Uint8Array, options: Partial<SealOptions> = {}): { code: string; message: string } {
  const result = sealModule(bytes, { ...defaults, ...options });
  if (result.ok) {
    throw new Error("the module was admitted");
  }
  return result.error;
}

/** A small host: answers are a function of the arguments; `log` holds every call. */
export function simpleHost(): { imports: any; log: string[] } {
  const log: string[] = [];
  const fn =
    (name: string, answer: (...args: any[]) => unknown) =>
    (...args: any[]) => {
      log.push(`${name}(${args.join(",")})`);
      return answer(...args);
    };
  const env = {
    alloc: fn("alloc", (n: bigint) => (n & 0xffffn) + 4096n),
    free: fn("free", () => undefined),
    length: fn("length", (h: bigint) => h * 2n),
    load_u8: fn("load_u8", (h: bigint) => Number(h & 0xffn)),
    load_u64: fn("load_u64", (h: bigint) => h ^ 0x5555n),
    store_u64: fn("store_u64", () => undefined),
    input_length: fn("input_length", () => 11n),
    output_set: fn("output_set", () => undefined),
    get_log_level: fn("get_log_level", () => 2),
    log_info: fn("log_info", () => undefined),
  };
  const user = { clock_now: fn("clock_now", (h: bigint) => h + 1n), fs_read: fn("fs_read", (h: bigint) => h + 2n) };
  return { imports: { "extism:host/env": env, "extism:host/user": user }, log };
}

export type Run = {
  /** Value or trap message of every call, start section first. */
  readonly results: string[];
  readonly log: string[];
  /** Digest of the exported memory: comparing arrays of pages is slow. */
  readonly memory: string | null;
  readonly fuel: bigint;
  readonly stack: number;
  readonly state: number;
};

export const fuelGiven = 10_000_000n;
/** 256 KiB of stack, the greatest a manifest may ask for. */
export const stackGiven = 32_768;

export type Call = readonly [name: string, ...args: unknown[]];

function attempt(work: () => unknown): string {
  try {
    return String(work());
  } catch (error) {
    return error instanceof engine.RuntimeError ? `trap: ${(error as Error).message}` : `other: ${String(error)}`;
  }
}

/** Runs an original module; every call goes to the same instance. */
export function runOriginal(bytes: Uint8Array, calls: readonly Call[]): Run {
  const host = simpleHost();
  const results: string[] = [];
  let instance: any = null;
  const started = attempt(() => {
    instance = new engine.Instance(new engine.Module(bytes), host.imports);
    return "started";
  });
  results.push(started);
  if (instance !== null) {
    for (const [name, ...args] of calls) {
      results.push(attempt(() => instance.exports[name](...args)));
    }
  }
  return { results, log: host.log, memory: snapshot(instance), fuel: 0n, stack: 0, state: 0 };
}

/** Runs a sealed module with fuel and stack set. */
export function runSealed(
  sealed: SealedModule,
  calls: readonly Call[],
  fuel = fuelGiven,
  stack = stackGiven,
  imports?: any,
): Run {
  const host = simpleHost();
  const instance = new engine.Instance(new engine.Module(sealed.bytes), imports ?? host.imports);
  const { exports } = instance;
  exports["exo:fuel"].value = fuel;
  exports["exo:stack"].value = stack;
  const results = [
    attempt(() => {
      if (sealed.hasStart) {
        exports["exo:start"]();
      }
      return "started";
    }),
  ];
  if (results[0] === "started") {
    for (const [name, ...args] of calls) {
      results.push(attempt(() => exports[name](...args)));
    }
  }
  return {
    results,
    log: host.log,
    memory: snapshot(instance),
    fuel: exports["exo:fuel"].value,
    stack: exports["exo:stack"].value,
    state: exports["exo:state"].value,
  };
}

function snapshot(instance: any): string | null {
  const memory = instance?.exports["memory"];
  return memory === undefined ? null : digestOf(new Uint8Array(memory.buffer));
}

/** True for bytes the engine accepts. */
export function isValid(bytes: Uint8Array): boolean {
  return engine.validate(bytes);
}
