/* A fast Fourier transform of 8,192 complex numbers, forth and back, in place: f64 loads and stores with strides. */
#include "guest.h"

#define N 8192
static double re[N], im[N];

/* sine by Taylor series, good enough below pi */
static double sine(double x) {
  double term = x, sum = x;
  for (int i = 1; i < 12; i++) {
    term *= -x * x / ((2 * i) * (2 * i + 1));
    sum += term;
  }
  return sum;
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
    double angle = sign * 6.283185307179586 / length, wi = sine(angle), half = sine(angle / 2), wr = 1 - 2 * half * half;
    for (u32 i = 0; i < N; i += length) {
      double ur = 1, ui = 0;
      for (u32 j = i; j < i + length / 2; j++) {
        u32 l = j + length / 2;
        double xr = re[l] * ur - im[l] * ui, xi = re[l] * ui + im[l] * ur;
        re[l] = re[j] - xr, im[l] = im[j] - xi;
        re[j] += xr, im[j] += xi;
        double t = ur * wr - ui * wi;
        ui = ur * wi + ui * wr, ur = t;
      }
    }
  }
}

EXPORT double run(void) {
  for (int i = 0; i < N; i++) re[i] = (rnd() & 4095) / 512.0, im[i] = 0;
  for (int pass = 0; pass < 8; pass++) {
    transform(1);
    for (int i = 0; i < N; i++) re[i] /= N, im[i] /= N;
    transform(-1);
  }
  double sum = 0;
  for (int i = 0; i < N; i++) sum += re[i] * (i & 7) + im[i];
  return sum;
}
