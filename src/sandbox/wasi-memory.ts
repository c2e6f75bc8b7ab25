import type { GuestState } from "./guest-state.js";

/** Most vectors of one call: IOV_MAX of the C libraries for WASI. */
const vectorCount = 1024;

/** A guest's pointer or length: an i32 comes signed. */
export function pointer(value: number): number {
  return value >>> 0;
}

/**
 * A view of the guest's linear memory as it is now, undefined when `length` bytes at `address` are not all inside it. A
 * guest without a memory has one of no bytes.
 */
export function within(state: GuestState, address: number, length: number): DataView | undefined {
  const buffer = state.memory?.buffer;
  const size = buffer?.byteLength ?? 0;
  if (pointer(address) + length > size) {
    return undefined;
  }
  return new DataView(buffer ?? new ArrayBuffer(0));
}

/**
 * The first bytes that the vectors name, at most `most` and one more, copied. Vectors behind them are not looked at.
 * `inval` for too many vectors, `fault` for what is outside the memory.
 */
export function readVectors(
  state: GuestState,
  vectors: number,
  count: number,
  most: number,
): Uint8Array | "inval" | "fault" {
  const vectorsAt = pointer(vectors);
  const vectorsLength = pointer(count);
  if (vectorsLength > vectorCount) {
    return "inval";
  }
  const view = within(state, vectors, vectorsLength * 8);
  if (view === undefined) {
    return "fault";
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  for (let index = 0; index < vectorsLength && length <= most; index++) {
    const at = vectorsAt + index * 8;
    const address = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    if (within(state, address, size) === undefined) {
      return "fault";
    }
    const part = Math.min(size, most + 1 - length);
    if (part > 0) {
      parts.push(new Uint8Array(view.buffer, address, part));
      length += part;
    }
  }
  return join(parts, length);
}

function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
