/**
 * The Extism kernel (module `extism:host/env`): blocks of host memory that guest and host pass by handle (spec/abi.md).
 * A handle is the address of a block's first byte in the kernel's own memory; 0 is no block.
 * Only the functions a plugin reaches end up in its import section.
 */

/** Reserves `length` bytes; 0 when the kernel refuses. */
// @ts-ignore: decorator
@external("extism:host/env", "alloc")
export declare function alloc(length: u64): u64;
/** Gives a block back. */
// @ts-ignore: decorator
@external("extism:host/env", "free")
export declare function free(handle: u64): void;
/** Bytes in the block. */
// @ts-ignore: decorator
@external("extism:host/env", "length")
export declare function lengthOf(handle: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "load_u8")
declare function loadU8(at: u64): u32;
// @ts-ignore: decorator
@external("extism:host/env", "load_u64")
declare function loadU64(at: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "store_u8")
declare function storeU8(at: u64, value: u32): void;
// @ts-ignore: decorator
@external("extism:host/env", "store_u64")
declare function storeU64(at: u64, value: u64): void;
/** Bytes of the call's input. */
// @ts-ignore: decorator
@external("extism:host/env", "input_length")
export declare function inputLength(): u64;
// @ts-ignore: decorator
@external("extism:host/env", "input_load_u8")
declare function inputLoadU8(at: u64): u32;
// @ts-ignore: decorator
@external("extism:host/env", "input_load_u64")
declare function inputLoadU64(at: u64): u64;
/** Names `length` bytes from `handle` as the call's output; the block must not be freed. */
// @ts-ignore: decorator
@external("extism:host/env", "output_set")
export declare function outputSet(handle: u64, length: u64): void;
/** Names a block of UTF-8 as the call's error message. */
// @ts-ignore: decorator
@external("extism:host/env", "error_set")
export declare function errorSet(handle: u64): void;

/** Copies `length` bytes of a block to guest memory, eight at a time: a crossing costs the same for one byte as for eight. */
export function loadBlock(handle: u64, target: usize, length: usize): void {
  const words = length & ~7;
  let at: usize = 0;
  for (; at < words; at += 8) store<u64>(target + at, loadU64(handle + at));
  for (; at < length; at++) store<u8>(target + at, loadU8(handle + at));
}

/** Copies guest memory into a new block; 0 for no bytes. Traps when the kernel refuses the block. */
export function storeBlock(source: usize, length: usize): u64 {
  if (length == 0) return 0;
  const handle = alloc(length);
  if (handle == 0) unreachable();
  const words = length & ~7;
  let at: usize = 0;
  for (; at < words; at += 8) storeU64(handle + at, load<u64>(source + at));
  for (; at < length; at++) storeU8(handle + at, load<u8>(source + at));
  return handle;
}

/** Copies `length` bytes of the input to guest memory. */
export function loadInput(target: usize, length: usize): void {
  const words = length & ~7;
  let at: usize = 0;
  for (; at < words; at += 8) store<u64>(target + at, inputLoadU64(at));
  for (; at < length; at++) store<u8>(target + at, inputLoadU8(at));
}
