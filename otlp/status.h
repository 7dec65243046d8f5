/* Response messages: Export<Signal>ServiceResponse, google.rpc.Status with RetryInfo or BadRequest,
 * in binary and in JSON. The cold path: built with protobuf-c. Thread: any. */
#ifndef OTLP_STATUS_H
#define OTLP_STATUS_H

#include "base/buf.h"
#include "otlp/signal.h"

struct status {
    int code;                /* gRPC code */
    const char *message;     /* for developers (R120) */
    uint64_t retry_delay_ns; /* > 0: a google.rpc.RetryInfo detail (R202, R206) */
    const char *bad_field;   /* not NULL: a google.rpc.BadRequest detail naming it (R124) */
};

/* Appends the serialized google.rpc.Status. */
void status_encode(struct buf *out, const struct status *s);
/* Appends the serialized google.rpc.RetryInfo alone, for google.rpc.retryinfo-bin (R205). */
void status_encode_retry_info(struct buf *out, uint64_t retry_delay_ns);
/* The JSON form (R258). */
void status_json(struct buf *out, const struct status *s);

/* Export<Signal>ServiceResponse; nothing is appended for full success in binary (an empty message),
 * "{}" in JSON. */
void response_encode(struct buf *out, enum signal signal, uint64_t rejected, const char *message);
void response_json(struct buf *out, enum signal signal, uint64_t rejected, const char *message);

#endif
