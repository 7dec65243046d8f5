/* The transport of `tenantry send`: OTLP/gRPC and OTLP/HTTP requests by libcurl's multi interface,
 * many in flight on few connections. Over HTTPS the protocol is agreed by ALPN (HTTP/2 preferred).
 * An attempt goes to the wire at most once: what libcurl would quietly send again on a new
 * connection ends as an attempt without an answer, so that attempts can be counted.
 *
 * Requests live in slots 0 ... slots - 1, one at a time in each. Thread: one. */
#ifndef CLI_SEND_HTTP_H
#define CLI_SEND_HTTP_H

#include "base/errbuf.h"
#include "cli/send/send_answer.h"
#include "otlp/signal.h"

enum send_http_version { SEND_HTTP_AUTO, SEND_HTTP_1, SEND_HTTP_2 };

struct send_http_conf {
    const char *endpoint; /* "https://host:port" or, for OTLP/HTTP, with a path before /v1/... */
    enum send_protocol protocol;
    enum send_http_version version; /* AUTO: HTTP/1.1 only for OTLP/HTTP without TLS */
    const char *ca_file;            /* NULL = the system's */
    const char *const *headers;     /* "name: value", NULL-ended; may hold the key */
    bool gzip;
    uint64_t timeout_ns; /* of an attempt; also told to the far side over gRPC */
    unsigned slots, connections;
};

struct send_http;

/* Borrows nothing of `conf` afterwards. */
struct send_http *send_http_new(const struct send_http_conf *conf, struct errbuf *err);
void send_http_free(struct send_http *h); /* gives up what is in flight; NULL is fine */

/* Puts `payload` (an export request, copied) in flight in a free slot. */
int send_http_start(struct send_http *h, unsigned slot, enum signal signal, struct slice payload,
                    struct errbuf *err);
/* Moves bytes and calls `done` for each attempt that ended; its slot is free again then, and `done`
 * may start it anew. When none ended, waits up to `wait_ms` for something to happen. */
typedef void send_http_done_fn(void *arg, unsigned slot, const struct send_answer *a);
int send_http_turn(struct send_http *h, unsigned wait_ms, send_http_done_fn *done, void *arg,
                   struct errbuf *err);
/* Bytes of all bodies so far, as sent. */
uint64_t send_http_bytes(const struct send_http *h);

#endif
