/* What the router counts. Every request is counted once, when it is answered or its client is gone,
 * by tenant, signal and outcome; a request whose tenant or signal is not known (yet) has an empty
 * label. Bytes are those of the payload: decompressed if it came to that, else as received.
 * Thread: any. Locks: none, but for the first request of a tenant, signal and outcome. */
#ifndef ROUTER_METRICS_H
#define ROUTER_METRICS_H

#include "base/buf.h"
#include "otlp/defect.h"
#include "router/admission/outcome.h"
#include "tenancy/tenancy.h"

struct router;
struct router_metrics;

struct router_metrics *router_metrics_new(void); /* NULL when out of memory */
/* Nobody counts any more; NULL is fine. */
void router_metrics_free(struct router_metrics *m);

struct request_counts {
    enum outcome outcome;
    uint64_t items, bytes;
};
/* One request has ended. `rt` may be NULL, `signal` SIGNAL_COUNT: unknown. */
void router_count_request(struct router_metrics *m, struct tenant_runtime *rt, enum signal signal,
                          const struct request_counts *c);
/* Items that Kafka has or may have although their sender was not told success. */
void router_count_possible_duplicates(struct router_metrics *m, struct tenant_runtime *rt,
                                      enum signal signal, uint64_t items);
/* A request was slowed down by a limit instead of refused. */
void router_count_waited(struct router_metrics *m, struct tenant_runtime *rt, enum signal signal);
/* Items were left out of an accepted request, by what is wrong with them. */
void router_count_rejected(struct router_metrics *m, struct tenant_runtime *rt, enum signal signal,
                           const uint64_t by_defect[DEFECT_COUNT]);
/* limits.dry_run: this request would have been refused. */
void router_count_dry_run(struct router_metrics *m, struct tenant_runtime *rt, enum signal signal,
                          enum outcome outcome);
/* A key was refused, for this reason. */
void router_count_auth(enum auth_verdict verdict);
/* A delivery report came `ns` after its record was handed over. */
void router_observe_ack(struct router_metrics *m, struct tenant_runtime *rt, enum signal signal,
                        uint64_t ns);

/* Series of tenants that were removed router.metrics_keep ago are no longer shown; one that comes
 * back counts from 0. Looks once a second at most. Thread: one at a time. */
void router_metrics_forget(struct router_metrics *m, const struct snapshot *s, uint64_t now_ns);

/* Sets the gauges that are read off the router's state when someone looks. */
void router_metrics_sample(struct router *r, const struct snapshot *s);
/* The counts of one tenant (NULL: of requests without one) by signal, as a JSON object:
 * {"traces":{"accepted":{"requests":1,"items":2,"bytes":3},"refused":{"bad_key":{...}},...},...}
 * What was never counted is left out. */
void router_metrics_json(struct router_metrics *m, struct tenant_runtime *rt, struct buf *out);

#endif
