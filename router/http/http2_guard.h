/* What one HTTP/2 connection may do that costs us work and brings no export: control frames,
 * requests it abandons, bytes that lead to nothing. Each is a bucket that leaks: a burst is fine,
 * going on is not (R53, R293-R295). nghttp2 has its own limits on CONTINUATION, resets in a burst
 * and unsent acknowledgements; these are for what it lets pass. Pure. */
#ifndef ROUTER_HTTP2_GUARD_H
#define ROUTER_HTTP2_GUARD_H

#include <stdbool.h>
#include <stdint.h>

/* id, what a burst may be in seconds of the rate that goes on for ever, what every new request
 * takes off the level */
#define HTTP2_GUARDS(ROW)                                                                          \
    ROW(CONTROL, 10,                                                                               \
        4) /* PING, SETTINGS, PRIORITY, RST_STREAM, WINDOW_UPDATE, HEADERS, empty DATA */          \
    ROW(ABANDONED, 20, 0)      /* requests reset before their answer, whoever reset them */        \
    ROW(IGNORED, 16, 1u << 20) /* bytes of unknown frames, of closed streams */

enum http2_guard_kind {
#define ROW(id, ...) HTTP2_GUARD_##id,
    HTTP2_GUARDS(ROW)
#undef ROW
        HTTP2_GUARD_COUNT
};

/* Zeroed to begin with. */
struct http2_guard {
    struct {
        uint64_t level, at_ns;
    } bucket[HTTP2_GUARD_COUNT];
};

/* Adds `n`; false when the connection is to be cut: more than a burst, and more than `per_second`
 * since. */
bool http2_guard_add(struct http2_guard *g, enum http2_guard_kind kind, uint64_t n,
                     uint64_t per_second, uint64_t now_ns);
void http2_guard_request(struct http2_guard *g);

#endif
