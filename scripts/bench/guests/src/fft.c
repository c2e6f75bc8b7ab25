/* A fast Fourier transform of 8,192 complex numbers, forth and back, in place: f64 loads and stores with strides. */
#include "guest.h"

#define N 8192
/* The arrays are apart by more than a power of two, so that they don't share cache sets. */
static double re[N + 72], im[N + 72], cosine[N / 2 + 72], sine[N / 2];

/* The unit circle by repeated addition theorems, from the sine and cosine of one step (Taylor series). */
static NOINLINE void circle(void) {
  const double step = 6.283185307179586 / N, square = step * step;
  const double s = step * (1 - square / 6 * (1 - square / 20)), c = 1 - square / 2 * (1 - square / 12);
  cosine[0] = 1, sine[0] = 0;
  for (int i = 1; i < N / 2; i++) {
    cosine[i] = cosine[i - 1] * c - sine[i - 1] * s;
    sine[i] = cosine[i - 1] * s + sine[i - 1] * c;
  }
}

static NOINLINE void transform(double sign) {
  for (u32 i = 1, j = 0; i < N; i++) {
    u32 bit = N >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      double t = re[i];
      re[i] = re[j], re[j] = t;
      t = im[i];
      im[i] = im[j], im[j] = t;
    }
  }
  for (u32 length = 2; length <= N; length *= 2) {
    const u32 half = length / 2, stride = N / length;
    for (u32 i = 0; i < N; i += length)
      for (u32 j = 0; j < half; j++) {
        u32 a = i + j, b = a + half;
        double wr = cosine[j * stride], wi = sign * sine[j * stride];
        double xr = re[b] * wr - im[b] * wi, xi = re[b] * wi + im[b] * wr;
        re[b] = re[a] - xr, im[b] = im[a] - xi;
        re[a] += xr, im[a] += xi;
      }
  }
}

EXPORT double run(void) {
  circle();
  for (int i = 0; i < N; i++) re[i] = (rnd() & 4095) / 512.0, im[i] = 0;
  for (int pass = 0; pass < 36; pass++) {
    transform(1);
    for (int i = 0; i < N; i++) re[i] /= N, im[i] /= N;
    transform(-1);
  }
  double sum = 0;
  for (int i = 0; i < N; i++) sum += re[i] * (i & 7) + im[i];
  return sum;
}
