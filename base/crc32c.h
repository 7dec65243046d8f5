/* CRC-32C (Castagnoli, RFC 3720 B.4). Thread: any; pure. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include "base/slice.h"

/* The checksum of what `crc` is the checksum of, followed by `s`. Begin with 0. */
uint32_t crc32c(uint32_t crc, struct slice s);

#endif
