/* Many bodies, f64x2: two at a time against one, with divisions and square roots. */
#include "guest.h"
#include <wasm_simd128.h>

#define N 128
static double x[N], y[N], vx[N], vy[N], mass[N];

static NOINLINE void advance(double dt) {
  for (int i = 0; i < N; i++) {
    const v128_t px = wasm_f64x2_splat(x[i]), py = wasm_f64x2_splat(y[i]), soft = wasm_f64x2_splat(0.01);
    v128_t fx = wasm_f64x2_splat(0), fy = fx;
    for (int j = 0; j < N; j += 2) {
      v128_t dx = wasm_f64x2_sub(wasm_v128_load(&x[j]), px), dy = wasm_f64x2_sub(wasm_v128_load(&y[j]), py);
      v128_t square = wasm_f64x2_add(wasm_f64x2_add(wasm_f64x2_mul(dx, dx), wasm_f64x2_mul(dy, dy)), soft);
      v128_t by = wasm_f64x2_div(wasm_v128_load(&mass[j]), wasm_f64x2_mul(square, wasm_f64x2_sqrt(square)));
      fx = wasm_f64x2_add(fx, wasm_f64x2_mul(dx, by));
      fy = wasm_f64x2_add(fy, wasm_f64x2_mul(dy, by));
    }
    vx[i] += dt * (wasm_f64x2_extract_lane(fx, 0) + wasm_f64x2_extract_lane(fx, 1));
    vy[i] += dt * (wasm_f64x2_extract_lane(fy, 0) + wasm_f64x2_extract_lane(fy, 1));
  }
  const v128_t step = wasm_f64x2_splat(dt);
  for (int i = 0; i < N; i += 2) {
    wasm_v128_store(&x[i], wasm_f64x2_add(wasm_v128_load(&x[i]), wasm_f64x2_mul(step, wasm_v128_load(&vx[i]))));
    wasm_v128_store(&y[i], wasm_f64x2_add(wasm_v128_load(&y[i]), wasm_f64x2_mul(step, wasm_v128_load(&vy[i]))));
  }
}

EXPORT double run(void) {
  for (int i = 0; i < N; i++)
    x[i] = (rnd() & 1023) / 64.0, y[i] = (rnd() & 1023) / 64.0, vx[i] = vy[i] = 0, mass[i] = 1 + (rnd() & 7);
  for (int step = 0; step < 400; step++) advance(0.01);
  double sum = 0;
  for (int i = 0; i < N; i++) sum += x[i] - y[i] + vx[i] * vy[i];
  return sum;
}
