/* f64x2: dot products, norms with square roots, minima and maxima, and steps that store every lane. */
#include "guest.h"
#include <wasm_simd128.h>

#define N 20000
static double x[N], y[N], v[N];

EXPORT double run(void) {
  for (int i = 0; i < N; i++) x[i] = (rnd() & 1023) / 64.0, y[i] = (rnd() & 1023) / 128.0, v[i] = 0;
  double total = 0;
  for (int pass = 0; pass < 300; pass++) {
    v128_t dot = wasm_f64x2_splat(0), low = wasm_f64x2_splat(1e9), high = wasm_f64x2_splat(-1e9);
    const v128_t dt = wasm_f64x2_splat(0.001 * (pass + 1));
    for (int i = 0; i < N; i += 2) {
      v128_t p = wasm_v128_load(&x[i]), q = wasm_v128_load(&y[i]);
      dot = wasm_f64x2_add(dot, wasm_f64x2_mul(p, q));
      v128_t norm = wasm_f64x2_sqrt(wasm_f64x2_add(wasm_f64x2_mul(p, p), wasm_f64x2_mul(q, q)));
      low = wasm_f64x2_min(low, norm);
      high = wasm_f64x2_max(high, norm);
      v128_t speed = wasm_f64x2_add(wasm_v128_load(&v[i]), wasm_f64x2_mul(dt, wasm_f64x2_sub(q, p)));
      wasm_v128_store(&v[i], speed);
      wasm_v128_store(&x[i], wasm_f64x2_add(p, wasm_f64x2_mul(speed, dt)));
    }
    total += wasm_f64x2_extract_lane(dot, 0) + wasm_f64x2_extract_lane(dot, 1);
    total += wasm_f64x2_extract_lane(low, 0) * wasm_f64x2_extract_lane(high, 1);
  }
  return total;
}
