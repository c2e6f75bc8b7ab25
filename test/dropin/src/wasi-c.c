/* A reactor of the C library for WASI: what a plugin written in C pulls in without asking for it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "extism.h"

extern char **environ;
static time_t started;

/* Runs inside _initialize. */
__attribute__((constructor)) static void begin(void) { started = time(NULL); }

/* Clock, randomness and both streams. */
EXPORT(stamp) int32_t stamp(void) {
  unsigned char random[16];
  char text[256];
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0 || getentropy(random, sizeof random) != 0) return 1;
  int length = sprintf(text, "%lld %lld.%03ld ", (long long)started, (long long)now.tv_sec, now.tv_nsec / 1000000);
  for (unsigned i = 0; i < sizeof random; i++) length += sprintf(text + length, "%02x", random[i]);
  printf("stamped %s\n", text);
  fprintf(stderr, "on the other stream\n");
  output_text(text);
  return 0;
}

/* There are no files, no environment, no standard input. */
EXPORT(outside) int32_t outside(void) {
  char text[256], byte;
  struct stat found;
  int length = sprintf(text, "env:%d", getenv("HOME") != NULL);
  length += sprintf(text + length, " stdin:%d", (int)read(0, &byte, 1));
  length += sprintf(text + length, " open:%d", fopen("/etc/passwd", "r") == NULL ? errno : 0);
  length += sprintf(text + length, " stat:%d", stat("data", &found) != 0 ? errno : 0);
  length += sprintf(text + length, " mkdir:%d", mkdir("data", 0700) != 0 ? errno : 0);
  length += sprintf(text + length, " tty:%d%d%d", isatty(0), isatty(1), isatty(2));
  length += sprintf(text + length, " seek:%d", lseek(1, 0, SEEK_SET) < 0 ? errno : 0);
  struct timespec pause = {0, 1};
  length += sprintf(text + length, " sleep:%d", nanosleep(&pause, NULL) != 0 ? errno : 0);
  output_text(text);
  return 0;
}

/* A long line in one write, and one without an end. */
EXPORT(chatter) int32_t chatter(void) {
  char *line = malloc(10001);
  memset(line, 'x', 10000);
  line[10000] = '\0';
  fprintf(stderr, "%s\n", line);
  printf("no newline");
  output_text("said");
  return 0;
}

/* Ends the run with the code that the input's first byte names. */
EXPORT(leave) int32_t leave(void) {
  output_text("before the exit");
  exit(input_length() == 0 ? 0 : (int)input_load_u8(0) - '0');
}
