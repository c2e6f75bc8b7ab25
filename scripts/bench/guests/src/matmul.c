/* Matrix products, f64 by dot products and f32 by rows: loads, a multiplication, an addition and (f32) a store. */
#include "guest.h"

#define N 208
static double a[N][N], b[N][N], c[N][N];
static float fa[N][N], fb[N][N], fc[N][N];

EXPORT double run(void) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      a[i][j] = fa[i][j] = (float)(rnd() & 1023) / 64;
      b[i][j] = fb[i][j] = (float)(rnd() & 1023) / 128;
      fc[i][j] = 0;
    }
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      double sum = 0;
      for (int k = 0; k < N; k++) sum += a[i][k] * b[k][j];
      c[i][j] = sum;
    }
  for (int i = 0; i < N; i++)
    for (int k = 0; k < N; k++)
      for (int j = 0; j < N; j++) fc[i][j] += fa[i][k] * fb[k][j];
  double trace = 0;
  for (int i = 0; i < N; i++) trace += c[i][N - 1 - i] - fc[i][i];
  return trace;
}
