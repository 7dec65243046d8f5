/* What happens to a request between transport and Kafka. Order of work (DESIGN §4): headers → route
 * → authenticate → cheap limits, before the body is read; then body under its ceilings → decompress
 * → JSON to protobuf → scan → rate limits → produce → answer from the delivery report. See
 * request.h for the calls. Thread: the loop's. */
#ifndef ROUTER_ADMISSION_H
#define ROUTER_ADMISSION_H

#include "router/admission/request.h"

enum admission_step {
    ADMISSION_CONTINUE, /* feed the body */
    ADMISSION_ANSWERED, /* transport->answer was called; do not feed more */
};

/* All headers are in; kind, method, path, content_length are set. */
enum admission_step admission_headers(struct request *req);
/* `n` more body bytes are about to be appended to req->body by the transport. */
enum admission_step admission_data(struct request *req, size_t n);
/* The body is whole. The answer may come before this returns, or later. */
void admission_body(struct request *req);
/* The transport found the request broken: counts and answers with this outcome. */
void admission_refuse(struct request *req, enum outcome outcome, const char *message);
/* The client is gone (connection lost, RST_STREAM, our body timeout): nobody to answer. `why` is
 * OUTCOME_CLIENT_GONE or OUTCOME_BODY_STALLED. */
void admission_gone(struct request *req, enum outcome why);
/* Gives back all that the request holds: its body, the bytes it counted, its snapshot. For
 * request_unref at zero, nobody else. */
void admission_release(struct request *req);

#endif
