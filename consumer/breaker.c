#include "consumer/breaker.h"

#include <string.h>

#define WINDOW      10000 /* records */
#define ONE_PERCENT 100

void breaker_count(struct breaker *b, uint64_t seen, uint64_t dead)
{
    b->seen += seen;
    b->dead += dead;
    while (b->seen >= 2 * WINDOW) {
        b->seen /= 2;
        b->dead /= 2;
    }
}

bool breaker_allows(const struct breaker *b, uint64_t seen, uint64_t dead, uint64_t max_dead)
{
    uint64_t share = (b->seen + seen) / ONE_PERCENT;
    return dead == 0 || b->dead + dead <= (share > max_dead ? share : max_dead);
}

static bool counts(const struct batch_record *r)
{
    return r->fate == RECORD_REFUSED ||
           (r->fate == RECORD_DEAD && strcmp(r->error_class, "decode") != 0);
}

bool breaker_judge(struct batch *b, uint64_t max_dead)
{
    bool stopped = false;
    for (size_t i = 0; i < b->n_units; i++)
        b->units[i].seen = b->units[i].dead = 0;
    for (size_t i = 0; i < b->n_records; i++) {
        struct batch_unit *u = &b->units[b->records[i].unit];
        u->seen++;
        u->dead += counts(&b->records[i]);
    }
    for (size_t i = 0; i < b->n_units; i++) {
        struct batch_unit *u = &b->units[i];
        u->stopped = !breaker_allows(&u->breaker, u->seen, u->dead, max_dead);
        stopped |= u->stopped;
    }
    return stopped;
}

const struct batch_record *breaker_first_dead(const struct batch *b, uint32_t unit)
{
    for (size_t i = 0; i < b->n_records; i++)
        if (b->records[i].unit == unit && counts(&b->records[i]))
            return &b->records[i];
    return NULL;
}
