import { type ErrorCode, ExoArmurError } from "../errors.js";
import type { GuestAnswer, GuestCall, RunLimits } from "../ports.js";
import { type Block, BlockTable, toLength } from "./blocks.js";
import { cutCharacters, lineBytes, logRequest } from "./log-line.js";
import { boundsStop, memoryStop, Stop } from "./stop.js";

/** Answers one capability call at once; the guest waits for it. */
export type CallSync = (call: GuestCall) => GuestAnswer;

/** A function as a WebAssembly module imports it. */
export type HostFunction = (...args: never[]) => bigint | number | undefined;

/** Level `info`: the only one a guest ever sees, whatever the host logs (spec/abi.md). */
const pinnedLogLevel = 2;

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

/** The state of one run's kernel: blocks, input, output, error, variables, calls (spec/abi.md). */
export class Kernel {
  readonly blocks: BlockTable;
  /** The input, until the guest frees it. */
  input: Block | undefined;
  /** Capability calls made so far, log lines included. */
  calls = 0;
  readonly #limits: RunLimits;
  readonly #call: CallSync;
  readonly #fuel: () => number;
  #output: { readonly block: Block; readonly offset: number; readonly length: number } | undefined;
  #error: Block | undefined;
  #variables: Map<string, Uint8Array> | undefined;
  #variableBytes = 0;

  /**
   * @param input Becomes the guest's input block as it is, not copied: the guest may overwrite it.
   * @param fuel Tells how much fuel is used so far.
   */
  constructor(input: Uint8Array, limits: RunLimits, call: CallSync, fuel: () => number) {
    this.#limits = limits;
    this.#call = call;
    this.#fuel = fuel;
    this.blocks = new BlockTable(limits.kernelBytes);
    this.input = input.byteLength === 0 ? undefined : this.blocks.adopt(input);
  }

  /** A block of `length` bytes; no block and address 0 for none. */
  allocate(length: bigint): bigint {
    const bytes = toLength(length);
    if (bytes > this.#limits.kernelBytes) {
      throw memoryStop();
    }
    return bytes === 0 ? 0n : this.blocks.allocate(bytes).address;
  }

  /** Frees a block. Address 0 and a block that is free already are no error: PDKs free what the host freed. */
  free(address: bigint): void {
    const block = this.blocks.find(address);
    if (block !== undefined) {
      if (block === this.input) {
        this.input = undefined;
      }
      if (block === this.#output?.block) {
        this.#output = { ...this.#output, block: this.blocks.keep(block) };
      }
      if (block === this.#error) {
        this.#error = this.blocks.keep(block);
      }
      this.blocks.release(block);
    }
  }

  /** False for address 0 and for a block that has been freed. */
  isLive(address: bigint): boolean {
    return this.blocks.find(address) !== undefined;
  }

  /** What the guest's last output_set names, as it is now; no bytes when it set none. A copy. */
  get output(): Uint8Array {
    const output = this.#output;
    return output === undefined ? new Uint8Array(0) : output.block.copy(output.offset, output.length);
  }

  /** The guest's own error message as it is now, undefined when none is set. */
  get error(): string | undefined {
    const block = this.#error;
    return block && decodeMessage(block.copy(0, Math.min(block.view.byteLength, errorUnits * 4 + 1)));
  }

  /** Calls a capability with the bytes of a request block; the answer comes in a block of its own. */
  callCapability(capability: string, request: Uint8Array): Uint8Array {
    if (this.calls >= this.#limits.hostCalls) {
      throw new Stop("host_call_limit", "EXO_HOST_CALL_LIMIT" satisfies ErrorCode);
    }
    const seq = this.calls++;
    const answer = this.#call({ seq, capability, request, fuel: this.#fuel() });
    if (answer.kind === "stop") {
      throw new Stop(answer.status, answer.code, answer.message);
    }
    return answer.response;
  }

  /** The whole of a block, or its first `most` bytes, copied; no bytes for address 0. */
  read(address: bigint, most = Number.POSITIVE_INFINITY): Uint8Array {
    if (address === 0n) {
      return new Uint8Array(0);
    }
    const block = this.blocks.at(address);
    return block.copy(0, Math.min(block.view.byteLength, most));
  }

  /** Makes `length` bytes from `address` the output. They are read when the run has ended, freed or not. */
  setOutput(address: bigint, length: bigint): void {
    const bytes = toLength(length);
    if (bytes > this.#limits.outputBytes) {
      throw new Stop("output_limit", "EXO_OUTPUT_LIMIT" satisfies ErrorCode);
    }
    if (bytes === 0 && address === 0n) {
      this.#output = undefined;
      return;
    }
    const block = this.blocks.within(address, bytes);
    this.#output = { block, offset: this.blocks.offset(), length: bytes };
  }

  /** Makes a block's text the guest's error; address 0 takes it back. It is read when the run has ended. */
  setError(address: bigint): void {
    this.#error = address === 0n ? undefined : this.blocks.at(address);
  }

  /** Sends a log line through the `log` capability and frees its block. */
  log(level: string, address: bigint): void {
    this.callCapability("log", logRequest(level, this.read(address, lineBytes + 1)));
    this.free(address);
  }

  /** Address of a new block with the variable's value, 0 when it is not set. Frees the key's block. */
  getVariable(key: bigint): bigint {
    const name = this.#variableKey(key);
    const value = this.#variables?.get(name);
    const address = value === undefined ? 0n : this.store(value);
    this.free(key);
    return address;
  }

