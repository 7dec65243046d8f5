/* What the far side said to one attempt, and what a sender must do about it (OTLP §OTLP/gRPC
 * Response, §OTLP/HTTP Response; otlp-conformance S1). Pure: headers and body come from the
 * transport. Thread: any. */
#ifndef CLI_SEND_ANSWER_H
#define CLI_SEND_ANSWER_H

#include "base/buf.h"

enum send_protocol { SEND_GRPC, SEND_HTTP };

enum send_outcome {
    SEND_ACKED,   /* taken, all or in part (`rejected`) */
    SEND_REFUSED, /* answered with an error */
    SEND_UNKNOWN, /* no answer: it may have been taken or not */
};

#define SEND_NO_GRPC_STATUS (-1)

struct send_answer {
    bool answered;     /* false: `message` says what happened to the connection */
    int http_status;   /* 0 = none came */
    int grpc_status;   /* SEND_NO_GRPC_STATUS = none */
    bool has_delay;    /* the far side told a delay */
    uint64_t delay_ns; /* by Retry-After or RetryInfo */
    uint64_t rejected; /* items, of partial_success */
    char message[256]; /* for people; "" = none */
    bool is_protobuf;  /* the media type of an HTTP body */
    bool is_grpc;      /* so says the media type */
};

void send_answer_init(struct send_answer *a);
/* One header or trailer field, or a status line (which starts over: after 100, 103). */
void send_answer_header(struct send_answer *a, struct slice line);
/* The transfer ended with a whole answer: reads the body and fills in what is still missing. */
void send_answer_body(struct send_answer *a, enum send_protocol protocol, struct slice body);
/* The transfer ended without one. */
void send_answer_none(struct send_answer *a, const char *why);

enum send_outcome send_answer_outcome(const struct send_answer *a);
/* Whether the request is to be sent again. */
bool send_answer_may_retry(const struct send_answer *a);
/* "acked", "refused", "unknown". */
const char *send_outcome_name(enum send_outcome outcome);

#endif
