import { capabilityModule, kernelModule } from "../contracts/imports.js";
import { type ErrorCode, ExoArmurError } from "../errors.js";
import type { ExecutionStatus, RunLimits, SandboxOutcome } from "../ports.js";
import { engine, type WasmInstance, type WasmModule } from "./engine.js";
import { exportName, type HostImports, hasNoEntryPoint, instantiate, plain } from "./extism.js";
import { type CallSync, type HostFunction, Kernel, kernelImports } from "./kernel.js";
import { Stop } from "./stop.js";

/** Bits of a sealed module's `exo:state`. */
const growRefused = 1;
const hostShortage = 2;

const pageBytes = 65_536;

/** What one run needs to know; the part of SandboxJob that can travel to another thread. */
export type GuestJob = {
  readonly function: string;
  /** Handed over: the guest may overwrite these bytes. */
  readonly input: Uint8Array;
  readonly limits: RunLimits;
};

/** A compiled sealed module and what was read from its import and export lists. */
export type Guest = {
  readonly module: WasmModule;
  readonly kernel: readonly string[];
  readonly capabilities: readonly string[];
  /** Name of an export that is the linear memory, if there is one. */
  readonly memory: string | undefined;
};

/**
 * Reads what a run needs from a sealed module that compileGuest compiled (spec/sandbox.md).
 *
 * @throws ExoArmurError EXO_WASM_EXPORT when the module was not sealed, EXO_WASM_IMPORT when it imports what no kernel has.
 */
export function describeGuest(module: WasmModule): Guest {
  const exported = engine.Module.exports(module);
  for (const name of ["exo:fuel", "exo:stack", "exo:state"]) {
    if (!exported.some((item) => item.name === name && item.kind === "global")) {
      throw new ExoArmurError("EXO_WASM_EXPORT", `expected a sealed module, which exports the global ${name}`);
    }
  }
  if (!hasNoEntryPoint(module)) {
    throw new ExoArmurError("EXO_WASM_EXPORT", "expected a module that compileGuest made");
  }
  const kernel: string[] = [];
  const capabilities: string[] = [];
  for (const item of engine.Module.imports(module)) {
    if (item.kind === "function" && item.module === kernelModule && Object.hasOwn(kernelImports, item.name)) {
      kernel.push(item.name);
    } else if (item.kind === "function" && item.module === capabilityModule) {
      capabilities.push(item.name);
    } else {
      const what = `${item.kind} ${item.module} ${item.name}`.slice(0, 200);
      throw new ExoArmurError("EXO_WASM_IMPORT", `expected imports of the kernel and of capabilities only, got ${what}`);
    }
  }
  return { module, kernel, capabilities, memory: exported.find((item) => item.kind === "memory")?.name };
}

/**
 * Runs one function of a sealed module in a fresh instance and waits for its end, in this thread (spec/abi.md). `call`
 * answers capability calls while the guest waits. Never throws for anything a guest can do; `report` is told, in words
 * for people, what a host fault was.
 */
export async function runGuest(
  guest: Guest,
  job: GuestJob,
  call: CallSync,
  report: (fault: string) => void = () => {},
): Promise<SandboxOutcome> {
  const run = new Run(guest, job);
  let thrown: unknown;
  let returned: unknown;
  try {
    const kernel = run.start(call);
    run.instance = await instantiate(guest.module, bindImports(guest, kernel));
    returned = run.execute();
  } catch (error) {
    thrown = error ?? new Error("nothing was thrown");
  }
  const end = run.classify(thrown, returned);
  if (end.status === "host_fault") {
    report(describe(thrown));
  }
  return run.outcome(end);
}

function bindImports(guest: Guest, kernel: Kernel): HostImports {
  const env: Record<string, HostFunction> = {};
  for (const name of guest.kernel) {
    env[name] = plain((kernelImports[name] as (kernel: Kernel) => HostFunction)(kernel));
  }
  const user: Record<string, HostFunction> = {};
  for (const name of guest.capabilities) {
    user[name] = plain(kernel.capabilityImport(name));
  }
  return { [kernelModule]: env, [capabilityModule]: user };
}

type End = { readonly status: ExecutionStatus; readonly code?: string; readonly message?: string | undefined };

function end(status: ExecutionStatus, code: ErrorCode): End {
  return { status, code };
}

