/* Moves memory about: byte loops, word loops, and bulk copies and fills of many sizes. */
#include "guest.h"

static u8 from[1 << 20], to[1 << 20];

static NOINLINE void bytes(u8 *a, const u8 *b, u32 size) {
  for (u32 i = 0; i < size; i++) a[i] = b[i] ^ 1;
}

static NOINLINE void words(u64 *a, const u64 *b, u32 size) {
  for (u32 i = 0; i < size / 8; i++) a[i] = b[i] + 1;
}

EXPORT u32 run(void) {
  const u32 size = sizeof from;
  for (u32 i = 0; i < size / 4; i++) ((u32 *)from)[i] = rnd();
  for (int pass = 0; pass < 10; pass++) {
    bytes(to, from, size);
    words((u64 *)from, (const u64 *)to, size);
    for (u32 length = 8; length <= 65536; length *= 2)
      for (u32 at = 0; at + length < size; at += length + 512) {
        __builtin_memcpy(to + at, from + (at ^ 64), length);
        __builtin_memset(from + at, (int)length, length / 4);
      }
  }
  u32 sum = 0;
  for (u32 i = 0; i < size / 4; i++) sum = sum * 31 + ((u32 *)to)[i];
  return sum;
}
