/* A hash for tables inside one process: FNV-1a, 64 bits. Not for keys an attacker chooses freely.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/slice.h"

#define HASH_START 14695981039346656037ull

static inline uint64_t hash_byte(uint64_t h, uint8_t byte)
{
    return (h ^ byte) * 1099511628211ull;
}

/* Continues `h` by the bytes and an end mark, so that ("a", "bc") and ("ab", "c") differ. */
static inline uint64_t hash_slice(uint64_t h, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        h = hash_byte(h, s.at[i]);
    return hash_byte(h, 0xFF); /* no UTF-8 text holds it */
}

#endif
