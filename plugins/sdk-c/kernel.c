#include "kernel.h"

#define KERNEL(name) __attribute__((import_module("extism:host/env"), import_name(#name)))

KERNEL(alloc) uint64_t kernel_alloc(uint64_t length);
KERNEL(free) void kernel_free(uint64_t address);
KERNEL(length) uint64_t kernel_length(uint64_t address);
KERNEL(load_u8) uint32_t kernel_load_u8(uint64_t address);
KERNEL(load_u64) uint64_t kernel_load_u64(uint64_t address);
KERNEL(store_u8) void kernel_store_u8(uint64_t address, uint32_t byte);
KERNEL(store_u64) void kernel_store_u64(uint64_t address, uint64_t bytes);
KERNEL(input_length) uint64_t kernel_input_length(void);
KERNEL(input_load_u8) uint32_t kernel_input_load_u8(uint64_t offset);
KERNEL(input_load_u64) uint64_t kernel_input_load_u64(uint64_t offset);
KERNEL(output_set) void kernel_output_set(uint64_t address, uint64_t length);
KERNEL(error_set) void kernel_error_set(uint64_t address);

/* A crossing costs the same for one byte as for eight. */
uint64_t exo_block(exo_bytes bytes) {
  uint64_t address = kernel_alloc(bytes.length);
  size_t at = 0;
  for (; bytes.length - at >= 8; at += 8) {
    uint64_t word;
    __builtin_memcpy(&word, bytes.start + at, sizeof word);
    kernel_store_u64(address + at, word);
  }
  for (; at < bytes.length; at++) kernel_store_u8(address + at, bytes.start[at]);
  return address;
}

void exo_free_block(uint64_t address) { kernel_free(address); }

exo_bytes exo_take_block(uint64_t address) {
  size_t length = (size_t)kernel_length(address), at = 0;
  uint8_t *copy = exo_alloc(length);
  for (; length - at >= 8; at += 8) {
    uint64_t word = kernel_load_u64(address + at);
    __builtin_memcpy(copy + at, &word, sizeof word);
  }
  for (; at < length; at++) copy[at] = (uint8_t)kernel_load_u8(address + at);
  kernel_free(address);
  return (exo_bytes){copy, length};
}

exo_bytes exo_input(void) {
  size_t length = (size_t)kernel_input_length(), at = 0;
  uint8_t *copy = exo_alloc(length);
  for (; length - at >= 8; at += 8) {
    uint64_t word = kernel_input_load_u64(at);
    __builtin_memcpy(copy + at, &word, sizeof word);
  }
  for (; at < length; at++) copy[at] = (uint8_t)kernel_input_load_u8(at);
  return (exo_bytes){copy, length};
}

int32_t exo_output(exo_bytes bytes) {
  kernel_output_set(exo_block(bytes), bytes.length);
  return 0;
}

int32_t exo_fail(exo_text message) {
  kernel_error_set(exo_block((exo_bytes){(const uint8_t *)message.start, message.length}));
  return 1;
}

int32_t exo_fail_string(const char *message) { return exo_fail(exo_string(message)); }

_Noreturn void exo_panic(const char *message) {
  exo_fail_string(message);
  __builtin_trap();
}
