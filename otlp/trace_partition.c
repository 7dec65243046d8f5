#include "otlp/trace_partition.h"

#define HEX_LEN 32

/* As Kafka's clients have it. */
#define SEED     0x9747b28cu
#define MULTIPLY 0x5bd1e995u

static uint32_t word(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Of whole words alone. */
static uint32_t murmur2(const uint8_t text[HEX_LEN])
{
    uint32_t hash = SEED ^ HEX_LEN;
    for (int i = 0; i < HEX_LEN; i += 4) {
        uint32_t k = word(text + i) * MULTIPLY;
        k = (k ^ k >> 24) * MULTIPLY;
        hash = hash * MULTIPLY ^ k;
    }
    hash = (hash ^ hash >> 13) * MULTIPLY;
    return hash ^ hash >> 15;
}

unsigned trace_partition(const uint8_t trace_id[16], unsigned partitions)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t hex[HEX_LEN];
    for (int i = 0; i < 16; i++) {
        hex[2 * i] = (uint8_t)digits[trace_id[i] >> 4];
        hex[2 * i + 1] = (uint8_t)digits[trace_id[i] & 15];
    }
    return (murmur2(hex) & 0x7fffffff) % partitions;
}
