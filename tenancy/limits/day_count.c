#include "tenancy/limits/day_count.h"

#include "base/clock.h"

#define DAY_NS    (UINT64_C(86400) * NS_PER_S)
#define DAY_SHIFT 48

static uint64_t pack(uint64_t day, uint64_t n)
{
    return day << DAY_SHIFT | (n < DAY_COUNT_MAX ? n : DAY_COUNT_MAX);
}

uint64_t day_of(uint64_t wall_ns)
{
    return wall_ns / DAY_NS;
}

uint64_t ns_until_next_day(uint64_t wall_ns)
{
    return DAY_NS - wall_ns % DAY_NS;
}

static uint64_t count_of(uint64_t packed, uint64_t day)
{
    return packed >> DAY_SHIFT >= day ? packed & DAY_COUNT_MAX : 0;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t day_count_read(const struct day_count *c, uint64_t day)
{
    return count_of(atomic_load_explicit(&c->packed, memory_order_relaxed), day);
}

bool day_count_take(struct day_count *c, uint64_t n, uint64_t most, uint64_t day)
{
    uint64_t was = atomic_load_explicit(&c->packed, memory_order_relaxed), next;
    do {
        uint64_t used = count_of(was, day);
        if (most != 0 && (used >= most || n > most - used))
            return false;
        next = pack(later(was >> DAY_SHIFT, day), n > DAY_COUNT_MAX ? n : used + n);
    } while (!atomic_compare_exchange_weak_explicit(&c->packed, &was, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

void day_count_give_back(struct day_count *c, uint64_t n, uint64_t day)
{
    uint64_t was = atomic_load_explicit(&c->packed, memory_order_relaxed), next;
    do {
        uint64_t used = was & DAY_COUNT_MAX;
        if (was >> DAY_SHIFT > day) /* another day has begun */
            return;
        next = pack(was >> DAY_SHIFT, used > n ? used - n : 0);
    } while (!atomic_compare_exchange_weak_explicit(&c->packed, &was, next, memory_order_relaxed,
                                                    memory_order_relaxed));
}

void day_count_restore(struct day_count *c, uint64_t n, uint64_t day)
{
    uint64_t nothing = 0;
    atomic_compare_exchange_strong(&c->packed, &nothing, pack(day, n));
}
