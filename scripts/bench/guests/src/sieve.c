/* Sieve of Eratosthenes below 4 million: short loops bound by stores. */
#include "guest.h"

static u8 composite[4000000];

EXPORT i32 run(void) {
  const u32 size = sizeof composite;
  i32 primes = 0;
  for (u32 i = 2; i < size; i++) {
    if (composite[i]) continue;
    primes++;
    for (u64 j = (u64)i * i; j < size; j += i) composite[j] = 1;
  }
  return primes;
}