  /** Sets a variable to the bytes of a block; address 0 deletes it. Frees both blocks. */
  setVariable(key: bigint, value: bigint): void {
    const name = this.#variableKey(key);
    const bytes = this.read(value);
    this.#variables ??= new Map();
    const old = this.#variables.get(name);
    if (old !== undefined) {
      this.#variables.delete(name);
      this.#chargeVariable(-1, name.length + old.byteLength);
    }
    if (value !== 0n) {
      this.#chargeVariable(1, name.length + bytes.byteLength);
      this.#variables.set(name, bytes);
      this.free(value);
    }
    this.free(key);
  }

  #chargeVariable(sign: 1 | -1, bytes: number): void {
    this.#variableBytes += sign * bytes;
    if (this.#variableBytes > variableBytes) {
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
    if (address === 0n) {
      return "";
    }
    const { bytes } = this.blocks.at(address);
    if (bytes.byteLength > variableBytes) {
      throw memoryStop();
    }
    return String.fromCharCode.apply(null, bytes as Uint8Array & number[]);
  }

  /** Address of a new block with a copy of `bytes`; 0 when there are none. */
  store(bytes: Uint8Array): bigint {
    if (bytes.byteLength === 0) {
      return 0n;
    }
    const block = this.blocks.allocate(bytes.byteLength);
    block.bytes.set(bytes);
    return block.address;
  }

  /** The input's view. Throws the bounds stop when `length` bytes at `offset` are not inside it. */
  inputView(offset: number, length: number): DataView {
    const input = this.input;
    if (input === undefined || offset + length > input.view.byteLength) {
      throw boundsStop();
    }
    return input.view;
  }
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

/**
 * The kernel of the run under way in this thread. A guest runs without a break from its first instruction to its end,
 * so there is never more than one, and host functions can be made once instead of once a run.
 */
let current: Kernel | undefined;

function kernelOf(): Kernel {
  if (current === undefined) {
    throw new ExoArmurError("EXO_INTERNAL", "a host function was called outside a run");
  }
  return current;
}

/** Calls `body` with `kernel` behind the host functions of this thread. */
export function withKernel<T>(kernel: Kernel, body: () => T): T {
  current = kernel;
  try {
    return body();
  } finally {
    current = undefined;
  }
}

const lengthOf = (address: bigint): bigint => BigInt(kernelOf().blocks.find(address)?.view.byteLength ?? 0);

const logImport =
  (level: string): HostFunction =>
  (address: bigint): undefined => {
    kernelOf().log(level, address);
  };

/** Every function of `extism:host/env` that admission lets through (spec/abi.md). */
export const kernelImports: Readonly<Record<string, HostFunction>> = {
  alloc: (length: bigint) => kernelOf().allocate(length),
  free: (address: bigint): undefined => {
    kernelOf().free(address);
  },
  length: lengthOf,
  length_unsafe: lengthOf,
  load_u8: (address: bigint) => {
    const { blocks } = kernelOf();
    return blocks.within(address, 1).view.getUint8(blocks.offset());
  },
  load_u64: (address: bigint) => {
    const { blocks } = kernelOf();
    return blocks.within(address, 8).view.getBigUint64(blocks.offset(), true);
  },
  store_u8: (address: bigint, value: number): undefined => {
    const { blocks } = kernelOf();
    blocks.within(address, 1).view.setUint8(blocks.offset(), value);
  },
  store_u64: (address: bigint, value: bigint): undefined => {
    const { blocks } = kernelOf();
    blocks.within(address, 8).view.setBigUint64(blocks.offset(), value, true);
  },
  input_offset: () => kernelOf().input?.address ?? 0n,
  input_length: () => BigInt(kernelOf().input?.view.byteLength ?? 0),
  input_load_u8: (offset: bigint) => {
    const at = toLength(offset);
    return kernelOf().inputView(at, 1).getUint8(at);
  },
  input_load_u64: (offset: bigint) => {
    const at = toLength(offset);
    return kernelOf().inputView(at, 8).getBigUint64(at, true);
  },
  output_set: (address: bigint, length: bigint): undefined => {
    kernelOf().setOutput(address, length);
  },
  error_set: (address: bigint): undefined => {
    kernelOf().setError(address);
  },
  // The configuration is empty and pinned; the key is looked up all the same, so that a wild pointer ends the run.
  config_get: (key: bigint) => {
    const kernel = kernelOf();
    if (key !== 0n) {
      kernel.blocks.at(key);
      kernel.free(key);
    }
    return 0n;
  },
  var_get: (key: bigint) => kernelOf().getVariable(key),
  var_set: (key: bigint, value: bigint): undefined => {
    kernelOf().setVariable(key, value);
  },
  log_trace: logImport("trace"),
  log_debug: logImport("debug"),
  log_info: logImport("info"),
  log_warn: logImport("warn"),
  log_error: logImport("error"),
  get_log_level: () => pinnedLogLevel,
};

/** The import `(handle) -> handle` of a capability (spec/abi.md). */
export function capabilityImport(capability: string): HostFunction {
  return (request: bigint): bigint => {
    const kernel = kernelOf();
    return kernel.store(kernel.callCapability(capability, kernel.read(request)));
  };
}
