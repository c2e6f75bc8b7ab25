import { type ErrorCode, ExoArmurError } from "../errors.js";
import type { ExecutionStatus, RunLimits, SandboxOutcome } from "../ports.js";
import {
  engine,
  type HostFunction,
  type WasmGlobal,
  type WasmInstance,
  type WasmMemory,
  type WasmModule,
} from "./engine.js";
import { callExports } from "./entry.js";
import { type HostImports, hasNoEntryPoint, instantiate } from "./extism.js";
import { withGuest } from "./imports/guest-state.js";
import { type CallSync, type Kernel, returnKernel, takeKernel } from "./imports/kernel.js";
import { Stop } from "./stop.js";

/** Bits of a sealed module's `exo:state`. */
const growRefused = 1;
const hostShortage = 2;

const pageBytes = 65_536;

/** What one run needs to know; the part of SandboxJob that can travel to another thread. */
export type GuestJob = {
  readonly function: string;
  readonly input: Uint8Array;
  readonly limits: RunLimits;
};

/** A compiled sealed module and what was read from its import and export lists. */
export type Guest = {
  readonly module: WasmModule;
  readonly imports: readonly { readonly module: string; readonly name: string }[];
  /** Name of an export that is the linear memory, `exo:memory` or the guest's own: a module has one memory at most. */
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
  const imports = engine.Module.imports(module);
  const { functions } = takeKernel();
  for (const item of imports) {
    if (item.kind !== "function" || findFunction(functions, item) === undefined) {
      const what = `${item.kind} ${item.module} ${item.name}`.slice(0, 200);
      throw new ExoArmurError(
        "EXO_WASM_IMPORT",
        `expected imports of the kernel and of capabilities only, got ${what}`,
      );
    }
  }
  return { module, imports, memory: exported.find((item) => item.kind === "memory")?.name };
}

function findFunction(functions: HostImports, item: { readonly module: string; readonly name: string }) {
  const named = Object.hasOwn(functions, item.module) ? functions[item.module] : undefined;
  return named !== undefined && Object.hasOwn(named, item.name) ? named[item.name] : undefined;
}

/** What a guest imports and nothing else: the SDK looks at every function it is given. */
function link(guest: Guest, kernel: Kernel): HostImports {
  const imports: Record<string, Record<string, HostFunction>> = {};
  for (const item of guest.imports) {
    const found = findFunction(kernel.functions, item);
    if (found !== undefined) {
      imports[item.module] ??= {};
      (imports[item.module] as Record<string, HostFunction>)[item.name] = found;
    }
  }
  return imports;
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
  report?: (fault: string) => void,
): Promise<SandboxOutcome> {
  const kernel = takeKernel();
  let instance: WasmInstance;
  try {
    instance = await instantiate(guest.module, link(guest, kernel));
  } catch (thrown) {
    // A segment that does not fit is the guest's own trap, before its first instruction.
    const end = thrown instanceof engine.RuntimeError ? trapped : hostFault;
    if (end === hostFault) {
      report?.(describe(thrown));
    }
    return { status: end.status, error: end.error, fuelUsed: 0, memoryPeakPages: 0, hostCalls: 0 };
  }
  const outcome = runInstance(guest, job, instance, kernel, call, report);
  returnKernel(kernel);
  return outcome;
}

/** The part of a run that the guest takes part in: from here to the return nothing else runs in this thread. */
function runInstance(
  guest: Guest,
  job: GuestJob,
  { exports }: WasmInstance,
  kernel: Kernel,
  call: CallSync,
  report: ((fault: string) => void) | undefined,
): SandboxOutcome {
  const { limits } = job;
  const fuel = exports["exo:fuel"] as WasmGlobal;
  const stack = exports["exo:stack"] as WasmGlobal;
  const state = exports["exo:state"] as WasmGlobal;
  const fuelUsed = (): number => Math.max(0, Math.min(limits.fuel, limits.fuel - Number(fuel.value)));
  const memory = guest.memory === undefined ? undefined : (exports[guest.memory] as WasmMemory);
  let end: End;
  let thrown: unknown;
  try {
    fuel.value = BigInt(limits.fuel);
    stack.value = Math.floor(limits.stackBytes / 8);
    kernel.begin(job.input, limits, call, fuelUsed);
    const returned = withGuest(kernel, memory, () => callExports(exports, job.function));
    end = endOfReturn(kernel, returned);
  } catch (error) {
    thrown = kernel.stop ?? error;
    end = endOfThrow(thrown);
  }
  end = endOfCounters(Number(fuel.value), Number(stack.value), Number(state.value)) ?? withRefusal(end, state);
  if (end === hostFault) {
    report?.(describe(thrown));
  }
  const counts = {
    fuelUsed: fuelUsed(),
    memoryPeakPages: memory === undefined ? 0 : memory.buffer.byteLength / pageBytes,
    hostCalls: kernel.end(),
  };
  return end.status === "completed"
    ? { status: "completed", output: kernel.blocks.output, ...counts }
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
