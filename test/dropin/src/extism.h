/* Extism's imports for C guests: under the names of Extism 1, or with LEGACY under those from before it. */
#include <stdint.h>

#ifdef LEGACY
#define FROM_ENV(name) __attribute__((import_module("env"), import_name("extism_" #name)))
#else
#define FROM_ENV(name) __attribute__((import_module("extism:host/env"), import_name(#name)))
#endif
#define EXPORT(name) __attribute__((export_name(#name)))

FROM_ENV(input_length) uint64_t input_length(void);
FROM_ENV(input_load_u8) uint32_t input_load_u8(uint64_t offset);
FROM_ENV(alloc) uint64_t block_alloc(uint64_t length);
FROM_ENV(free) void block_free(uint64_t address);
FROM_ENV(length) uint64_t block_length(uint64_t address);
FROM_ENV(load_u8) uint32_t load_u8(uint64_t address);
FROM_ENV(store_u8) void store_u8(uint64_t address, uint32_t byte);
FROM_ENV(output_set) void output_set(uint64_t address, uint64_t length);
FROM_ENV(error_set) void error_set(uint64_t address);
FROM_ENV(config_get) uint64_t config_get(uint64_t key);
FROM_ENV(var_get) uint64_t var_get(uint64_t key);
FROM_ENV(var_set) void var_set(uint64_t key, uint64_t value);
FROM_ENV(log_info) void log_info(uint64_t message);
FROM_ENV(log_error) void log_error(uint64_t message);
FROM_ENV(http_request) uint64_t http_request(uint64_t request, uint64_t body);
FROM_ENV(http_status_code) uint32_t http_status_code(void);
FROM_ENV(http_headers) uint64_t http_headers(void);

static inline uint64_t block_of(const char *text) {
  uint64_t length = 0;
  while (text[length]) length++;
  uint64_t block = block_alloc(length);
  for (uint64_t i = 0; i < length; i++) store_u8(block + i, (uint8_t)text[i]);
  return block;
}

static inline void output_text(const char *text) {
  uint64_t block = block_of(text);
  output_set(block, block_length(block));
}
