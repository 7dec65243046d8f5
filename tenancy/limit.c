/* GCRA: the bucket is one point in time, the theoretical arrival time (tat): it is full when tat is
 * not in the future, empty when tat is `burst / rate` ahead. Taking n units moves tat n / rate
 * further. Times are rounded up per take and down per burst, so that rounding never lets more
 * through than rate * time + burst. */
#include "tenancy/limit.h"

#include "base/clock.h"

/* Far enough to mean never (146 years), near enough that sums of two fit. */
#define FOREVER_NS (UINT64_MAX / 4)

static uint64_t units_to_ns(uint64_t units, uint64_t rate, bool up)
{
    unsigned __int128 product = (unsigned __int128)units * NS_PER_S + (up ? rate - 1 : 0);
    unsigned __int128 ns = product / rate;
    return ns < FOREVER_NS ? (uint64_t)ns : FOREVER_NS;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What n units are on the bucket's scale of time. */
struct price {
    uint64_t cost;  /* how far tat moves */
    uint64_t spare; /* how far in the future tat may be: depth - need. Needed is all of n, or a full
                       bucket when n is larger than that */
};

static struct price price_of(const struct limit *l, uint64_t n)
{
    uint64_t cost = units_to_ns(n, l->rate, true), depth = units_to_ns(l->burst, l->rate, false);
    return (struct price){cost, cost < depth ? depth - cost : 0};
}

static uint64_t until_ready(uint64_t start_ns, uint64_t now_ns, const struct price *p)
{
    uint64_t ready = now_ns + p->spare;
    return start_ns > ready ? start_ns - ready : 0;
}

enum limit_verdict limit_take(struct limit_state *s, const struct limit *l, uint64_t n,
                              uint64_t now_ns, uint64_t max_wait_ns, uint64_t *wait_ns)
{
    *wait_ns = 0;
    if (l->rate == 0)
        return LIMIT_OK;
    const struct price p = price_of(l, n);
    uint64_t tat = atomic_load_explicit(&s->tat_ns, memory_order_relaxed), next;
    do {
        uint64_t start = later(tat, now_ns);
        *wait_ns = until_ready(start, now_ns, &p);
        if (*wait_ns > max_wait_ns)
            return LIMIT_REFUSED;
        next = start < FOREVER_NS ? start + p.cost : start;
    } while (!atomic_compare_exchange_weak_explicit(&s->tat_ns, &tat, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return *wait_ns == 0 ? LIMIT_OK : LIMIT_WAIT;
}

uint64_t limit_wait(const struct limit_state *s, const struct limit *l, uint64_t n, uint64_t now_ns)
{
    if (l->rate == 0)
        return 0;
    const struct price p = price_of(l, n);
    uint64_t tat = atomic_load_explicit(&s->tat_ns, memory_order_relaxed);
    return until_ready(later(tat, now_ns), now_ns, &p);
}

void limit_return(struct limit_state *s, const struct limit *l, uint64_t n)
{
    if (l->rate == 0)
        return;
    uint64_t cost = units_to_ns(n, l->rate, true), next;
    uint64_t tat = atomic_load_explicit(&s->tat_ns, memory_order_relaxed);
    do {
        next = tat > cost ? tat - cost : 0;
    } while (!atomic_compare_exchange_weak_explicit(&s->tat_ns, &tat, next, memory_order_relaxed,
                                                    memory_order_relaxed));
}

void limit_reset(struct limit_state *s)
{
    atomic_store_explicit(&s->tat_ns, 0, memory_order_relaxed);
}

uint64_t limit_available(const struct limit_state *s, const struct limit *l, uint64_t now_ns)
{
    if (l->rate == 0)
        return UINT64_MAX;
    uint64_t tat = atomic_load_explicit(&s->tat_ns, memory_order_relaxed);
    uint64_t ahead = tat > now_ns ? tat - now_ns : 0;
    uint64_t depth = units_to_ns(l->burst, l->rate, false);
    if (ahead == 0)
        return l->burst;
    if (ahead >= depth)
        return 0;
    return (uint64_t)((unsigned __int128)(depth - ahead) * l->rate / NS_PER_S);
}