/** The state of one run and the reading of its end. */
class Run {
  readonly #guest: Guest;
  readonly #job: GuestJob;
  #kernel: Kernel | undefined;
  instance: WasmInstance | undefined;

  constructor(guest: Guest, job: GuestJob) {
    this.#guest = guest;
    this.#job = job;
  }

  /** Makes the kernel; throws the out_of_memory stop when the input alone passes the cap. */
  start(call: CallSync): Kernel {
    this.#kernel = new Kernel(this.#job.input, this.#job.limits, call, () => this.#fuelUsed());
    return this.#kernel;
  }

  /** Sets the budgets, then runs start section, initializer and function, in this order. */
  execute(): unknown {
    const { exports } = this.instance as WasmInstance;
    const { limits } = this.#job;
    const fuel = exports["exo:fuel"];
    const stack = exports["exo:stack"];
    if (!(fuel instanceof engine.Global && stack instanceof engine.Global)) {
      throw new ExoArmurError("EXO_INTERNAL", "a described guest lacks its budgets");
    }
    fuel.value = BigInt(limits.fuel);
    stack.value = Math.floor(limits.stackBytes / 8);
    const wanted = exportName(this.#job.function);
    const main = exports[wanted];
    if (typeof main !== "function") {
      throw new ExoArmurError("EXO_WASM_EXPORT", `the module has no function ${this.#job.function.slice(0, 100)}`);
    }
    const initializer = exportName("_initialize");
    for (const name of ["exo:start", initializer]) {
      const before = exports[name];
      if (typeof before === "function" && name !== wanted) {
        before();
      }
    }
    return main();
  }

  #global(name: string): number {
    const global = this.instance?.exports[name];
    return global instanceof engine.Global ? Number(global.value) : 0;
  }

  #fuelUsed(): number {
    if (this.instance === undefined) {
      return 0;
    }
    const limit = this.#job.limits.fuel;
    return Math.max(0, Math.min(limit, limit - this.#global("exo:fuel")));
  }

  /** Maps how the run ended to a status: counters before the error, and never by an error's text. */
  classify(thrown: unknown, returned: unknown): End {
    if (this.instance !== undefined) {
      if (this.#global("exo:fuel") < 0) {
        return end("out_of_fuel", "EXO_OUT_OF_FUEL");
      }
      if (this.#global("exo:stack") < 0) {
        return end("stack_overflow", "EXO_STACK_OVERFLOW");
      }
      if ((this.#global("exo:state") & hostShortage) !== 0) {
        return end("host_fault", "EXO_HOST_FAULT");
      }
    }
    const natural = this.#naturalEnd(thrown, returned);
    const failed = natural.status === "trapped" || natural.status === "guest_error";
    // A guest that was refused memory and then failed, failed for want of memory: allocators end in traps and errors.
    return failed && (this.#global("exo:state") & growRefused) !== 0
      ? end("out_of_memory", "EXO_OUT_OF_MEMORY")
      : natural;
  }

  #naturalEnd(thrown: unknown, returned: unknown): End {
    if (thrown instanceof Stop) {
      return { status: thrown.status, code: thrown.code, message: thrown.note };
    }
    if (thrown instanceof engine.RuntimeError) {
      return end("trapped", "EXO_TRAPPED");
    }
    if (thrown !== undefined) {
      return end("host_fault", "EXO_HOST_FAULT");
    }
    const message = this.#kernel?.error;
    if (message !== undefined || (returned !== undefined && returned !== 0)) {
      return { status: "guest_error", code: "EXO_GUEST_ERROR" satisfies ErrorCode, message };
    }
    return { status: "completed" };
  }

  /** The outcome for an end. */
  outcome({ status, code, message }: End): SandboxOutcome {
    const memory = this.#guest.memory === undefined ? undefined : this.instance?.exports[this.#guest.memory];
    return {
      status,
      ...(status === "completed" ? { output: this.#kernel?.output ?? new Uint8Array(0) } : {}),
      ...(code === undefined ? {} : { error: message === undefined ? { code } : { code, message } }),
      fuelUsed: this.#fuelUsed(),
      memoryPeakPages: memory instanceof engine.Memory ? memory.buffer.byteLength / pageBytes : 0,
      hostCalls: this.#kernel?.calls ?? 0,
    };
  }
}

/** A host fault in words, for a log. */
function describe(thrown: unknown): string {
  return (thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)).slice(0, 500);
}
