/* CRC-32 with a table of 256 entries: a chain of dependent loads. */
#include "guest.h"

static u32 table[256];
static u8 data[1 << 20];

EXPORT u32 run(void) {
  for (u32 i = 0; i < 256; i++) {
    u32 c = i;
    for (int bit = 0; bit < 8; bit++) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
    table[i] = c;
  }
  for (u32 i = 0; i < sizeof data; i++) data[i] = (u8)rnd();
  u32 crc = 0xffffffffu;
  for (int pass = 0; pass < 5; pass++)
    for (u32 i = 0; i < sizeof data; i++) crc = crc >> 8 ^ table[(crc ^ data[i]) & 255];
  return ~crc;
}
