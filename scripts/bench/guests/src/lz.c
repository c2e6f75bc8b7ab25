/* A byte-oriented LZ77 compressor and its decompressor, with a hash of three bytes: branches, loads of all widths. */
#include "guest.h"

static u8 plain[200000], packed[260000], again[200000];
static u32 heads[4096];

static NOINLINE u32 pack(void) {
  u32 out = 0;
  const u32 size = sizeof plain;
  for (u32 at = 0; at < size;) {
    u32 best = 0, back = 0;
    if (at + 4 < size) {
      u32 *head = &heads[((plain[at] << 16 | plain[at + 1] << 8 | plain[at + 2]) * 2654435761u) >> 20];
      if (*head && at + 1 - *head < 65536) {
        u32 from = *head - 1;
        while (best < 255 && at + best < size && plain[from + best] == plain[at + best]) best++;
        back = at - from;
      }
      *head = at + 1;
    }
    if (best >= 4) {
      packed[out] = (u8)best;
      packed[out + 1] = (u8)back;
      packed[out + 2] = (u8)(back >> 8);
      out += 3;
      at += best;
    } else {
      packed[out++] = 0;
      packed[out++] = plain[at++];
    }
  }
  return out;
}

static NOINLINE u32 unpack(u32 size) {
  u32 out = 0;
  for (u32 at = 0; at < size;) {
    u32 count = packed[at];
    if (count == 0) {
      again[out++] = packed[at + 1];
      at += 2;
    } else {
      u32 back = packed[at + 1] | packed[at + 2] << 8;
      for (u32 i = 0; i < count; i++, out++) again[out] = again[out - back];
      at += 3;
    }
  }
  return out;
}

EXPORT u32 run(void) {
  for (u32 i = 0; i < sizeof plain;) {
    u32 count = 1 + (rnd() & 31), from = i > 64 && (rnd() & 3) ? rnd() % (i - 40) : 0;
    for (; count > 0 && i < sizeof plain; count--, i++) plain[i] = from ? plain[from++] : (u8)(rnd() & 63);
  }
  u32 sum = 0;
  for (int pass = 0; pass < 8; pass++) {
    for (u32 i = 0; i < 4096; i++) heads[i] = 0;
    u32 size = pack();
    u32 back = unpack(size);
    for (u32 i = 0; i < back; i++)
      if (again[i] != plain[i]) __builtin_trap();
    sum = sum * 31 + size;
    plain[pass * 1000] ^= 85;
  }
  return sum;
}
