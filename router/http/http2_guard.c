#include "router/http/http2_guard.h"

#include "base/clock.h"

static const struct {
    uint64_t burst_s, per_request;
} limits[HTTP2_GUARD_COUNT] = {
#define ROW(id, burst_s, per_request) {burst_s, per_request},
    HTTP2_GUARDS(ROW)
#undef ROW
};

static void take_off(uint64_t *level, uint64_t n)
{
    *level -= n < *level ? n : *level;
}

bool http2_guard_add(struct http2_guard *g, enum http2_guard_kind kind, uint64_t n,
                     uint64_t per_second, uint64_t now_ns)
{
    uint64_t *level = &g->bucket[kind].level, *at = &g->bucket[kind].at_ns;
    /* Whole milliseconds only, so that many small steps leak as much as one large one. */
    uint64_t ms = (now_ns - *at) / NS_PER_MS;
    uint64_t leak = ms * per_second / 1000;
    if (leak > 0) {
        take_off(level, leak);
        *at = now_ns;
    }
    *level += n;
    return *level <= limits[kind].burst_s * per_second;
}

void http2_guard_request(struct http2_guard *g)
{
    for (int k = 0; k < HTTP2_GUARD_COUNT; k++)
        take_off(&g->bucket[k].level, limits[k].per_request);
}
