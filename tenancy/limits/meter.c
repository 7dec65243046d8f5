#include "tenancy/limits/meter.h"

#include "base/clock.h"

#define OVER_NS (10 * NS_PER_S)

void meter_look(struct meter *m, uint64_t n, uint64_t after_ns)
{
    double grown = (double)(n >= m->seen ? n - m->seen : n);
    double weight = after_ns < OVER_NS ? (double)after_ns / (double)OVER_NS : 1;
    double was = (double)atomic_load_explicit(&m->per_1000_s, memory_order_relaxed) / 1000;
    double now = after_ns > 0 ? grown * NS_PER_S / (double)after_ns : was;
    m->seen = n;
    atomic_store_explicit(&m->per_1000_s, (uint64_t)((was + (now - was) * weight) * 1000),
                          memory_order_relaxed);
}

double meter_per_second(const struct meter *m)
{
    return (double)atomic_load_explicit(&m->per_1000_s, memory_order_relaxed) / 1000;
}
