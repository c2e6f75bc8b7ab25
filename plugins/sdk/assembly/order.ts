import { Value } from "./value";

/** Orders two values: below 0, 0 or above 0. */
export type Comparison = (a: Value, b: Value) => i32;

/** The order of object keys in canonical JSON: by UTF-16 code units. */
export function compareKeys(a: Value, b: Value): i32 {
  const common = min(a.length, b.length);
  for (let i: usize = 0; i < common; i++) {
    const x = load<u8>(a.start + i);
    const y = load<u8>(b.start + i);
    if (x != y) return weight(x) < weight(y) ? -1 : 1;
  }
  return <i32>(a.length > b.length) - <i32>(a.length < b.length);
}

/** By code points, which for UTF-8 is by bytes. */
export function compareText(a: Value, b: Value): i32 {
  const order = memory.compare(a.start, b.start, min(a.length, b.length));
  return order != 0 ? order : <i32>(a.length > b.length) - <i32>(a.length < b.length);
}

/** Places of an object's keys in canonical order. */
export function keyOrder(keys: Value[]): StaticArray<i32> {
  return sortedOrder(keys, compareKeys);
}

/** Places of the values in ascending order; equal ones stay as they are. A merge sort: n log n whatever comes. */
export function sortedOrder(values: Value[], compare: Comparison): StaticArray<i32> {
  const length = values.length;
  let from = new StaticArray<i32>(length);
  let sorted = true;
  for (let i = 0; i < length; i++) {
    from[i] = i;
    if (i > 0 && compare(values[i - 1], values[i]) > 0) sorted = false;
  }
  if (sorted) return from;
  let to = new StaticArray<i32>(length);
  for (let width = 1; width < length; width <<= 1) {
    for (let start = 0; start < length; start += width << 1) merge(values, compare, from, to, start, width);
    const swap = from;
    from = to;
    to = swap;
  }
  return from;
}

function merge(
  values: Value[], compare: Comparison, from: StaticArray<i32>, to: StaticArray<i32>, start: i32, width: i32,
): void {
  const middle = min(start + width, from.length);
  const end = min(middle + width, from.length);
  let left = start;
  let right = middle;
  for (let at = start; at < end; at++) {
    const takeLeft = left < middle && (right >= end || compare(values[from[left]], values[from[right]]) <= 0);
    to[at] = from[takeLeft ? left++ : right++];
  }
}

/** Surrogates sort below U+E000 in UTF-16, but the first byte of their UTF-8 form above those of U+E000 to U+FFFF. */
function weight(byte: u32): u32 {
  if (byte < 0xee) return byte;
  return byte >= 0xf0 ? byte - 2 : byte + 0x10;
}
