/* The contract between the router and the consumer: what one Kafka record is (DESIGN §5). Nothing
 * else is shared between the two halves.
 *
 * Value: the bytes of one Export<Signal>ServiceRequest (any Kafka consumer that knows otlp_proto
 * reads it). Headers (names below; numbers as decimal text): */
#ifndef OTLP_RECORD_H
#define OTLP_RECORD_H

#include "otlp/signal.h"

#define RECORD_VERSION 1

#define RECORD_H_VERSION  "tenantry.v"           /* major version; a worker parks on a higher one */
#define RECORD_H_TENANT   "tenantry.tenant"      /* tenant id, bound at authentication */
#define RECORD_H_KEY      "tenantry.key"         /* public id of the ingestion key */
#define RECORD_H_RECEIVED "tenantry.received_ns" /* wall clock at the router, ns since 1970 */
#define RECORD_H_ITEMS    "tenantry.items"       /* items in the value, counted by the scanner */
/* 128-bit hash of the request body as protobuf, 32 hex digits: the same in all records of one
 * request. */
#define RECORD_H_REQUEST "tenantry.request"
#define RECORD_H_PART    "tenantry.part" /* "2/7": the second of seven; absent when there is one */
#define RECORD_H_NAME                                                                              \
    "tenantry.record"      /* no other record has it; a repetition of this one in Kafka does */
#define RECORD_NAME_MAX 64 /* a longer one is ignored */

/* Headers of a dead letter, beside Kafka Connect's __connect.errors.* ones. */
#define DLQ_H_ORIGIN       "tenantry.origin" /* source:partition:offset:item ("-" = whole record) */
#define DLQ_H_ERROR_CLASS  "tenantry.error.class"     /* decode | ceiling | data */
#define DLQ_H_ERROR_CODE   "tenantry.error.code"      /* stable short name, e.g. malformed */
#define DLQ_H_FAILED_AT    "tenantry.first_failed_at" /* wall clock ns */
#define DLQ_H_ATTEMPTS     "tenantry.attempts"
#define DLQ_H_TOPIC        "__connect.errors.topic" /* where the record stood */
#define DLQ_H_ERROR_TEXT   "__connect.errors.exception.message"
#define DLQ_H_OMITTED      "tenantry.omitted" /* bytes of the value, which the DLQ would not take */
#define DLQ_H_REPLAY_COUNT "tenantry.replay.count"

struct record_headers {
    unsigned version;    /* 0 = header absent: a foreign record */
    struct slice tenant; /* empty = absent */
    struct slice key;
    uint64_t received_ns; /* 0 = absent */
    uint64_t items;
    bool has_items;
    struct slice request, name;
};

/* Fills one header into `h`; unknown names and malformed numbers are ignored (foreign writers). */
void record_header_read(struct record_headers *h, const char *name, struct slice value);
/* Whether the value is OTLP/JSON instead of protobuf. Ours never is; one of another program (the
 * Collector's kafkaexporter with encoding otlp_json) is known by its first byte: no request in
 * protobuf begins with '{', which would open a group of field 15. */
bool record_is_json(const struct record_headers *h, struct slice value);
/* A header's decimal number; false when it is none. */
bool record_number(struct slice text, uint64_t *ret);

#endif
