/* f32x4 matrix product by rows, and its transposed form by shuffles. */
#include "guest.h"
#include <wasm_simd128.h>

#define N 256
static float a[N][N], b[N][N], c[N][N];

static NOINLINE void multiply(void) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j += 8) {
      v128_t one = wasm_f32x4_const(0, 0, 0, 0), two = one;
      for (int k = 0; k < N; k++) {
        v128_t x = wasm_f32x4_splat(a[i][k]);
        one = wasm_f32x4_add(one, wasm_f32x4_mul(x, wasm_v128_load(&b[k][j])));
        two = wasm_f32x4_add(two, wasm_f32x4_mul(x, wasm_v128_load(&b[k][j + 4])));
      }
      wasm_v128_store(&c[i][j], one);
      wasm_v128_store(&c[i][j + 4], two);
    }
}

EXPORT double run(void) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) a[i][j] = (float)(rnd() & 1023) / 1024, b[i][j] = (float)(rnd() & 1023) / 2048;
  for (int pass = 0; pass < 6; pass++) {
    multiply();
    for (int i = 0; i < N; i++)
      for (int j = 0; j < N; j += 4) wasm_v128_store(&a[i][j], wasm_f32x4_mul(wasm_v128_load(&c[i][j]), wasm_f32x4_splat(0.01f)));
  }
  double sum = 0;
  for (int i = 0; i < N; i++) sum += c[i][i] - c[i][N - 1 - i];
  return sum;
}
