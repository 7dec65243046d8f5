#include "tenancy/limits/limits.h"

#define BURST_SECONDS 2

uint64_t conf_least_burst(const struct conf *c)
{
    uint64_t record = c->record.max_bytes, body = c->router.max_decompressed;
    return record < body ? record : body;
}

/* This router's part of what all of them may let through; 0 stays unlimited. */
static uint64_t share(uint64_t whole, uint64_t replicas)
{
    uint64_t part = replicas > 1 ? whole / replicas : whole;
    return part == 0 && whole != 0 ? 1 : part;
}

static uint64_t seconds_of(uint64_t rate)
{
    return rate > UINT64_MAX / BURST_SECONDS ? UINT64_MAX : rate * BURST_SECONDS;
}

/* A request above the burst passes a full bucket only: in bytes that is kept to those that become
 * several records. */
static uint64_t burst_of(const struct rate_conf *r, uint64_t rate, const struct conf *c)
{
    uint64_t burst = r->burst ? share(r->burst, c->router.replicas) : seconds_of(rate);
    uint64_t least = conf_least_burst(c);
    return burst < least ? least : burst;
}

struct tenant_limits limits_of(const struct rate_conf *r, const struct conf *c)
{
    uint64_t n = c->router.replicas, rate = share(r->rate, n), items = share(r->items, n),
             requests = share(r->requests, n);
    return (struct tenant_limits){
        .bytes = {rate, burst_of(r, rate, c)},
        .items = {items, seconds_of(items)},
        .requests = {requests, seconds_of(requests)},
        .daily = share(r->daily, n),
    };
}

static void reset_changed(struct limit_state *s, const struct limit *now,
                          const struct limit *before)
{
    if (now->rate != before->rate || now->burst != before->burst)
        limit_reset(s);
}

void limits_reset_changed(struct tenant_limit_states *s, const struct tenant_limits *now,
                          const struct tenant_limits *before)
{
    reset_changed(&s->bytes, &now->bytes, &before->bytes);
    reset_changed(&s->items, &now->items, &before->items);
    reset_changed(&s->requests, &now->requests, &before->requests);
}
