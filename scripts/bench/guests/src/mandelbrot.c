/* The Mandelbrot set, 280 x 280 points of at most 250 steps: f64 arithmetic that stays in registers. */
#include "guest.h"

EXPORT i32 run(void) {
  i32 inside = 0;
  for (int y = 0; y < 280; y++)
    for (int x = 0; x < 280; x++) {
      double cr = x / 93.0 - 2.1, ci = y / 112.0 - 1.25, r = 0, i = 0;
      int n = 0;
      for (; n < 250 && r * r + i * i < 4.0; n++) {
        double t = r * r - i * i + cr;
        i = 2 * r * i + ci;
        r = t;
      }
      inside += n;
    }
  return inside;
}
