/* One export request, the same for HTTP/1.1, HTTP/2 and gRPC. A transport (http1.c, http2.c) makes
 * it, feeds it headers and body, and sends its answer; admission decides.
 *
 *   transport                         admission
 *   request_new, request_add_header…
 *   admission_headers(req)       ──▶  route, key, cheap limits; may answer at once
 *   admission_data(req, n)       ──▶  before each piece of body is appended: ceilings; may answer,
 *                                     or set req->paused: no more, please, until …
 *   transport->resume(req)       ◀──  … it is over (or the answer)
 *   admission_body(req)          ──▶  body is whole: decompress, scan, limits, produce; answers
 *   admission_gone(req, why)     ──▶  the client went away before the answer
 *   transport->answer(req, a)    ◀──  exactly once per request, unless admission_gone came first
 *
 * After an answer the transport calls no admission function for this request any more.
 * Ownership: refcounted; the transport holds one reference, admission one while Kafka has
 * it. Headers and path live in the request until its last reference goes. Thread: the loop's. */
#ifndef ROUTER_REQUEST_H
#define ROUTER_REQUEST_H

#include "base/address.h"
#include "base/arena.h"
#include "base/buf.h"
#include "otlp/split.h"
#include "router/admission/outcome.h"
#include "router/net/loop.h"

enum request_kind {
    REQUEST_HTTP, /* OTLP/HTTP: answered by HTTP status and a Status body */
    REQUEST_GRPC, /* content type application/grpc: answered by trailers */
};

#define REQUEST_MAX_HEADERS 100

struct header {
    struct slice name; /* lower case */
    struct slice value;
};

/* An answer that is none of OTLP's (pages.h). Borrowed until transport->answer returns. */
struct answer_page {
    int status;
    const char *type;  /* a literal */
    const char *allow; /* a literal; NULL but for 405 */
    struct slice body;
};

enum answer_kind {
    ANSWER_EXPORT,
    ANSWER_HEALTH,    /* to a health check */
    ANSWER_PREFLIGHT, /* to a browser's OPTIONS: 204 */
};

struct answer {
    const struct answer_page *page; /* NULL: the outcome's */
    enum outcome outcome;
    enum answer_kind kind;
    struct slice payload; /* ANSWER_HEALTH: the message */
    const char *message;  /* NULL: the outcome's text; borrowed until transport->answer returns */
    uint64_t rejected;    /* OUTCOME_ACCEPTED: items left out, `message` says why (R104) */
    uint64_t
        retry_delay_ns;    /* retryable outcomes: RetryInfo and Retry-After (R204-R212); 0 = 1 s */
    const char *bad_field; /* OUTCOME_MALFORMED: for the BadRequest detail */
};

struct request;

struct transport_ops {
    /* Sends the answer. What is still to come of the body is ignored or stopped by the transport
     * (R38, R51). */
    void (*answer)(struct request *req, const struct answer *a);
    /* req->paused was set within admission_data, and is over: the client may send on. */
    void (*resume)(struct request *req);
};

struct request {
    struct loop *loop;
    const struct transport_ops *transport;
    void *stream; /* the transport's own; NULL once it let go */
    unsigned refs;
    struct arena arena; /* headers, path, texts of the answer */

    enum request_kind kind;
    bool http1;
    struct address client;     /* who sends it: the peer, or whom a trusted balancer names */
    struct slice certificate;  /* names in the client's (tls_client.h); the connection's: for
                                  admission_headers alone */
    struct slice method, path; /* path without the query */
    struct header headers[REQUEST_MAX_HEADERS];
    size_t n_headers, header_bytes;
    uint64_t content_length; /* UINT64_MAX = not announced */
    uint64_t arrived_ns;     /* monotonic */
    uint64_t received_ns;    /* wall clock, becomes tenantry.received_ns */

    struct buf body;      /* gRPC: the message without its 5-byte prefix */
    bool grpc_compressed; /* the flag of that prefix */

    /* admission's */
    struct snapshot *snapshot; /* a reference, from the headers on */
    const struct tenant *tenant;
    const struct key *key;
    enum signal signal;            /* valid once `routed` */
    bool routed, own_deadline;     /* own_deadline: deadline_ns comes from grpc-timeout */
    bool health;                   /* a health check, not an export: no key, no tenant */
    bool json;                     /* the body came as OTLP/JSON */
    bool holding;                  /* its key failed, the answer waits */
    enum outcome held_outcome;     /* and will be this */
    bool answered, gone, produced; /* produced: Kafka has the body, its report is to come */
    uint8_t coding;                /* enum coding */
    uint64_t deadline_ns;          /* monotonic; when we answer at the latest; 0 = not set yet */
    uint64_t not_before_ns;        /* monotonic; a limit lets it pass then */
    uint64_t held; /* bytes counted into max_buffered and the tenant's in-flight cap */
    uint64_t bytes,
        items;      /* of the payload: as received, at last as protobuf; scanned, then kept */
    bool bad_items; /* the scan found some */
    uint64_t quota_bytes, quota_day; /* counted against the daily quotas */
    bool stored;                     /* and to stay so: Kafka has it, or may have it */
    bool would_be_refused;           /* limits.dry_run: counted */
    /* The tenant is over its in-flight cap: the transport lets the client send no more (R45). */
    bool paused, whole;      /* whole: the body ended meanwhile */
    uint64_t pause_until_ns; /* monotonic; then it is refused */
    /* In the arena; NULL: the body is the only record, and no item was rejected. */
    struct split_result *split;
    bool needs_split;        /* the body cannot be a record as it is */
    bool by_trace;           /* its parts go to the partitions of their traces */
    unsigned n_partitions;   /* of the topic, when it was split by trace */
    uint8_t hash[16];        /* of the body as protobuf, before it was split */
    struct loop_timer timer; /* deadline or not_before */
};

/* With one reference, the transport's. The body's ceiling is router.max_body. NULL: no memory. */
struct request *request_new(struct loop *l, const struct transport_ops *transport, void *stream);
void request_ref(struct request *req);
void request_unref(struct request *req); /* frees at zero, after admission_release */
/* When a body that does not go on is given up: router.body_timeout from now, sooner for one that
 * came at less than 1 KiB/s so far. */
uint64_t request_body_due(const struct request *req);
/* Copies a header into the request, name in lower case. -E2BIG above the count or
 * router.max_header_bytes. */
int request_add_header(struct request *req, struct slice name, struct slice value);
/* The value of the first header of this lower-case name; at == NULL when there is none. */
struct slice request_header(const struct request *req, const char *name);

#endif
