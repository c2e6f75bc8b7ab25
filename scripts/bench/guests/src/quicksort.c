/* Quicksort of 150,000 words: recursion around tight loops of loads and compares. */
#include "guest.h"

static u32 items[150000];

static void sort(i32 low, i32 high) {
  while (low < high) {
    u32 pivot = items[(low + high) >> 1];
    i32 i = low, j = high;
    while (i <= j) {
      while (items[i] < pivot) i++;
      while (items[j] > pivot) j--;
      if (i <= j) {
        u32 t = items[i];
        items[i++] = items[j];
        items[j--] = t;
      }
    }
    sort(low, j);
    low = i;
  }
}

EXPORT u32 run(void) {
  const i32 count = sizeof items / sizeof *items;
  for (i32 i = 0; i < count; i++) items[i] = rnd();
  sort(0, count - 1);
  u32 sum = 0;
  for (i32 i = 0; i < count; i++) sum = sum * 31 + items[i];
  return sum;
}
