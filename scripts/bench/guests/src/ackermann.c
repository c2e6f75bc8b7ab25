/* The Ackermann function and Takeuchi's: deep recursion, and recursion with three parameters. */
#include "guest.h"

static NOINLINE i32 ackermann(i32 m, i32 n) {
  if (m == 0) return n + 1;
  return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

static NOINLINE i32 tak(i32 x, i32 y, i32 z) {
  if (y >= x) return z;
  return tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

EXPORT i32 run(void) {
  i32 sum = 0;
  for (int i = 0; i < 120; i++) sum += ackermann(3, 6) + tak(15 + (i & 1), 9, 3);
  return sum;
}
