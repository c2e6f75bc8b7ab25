/* A stack machine that interprets a program counting primes by trial division: one switch for every operation. */
#include "guest.h"

enum { PUSH, LOAD, STORE, ADD, MUL, REM, LESS, JUMP, JUMP_IF_NOT, DUP, DROP, HALT };

/* for (n = 2; n < 25000; n++) { d = 2; while (d * d < n + 1) { if (n % d == 0) goto next; d++; } count++; next: } */
static const u8 program[] = {
    PUSH, 2, STORE, 0,                                                        /*  0 n = 2 */
    LOAD, 0, LOAD, 3, LESS, JUMP_IF_NOT, 54,                                  /*  4 while n < limit */
    PUSH, 2, STORE, 1,                                                        /* 11 d = 2 */
    LOAD, 1, DUP, MUL, LOAD, 0, PUSH, 1, ADD, LESS, JUMP_IF_NOT, 40,          /* 15 while d * d < n + 1 */
    LOAD, 0, LOAD, 1, REM, JUMP_IF_NOT, 47,                                   /* 27 if n % d == 0, leave */
    LOAD, 1, PUSH, 1, JUMP, 55,                                               /* 34 d + 1, stored below */
    LOAD, 2, PUSH, 1, ADD, STORE, 2,                                          /* 40 count++ */
    LOAD, 0, PUSH, 1, JUMP, 60,                                               /* 47 next: n + 1, stored below */
    DROP, HALT,                                                               /* 53 */
    ADD, STORE, 1, JUMP, 15,                                                  /* 55 d = d + 1 */
    ADD, STORE, 0, JUMP, 4,                                                   /* 60 n = n + 1 */
};

static u32 stack[16], cells[4];

static NOINLINE u32 interpret(const u8 *code) {
  u32 *top = stack;
  u32 executed = 0;
  for (u32 at = 0;;) {
    executed++;
    switch (code[at++]) {
    case PUSH: *++top = code[at++]; break;
    case LOAD: *++top = cells[code[at++]]; break;
    case STORE: cells[code[at++]] = *top--; break;
    case ADD: top--; *top += top[1]; break;
    case MUL: top--; *top *= top[1]; break;
    case REM: top--; *top %= top[1]; break;
    case LESS: top--; *top = *top < top[1]; break;
    case JUMP: at = code[at]; break;
    case JUMP_IF_NOT: at = *top-- ? at + 1 : code[at]; break;
    case DUP: top++; *top = top[-1]; break;
    case DROP: top--; break;
    case HALT: return executed;
    default: __builtin_trap();
    }
  }
}

EXPORT u32 run(void) {
  cells[2] = 0;
  cells[3] = 25000;
  u32 executed = interpret(program);
  return executed * 31 + cells[2];
}
