/* What ends a connection that asks too much: one row each. The metric's reason label, the option
 * behind it and what the client sees; docs/security.md has the same table, and a test compares. */
#ifndef ROUTER_GUARDS_H
#define ROUTER_GUARDS_H

#include "base/address.h"

/* id, metric, reason label, option, what the client sees.
 * REFUSED: before it spoke a protocol; CLOSED: later; CUT: HTTP/2, told by GOAWAY. */
#define GUARDS(ROW)                                                                                \
    ROW(CONNECTIONS, REFUSED, "connections", "router.max_connections", "closed on accept")         \
    ROW(ADDRESS_CONNECTIONS, REFUSED, "address_connections", "router.max_connections_per_address", \
        "closed on accept")                                                                        \
    ROW(ADDRESS_RATE, REFUSED, "address_rate", "router.new_connections_per_address",               \
        "closed on accept")                                                                        \
    ROW(HANDSHAKES, REFUSED, "handshakes", "router.max_handshakes", "closed on accept")            \
    ROW(ADDRESS_HANDSHAKES, REFUSED, "address_handshakes", "router.max_handshakes_per_address",    \
        "closed on accept")                                                                        \
    ROW(PROXY_HEADER, REFUSED, "proxy_header", "router.listen.proxy_protocol", "closed")           \
    ROW(AGE, CLOSED, "age", "router.max_connection_age_grace", "closed")                           \
    ROW(KEEPALIVE, CUT, "keepalive", "router.keepalive_timeout", "GOAWAY(NO_ERROR)")               \
    ROW(HANDSHAKE, HANDSHAKE, "failed", "router.handshake_timeout", "alert where TLS has one")     \
    ROW(SLOW_HEADERS, CLOSED, "slow_headers", "router.header_timeout", "closed; GOAWAY(NO_ERROR)") \
    ROW(UNREAD, CLOSED, "unread_answers", "router.body_timeout", "closed")                         \
    ROW(CONTROL, CUT, "control_frames", "router.http2_control_frames",                             \
        "GOAWAY(ENHANCE_YOUR_CALM)")                                                               \
    ROW(ABANDONED, CUT, "abandoned_requests", "router.http2_abandoned_requests",                   \
        "GOAWAY(ENHANCE_YOUR_CALM)")                                                               \
    ROW(IGNORED, CUT, "ignored_bytes", "router.http2_ignored_bytes", "GOAWAY(ENHANCE_YOUR_CALM)")  \
    ROW(HEADER_BYTES, CUT, "header_bytes", "router.max_header_bytes", "GOAWAY(ENHANCE_YOUR_CALM)") \
    ROW(QUEUE, CUT, "queued_frames", "router.max_streams", "GOAWAY(ENHANCE_YOUR_CALM)")            \
    ROW(FLOOD, CUT, "flood", "-", "GOAWAY(ENHANCE_YOUR_CALM)")

enum guard {
#define ROW(id, ...) GUARD_##id,
    GUARDS(ROW)
#undef ROW
        GUARD_COUNT
};

/* Counts one. Thread: any. */
void guard_count(enum guard g);
/* The same, and a line in the log with the address; repeats are summarised. */
void guard_refused(enum guard g, const struct address *client);

#endif
