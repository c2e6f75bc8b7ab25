import { ExoArmurError } from "../errors.js";
import type { WasmMemory } from "./engine.js";
import type { Kernel } from "./kernel.js";

/** What the imports beside the kernel's own keep of the run under way: WASI's descriptors, the last HTTP answer. */
export type GuestState = {
  readonly kernel: Kernel;
  /** The guest's linear memory, undefined when it has none. Its buffer changes whenever the guest grows it. */
  readonly memory: WasmMemory | undefined;
  /** Bit n is set while the standard stream n is open. */
  openStreams: number;
  /** What was written to a standard stream and has no line end yet, by descriptor. */
  readonly unended: Map<number, Uint8Array>;
  /** The latest time WASI's monotonic clock gave, in milliseconds. */
  monotonicMs: number;
  /** Status of the last HTTP answer, 0 before there is one. */
  httpStatus: number;
  /** Headers of the last HTTP answer as JSON text, until the guest asked for them. */
  httpHeaders: Uint8Array | undefined;
  /** Address of the block the guest got for them, 0 when there is none. */
  httpHeadersBlock: bigint;
};

/** One guest runs at a time in a thread, from its first instruction to its end: see the kernel's own `current`. */
let current: GuestState | undefined;

/** Calls `body` with a new state behind this thread's imports. */
export function withGuest<T>(kernel: Kernel, memory: WasmMemory | undefined, body: () => T): T {
  current = {
    kernel,
    memory,
    openStreams: 0b111,
    unended: new Map(),
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
