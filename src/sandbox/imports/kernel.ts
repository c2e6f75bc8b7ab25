import { capabilityModule, capabilityNames, kernelModule, sealedHttpModule } from "../../contracts/imports.js";
import { sealedWasiModule } from "../../contracts/wasi.js";
import { type ErrorCode, ExoArmurError } from "../../errors.js";
import type { GuestAnswer, GuestCall, RunLimits } from "../../ports.js";
import type { HostFunction } from "../engine.js";
import { plain } from "../extism.js";
import { memoryStop, Stop } from "../stop.js";
import { Blocks } from "./blocks.js";
import { httpImports } from "./http.js";
import { cutCharacters, lineBytes, logRequest } from "./log-line.js";
import { wasiImports } from "./wasi.js";

/** Answers one capability call at once; the guest waits for it. */
export type CallSync = (call: GuestCall) => GuestAnswer;

/** Longest message of a guest's own error, in UTF-16 code units. */
const errorUnits = 1024;

/**
 * Most bytes of all variables of a run together, names included (spec/abi.md). Kept small because no fuel is charged for
 * the copies that var_get makes.
 */
const variableBytes = 1024;

/** What stands for a guest's error message that is not UTF-8. */
const notUtf8 = "(the message is not UTF-8)";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What a kernel knows of the run under way. */
type Run = {
  readonly limits: RunLimits;
  readonly call: CallSync;
  /** How much fuel is used so far. */
  readonly fuel: () => number;
  readonly variables: Map<string, Uint8Array>;
  variableBytes: number;
  calls: number;
};

/**
 * The host's half of the guest ABI (spec/abi.md): blocks, input and output are kernel.wat's, variables, log lines and
 * capability calls are here. It serves one run after another, and nothing passes from one to the next.
 */
export class Kernel {
  readonly blocks = new Blocks();
  /** Every function a guest can import, by module and name. */
  readonly functions: Readonly<Record<string, Readonly<Record<string, HostFunction>>>>;
  #run: Run | undefined;

  constructor() {
    const calls = Object.entries(environment).map(([name, make]) => [name, plain(make(this))] as const);
    const capabilities = capabilityNames.map((name) => [name, plain(capabilityCall(this, name))] as const);
    const linked = linkedNames.map((name) => [name, plain(this.blocks.functions[name] as HostFunction)] as const);
    this.functions = {
      [kernelModule]: Object.fromEntries([...linked, ...calls]),
      [capabilityModule]: Object.fromEntries(capabilities),
      [sealedHttpModule]: allPlain(httpImports),
      [sealedWasiModule]: allPlain(wasiImports),
    };
  }

  /** Ends the run before, whatever its state, and begins another. Throws when the input does not fit. */
  begin(input: Uint8Array, limits: RunLimits, call: CallSync, fuel: () => number): void {
    this.#run = { limits, call, fuel, variables: new Map(), variableBytes: 0, calls: 0 };
    this.blocks.begin(limits, input);
  }

  /**
   * Ends the run: no host function can be called until the next one begins. Returns how many capability calls were made,
   * log lines included.
   */
  end(): number {
    const calls = this.#run?.calls ?? 0;
    this.#run = undefined;
    return calls;
  }

