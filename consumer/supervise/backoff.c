#include "consumer/supervise/backoff.h"

#include <sys/random.h>

uint64_t backoff_next(struct backoff *b)
{
    uint64_t bound = b->max_ns, random = 0;
    if (b->attempt < 32 && b->first_ns < b->max_ns >> b->attempt)
        bound = b->first_ns << b->attempt;
    if (b->attempt < 32)
        b->attempt++;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
        random = bound / 2; /* no entropy yet: half is as good as any */
    return bound / 10 + random % (bound - bound / 10 + 1);
}
