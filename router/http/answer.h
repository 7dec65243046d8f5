/* An answer as a response: status, headers, body, trailers, for either protocol, from the row of
 * its outcome (outcome.h). The transports only write it down. Pure function. */
#ifndef ROUTER_ANSWER_H
#define ROUTER_ANSWER_H

#include "router/admission/request.h"

#define RESPONSE_MAX_HEADERS 20

struct response {
    int status;
    struct header headers[RESPONSE_MAX_HEADERS]; /* values live in the request's arena */
    size_t n_headers;
    struct buf body;   /* what is sent as the body; for gRPC the framed message; to be released */
    bool grpc_ok;      /* a trailer block `grpc-status: 0` follows the body (R180) */
    bool without_body; /* the answer to HEAD: Content-Length is told, nothing is sent (R63) */
};

/* `date` is the value of the Date header. 0, or -ENOMEM with nothing to release. */
int response_build(struct request *req, const struct answer *a, const char *date,
                   struct response *ret);

#endif
