/* How far all tenants are behind, asked of Kafka alone: the ends of the logs, the groups' commits,
 * and the timestamp of the first record behind a commit. Right whichever machine the workers run
 * on, and while they or the databases are down. A commit follows its write, so it is a moment late.
 *
 * Cost of a look: metadata, two questions of offsets to each broker, one of commits for each
 * tenant, and one small fetch for each partition that is behind and moved since the last look. */
#ifndef CONSUMER_FLEET_H
#define CONSUMER_FLEET_H

#include "tenancy/cluster.h"

#define FLEET_MOST_UNITS 20000 /* above that the page sums partitions up */

struct fleet_unit {
    const char *tenant, *topic;
    enum signal signal;
    int32_t partition;
    bool measured; /* the following were told, now or at an earlier look: */
    int64_t low, high;
    int64_t committed;    /* where writing goes on; -1 = nothing was written or committed */
    bool placed;          /* that was told at the last look */
    int64_t first_offset; /* where the following holds; -1 = nowhere */
    int64_t first_ms;     /* time of the record there; -1 = there is none up to the log's end */
    uint64_t seen_records, seen_bytes; /* what was fetched for that, of all looks */
};

struct fleet {
    struct arena arena;       /* owns the names */
    struct fleet_unit *units; /* by tenant, signal, partition */
    size_t n;
    struct cluster_view cluster;
    bool reachable;        /* at the last look */
    uint64_t looked_at_ms; /* when all was measured last; 0 = never */
};

struct fleet_lag {
    uint64_t records;
    double bytes, seconds; /* negative = not known */
};

struct fleet_client;

/* Connects in the background. NULL with a sentence. */
struct fleet_client *fleet_open(const struct conf *conf, const char *brokers, struct errbuf *err);
/* Finds where writing goes on, and tells it by fleet_position. */
typedef void fleet_positions_fn(void *arg, const struct snapshot *s, struct fleet *f);

/* One look at all tenants of the snapshot. What cannot be had now stays as it was. 0, or a negative
 * errno with a sentence. Blocks for some seconds when brokers do not answer. */
int fleet_look(struct fleet_client *c, const struct snapshot *s, struct fleet *f,
               fleet_positions_fn *positions, void *arg, struct errbuf *err);
void fleet_close(struct fleet_client *c); /* NULL is fine */
void fleet_release(struct fleet *f);

/* The pure parts. The units of a tenant, one after the other; NULL = no more. */
struct fleet_unit *fleet_first(struct fleet *f, const char *tenant);
struct fleet_unit *fleet_after(struct fleet *f, const struct fleet_unit *u);
/* The next offset to write; -1 = none was written or committed. Of several in one look the highest.
 */
void fleet_position(struct fleet *f, const struct tenant *t, enum signal signal, int32_t partition,
                    int64_t next);
int64_t fleet_next(const struct fleet_unit *u);
struct fleet_lag fleet_lag(const struct fleet_unit *u, uint64_t now_ms);
/* As Prometheus text. */
void fleet_page(const struct fleet *f, const struct snapshot *s, uint64_t now_ms, struct buf *out);
/* The same per tenant and signal as JSON, for the router's /api/status. */
void fleet_json(const struct fleet *f, const struct snapshot *s, uint64_t now_ms, struct buf *out);

#endif
