#include "crc32.h"

static uint32_t table[256];

static void fill_table(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t rest = byte;
    for (int bit = 0; bit < 8; bit++) rest = rest >> 1 ^ (rest & 1 ? 0xedb88320 : 0);
    table[byte] = rest;
  }
}

uint32_t crc32_add(uint32_t checksum, const uint8_t *bytes, size_t length) {
  if (table[1] == 0) fill_table();
  uint32_t rest = ~checksum;
  for (size_t i = 0; i < length; i++) rest = rest >> 8 ^ table[(rest ^ bytes[i]) & 0xff];
  return ~rest;
}
