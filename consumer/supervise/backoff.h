/* Full-jitter exponential back-off: each wait is a random time up to min(max, first * 2^attempt),
 * so that many waiters do not return together. One owner. */
#ifndef CONSUMER_BACKOFF_H
#define CONSUMER_BACKOFF_H

#include <stdint.h>

struct backoff {
    uint64_t first_ns, max_ns;
    unsigned attempt;
};

/* The next wait in ns, at least a tenth of its bound; counts the attempt. */
uint64_t backoff_next(struct backoff *b);
static inline void backoff_reset(struct backoff *b)
{
    b->attempt = 0;
}

#endif
