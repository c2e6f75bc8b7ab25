/* The CRC-32 of zip, gzip and PNG (polynomial 0xedb88320, bits in reverse). */
#ifndef CHECKSUM_CRC32_H
#define CHECKSUM_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from the checksum of what came before, which is 0 for nothing. */
uint32_t crc32_add(uint32_t checksum, const uint8_t *bytes, size_t length);

#endif
