/* Requests of librdkafka's admin client, one at a time: sent, waited for, and their errors as
 * sentences that say what to do. Blocking; one thread. */
#ifndef TENANCY_TOPICS_ADMIN_H
#define TENANCY_TOPICS_ADMIN_H

#include "base/errbuf.h"
#include "tenancy/conf.h"

#include <librdkafka/rdkafka.h>

struct topic_admin {
    rd_kafka_t *rk; /* borrowed */
    int timeout_ms; /* of each request */
};

/* A client for admin requests whose own problems become sentences instead of log lines; waits until
 * a broker answers. Caller owns it. NULL with a sentence. */
rd_kafka_t *topic_admin_connect(const struct conf *conf, const char *brokers, int timeout_ms,
                                struct errbuf *err);

/* A request under way: its options and the queue of its answer. */
struct admin_call {
    rd_kafka_AdminOptions_t *options;
    rd_kafka_queue_t *queue;
};
struct admin_call admin_begin(const struct topic_admin *a, rd_kafka_admin_op_t op);
/* The answer of the request that was sent with the call's options and queue, which are freed. The
 * event owns what its results point to. NULL with a sentence when there is none; `what` is what the
 * brokers did not do: "made no topics". */
rd_kafka_event_t *admin_end(const struct topic_admin *a, struct admin_call *call, const char *what,
                            struct errbuf *err);

/* The broker's reason and what to do about it, in `out`. `text` may be NULL. */
void admin_reason(rd_kafka_resp_err_t e, const char *text, char *out, size_t size);

#endif
