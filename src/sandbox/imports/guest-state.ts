import { ExoArmurError } from "../../errors.js";
import type { WasmMemory } from "../engine.js";

/** What the imports beside the kernel's own need of it (spec/abi.md). */
export type GuestKernel = {
  /** Calls a capability and returns its answer; counts as a host call. */
  callCapability(capability: string, request: Uint8Array): Uint8Array;
  /** The error the guest has set, if any. */
  readonly error: string | undefined;
  readonly blocks: {
    /** Copies a block's bytes, at most `most`; none for address 0. */
    read(address: bigint, most?: number): Uint8Array;
    /** Address of a new block with these bytes, 0 when there are none. */
    store(bytes: Uint8Array): bigint;
    free(address: bigint): void;
    /** Length of a live block, 0 for address 0 and a freed one. */
    length(address: bigint): number;
  };
};

/** A line of a stream: the first `length` of `bytes`. */
export type Line = { readonly bytes: Uint8Array; length: number };

/** What the imports beside the kernel's own keep of the run under way: WASI's descriptors, the last HTTP answer. */
export type GuestState = {
  readonly kernel: GuestKernel;
  /** The guest's linear memory, undefined when it has none. Its buffer changes whenever the guest grows it. */
  readonly memory: WasmMemory | undefined;
  /** The view of that memory that was used last. */
  view: DataView;
  /** Bit n is set while the standard stream n is open. */
  openStreams: number;
  /** What was written to a standard stream and has no line end yet, by descriptor. */
  readonly lines: Map<number, Line>;
  /** The latest time WASI's monotonic clock gave, in milliseconds. */
  monotonicMs: number;
  /** Status of the last HTTP answer, 0 before there is one. */
  httpStatus: number;
  /** Headers of the last HTTP answer as JSON text, until the guest asked for them. */
  httpHeaders: Uint8Array | undefined;
  /** Address of the block the guest got for them, 0 when there is none. */
  httpHeadersBlock: bigint;
};

/** A guest without a memory has one of no bytes. */
const noMemory = new DataView(new ArrayBuffer(0));

/** One guest runs at a time in a thread, from its first instruction to its end: see the kernel's own `current`. */
let current: GuestState | undefined;

/** Calls `body` with a new state behind this thread's imports. */
export function withGuest<T>(kernel: GuestKernel, memory: WasmMemory | undefined, body: () => T): T {
  current = {
    kernel,
    memory,
    view: noMemory,
    openStreams: 0b111,
    lines: new Map(),
    monotonicMs: 0,
    httpStatus: 0,
    httpHeaders: undefined,
    httpHeadersBlock: 0n,
  };
  try {
    return body();
  } finally {
    current = undefined;
  }
}

/** State of the run under way. Throws EXO_INTERNAL outside a run. */
export function guestState(): GuestState {
  if (current === undefined) {
    throw new ExoArmurError("EXO_INTERNAL", "a host function was called outside a run");
  }
  return current;
}

/** A view of the guest's linear memory as it is now. */
export function memoryOf(state: GuestState): DataView {
  const buffer = state.memory?.buffer;
  if (buffer !== undefined && state.view.buffer !== buffer) {
    state.view = new DataView(buffer);
  }
  return state.view;
}
