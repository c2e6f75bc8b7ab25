import { createHash } from "node:crypto";
import { importTable, sealedModuleOf } from "../../../src/contracts/imports.js";
import { counterPrefix } from "./encode.js";
import { type Call, digestExport, stepsExport, stepsGiven } from "./tree.js";

type HostFunction = (...args: readonly (number | bigint)[]) => unknown;
type Imports = Record<string, Record<string, HostFunction>>;
type Global = { value: number | bigint };
type Instance = { readonly exports: Readonly<Record<string, unknown>> };

// The sources have no type library for WebAssembly.
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: Imports) => Instance;
  Global: new () => Global;
  RuntimeError: new () => Error;
  validate(bytes: Uint8Array): boolean;
};

/** What a sealed module is given. */
export type Limits = { readonly fuel: bigint; readonly stack: number };

/** What a module did. */
export type Run = {
  /** Start section first, then every call: results or trap class, then the digest of globals and tables. */
  readonly steps: readonly string[];
  /** Every host call with its arguments. */
  readonly log: readonly string[];
  /** Digest of the memory; null when there is none or it is not exported. */
  readonly memory: string | null;
  readonly trapped: boolean;
  /** Fuel used; 0 for modules that are not sealed. */
  readonly fuel: bigint;
  /** Why a sealed module was stopped for good. */
  readonly stopped: "fuel" | "stack" | null;
  /** Did every call that returned leave the stack counter as it was? */
  readonly balanced: boolean;
  readonly state: number;
  /** How often each instruction was executed; the reference encoding counts them. */
  readonly executed: ReadonlyMap<string, number>;
};

const trapClasses: readonly (readonly [RegExp, string])[] = [
  [/divide by zero|remainder by zero/, "division by zero"],
  [/divide result unrepresentable/, "integer overflow"],
  [/^unreachable$/, "unreachable"],
  [/memory access out of bounds/, "memory out of bounds"],
  [/segment.*out of bounds|segment out of bounds/, "segment out of bounds"],
  [/table (?:index|access|element)?.*out of bounds|initializer is out of bounds/, "table out of bounds"],
  [/signature mismatch|null function/, "indirect call mismatch"],
  [/float unrepresentable/, "invalid conversion"],
];

/** The class of a trap, from the engine's words; they differ from version to version. */
export function trapClass(error: unknown): string {
  if (!(error instanceof WebAssembly.RuntimeError)) {
    return `other: ${String(error)}`;
  }
  const found = trapClasses.find(([pattern]) => pattern.test(error.message));
  return found === undefined ? `other: ${error.message}` : `trap: ${found[1]}`;
}

/** True for bytes the engine accepts as a module. */
export function isValidModule(bytes: Uint8Array): boolean {
  return WebAssembly.validate(bytes);
}

/** Host functions for the whole import table; their answers depend on their arguments alone. */
function hostFunctions(log: string[]): Imports {
  const imports: Imports = {};
  for (const row of importTable) {
    const { module, name, results } = row;
    const call: HostFunction = (...args) => {
      log.push(`${name}(${args.join(",")})`);
      // Numbers, and no BigInt across the loop: V8 11.3 compiles that wrongly and ends the process.
      let hash = name.length;
      for (const arg of args) {
        hash = Math.imul(hash ^ Number(BigInt(arg) & 0xffff_ffffn), 0x9e37_79b1);
        hash ^= hash >>> 15;
      }
      const [result] = results;
      return result === undefined ? undefined : result === "i64" ? BigInt(hash) * 0x1_0001n : hash;
    };
    for (const under of [module, sealedModuleOf(row)]) {
      imports[under] = { ...imports[under], [name]: call };
    }
  }
  return imports;
}

