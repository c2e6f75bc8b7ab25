import type { GuestAnswer, GuestCall, SandboxOutcome } from "../ports.js";
import type { WasmModule } from "./engine.js";
import type { GuestJob } from "./run.js";

/** What a worker is started with. */
export type WorkerData = {
  /** One Int32: how many answers were posted to this worker so far. The worker sleeps on it. */
  readonly answered: SharedArrayBuffer;
};

/** To a worker: start a run. `module` comes with the first job of its digest; `forget` names modules to drop. */
export type RunMessage = {
  readonly kind: "run";
  readonly run: number;
  readonly digest: string;
  readonly module?: WasmModule;
  readonly forget: readonly string[];
  readonly job: GuestJob;
};

/** To a worker: the answer to call `seq` of run `run`. One for any other run or call is dropped. */
export type AnswerMessage = {
  readonly kind: "answer";
  readonly run: number;
  readonly seq: number;
  readonly answer: GuestAnswer;
};

/** From a worker. `fault` tells people what a host fault was. */
export type WorkerMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "call"; readonly run: number; readonly call: GuestCall }
  | { readonly kind: "end"; readonly run: number; readonly outcome: SandboxOutcome; readonly fault?: string };

/** From this size on, bytes are moved to the other thread instead of cloned. */
const moveFrom = 16_384;

/**
 * Bytes for another thread and the list of what to move there. A clone of a view would carry the whole buffer behind
 * it across, so a view is copied first; large bytes are copied once and moved, unless they are `owned` by the caller.
 */
export function packBytes(bytes: Uint8Array, owned: boolean): { bytes: Uint8Array; move: ArrayBuffer[] } {
  const exact = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer;
  if (bytes.byteLength < moveFrom) {
    return { bytes: exact ? bytes : new Uint8Array(bytes), move: [] };
  }
  const own = exact && owned ? bytes : new Uint8Array(bytes);
  return { bytes: own, move: [own.buffer as ArrayBuffer] };
}
