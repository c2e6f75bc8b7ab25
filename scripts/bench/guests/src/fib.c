/* Fibonacci by double recursion: nothing but calls. */
#include "guest.h"

static NOINLINE u32 fib(u32 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

EXPORT u32 run(void) { return fib(33); }
