import { capabilityModule, kernelModule, sealedHttpModule } from "../contracts/imports.js";
import { sealedWasiModule } from "../contracts/wasi.js";
import { type ErrorCode, ExoArmurError } from "../errors.js";
import type { ExecutionStatus, RunLimits, SandboxOutcome } from "../ports.js";
import { engine, type WasmGlobal, type WasmInstance, type WasmMemory, type WasmModule } from "./engine.js";
import { callExports } from "./entry.js";
import { type HostImports, hasNoEntryPoint, instantiate, plain } from "./extism.js";
import { withGuest } from "./guest-state.js";
import { httpImports } from "./http.js";
import { type CallSync, capabilityImport, type HostFunction, Kernel, kernelImports, withKernel } from "./kernel.js";
import { Stop } from "./stop.js";
import { wasiImports } from "./wasi.js";

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
  readonly imports: HostImports;
  /** Name of an export that is the linear memory, if there is one. */
  readonly memory: string | undefined;
};

/**
 * Reads what a run needs from a sealed module that compileGuest compiled (spec/sandbox.md).
 *
 * @throws ExoArmurError EXO_WASM_EXPORT when the module was not sealed, EXO_WASM_IMPORT when it imports what the kernel
 * lacks.
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
  const imports: Record<string, Record<string, HostFunction>> = {};
  for (const item of engine.Module.imports(module)) {
    const host = item.kind === "function" ? hostFunction(item.module, item.name) : undefined;
    if (host !== undefined) {
      imports[item.module] ??= {};
      (imports[item.module] as Record<string, HostFunction>)[item.name] = plain(host);
    } else {
      const what = `${item.kind} ${item.module} ${item.name}`.slice(0, 200);
      throw new ExoArmurError(
        "EXO_WASM_IMPORT",
        `expected imports of the kernel and of capabilities only, got ${what}`,
      );
    }
  }
  return { module, imports, memory: exported.find((item) => item.kind === "memory")?.name };
}

/** The host's function for an import of a sealed module, undefined when there is none. */
function hostFunction(module: string, name: string): HostFunction | undefined {
  if (module === capabilityModule) {
    return capabilityImport(name);
  }
  const offered = offers.get(module);
  return offered !== undefined && Object.hasOwn(offered, name) ? offered[name] : undefined;
}

const offers: ReadonlyMap<string, Readonly<Record<string, HostFunction>>> = new Map([
  [kernelModule, kernelImports],
  [sealedHttpModule, httpImports],
  [sealedWasiModule, wasiImports],
]);

/**
 * Runs one function of a sealed module in a fresh instance and waits for its end, in this thread (spec/abi.md). `call`
 * answers capability calls while the guest waits. Never throws for anything a guest can do; `report` is told, in words
 * for people, what a host fault was.
 */
export async function runGuest(
  guest: Guest,
  job: GuestJob,
  call: CallSync,
  report?: (fault: string) => void,
): Promise<SandboxOutcome> {
  let instance: WasmInstance;
  try {
    instance = await instantiate(guest.module, guest.imports);
  } catch (thrown) {
    // A segment that does not fit is the guest's own trap, before its first instruction.
    const end = thrown instanceof engine.RuntimeError ? trapped : hostFault;
    if (end === hostFault) {
      report?.(describe(thrown));
    }
    return { status: end.status, error: end.error, fuelUsed: 0, memoryPeakPages: 0, hostCalls: 0 };
  }
  return runInstance(guest, job, instance, call, report);
}

/** The part of a run that the guest takes part in: from here to the return nothing else runs in this thread. */
function runInstance(
  guest: Guest,
  job: GuestJob,
  { exports }: WasmInstance,
  call: CallSync,
  report: ((fault: string) => void) | undefined,
): SandboxOutcome {
  const { limits } = job;
  const fuel = exports["exo:fuel"] as WasmGlobal;
  const stack = exports["exo:stack"] as WasmGlobal;
  const state = exports["exo:state"] as WasmGlobal;
  const fuelUsed = (): number => Math.max(0, Math.min(limits.fuel, limits.fuel - Number(fuel.value)));
  const memory = guest.memory === undefined ? undefined : (exports[guest.memory] as WasmMemory);
  let kernel: Kernel | undefined;
  let end: End;
  let thrown: unknown;
  try {
    fuel.value = BigInt(limits.fuel);
    stack.value = Math.floor(limits.stackBytes / 8);
    const current = new Kernel(job.input, limits, call, fuelUsed);
    kernel = current;
    const returned = withKernel(current, () => withGuest(current, memory, () => callExports(exports, job.function)));
    end = endOfReturn(current, returned);
  } catch (error) {
    thrown = error;
    end = endOfThrow(error);
  }
  end = endOfCounters(Number(fuel.value), Number(stack.value), Number(state.value)) ?? withRefusal(end, state);
  if (end === hostFault) {
    report?.(describe(thrown));
  }
  const counts = {
    fuelUsed: fuelUsed(),
    memoryPeakPages: memory === undefined ? 0 : memory.buffer.byteLength / pageBytes,
    hostCalls: kernel?.calls ?? 0,
  };
  return end.status === "completed"
    ? { status: "completed", output: (kernel as Kernel).output, ...counts }
    : { status: end.status, error: end.error, ...counts };
}

type End =
  | { readonly status: "completed" }
  | {
      readonly status: Exclude<ExecutionStatus, "completed">;
      readonly error: { readonly code: string; readonly message?: string };
    };

function failure(status: Exclude<ExecutionStatus, "completed">, code: ErrorCode) {
  return { status, error: { code } } as const;
}

const trapped = failure("trapped", "EXO_TRAPPED");
const hostFault = failure("host_fault", "EXO_HOST_FAULT");
const outOfFuel = failure("out_of_fuel", "EXO_OUT_OF_FUEL");
const outOfMemory = failure("out_of_memory", "EXO_OUT_OF_MEMORY");
const stackOverflow = failure("stack_overflow", "EXO_STACK_OVERFLOW");

/** What the budgets say; they come before whatever was thrown or returned, and no error's text is ever looked at. */
function endOfCounters(fuel: number, stack: number, state: number): End | undefined {
  if (fuel < 0) {
    return outOfFuel;
  }
  if (stack < 0) {
    return stackOverflow;
  }
  return (state & hostShortage) !== 0 ? hostFault : undefined;
}

/** A guest that was refused memory and then failed, failed for want of memory: allocators end in traps and errors. */
function withRefusal(end: End, state: WasmGlobal): End {
  const failed = end.status === "trapped" || end.status === "guest_error";
  return failed && (Number(state.value) & growRefused) !== 0 ? outOfMemory : end;
}

/** An error that was set makes a failure of any return value, as it does for Extism's own hosts. */
function endOfReturn(kernel: Kernel, returned: unknown): End {
  const message = kernel.error;
  if (message === undefined && (returned === undefined || returned === 0)) {
    return { status: "completed" };
  }
  const code: ErrorCode = "EXO_GUEST_ERROR";
  return { status: "guest_error", error: message === undefined ? { code } : { code, message } };
}

function endOfThrow(thrown: unknown): End {
  if (thrown instanceof Stop && thrown.status !== "completed") {
    const { status, code, note } = thrown;
    return { status, error: note === undefined ? { code } : { code, message: note } };
  }
  // Exhaustion of the native stack is a RangeError, which no guest should reach: not a trap.
  return thrown instanceof engine.RuntimeError ? trapped : hostFault;
}

/** A host fault in words, for a log. */
function describe(thrown: unknown): string {
  return (thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)).slice(0, 500);
}
