/* What the C guests share: no libc, all memory static. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef long long i64;

#define EXPORT __attribute__((visibility("default")))
#define NOINLINE __attribute__((noinline))

/* A linear congruential generator; the high bits are the good ones. */
static u32 seed = 1;
static inline u32 rnd(void) {
  seed = seed * 1664525u + 1013904223u;
  return seed >> 8;
}
