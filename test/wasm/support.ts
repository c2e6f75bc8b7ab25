import wabtInit from "wabt";
import { digestOf } from "../../src/canonical/digest.js";
import { type SealedModule, type SealOptions, sealModule } from "../../src/wasm/seal.js";

const wabt = await wabtInit();

type HostFunction = (...args: never[]) => unknown;
/** Import object: module, name, function. */
export type Imports = Record<string, Record<string, HostFunction>>;
/** An export, whatever its kind; the test knows which members it has. */
type Export = ((...args: readonly unknown[]) => unknown) & { value: number | bigint; readonly buffer: ArrayBuffer };
export type Exports = Record<string, Export>;

// The sources have no type library for WebAssembly.
declare const WebAssembly: {
  validate(bytes: Uint8Array): boolean;
  Module: new (bytes: Uint8Array) => { readonly module: never };
  Instance: new (module: { readonly module: never }, imports: Imports) => { readonly exports: Exports };
  RuntimeError: new () => Error;
};

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

/** `CODE message` of a module that must not be admitted. */
export function refusal(bytes: Uint8Array, options: Partial<SealOptions> = {}): string {
  const result = sealModule(bytes, { ...defaults, ...options });
  if (result.ok) {
    throw new Error("the module was admitted");
  }
  return `${result.error.code} ${result.error.message}`;
}

/** A small host: answers are a function of the arguments; `log` holds every call. */
export function simpleHost(): { imports: Imports; log: string[] } {
  const log: string[] = [];
  const fn =
    <Args extends readonly (bigint | number)[]>(name: string, answer: (...args: Args) => unknown) =>
    (...args: Args) => {
      log.push(`${name}(${args.join(",")})`);
      return answer(...args);
    };
  const env = {
    alloc: fn("alloc", (n: bigint) => (n & 0xffffn) + 4096n),
    free: fn("free", (_: bigint) => undefined),
    length: fn("length", (h: bigint) => h * 2n),
    load_u8: fn("load_u8", (h: bigint) => Number(h & 0xffn)),
    load_u64: fn("load_u64", (h: bigint) => h ^ 0x5555n),
    input_length: fn("input_length", () => 11n),
    output_set: fn("output_set", (_: bigint, __: bigint) => undefined),
    get_log_level: fn("get_log_level", () => 2),
    log_info: fn("log_info", (_: bigint) => undefined),
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
    return error instanceof WebAssembly.RuntimeError ? `trap: ${error.message}` : `other: ${String(error)}`;
  }
}

/** Instantiates bytes as they are. */
export function instantiate(bytes: Uint8Array, imports: Imports = simpleHost().imports): Exports {
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports;
}

/** The export of this name. */
export function pick(exports: Exports, name: string): Export {
  const found = exports[name];
  if (found === undefined) {
    throw new Error(`there is no export ${name}`);
  }
  return found;
}

/** Runs an original module; every call goes to the same instance. */
export function runOriginal(bytes: Uint8Array, calls: readonly Call[]): Run {
  const host = simpleHost();
  let exports: Exports = {};
  const results = [
    attempt(() => {
      exports = instantiate(bytes, host.imports);
      return "started";
    }),
  ];
  if (results[0] === "started") {
    for (const [name, ...args] of calls) {
      results.push(attempt(() => pick(exports, name)(...args)));
    }
  }
  return { results, log: host.log, memory: snapshot(exports), fuel: 0n, stack: 0, state: 0 };
}

/** Runs a sealed module with fuel and stack set. */
export function runSealed(
  sealed: SealedModule,
  calls: readonly Call[],
  fuel = fuelGiven,
  stack = stackGiven,
  host = simpleHost(),
): Run {
  const exports = instantiate(sealed.bytes, host.imports);
  pick(exports, "exo:fuel").value = fuel;
  pick(exports, "exo:stack").value = stack;
  const results = [
    attempt(() => {
      if (sealed.hasStart) {
        pick(exports, "exo:start")();
      }
      return "started";
    }),
  ];
  if (results[0] === "started") {
    for (const [name, ...args] of calls) {
      results.push(attempt(() => pick(exports, name)(...args)));
    }
  }
  return {
    results,
    log: host.log,
    memory: snapshot(exports),
    fuel: pick(exports, "exo:fuel").value as bigint,
    stack: pick(exports, "exo:stack").value as number,
    state: pick(exports, "exo:state").value as number,
  };
}

function snapshot(exports: Exports): string | null {
  const memory = exports["memory"];
  return memory === undefined ? null : digestOf(new Uint8Array(memory.buffer));
}

/** True for bytes the engine accepts. */
export function isValid(bytes: Uint8Array): boolean {
  return WebAssembly.validate(bytes);
}

/** Unsigned LEB128. */
export function leb(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) {
      return [...bytes, rest];
    }
    bytes.push((rest % 128) + 128);
  }
}

/** A module of sections given as id and payload. */
export function binary(
  ...sections: readonly (readonly [id: number, payload: readonly number[] | Uint8Array])[]
): Uint8Array {
  const parts = [Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)];
  for (const [id, payload] of sections) {
    parts.push(Uint8Array.of(id, ...leb(payload.length)), Uint8Array.from(payload));
  }
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A module with one function `() -> ()`, exported as "f", of this body (locals and `end` included). */
export function oneFunction(body: readonly number[]): Uint8Array {
  return binary([1, [1, 0x60, 0, 0]], [3, [1, 0]], [7, [1, 1, 0x66, 0, 0]], [10, [1, ...leb(body.length), ...body]]);
}
