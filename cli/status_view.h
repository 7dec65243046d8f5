/* The facts of `tenantry status` about one tenant, and how they are shown. */
#ifndef CLI_STATUS_VIEW_H
#define CLI_STATUS_VIEW_H

#include "cli/listing.h"
#include "cli/ops.h"
#include "cli/router_api.h"
#include "consumer/inspect/lag.h"

struct status_tenant {
    const struct tenant *t;
    bool routed; /* the router told of it: */
    struct router_counts router;
    bool measured; /* Kafka answered: */
    struct lag lag;
    struct errbuf kafka_problem;
    uint64_t in_kafka; /* records that the topics hold, written or not */
    bool read;         /* the database could be read, or is not there yet: */
    uint64_t written[SIGNAL_COUNT], dlq_records, lost_records;
    struct run_workers workers;
    double patience_s;                 /* a worker that runs tells of itself more often */
    const struct run_process *process; /* the supervisor's row, NULL = none */
};

struct status {
    const struct ops *o;
    struct status_tenant *tenants;
    size_t n;
    struct errbuf router_problem; /* "" = it answered */
    struct errbuf kafka_problem;  /* "" = it answered when it was asked first */
};

/* "running", "dead", "not running", ... */
const char *status_state(const struct status_tenant *s);
/* Why it is in that state, or "". */
const char *status_reason(const struct status_tenant *s, char *out, size_t size);
uint64_t status_written(const struct status_tenant *s);
void status_view_text(const struct status *s, bool detailed, struct buf *out);
void status_view_json(const struct status *s, struct buf *out);

#endif
