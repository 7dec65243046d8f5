/* What a worker tells the outside, written each consumer.status_interval to <state>/run/:
 * consumer-<tenant>.json for `tenantry status` and consumer-<tenant>.prom for /metrics; a further
 * worker of the tenant, told apart by --instance, has consumer-<tenant>@<instance>.json. */
#ifndef CONSUMER_WORKER_STATUS_H
#define CONSUMER_WORKER_STATUS_H

#include "consumer/flow.h"
#include "consumer/session.h"
#include "consumer/writer.h"

/* What the worker is doing: one row each. */
#define WORKER_STATES(ROW)                                                                         \
    ROW(STARTING, "starting")                                                                      \
    ROW(WAITING_FOR_KAFKA, "waiting_for_kafka")                                                    \
    ROW(WAITING_FOR_PARTITIONS, "waiting_for_partitions")                                          \
    ROW(RUNNING, "running")                                                                        \
    ROW(RETRYING, "retrying")                                                                      \
    ROW(PARKED, "parked")                                                                          \
    ROW(STOPPING, "stopping")

enum worker_state {
#define ROW(id, ...) WORKER_##id,
    WORKER_STATES(ROW)
#undef ROW
        WORKER_STATE_COUNT
};
extern const char *const worker_state_name[WORKER_STATE_COUNT];

struct worker_report {
    const char *tenant, *instance;
    enum worker_state state;
    const char *reason;       /* a sentence, or "" */
    uint64_t batches, memory; /* written since start; bytes held by batches now */
    const struct session *session;
    const struct writer_view *writer;
    const struct flow *flow;
};

/* 0, or a negative errno with a sentence. */
int worker_status_write(const char *state_folder, const struct worker_report *r,
                        struct errbuf *err);
/* Removes the files (the worker stopped in order). */
void worker_status_remove(const char *state_folder, const char *tenant, const char *instance);

#endif
