/* Text search: Horspool's skips, a naive scan, and a recursive matcher of simple patterns. */
#include "guest.h"

static u8 text[600000];
static const char *const words[] = {"sand", "box ", "fuel", "meter ", "the ", "guest ", "a ", "host", "er ", "ing "};

static u32 length(const char *s) {
  u32 n = 0;
  while (s[n]) n++;
  return n;
}

static NOINLINE u32 horspool(const char *needle) {
  u8 skip[256];
  const u32 m = length(needle), n = sizeof text;
  u32 found = 0;
  for (int i = 0; i < 256; i++) skip[i] = (u8)m;
  for (u32 i = 0; i + 1 < m; i++) skip[(u8)needle[i]] = (u8)(m - 1 - i);
  for (u32 at = 0; at + m <= n; at += skip[text[at + m - 1]]) {
    u32 i = m;
    while (i > 0 && text[at + i - 1] == (u8)needle[i - 1]) i--;
    if (i == 0) found++;
  }
  return found;
}

static NOINLINE u32 naive(const char *needle) {
  const u32 m = length(needle), n = sizeof text;
  u32 found = 0;
  for (u32 at = 0; at + m <= n; at++) {
    u32 i = 0;
    while (i < m && text[at + i] == (u8)needle[i]) i++;
    found += i == m;
  }
  return found;
}

/* `.` is any byte, `*` repeats the byte before it */
static int matches(const char *pattern, const u8 *s, const u8 *end) {
  if (*pattern == 0) return 1;
  if (pattern[1] == '*') {
    do {
      if (matches(pattern + 2, s, end)) return 1;
    } while (s < end && (*s++ == (u8)*pattern || *pattern == '.'));
    return 0;
  }
  return s < end && (*s == (u8)*pattern || *pattern == '.') && matches(pattern + 1, s + 1, end);
}

EXPORT u32 run(void) {
  for (u32 at = 0; at < sizeof text;)
    for (const char *w = words[rnd() % 10]; *w && at < sizeof text; w++) text[at++] = (u8)*w;
  u32 sum = 0;
  const char *const needles[] = {"fuelguest the ", "metering", "sandbox ", "hosthosthost"};
  for (int i = 0; i < 4; i++) sum = sum * 31 + 3 * horspool(needles[i]) + naive(needles[i]);
  for (u32 at = 0; at + 40 < sizeof text; at += 2)
    sum += (u32)matches("s.n*d.*fuela* me", text + at, text + at + 40) + (u32)matches("g.*t a", text + at, text + at + 24);
  return sum;
}
