/* By the processor's instruction where it has one, else by a table. Both give the same numbers: a
 * database may move between machines. */
#include "base/crc32c.h"

#include <pthread.h>

#define POLYNOMIAL 0x82F63B78u /* reflected */

typedef uint32_t crc_fn(uint32_t crc, struct slice s);

static uint32_t table[256];

static uint32_t crc_by_table(uint32_t crc, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        crc = table[(crc ^ s.at[i]) & 0xFF] ^ crc >> 8;
    return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc_by_instruction(uint32_t crc, struct slice s)
{
    uint64_t wide = crc;
    size_t i = 0;
    for (; s.len - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, s.at + i, sizeof(word));
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; i < s.len; i++)
        crc = __builtin_ia32_crc32qi(crc, s.at[i]);
    return crc;
}
#endif

static crc_fn *crc_update = crc_by_table;

static void choose(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        table[i] = crc;
    }
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        crc_update = crc_by_instruction;
#endif
}

uint32_t crc32c(uint32_t crc, struct slice s)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, choose);
    return ~crc_update(~crc, s);
}
