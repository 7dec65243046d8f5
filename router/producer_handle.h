/* One librdkafka producer with its thread: the thread polls for delivery reports, notices a fatal
 * error, and ends the producer after its last report. */
#ifndef ROUTER_PRODUCER_HANDLE_H
#define ROUTER_PRODUCER_HANDLE_H

#include "base/errbuf.h"
#include "router/producer.h"

struct handle;

/* `conf` is a template and stays the caller's. `on_fatal` is called once, on the handle's thread,
 * when its producer can do no more (idempotence is broken): whoever uses the handle has to have
 * stopped when it returns true; false = try again later. NULL with a sentence on failure. */
typedef bool handle_fatal_fn(void *arg, struct handle *h);
struct handle *handle_start(const rd_kafka_conf_t *conf, handle_fatal_fn *on_fatal, void *arg,
                            struct errbuf *err);
/* The topic object of that name if it was used or warmed before, else NULL. It belongs to the
 * handle. Thread: any, while nobody is in handle_add_topic. */
rd_kafka_topic_t *handle_topic(const struct handle *h, const char *name);
/* The same, made when missing: asks the brokers for its leaders at once and does not wait. NULL
 * when librdkafka refuses the name. Thread: any, one at a time and nobody in handle_topic. */
rd_kafka_topic_t *handle_add_topic(struct handle *h, const char *name);
/* Sends to a topic of this handle; as producer_send. */
rd_kafka_resp_err_t handle_send(struct handle *h, rd_kafka_topic_t *rkt, struct producer_record *r);
/* Records whose `done` has not returned yet, and the bytes of their values. Thread: any. */
struct handle_load {
    uint64_t records, bytes;
};
struct handle_load handle_load(const struct handle *h);
/* From now on the thread only collects the reports of what was sent: what is still queued fails at
 * once, what is on the wire gets `grace_ms` to be answered and then fails as possibly persisted.
 * Nobody sends any more. May be called again with a shorter grace. Thread: any. */
void handle_retire(struct handle *h, int grace_ms);
/* Whether its thread has ended, so that handle_free does not wait. Thread: any. */
bool handle_ended(const struct handle *h);
/* Joins the thread of a retired handle and frees it; NULL is fine. */
void handle_free(struct handle *h);

#endif
