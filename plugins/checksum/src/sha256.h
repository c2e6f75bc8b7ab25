/* SHA-256 (FIPS 180-4). */
#ifndef CHECKSUM_SHA256_H
#define CHECKSUM_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint32_t state[8];
  uint64_t length;
  uint8_t block[64];
} sha256;

void sha256_begin(sha256 *hash);
void sha256_add(sha256 *hash, const uint8_t *bytes, size_t length);
/* The digest; nothing can be added any more. */
void sha256_end(sha256 *hash, uint8_t digest[32]);

#endif
