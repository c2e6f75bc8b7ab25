import { type GuestState, memoryOf } from "./guest-state.js";

/** Most vectors of one call: IOV_MAX of the C libraries for WASI. */
const vectorCount = 1024;

/** A guest's pointer or length: an i32 comes signed. */
export function pointer(value: number): number {
  return value >>> 0;
}

/** The guest's linear memory as it is now, undefined when `length` bytes at `address` are not all inside it. */
export function within(state: GuestState, address: number, length: number): DataView | undefined {
  const view = memoryOf(state);
  return pointer(address) + length <= view.byteLength ? view : undefined;
}

/**
 * Copies the first bytes that the vectors name into `target`, as many as it takes, and returns how many there were.
 * Vectors behind them are not looked at. `inval` for too many vectors, `fault` for what is outside the memory.
 */
export function readVectors(
  state: GuestState,
  vectors: number,
  count: number,
  target: Uint8Array,
): number | "inval" | "fault" {
  const vectorsAt = pointer(vectors);
  const vectorsLength = pointer(count);
  if (vectorsLength > vectorCount) {
    return "inval";
  }
  const view = within(state, vectors, vectorsLength * 8);
  if (view === undefined) {
    return "fault";
  }
  let length = 0;
  for (let at = vectorsAt; at < vectorsAt + vectorsLength * 8 && length < target.length; at += 8) {
    const address = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    if (address + size > view.byteLength) {
      return "fault";
    }
    const part = Math.min(size, target.length - length);
    target.set(new Uint8Array(view.buffer, address, part), length);
    length += part;
  }
  return length;
}
