/* Integer lanes: an Adler-like sum over bytes (i8x16, i16x8, i32x4), a count of bytes, and i32x4 mixing. */
#include "guest.h"
#include <wasm_simd128.h>

static u8 data[1 << 20];

EXPORT u32 run(void) {
  for (u32 i = 0; i < sizeof data; i++) data[i] = (u8)rnd();
  v128_t one = wasm_i32x4_splat(1), two = wasm_i32x4_splat(0), mix = wasm_i32x4_splat(0x9e3779b9), lines = wasm_i32x4_splat(0);
  for (int pass = 0; pass < 60; pass++)
    for (u32 i = 0; i < sizeof data; i += 16) {
      v128_t bytes = wasm_v128_load(data + i);
      one = wasm_i32x4_add(one, wasm_u32x4_extadd_pairwise_u16x8(wasm_u16x8_extadd_pairwise_u8x16(bytes)));
      two = wasm_i32x4_add(two, one);
      lines = wasm_i32x4_add(lines, wasm_i32x4_splat(__builtin_popcount(wasm_i8x16_bitmask(wasm_i8x16_eq(bytes, wasm_i8x16_splat(10))))));
      mix = wasm_i32x4_mul(wasm_v128_xor(mix, bytes), wasm_i32x4_splat(0x01000193));
      mix = wasm_v128_xor(mix, wasm_u32x4_shr(mix, 15));
    }
  v128_t all = wasm_v128_xor(wasm_v128_xor(one, two), wasm_v128_xor(mix, lines));
  return (u32)(wasm_i32x4_extract_lane(all, 0) ^ wasm_i32x4_extract_lane(all, 1) ^ wasm_i32x4_extract_lane(all, 2) ^ wasm_i32x4_extract_lane(all, 3));
}
