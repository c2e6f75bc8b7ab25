/* Five bodies, 180,000 steps: f64 arithmetic with square roots and divisions that stores every result. */
#include "guest.h"

typedef struct { double x, y, z, vx, vy, vz, mass; } Body;

static Body bodies[5];

static NOINLINE void advance(double dt) {
  for (int i = 0; i < 5; i++) {
    Body *a = &bodies[i];
    for (int j = i + 1; j < 5; j++) {
      Body *b = &bodies[j];
      double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      double square = dx * dx + dy * dy + dz * dz;
      double by = dt / (square * __builtin_sqrt(square));
      a->vx -= dx * b->mass * by;
      a->vy -= dy * b->mass * by;
      a->vz -= dz * b->mass * by;
      b->vx += dx * a->mass * by;
      b->vy += dy * a->mass * by;
      b->vz += dz * a->mass * by;
    }
  }
  for (int i = 0; i < 5; i++) {
    Body *a = &bodies[i];
    a->x += dt * a->vx;
    a->y += dt * a->vy;
    a->z += dt * a->vz;
  }
}

EXPORT double run(void) {
  for (int i = 0; i < 5; i++) {
    double r = i * 5.2 + 0.1;
    bodies[i] = (Body){r, r * 0.3 - 1, i * 0.11, -0.2 * i, 2.0 / (i + 1), 0.03 * i, i == 0 ? 39.5 : 0.04 / i};
  }
  for (int step = 0; step < 180000; step++) advance(0.001);
  double energy = 0;
  for (int i = 0; i < 5; i++) {
    Body *a = &bodies[i];
    energy += a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz) + a->x - a->y;
  }
  return energy;
}
