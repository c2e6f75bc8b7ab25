import { decodeBase64 } from "../../crypto/encoding.js";
import { ExoArmurError } from "../../errors.js";
import { engine, type HostFunction, type WasmGlobal, type WasmMemory, type WasmModule } from "../engine.js";
import { boundsStop, memoryStop, outputStop, shortageFault } from "../stop.js";
import { kernelCode } from "./kernel-code.js";

/** What kernel.wat exports for the host. */
type HostExports = {
  readonly memory: WasmMemory;
  readonly fault: WasmGlobal;
  readonly output: WasmGlobal;
  readonly output_offset: WasmGlobal;
  readonly output_length: WasmGlobal;
  readonly error: WasmGlobal;
  readonly begin: (kernelBytes: bigint, outputBytes: bigint, inputLength: bigint) => number;
  readonly charge: (length: bigint) => void;
  readonly refund: (length: bigint) => void;
  readonly place: (length: bigint) => bigint;
  readonly locate: (address: bigint) => number;
  readonly length: (address: bigint) => bigint;
  readonly free: (address: bigint) => void;
};

/** What the values of `fault` in kernel.wat stand for, from 1. */
const faults: readonly (() => Error)[] = [boundsStop, memoryStop, outputStop, shortageFault];

/** Bytes before a block that hold its slot and its length. */
const lengthBefore = 4;

let compiled: WasmModule | undefined;

/** Compiled once a thread: its instances share the code, which the engine goes on optimizing. */
function compileKernel(): WasmModule {
  const code = decodeBase64(kernelCode);
  if (code === undefined) {
    throw new ExoArmurError("EXO_INTERNAL", "the kernel's code is not base64");
  }
  compiled = new engine.Module(code);
  return compiled;
}

/**
 * A guest's blocks (spec/abi.md), in an instance of kernel.wat that serves one run after another. Where a method is not
 * given what it needs, it ends the run as kernel.wat does: it throws a trap, and {@link stop} tells why.
 */
export class Blocks {
  readonly #kernel = new engine.Instance(compiled ?? compileKernel()).exports as unknown as HostExports;

  /** The functions of kernel.wat by name. Only those that contracts/imports.ts lists are for guests. */
  get functions(): Readonly<Record<string, HostFunction>> {
    return this.#kernel as unknown as Record<string, HostFunction>;
  }

  /** Pages of the memory that all blocks are in. It never gets smaller. */
  get pages(): number {
    return this.#kernel.memory.buffer.byteLength / 65_536;
  }

  /** Forgets everything of the run before and copies the input of the next one into its first block. */
  begin(limits: { readonly kernelBytes: number; readonly outputBytes: number }, input: Uint8Array): void {
    this.#kernel.fault.value = 0;
    const place = this.#kernel.begin(BigInt(limits.kernelBytes), BigInt(limits.outputBytes), BigInt(input.byteLength));
    this.#view(place, input.byteLength).set(input);
  }

  /** Why the kernel trapped since {@link begin}, undefined if it did not. */
  get stop(): Error | undefined {
    return faults[Number(this.#kernel.fault.value) - 1]?.();
  }

  /** The whole of a block, or its first `most` bytes, copied; no bytes for address 0. */
  read(address: bigint, most = Number.POSITIVE_INFINITY): Uint8Array<ArrayBuffer> {
    return address === 0n ? new Uint8Array(0) : this.#copy(this.#kernel.locate(address), most);
  }

  /** Address of a new block with a copy of `bytes`; 0 when there are none. */
  store(bytes: Uint8Array): bigint {
    if (bytes.byteLength === 0) {
      return 0n;
    }
    const address = this.#kernel.place(BigInt(bytes.byteLength));
    this.#view(this.#kernel.locate(address), bytes.byteLength).set(bytes);
    return address;
  }

  /** Length of a live block, 0 for address 0 and a freed one. */
  length(address: bigint): number {
    return Number(this.#kernel.length(address));
  }

  /** Frees a block. Address 0 and a block that is free already are no error: PDKs free what the host freed. */
  free(address: bigint): void {
    this.#kernel.free(address);
  }

  /** Counts bytes that the host keeps for the guest against the cap. */
  charge(bytes: number): void {
    this.#kernel.charge(BigInt(bytes));
  }

  /** Takes back what {@link charge} counted. */
  refund(bytes: number): void {
    this.#kernel.refund(BigInt(bytes));
  }

  /** What the guest's last output_set names, as it is now; no bytes when it set none. A copy. */
  get output(): Uint8Array<ArrayBuffer> {
    const { output, output_offset: offset, output_length: length } = this.#kernel;
    const place = Number(output.value);
    return place === 0 ? new Uint8Array(0) : this.#view(place + Number(offset.value), Number(length.value)).slice();
  }

  /** The first `most` bytes of the block that error_set names, as it is now. A copy; undefined when none is set. */
  error(most: number): Uint8Array<ArrayBuffer> | undefined {
    const place = Number(this.#kernel.error.value);
    return place === 0 ? undefined : this.#copy(place, most);
  }

  #copy(place: number, most: number): Uint8Array<ArrayBuffer> {
    const length = new DataView(this.#kernel.memory.buffer).getUint32((place >>> 0) - lengthBefore, true);
    return this.#view(place, Math.min(length, most)).slice();
  }

  /** The buffer changes when the memory grows: a view is used at once and not kept. */
  #view(place: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#kernel.memory.buffer, place >>> 0, length);
  }
}
