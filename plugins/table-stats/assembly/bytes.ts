/** Bytes that must be readable behind the last cell: cells are compared and hashed eight bytes at a time. */
export const PADDING: usize = 8;

const MULTIPLIER: u64 = 0x9e3779b97f4a7c15;

/** A well-mixed 64-bit hash of the bytes. */
export function hashBytes(start: usize, length: usize): u64 {
  let hash = <u64>length * MULTIPLIER;
  let at = start;
  let left = length;
  for (; left > 8; left -= 8, at += 8) hash = mix(hash ^ load<u64>(at));
  return mix(mix(hash ^ tail(at, left)));
}

/** Whether two runs of bytes of the same length are equal. */
export function equalBytes(a: usize, b: usize, length: usize): bool {
  let at: usize = 0;
  for (; length - at > 8; at += 8) {
    if (load<u64>(a + at) != load<u64>(b + at)) return false;
  }
  return tail(a + at, length - at) == tail(b + at, length - at);
}

// @ts-ignore: decorator
@inline
function mix(value: u64): u64 {
  const product = value * MULTIPLIER;
  return product ^ (product >> 32);
}

/** The last 0 to 8 bytes as one number. */
// @ts-ignore: decorator
@inline
function tail(at: usize, length: usize): u64 {
  if (length == 0) return 0;
  return load<u64>(at) << ((8 - <u64>length) << 3);
}
