/* Asking a running router's admin listener for /api/status. */
#ifndef CLI_ROUTER_API_H
#define CLI_ROUTER_API_H

#include "base/json_tree.h"
#include "tenancy/tenancy.h"

/* The answer as a tree (free by yajl_tree_free), or NULL with a sentence: a router that does not
 * run is nothing unusual. */
yajl_val router_api_status(const struct conf *conf, struct errbuf *err);
/* The element of a tenant, or NULL. */
yajl_val router_api_tenant(yajl_val status, const char *tenant);

/* What a tenant's requests came to, over all signals. */
struct router_refusal {
    const char *reason; /* borrowed from the tree */
    uint64_t requests, items;
};
#define ROUTER_MOST_REASONS 64
struct router_counts {
    uint64_t accepted_requests, accepted_items, refused_requests, refused_items;
    struct router_refusal refusals[ROUTER_MOST_REASONS];
    size_t n;
    struct router_refusal dry_run[ROUTER_MOST_REASONS]; /* would have been refused; requests only */
    size_t n_dry_run;
    double stalled_s; /* so long Kafka has not taken its records; 0 = it does */
};
void router_api_counts(yajl_val tenant, struct router_counts *ret);

#endif
