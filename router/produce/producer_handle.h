/* One librdkafka producer with its thread: the thread polls for delivery reports and ends the
 * producer after the last one. */
#ifndef ROUTER_PRODUCER_HANDLE_H
#define ROUTER_PRODUCER_HANDLE_H

#include "base/errbuf.h"
#include "router/produce/producer.h"
#include "tenancy/kafka_producer.h"

struct handle;

/* A record is reported; it runs the record's `done`. Thread: the handle's. */
typedef void handle_report_fn(void *arg, struct producer_record *r, const char *topic,
                              const struct kafka_delivery *d);
/* `conf` is a template and stays the caller's. NULL with a sentence on failure. */
struct handle *handle_start(const rd_kafka_conf_t *conf, const struct kafka_login *login,
                            handle_report_fn *report, void *arg, struct errbuf *err);
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
/* From now on the thread only collects the reports: what is still there fails at once. Nobody sends
 * any more. Thread: any. */
void handle_stop(struct handle *h);
/* Joins the thread of a stopped handle and frees it; NULL is fine. */
void handle_free(struct handle *h);

#endif