  get #current(): Run {
    if (this.#run === undefined) {
      throw new ExoArmurError("EXO_INTERNAL", "a host function was called outside a run");
    }
    return this.#run;
  }

  /** Why kernel.wat ended this run, undefined if it did not. */
  get stop(): Error | undefined {
    return this.#run && this.blocks.stop;
  }

  /** The guest's own error message as it is now, undefined when none is set. */
  get error(): string | undefined {
    const bytes = this.blocks.error(errorUnits * 4 + 1);
    return bytes && decodeMessage(bytes);
  }

  /** Calls a capability with the bytes of a request; returns the answer's. */
  callCapability(capability: string, request: Uint8Array): Uint8Array {
    const run = this.#current;
    if (run.calls >= run.limits.hostCalls) {
      throw new Stop("host_call_limit", "EXO_HOST_CALL_LIMIT" satisfies ErrorCode);
    }
    const seq = run.calls++;
    const answer = run.call({ seq, capability, request, fuel: run.fuel() });
    if (answer.kind === "stop") {
      throw new Stop(answer.status, answer.code, answer.message);
    }
    return answer.response;
  }

  /** Sends a log line through the `log` capability and frees its block. */
  log(level: string, address: bigint): void {
    this.callCapability("log", logRequest(level, this.blocks.read(address, lineBytes + 1)));
    this.blocks.free(address);
  }

  /** Address of a new block with the variable's value, 0 when it is not set. Frees the key's block. */
  getVariable(key: bigint): bigint {
    const value = this.#current.variables.get(this.#variableKey(key));
    const address = value === undefined ? 0n : this.blocks.store(value);
    this.blocks.free(key);
    return address;
  }

  /** Sets a variable to the bytes of a block; address 0 deletes it. Frees both blocks. */
  setVariable(key: bigint, value: bigint): void {
    const { variables } = this.#current;
    const name = this.#variableKey(key);
    // One byte more than fits is enough to see that it does not.
    const bytes = this.blocks.read(value, variableBytes + 1);
    const old = variables.get(name);
    if (old !== undefined) {
      variables.delete(name);
      this.#chargeVariable(-1, name.length + old.byteLength);
    }
    if (value !== 0n) {
      this.#chargeVariable(1, name.length + bytes.byteLength);
      variables.set(name, bytes);
      this.blocks.free(value);
    }
    this.blocks.free(key);
  }

  #chargeVariable(sign: 1 | -1, bytes: number): void {
    const run = this.#current;
    run.variableBytes += sign * bytes;
    if (run.variableBytes > variableBytes) {
      throw memoryStop();
    }
    if (sign === 1) {
      this.blocks.charge(bytes);
    } else {
      this.blocks.refund(bytes);
    }
  }

  /** Variables are named by bytes: two names that differ are two, also where neither is UTF-8. */
  #variableKey(address: bigint): string {
    const bytes = this.blocks.read(address, variableBytes + 1);
    if (bytes.byteLength > variableBytes) {
      throw memoryStop();
    }
    return String.fromCharCode(...bytes);
  }
}

function allPlain(functions: Readonly<Record<string, HostFunction>>): Record<string, HostFunction> {
  return Object.fromEntries(Object.entries(functions).map(([name, host]) => [name, plain(host)]));
}

/** UTF-8 as text of at most 1,024 code units that ends on a whole character. */
function decodeMessage(bytes: Uint8Array): string {
  let text: string;
  try {
    text = strict.decode(cutCharacters(bytes, errorUnits * 4));
  } catch {
    return notUtf8;
  }
  const last = text.charCodeAt(errorUnits - 1);
  const splitsPair = text.length > errorUnits && last >= 0xd800 && last < 0xdc00;
  return text.slice(0, splitsPair ? errorUnits - 1 : errorUnits);
}

/** The functions that a guest is linked to in kernel.wat; no JavaScript runs when it calls one. */
const linkedNames = [
  "alloc",
  "free",
  "length",
  "length_unsafe",
  "load_u8",
  "load_u64",
  "store_u8",
  "store_u64",
  "input_offset",
  "input_length",
  "input_load_u8",
  "input_load_u64",
  "output_set",
  "error_set",
  "config_get",
  "get_log_level",
];

const logCall =
  (level: string) =>
  (kernel: Kernel): HostFunction =>
  (address: bigint): undefined => {
    kernel.log(level, address);
  };

/** The other functions of `extism:host/env`. */
const environment: Readonly<Record<string, (kernel: Kernel) => HostFunction>> = {
  var_get: (kernel) => (key: bigint) => kernel.getVariable(key),
  var_set:
    (kernel) =>
    (key: bigint, value: bigint): undefined => {
      kernel.setVariable(key, value);
    },
  log_trace: logCall("trace"),
  log_debug: logCall("debug"),
  log_info: logCall("info"),
  log_warn: logCall("warn"),
  log_error: logCall("error"),
};

/** The import `(handle) -> handle` of a capability (spec/abi.md). */
function capabilityCall(kernel: Kernel, capability: string): HostFunction {
  return (request: bigint): bigint =>
    kernel.blocks.store(kernel.callCapability(capability, kernel.blocks.read(request)));
}

/** Pages of a kernel's memory that are kept for the next run; a larger one is given back. */
const keptPages = 256;

let kept: Kernel | undefined;

/** This thread's kernel. A run that was linked to it uses it from begin to end without a break. */
export function takeKernel(): Kernel {
  kept ??= new Kernel();
  return kept;
}

/** Gives a kernel's memory back if a run has made it large. */
export function returnKernel(kernel: Kernel): void {
  if (kernel === kept && kernel.blocks.pages > keptPages) {
    kept = undefined;
  }
}