function show(value: unknown): string {
  if (Array.isArray(value)) {
    return `[${value.map(show).join(" ")}]`;
  }
  if (typeof value === "function") {
    return "function";
  }
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Runs a module; `limits` are null for one that is not sealed. */
export function runModule(bytes: Uint8Array, calls: readonly Call[], limits: Limits | null): Run {
  return new Runner(bytes, limits).run(calls);
}

class Runner {
  readonly #bytes: Uint8Array;
  readonly #limits: Limits | null;
  readonly #log: string[] = [];
  readonly #steps: string[] = [];
  #exports: Readonly<Record<string, unknown>> = {};
  #stopped: Run["stopped"] = null;
  #trapped = false;
  #balanced = true;

  constructor(bytes: Uint8Array, limits: Limits | null) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  run(calls: readonly Call[]): Run {
    const started = this.#attempt(() => {
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(this.#bytes), hostFunctions(this.#log));
      this.#exports = exports;
      if (this.#limits !== null) {
        this.#global("exo:fuel").value = this.#limits.fuel;
        this.#global("exo:stack").value = this.#limits.stack;
        const start = this.#exports["exo:start"] as (() => void) | undefined;
        start?.();
      }
      return "started";
    });
    if (started) {
      for (const call of calls) {
        this.#call(call);
      }
    }
    return this.#result();
  }

  #global(name: string): Global {
    const global = this.#exports[name];
    if (global === undefined) {
      throw new TypeError(`no global ${name}`);
    }
    return global as Global;
  }

  #call([name, ...args]: Call): void {
    if (this.#stopped !== null) {
      return;
    }
    // Damaged modules may have lost these exports, or have something else of that name.
    const steps = this.#exports[stepsExport];
    if (steps instanceof WebAssembly.Global) {
      this.#setSteps(steps);
    }
    const target = this.#exports[name] as (...args: readonly unknown[]) => unknown;
    this.#attempt(() => show(target(...args)));
    const digest = this.#exports[digestExport];
    if (this.#stopped === null && typeof digest === "function") {
      this.#attempt(() => `state ${(digest as () => bigint)()}`);
    }
  }

  #setSteps(steps: Global): void {
    try {
      if (typeof steps.value === "number") {
        steps.value = stepsGiven;
      }
    } catch {
      // It is immutable, or a vector, which JavaScript cannot read.
    }
  }

  /** Notes what `work` came to. True when it returned. */
  #attempt(work: () => string): boolean {
    let text: string;
    let returned = true;
    try {
      text = work();
    } catch (error) {
      text = trapClass(error);
      returned = false;
      this.#trapped = true;
    }
    if (this.#limits !== null && this.#exports["exo:fuel"] !== undefined) {
      const stack = this.#global("exo:stack");
      if ((this.#global("exo:fuel").value as bigint) < 0n) {
        this.#stopped = "fuel";
      } else if ((stack.value as number) < 0) {
        this.#stopped = "stack";
      } else if (returned) {
        this.#balanced &&= stack.value === this.#limits.stack;
      } else {
        stack.value = this.#limits.stack;
      }
    }
    if (this.#stopped === null) {
      this.#steps.push(text);
    }
    return returned;
  }

  #result(): Run {
    const memory = (this.#exports["memory"] ?? this.#exports["exo:memory"]) as { buffer: ArrayBuffer } | undefined;
    const executed = new Map<string, number>();
    for (const [name, value] of Object.entries(this.#exports)) {
      if (name.startsWith(counterPrefix) && (value as Global).value !== 0n) {
        executed.set(name.slice(counterPrefix.length), Number((value as Global).value));
      }
    }
    const sealed = this.#limits !== null && this.#exports["exo:fuel"] !== undefined;
    return {
      steps: this.#steps,
      log: this.#log,
      memory: memory === undefined ? null : createHash("sha256").update(new Uint8Array(memory.buffer)).digest("hex"),
      trapped: this.#trapped,
      fuel: sealed ? (this.#limits as Limits).fuel - (this.#global("exo:fuel").value as bigint) : 0n,
      stopped: this.#stopped,
      balanced: this.#balanced,
      state: sealed ? (this.#global("exo:state").value as number) : 0,
      executed,
    };
  }
}
