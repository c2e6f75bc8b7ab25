/* Memory in order, texts, growing buffers. */
#include "exoarmur.h"

#define PAGE 65536
#define ALIGNMENT 16

/* The linker's: where the program's own data ends. */
extern uint8_t __heap_base;

static uintptr_t next;

static uintptr_t here(void) {
  if (next == 0) next = ((uintptr_t)&__heap_base + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
  return next;
}

void *exo_alloc(size_t bytes) {
  uintptr_t start = here();
  uint64_t end = ((uint64_t)start + bytes + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
  uint64_t present = (uint64_t)__builtin_wasm_memory_size(0) * PAGE;
  if (end > present) {
    uint64_t pages = (end - present + PAGE - 1) / PAGE;
    if (end > UINT32_MAX || __builtin_wasm_memory_grow(0, (size_t)pages) == SIZE_MAX) exo_panic("out of memory");
  }
  next = (uintptr_t)end;
  return (void *)start;
}

void *exo_alloc_array(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) exo_panic("out of memory");
  return exo_alloc(bytes);
}

void *exo_grow(void *old, size_t old_bytes, size_t new_bytes) {
  uintptr_t end = ((uintptr_t)old + old_bytes + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
  if (old != NULL && end == next) {
    next = (uintptr_t)old;
    return exo_alloc(new_bytes);
  }
  void *grown = exo_alloc(new_bytes);
  if (old_bytes > 0) __builtin_memcpy(grown, old, old_bytes);
  return grown;
}

void *exo_mark(void) { return (void *)here(); }

void exo_release(void *mark) {
  if ((uintptr_t)mark < (uintptr_t)&__heap_base || (uintptr_t)mark > here()) exo_panic("not a mark");
  next = (uintptr_t)mark;
}

exo_text exo_string(const char *string) {
  size_t length = 0;
  while (string[length] != 0) length++;
  return (exo_text){string, length};
}

int exo_text_compare(exo_text a, exo_text b) {
  size_t common = a.length < b.length ? a.length : b.length;
  for (size_t i = 0; i < common; i++) {
    int difference = (int)(uint8_t)a.start[i] - (int)(uint8_t)b.start[i];
    if (difference != 0) return difference;
  }
  return a.length < b.length ? -1 : a.length > b.length;
}

bool exo_text_equals(exo_text a, exo_text b) { return a.length == b.length && exo_text_compare(a, b) == 0; }

bool exo_text_is(exo_text text, const char *string) { return exo_text_equals(text, exo_string(string)); }

/* Bytes of the well-formed sequence at `at`, 0 when there is none. The second byte's range rules out bad forms. */
static size_t sequence_length(const uint8_t *at, size_t left) {
  uint8_t lead = at[0];
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  size_t width = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (width > left) return 0;
  uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (at[1] < low || at[1] > high) return 0;
  for (size_t i = 2; i < width; i++)
    if ((at[i] & 0xc0) != 0x80) return 0;
  return width;
}

bool exo_is_utf8(exo_bytes bytes) {
  for (size_t at = 0; at < bytes.length;) {
    size_t width = sequence_length(bytes.start + at, bytes.length - at);
    if (width == 0) return false;
    at += width;
  }
  return true;
}

static uint8_t *reserve(exo_buffer *buffer, size_t more) {
  size_t needed;
  if (__builtin_add_overflow(buffer->length, more, &needed)) exo_panic("out of memory");
  if (needed > buffer->capacity) {
    size_t doubled = buffer->capacity < 64 ? 64 : buffer->capacity > SIZE_MAX / 2 ? SIZE_MAX : buffer->capacity * 2;
    size_t capacity = needed > doubled ? needed : doubled;
    buffer->start = exo_grow(buffer->start, buffer->capacity, capacity);
    buffer->capacity = capacity;
  }
  return buffer->start + buffer->length;
}

void exo_put_byte(exo_buffer *buffer, uint8_t byte) {
  *reserve(buffer, 1) = byte;
  buffer->length++;
}

void exo_put_bytes(exo_buffer *buffer, const void *start, size_t length) {
  if (length == 0) return;
  __builtin_memcpy(reserve(buffer, length), start, length);
  buffer->length += length;
}

void exo_put_text(exo_buffer *buffer, exo_text text) { exo_put_bytes(buffer, text.start, text.length); }

void exo_put(exo_buffer *buffer, const char *string) { exo_put_text(buffer, exo_string(string)); }

void exo_put_integer(exo_buffer *buffer, int64_t integer) {
  char digits[20];
  size_t at = sizeof digits;
  uint64_t left = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
  do digits[--at] = (char)('0' + left % 10);
  while (left /= 10);
  if (integer < 0) digits[--at] = '-';
  exo_put_bytes(buffer, digits + at, sizeof digits - at);
}

exo_text exo_buffer_text(const exo_buffer *buffer) { return (exo_text){(const char *)buffer->start, buffer->length}; }
