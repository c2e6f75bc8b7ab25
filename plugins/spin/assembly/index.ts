/** Never returns: xorshift64 started from anything but zero never reaches zero. Only fuel or a deadline ends it. */
export function spin(): i32 {
  let state: u64 = 88172645463325252;
  while (state != 0) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
  }
  return 0;
}
