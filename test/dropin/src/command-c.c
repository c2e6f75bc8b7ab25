/* A command of the C library for WASI: its function is `_start`, its status what main returns. */
#include <stdio.h>

#include "extism.h"

int main(int argc, char **argv) {
  (void)argv;
  printf("main with %d arguments\n", argc);
  output_text("from main");
  return input_length() == 0 ? 0 : (int)input_load_u8(0) - '0';
}
