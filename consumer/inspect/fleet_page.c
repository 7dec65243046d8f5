/* What a look at the fleet found, as metrics. */
#include "consumer/inspect/fleet.h"

#include "base/clock.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>

struct fleet_lag fleet_lag(const struct fleet_unit *u, uint64_t now_ms)
{
    struct fleet_lag lag = {0, 0, 0};
    int64_t next = fleet_next(u);
    bool known = u->first_offset == next;
    if (next >= u->high || (known && u->first_ms < 0)) /* marks of transactions are no lag */
        return lag;
    lag.records = (uint64_t)(u->high - next);
    lag.bytes = u->seen_records > 0
                    ? (double)lag.records * (double)u->seen_bytes / (double)u->seen_records
                    : -1;
    if (!known)
        lag.seconds = -1;
    else if (now_ms > (uint64_t)u->first_ms)
        lag.seconds = (double)(now_ms - (uint64_t)u->first_ms) / 1000;
    return lag;
}

static void head(struct buf *out, const char *name, const char *kind, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

/* Of a tenant's signal: sums, and the worst time. */
struct sum {
    const struct fleet_unit *first;
    size_t n;
    struct fleet_lag lag;
    uint64_t produced, consumed;
};

/* The run of units of one tenant and signal that begins at `from`. */
static struct sum sum_from(const struct fleet *f, size_t from, uint64_t now_ms)
{
    struct sum sum = {.first = &f->units[from]};
    for (size_t i = from; i < f->n; i++) {
        const struct fleet_unit *u = &f->units[i];
        if (strcmp(u->tenant, sum.first->tenant) != 0 || u->signal != sum.first->signal)
            break;
        sum.n++;
        if (!u->measured)
            continue;
        struct fleet_lag lag = fleet_lag(u, now_ms);
        sum.lag.records += lag.records;
        sum.lag.bytes += lag.bytes > 0 ? lag.bytes : 0;
        sum.lag.seconds = lag.seconds > sum.lag.seconds ? lag.seconds : sum.lag.seconds;
        sum.produced += (uint64_t)u->high;
        sum.consumed += (uint64_t)fleet_next(u);
    }
    return sum;
}

static const char *signal_of(const struct fleet_unit *u)
{
    return signal_info[u->signal].name;
}

/* id, name, help, value of struct fleet_lag `lag` */
#define LAG_METRICS(ROW)                                                                           \
    ROW("tenantry_lag_records", "Records in Kafka that are not written.", (double)lag.records)     \
    ROW("tenantry_lag_bytes",                                                                      \
        "The same in bytes: records times the mean size of those looked at.", lag.bytes)           \
    ROW("tenantry_lag_seconds", "Age of the first of them.", lag.seconds)

static void lag_line(struct buf *out, const char *name, const struct fleet_unit *u,
                     const char *partition, double value)
{
    if (value >= 0)
        buf_printf(out, "%s{tenant=\"%s\",signal=\"%s\",partition=\"%s\"} %.17g\n", name, u->tenant,
                   signal_of(u), partition, value);
}

static void partitions_page(const struct fleet *f, uint64_t now_ms, struct buf *out)
{
#define ROW(name, help, value)                                                                     \
    head(out, name, "gauge", help);                                                                \
    for (size_t i = 0; i < f->n; i++) {                                                            \
        char partition[16];                                                                        \
        struct fleet_lag lag = fleet_lag(&f->units[i], now_ms);                                    \
        snprintf(partition, sizeof(partition), "%" PRId32, f->units[i].partition);                 \
        if (f->units[i].measured)                                                                  \
            lag_line(out, name, &f->units[i], partition, value);                                   \
    }
    LAG_METRICS(ROW)
#undef ROW
}

static void summed_page(const struct fleet *f, uint64_t now_ms, struct buf *out)
{
#define ROW(name, help, value)                                                                     \
    head(out, name, "gauge", help);                                                                \
    for (size_t i = 0; i < f->n;) {                                                                \
        struct sum sum = sum_from(f, i, now_ms);                                                   \
        struct fleet_lag lag = sum.lag;                                                            \
        lag_line(out, name, sum.first, "all", value);                                              \
        i += sum.n;                                                                                \
    }
    LAG_METRICS(ROW)
#undef ROW
}

/* Of topics.retention, as the tenant's file has it. */
static double retention_of(const struct snapshot *s, const char *tenant)
{
    const struct tenant *t = snapshot_tenant(s, slice_str(tenant));
    return t ? (double)t->conf->topics.retention / NS_PER_S : 0;
}

/* name, kind, help, value; per tenant and signal */
#define SIGNAL_METRICS(ROW)                                                                        \
    ROW("tenantry_lag_retention_ratio", "gauge",                                                   \
        "Age of the first record that is not written, of topics.retention: at 1 it expires.",      \
        retention > 0 ? sum.lag.seconds / retention : 0)                                           \
    ROW("tenantry_produced_records_total", "counter", "Sum of the ends of the topic's logs.",      \
        (double)sum.produced)                                                                      \
    ROW("tenantry_consumed_records_total", "counter", "Sum of where writing goes on in them.",     \
        (double)sum.consumed)

static void signals_page(const struct fleet *f, const struct snapshot *s, uint64_t now_ms,
                         struct buf *out)
{
#define ROW(name, kind, help, value)                                                               \
    head(out, name, kind, help);                                                                   \
    for (size_t i = 0; i < f->n;) {                                                                \
        struct sum sum = sum_from(f, i, now_ms);                                                   \
        double retention = retention_of(s, sum.first->tenant);                                     \
        (void)retention;                                                                           \
        buf_printf(out, "%s{tenant=\"%s\",signal=\"%s\"} %.17g\n", name, sum.first->tenant,        \
                   signal_of(sum.first), (double)(value));                                         \
        i += sum.n;                                                                                \
    }
    SIGNAL_METRICS(ROW)
#undef ROW
}

/* name, help, value; of the cluster */
#define CLUSTER_METRICS(ROW)                                                                       \
    ROW("tenantry_cluster_reachable", "1 when the cluster answered at the last look.",             \
        f->reachable)                                                                              \
    ROW("tenantry_cluster_brokers", "Brokers that the cluster tells of.", v->n_brokers)            \
    ROW("tenantry_cluster_brokers_gone",                                                           \
        "Brokers that hold copies of some partition and are not there.", v->n_gone)                \
    ROW("tenantry_cluster_leaderless_partitions",                                                  \
        "Partitions of tenants' topics without a "                                                 \
        "leader.",                                                                                 \
        v->ours.leaderless)                                                                        \
    ROW("tenantry_cluster_under_replicated_partitions",                                            \
        "Partitions of tenants' topics with copies that are not in step.",                         \
        v->ours.under_replicated)                                                                  \
    ROW("tenantry_cluster_missing_topics", "Topics of tenants that are not there.", v->missing)    \
    ROW("tenantry_cluster_looked_at_seconds", "Unix time of the last look that found all.",        \
        (double)f->looked_at_ms / 1000)

static void cluster_page(const struct fleet *f, struct buf *out)
{
    const struct cluster_view *v = &f->cluster;
#define ROW(name, help, value)                                                                     \
    head(out, name, "gauge", help);                                                                \
    buf_printf(out, "%s{cluster=\"%s\"} %.17g\n", name, v->id ? v->id : "", (double)(value));
    CLUSTER_METRICS(ROW)
#undef ROW
}

void fleet_page(const struct fleet *f, const struct snapshot *s, uint64_t now_ms, struct buf *out)
{
    cluster_page(f, out);
    if (f->n <= FLEET_MOST_UNITS)
        partitions_page(f, now_ms, out);
    else
        summed_page(f, now_ms, out);
    signals_page(f, s, now_ms, out);
}

/* ---- JSON ---- */

static void cluster_json(const struct fleet *f, struct buf *out)
{
    const struct cluster_view *v = &f->cluster;
    buf_append_str(out, ",\"cluster\":{\"id\":");
    json_string(out, slice_str(v->id ? v->id : ""));
    buf_printf(out,
               ",\"reachable\":%s,\"looked_at_ms\":%" PRIu64
               ",\"brokers\":%zu,\"brokers_gone\":%zu,\"leaderless_partitions\":%u,"
               "\"under_replicated_partitions\":%u,\"missing_topics\":%u}",
               f->reachable ? "true" : "false", f->looked_at_ms, v->n_brokers, v->n_gone,
               v->ours.leaderless, v->ours.under_replicated, v->missing);
}

static void signal_json(const struct sum *sum, double retention, struct buf *out)
{
    buf_printf(out,
               "\"%s\":{\"lag_records\":%" PRIu64
               ",\"lag_bytes\":%.0f,\"lag_seconds\":%.3f,\"retention_ratio\":%.6f,"
               "\"produced_records\":%" PRIu64 ",\"consumed_records\":%" PRIu64 "}",
               signal_of(sum->first), sum->lag.records, sum->lag.bytes, sum->lag.seconds,
               retention > 0 ? sum->lag.seconds / retention : 0, sum->produced, sum->consumed);
}

void fleet_json(const struct fleet *f, const struct snapshot *s, uint64_t now_ms, struct buf *out)
{
    const char *tenant = "";
    buf_printf(out, "{\"written_at_ms\":%" PRIu64, now_ms);
    cluster_json(f, out);
    buf_append_str(out, ",\"tenants\":{");
    for (size_t i = 0; i < f->n;) {
        struct sum sum = sum_from(f, i, now_ms);
        if (strcmp(tenant, sum.first->tenant) == 0)
            buf_append_byte(out, ',');
        else
            buf_printf(out, "%s\"%s\":{", i ? "}," : "", sum.first->tenant);
        tenant = sum.first->tenant;
        signal_json(&sum, retention_of(s, tenant), out);
        i += sum.n;
    }
    buf_append_str(out, f->n ? "}}}\n" : "}}\n");
}
