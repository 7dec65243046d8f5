/* Hands accepted payloads to Kafka: a small pool of librdkafka producers (acks=all); a tenant
 * always maps to the same one, unless Kafka does not take its records: then it uses the slow lane
 * (router/produce/standing.h). Payloads go by reference and stay with the caller until `done`.
 *
 * A record goes over the wire once, unless the broker says that it did not take it: what may be
 * stored is never produced again (docs/decisions/0014-each-record-once-on-the-wire.md). */
#ifndef ROUTER_PRODUCER_H
#define ROUTER_PRODUCER_H

#include "router/admission/outcome.h"
#include "router/produce/partitions.h"
#include "router/produce/standing.h"
#include "tenancy/tenancy.h"

#include <librdkafka/rdkafka.h>

struct producers;
struct sender;

/* Refusals of our own beside librdkafka's, which begin at RD_KAFKA_RESP_ERR__BEGIN. */
#define PRODUCER_OVER_SHARE ((rd_kafka_resp_err_t)(RD_KAFKA_RESP_ERR__BEGIN - 1))
#define PRODUCER_STALLED    ((rd_kafka_resp_err_t)(RD_KAFKA_RESP_ERR__BEGIN - 2))

/* Runs exactly once per accepted record, on a producer thread (never inside producer_send): post to
 * the owning loop, nothing else. `possibly_persisted`: Kafka may have it although it failed. */
typedef void producer_done_fn(void *arg, rd_kafka_resp_err_t error, bool possibly_persisted);

/* Kept by the caller, unchanged, from producer_send until `done`. */
struct producer_record {
    struct slice value;
    const struct tenant *tenant; /* read by producer_send only, like key_id */
    enum signal signal;
    struct slice key_id; /* public id of the ingestion key */
    uint64_t received_ns, items;
    uint8_t request_hash[16];
    unsigned part, parts; /* which of the request's records, from 1; parts 0 or 1: the only one */
    bool to_partition;    /* to this one, with this key; else to any, without a key */
    int32_t partition;
    struct slice key; /* empty = none; librdkafka copies it */
    producer_done_fn *done;
    void *arg;
    /* The pool's. */
    struct sender *sender;
    enum lane lane;
    uint64_t sent_ns;
};

/* `brokers` NULL = kafka.brokers. NULL with a sentence on failure. */
struct producers *producers_new(const struct conf *conf, const char *brokers, struct errbuf *err);
/* 0, or what went wrong at once (then `done` does not run): QUEUE_FULL, MSG_SIZE_TOO_LARGE,
 * PRODUCER_OVER_SHARE, ... Thread: any. */
rd_kafka_resp_err_t producer_send(struct producers *p, struct producer_record *r);
/* Several records of one tenant and signal, of one request: admitted together or not at all. How
 * many are on their way, from the first; fewer than `n` when something went wrong at once, which
 * *ret_error tells. Thread: any. */
size_t producer_send_all(struct producers *p, struct producer_record *const *records, size_t n,
                         rd_kafka_resp_err_t *ret_error);
/* The partitions of the topic of a tenant's signal, for who chooses among them; NULL when out of
 * memory. Known some time after the first call (producers_warm makes it). Thread: any. */
struct partitions *producer_partitions(struct producers *p, const struct tenant *t,
                                       enum signal signal);
/* What an error of producer_send or `done` means to the sender. */
enum outcome producer_outcome(rd_kafka_resp_err_t error);
/* What it says about the partition, and what the operator may do about it. */
enum standing_report producer_report(rd_kafka_resp_err_t error);
const char *producer_advice(rd_kafka_resp_err_t error);

/* How a tenant stands with Kafka. */
struct producer_standing {
    bool known;        /* it has sent since the start */
    bool slow;         /* Kafka does not take its records: it is in the slow lane ... */
    uint64_t since_ns; /* ... since then (monotonic) */
    bool ever_slow;
};
/* Thread: any. */
struct producer_standing producer_standing(struct producers *p, const char *tenant);
/* Fetches metadata of a tenant's topics ahead, so that the first request is not slow. Thread: any.
 */
void producers_warm(struct producers *p, const struct tenant *t);
/* Whether some broker is reachable, for readiness. Thread: any. */
bool producers_ready(struct producers *p);
/* Bytes waiting in all handles, for the metrics. Thread: any. */
uint64_t producers_queued_bytes(struct producers *p);
/* Waits until everything is reported, at most `timeout_ms`. 0 when nothing is left. */
int producers_flush(struct producers *p, int timeout_ms);
/* What is left is purged and reported as failed first; NULL is fine. */
void producers_free(struct producers *p);

#endif
