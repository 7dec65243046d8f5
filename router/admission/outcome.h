/* Every way a request can end: one row each. Status codes, the text a sender sees, whether it may
 * retry and the metric's reason label all come from here (otlp-conformance S2; DESIGN §4 Answers).
 *
 * Over HTTP the row's HTTP status; over gRPC HTTP 200 and the row's gRPC code (R184), but for a
 * method other than POST, where gRPC gets the HTTP status too (R137). */
#ifndef ROUTER_OUTCOME_H
#define ROUTER_OUTCOME_H

#include <stdbool.h>

/* id, reason label, HTTP, gRPC, may retry, text to the sender */
#define OUTCOMES(ROW)                                                                              \
    ROW(ACCEPTED, "accepted", 200, 0, false, "")                                                   \
    ROW(NO_KEY, "no_key", 401, 16, false, "missing or invalid ingestion key")                      \
    ROW(BAD_KEY, "bad_key", 401, 16, false, "missing or invalid ingestion key")                    \
    ROW(SUSPENDED, "suspended", 403, 7, false, "this tenant is suspended")                         \
    ROW(SIGNAL_FORBIDDEN, "signal_forbidden", 403, 7, false, "this key may not send this signal")  \
    ROW(UNKNOWN_PATH, "unknown_path", 404, 12, false,                                              \
        "unknown path: OTLP/HTTP is served at /v1/traces, /v1/metrics and /v1/logs")               \
    ROW(UNKNOWN_METHOD, "unknown_method", 404, 12, false, "unknown gRPC service or method")        \
    ROW(UNKNOWN_SERVICE, "unknown_service", 404, 5, false,                                         \
        "the health check names a service that is not offered")                                    \
    ROW(NOT_POST, "not_post", 405, 13, false, "only POST is allowed here")                         \
    ROW(UNSUPPORTED_TYPE, "unsupported_type", 415, 12, false,                                      \
        "Content-Type must be application/x-protobuf or application/json, or application/grpc "    \
        "for gRPC")                                                                                \
    ROW(UNSUPPORTED_CODING, "unsupported_coding", 415, 12, false, "unsupported compression")       \
    ROW(GRPC_OVER_HTTP1, "grpc_over_http1", 505, 13, false, "gRPC needs HTTP/2")                   \
    ROW(BAD_REQUEST, "bad_request", 400, 13, false, "malformed HTTP request")                      \
    ROW(HEADERS_TOO_LARGE, "headers_too_large", 431, 8, false, "request headers are too large")    \
    ROW(URI_TOO_LONG, "uri_too_long", 414, 12, false, "the request target is too long")            \
    ROW(EXPECTATION, "expectation", 417, 13, false,                                                \
        "only the expectation 100-continue is supported")                                          \
    ROW(UNKNOWN_TRANSFER_CODING, "unknown_transfer_coding", 501, 13, false,                        \
        "only the transfer coding chunked is supported")                                           \
    ROW(BAD_TIMEOUT, "bad_timeout", 400, 13, false, "malformed grpc-timeout")                      \
    ROW(TOO_LARGE, "too_large", 413, 8, false, "the body is larger than this server accepts")      \
    ROW(TOO_LARGE_DECOMPRESSED, "too_large_decompressed", 413, 8, false,                           \
        "the decompressed body is larger than this server accepts")                                \
    ROW(TOO_MANY_ITEMS, "too_many_items", 413, 8, false, "more items than one request may hold")   \
    ROW(TOO_MANY_EXPANDED, "too_many_expanded", 413, 8, false,                                     \
        "items with their resource and scope are larger than one request may become")              \
    ROW(RECORD_TOO_LARGE, "record_too_large", 413, 8, false,                                       \
        "the decompressed request is larger than one record may be")                               \
    ROW(BAD_COMPRESSION, "bad_compression", 400, 13, false, "the body cannot be decompressed")     \
    ROW(BAD_GRPC_FRAME, "bad_grpc_frame", 400, 13, false, "malformed gRPC message frame")          \
    ROW(COMPRESSED_WITHOUT_CODING, "compressed_without_coding", 400, 13, false,                    \
        "the message is flagged as compressed but grpc-encoding names no coding")                  \
    ROW(MESSAGE_COUNT, "message_count", 400, 12, false,                                            \
        "a unary call carries exactly one message")                                                \
    ROW(MALFORMED, "malformed", 400, 3, false, "the body is not a valid request of this signal")   \
    ROW(OVER_REQUESTS, "over_requests", 429, 14, true,                                             \
        "the tenant's limit of requests per second is reached")                                    \
    ROW(OVER_BYTES, "over_bytes", 429, 14, true,                                                   \
        "the tenant's limit of bytes per second is reached")                                       \
    ROW(OVER_ITEMS, "over_items", 429, 14, true,                                                   \
        "the tenant's limit of items per second is reached")                                       \
    ROW(OVER_QUOTA, "over_quota", 429, 14, true, "the tenant's daily quota is spent")              \
    ROW(OVER_IN_FLIGHT, "over_in_flight", 429, 14, true,                                           \
        "too many bytes of this tenant are under way")                                             \
    ROW(OVER_SHARE, "over_share", 429, 14, true,                                                   \
        "this tenant's share of the queue towards Kafka is full")                                  \
    ROW(STALLED, "stalled", 429, 14, true, "Kafka does not take this tenant's records for now")    \
    ROW(OVERLOADED, "overloaded", 503, 14, true, "the server holds as much as it may, try again")  \
    ROW(QUEUE_FULL, "queue_full", 503, 14, true, "the queue towards Kafka is full, try again")     \
    ROW(KAFKA_DOWN, "kafka_down", 503, 14, true, "Kafka did not confirm in time, try again")       \
    ROW(TOO_FEW_REPLICAS, "too_few_replicas", 503, 14, true,                                       \
        "too few replicas of the tenant's topic are in sync, try again")                           \
    ROW(TENANT_UNREADABLE, "tenant_unreadable", 503, 14, true,                                     \
        "the tenant's configuration cannot be read, try again")                                    \
    ROW(KEYS_UNREADABLE, "keys_unreadable", 503, 14, true,                                         \
        "the keys of this server cannot be read, try again")                                       \
    ROW(TOPIC_MISSING, "topic_missing", 503, 14, true,                                             \
        "the tenant's topic is not there yet, try again")                                          \
    ROW(NOT_PERMITTED, "not_permitted", 503, 14, true, "Kafka refused the write, try again")       \
    ROW(DRAINING, "draining", 503, 14, true, "the server is shutting down, try again")             \
    ROW(DEADLINE, "deadline", 503, 4, true, "the deadline of the call has passed")                 \
    ROW(CLIENT_GONE, "client_gone", 499, 1, true, "the client went away")                          \
    ROW(BODY_STALLED, "body_stalled", 408, 1, true, "the body stopped arriving")                   \
    ROW(INTERNAL, "internal", 500, 13, false, "internal error")

enum outcome {
#define ROW(id, ...) OUTCOME_##id,
    OUTCOMES(ROW)
#undef ROW
        OUTCOME_COUNT
};

struct outcome_info {
    const char *reason;
    int http, grpc;
    bool retryable;
    const char *text;
};
extern const struct outcome_info outcome_info[OUTCOME_COUNT];

#endif
