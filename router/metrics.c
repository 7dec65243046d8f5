/* A tenant's series are looked up in the registry once and then kept as pointers beside its
 * runtime, so that counting costs a load and an add. */
#include "router/metrics.h"

#include "base/clock.h"
#include "router/router.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* id, name, kind, help; labels tenant, signal */
#define TENANT_METRICS(ROW)                                                                        \
    ROW(POSSIBLE_DUPLICATES, "tenantry_possible_duplicates_total", METRIC_COUNTER,                 \
        "Items that Kafka has or may have although their sender was not told success.")            \
    ROW(WAITED, "tenantry_requests_waited_total", METRIC_COUNTER,                                  \
        "Requests that were slowed down by a limit instead of refused.")                           \
    ROW(ACK_SECONDS, "tenantry_produce_ack_seconds", METRIC_HISTOGRAM,                             \
        "Time from handing a record to the Kafka client to its delivery report.")

/* id, name, help, field of struct request_counts; labels tenant, signal, outcome */
#define OUTCOME_METRICS(ROW)                                                                       \
    ROW(REQUESTS, "tenantry_requests_total", "Requests by how they ended.", requests)              \
    ROW(ITEMS, "tenantry_items_total",                                                             \
        "Spans, data points and log records of requests by how they ended; unknown (0) when "      \
        "refused before the body was read.",                                                       \
        items)                                                                                     \
    ROW(BYTES, "tenantry_bytes_total",                                                             \
        "Payload bytes of requests by how they ended: decompressed, or as received when it did "   \
        "not come to that.",                                                                       \
        bytes)

enum tenant_metric {
#define ROW(id, ...) TENANT_##id,
    TENANT_METRICS(ROW)
#undef ROW
        TENANT_METRIC_COUNT
};
enum counted {
#define ROW(id, ...) COUNTED_##id,
    OUTCOME_METRICS(ROW)
#undef ROW
        COUNTED_COUNT
};

static const struct metric tenant_rows[TENANT_METRIC_COUNT] = {
#define ROW(id, name, kind, help) {name, kind, help, {"tenant", "signal", NULL}},
    TENANT_METRICS(ROW)
#undef ROW
};
static const struct metric outcome_rows[COUNTED_COUNT] = {
#define ROW(id, name, help, field)                                                                 \
    {name, METRIC_COUNTER, help, {"tenant", "signal", "outcome", NULL}},
    OUTCOME_METRICS(ROW)
#undef ROW
};
static const char *const outcome_fields[COUNTED_COUNT] = {
#define ROW(id, name, help, field) #field,
    OUTCOME_METRICS(ROW)
#undef ROW
};

typedef _Atomic(struct metric_series *) series_slot; /* NULL until first used */

struct tenant_metrics {
    const char *id;            /* the runtime's */
    struct tenant_runtime *rt; /* points back here */
    struct tenant_metrics *next;
    uint64_t gone_since_ns; /* router_metrics_forget's: 0 = the tenant is there */
    bool forgotten;
    /* [SIGNAL_COUNT]: the signal is not known */
    series_slot plain[SIGNAL_COUNT + 1][TENANT_METRIC_COUNT];
    series_slot outcomes[SIGNAL_COUNT + 1][OUTCOME_COUNT][COUNTED_COUNT];
    series_slot rejected[SIGNAL_COUNT][DEFECT_COUNT];
    series_slot dry_run[SIGNAL_COUNT][OUTCOME_COUNT];
};

struct router_metrics {
    struct tenant_metrics nobody; /* requests without a tenant */
    pthread_mutex_t lock;         /* making a tenant's, and the list of them */
    struct tenant_metrics *all;
    uint64_t look_due_ns; /* router_metrics_forget's */
};

struct router_metrics *router_metrics_new(void)
{
    struct router_metrics *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return NULL;
    m->nobody.id = "";
    pthread_mutex_init(&m->lock, NULL);
    return m;
}

void router_metrics_free(struct router_metrics *m)
{
    if (m == NULL)
        return;
    for (struct tenant_metrics *t = m->all, *next; t != NULL; t = next) {
        next = t->next;
        atomic_store(&t->rt->metrics, NULL);
        free(t);
    }
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* Locks: held. NULL when out of memory. */
static struct tenant_metrics *make_tenant(struct router_metrics *m, struct tenant_runtime *rt)
{
    struct tenant_metrics *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->id = rt->id;
    t->rt = rt;
    t->next = m->all;
    m->all = t;
    atomic_store(&rt->metrics, t);
    return t;
}

/* Without memory for a tenant's own, it is counted as nobody's. */
static struct tenant_metrics *metrics_of(struct router_metrics *m, struct tenant_runtime *rt)
{
    if (rt == NULL)
        return &m->nobody;
    struct tenant_metrics *t = atomic_load_explicit(&rt->metrics, memory_order_acquire);
    if (t != NULL)
        return t;
    pthread_mutex_lock(&m->lock);
    t = atomic_load(&rt->metrics);
    if (t == NULL)
        t = make_tenant(m, rt);
    pthread_mutex_unlock(&m->lock);
    return t ? t : &m->nobody;
}

static const char *signal_label(enum signal signal)
{
    return signal < SIGNAL_COUNT ? signal_info[signal].name : "";
}

/* `last`: the value of the third label, NULL in a row without one. */
static struct metric_series *series_of(series_slot *slot, const struct metric *row,
                                       const struct tenant_metrics *t, enum signal signal,
                                       const char *last)
{
    struct metric_series *s = atomic_load_explicit(slot, memory_order_acquire);
    if (s == NULL) {
        s = metric_series(row, (const char *const[]){t->id, signal_label(signal), last});
        atomic_store_explicit(slot, s, memory_order_release);
    }
    return s;
}

static struct metric_series *plain_series(struct router_metrics *m, struct tenant_runtime *rt,
                                          enum signal signal, enum tenant_metric which)
{
    struct tenant_metrics *t = metrics_of(m, rt);
    return series_of(&t->plain[signal][which], &tenant_rows[which], t, signal, NULL);
}

/* --- counting ------------------------------------------------------------------------------ */

void router_count_request(struct router_metrics *m, struct tenant_runtime *rt, enum signal signal,
                          const struct request_counts *c)
{
    const uint64_t counts[COUNTED_COUNT] = {
        [COUNTED_REQUESTS] = 1, [COUNTED_ITEMS] = c->items, [COUNTED_BYTES] = c->bytes};
    struct tenant_metrics *t = metrics_of(m, rt);
    for (int i = 0; i < COUNTED_COUNT; i++)
        metric_add(series_of(&t->outcomes[signal][c->outcome][i], &outcome_rows[i], t, signal,
                             outcome_info[c->outcome].reason),
                   counts[i]);
}

void router_count_possible_duplicates(struct router_metrics *m, struct tenant_runtime *rt,
                                      enum signal signal, uint64_t items)
{
    metric_add(plain_series(m, rt, signal, TENANT_POSSIBLE_DUPLICATES), items);
}

void router_count_waited(struct router_metrics *m, struct tenant_runtime *rt, enum signal signal)
{
    metric_add(plain_series(m, rt, signal, TENANT_WAITED), 1);
}

void router_count_rejected(struct router_metrics *m, struct tenant_runtime *rt, enum signal signal,
                           const uint64_t by_defect[DEFECT_COUNT])
{
    static const struct metric row = {
        "tenantry_items_rejected_total",
        METRIC_COUNTER,
        "Items left out of accepted requests, by what is wrong with them.",
        {"tenant", "signal", "reason", NULL}};
    struct tenant_metrics *t = metrics_of(m, rt);
    for (int i = 0; i < DEFECT_COUNT; i++)
        if (by_defect[i] != 0)
            metric_add(series_of(&t->rejected[signal][i], &row, t, signal, defect_info[i].reason),
                       by_defect[i]);
}

void router_count_dry_run(struct router_metrics *m, struct tenant_runtime *rt, enum signal signal,
                          enum outcome outcome)
{
    static const struct metric row = {
        "tenantry_limits_dry_run_total",
        METRIC_COUNTER,
        "Requests that a limit would have refused, were it not for limits.dry_run.",
        {"tenant", "signal", "outcome", NULL}};
    struct tenant_metrics *t = metrics_of(m, rt);
    metric_add(
        series_of(&t->dry_run[signal][outcome], &row, t, signal, outcome_info[outcome].reason), 1);
}

void router_observe_ack(struct router_metrics *m, struct tenant_runtime *rt, enum signal signal,
                        uint64_t ns)
{
    metric_observe(plain_series(m, rt, signal, TENANT_ACK_SECONDS), (double)ns / NS_PER_S);
}

void router_count_auth(enum auth_verdict verdict)
{
    static const struct metric row = {
        "tenantry_auth_failures_total",
        METRIC_COUNTER,
        "Requests refused for their key, by the true reason, which senders do "
        "not see.",
        {"reason", NULL}};
    static const char *const reasons[AUTH_VERDICT_COUNT] = {
        [AUTH_OK] = "",
        [AUTH_NOT_A_KEY] = "not_a_key",
        [AUTH_CHECKSUM] = "checksum",
        [AUTH_UNKNOWN] = "unknown",
        [AUTH_UNREADABLE] = "unreadable",
        [AUTH_SECRET] = "secret",
        [AUTH_REVOKED] = "revoked",
        [AUTH_EXPIRED] = "expired",
        [AUTH_MISSING] = "missing",
        [AUTH_SEVERAL] = "several",
        [AUTH_SIGNAL] = "signal",
        [AUTH_CERTIFICATE] = "certificate",
    };
    static series_slot slots[AUTH_VERDICT_COUNT];
    struct metric_series *s = atomic_load(&slots[verdict]);
    if (s == NULL) {
        s = metric_series(&row, &reasons[verdict]);
        atomic_store(&slots[verdict], s);
    }
    metric_add(s, 1);
}

/* --- forgetting ---------------------------------------------------------------------------- */

#define LOOK_NS NS_PER_S

/* Whoever counts at this moment adds to a series that is not shown any more; the next one asks for
 * it anew. */
static void forget(struct tenant_metrics *t)
{
    series_slot *const slots[] = {t->plain[0], t->outcomes[0][0], t->rejected[0], t->dry_run[0]};
    const size_t sizes[] = {sizeof(t->plain), sizeof(t->outcomes), sizeof(t->rejected),
                            sizeof(t->dry_run)};
    for (size_t k = 0; k < sizeof(slots) / sizeof(slots[0]); k++)
        for (size_t i = 0; i < sizes[k] / sizeof(series_slot); i++)
            atomic_store(&slots[k][i], NULL);
    metrics_forget("tenant", t->id);
}

void router_metrics_forget(struct router_metrics *m, const struct snapshot *s, uint64_t now_ns)
{
    if (now_ns < m->look_due_ns)
        return;
    m->look_due_ns = now_ns + LOOK_NS;
    pthread_mutex_lock(&m->lock);
    struct tenant_metrics *t = m->all;
    pthread_mutex_unlock(&m->lock);
    for (; t != NULL; t = t->next) { /* grows at its head only */
        bool there = snapshot_tenant(s, slice_str(t->id)) != NULL;
        if (there) {
            t->gone_since_ns = 0;
            t->forgotten = false;
        } else if (t->gone_since_ns == 0) {
            t->gone_since_ns = now_ns;
        } else if (!t->forgotten && now_ns - t->gone_since_ns >= s->conf->router.metrics_keep) {
            t->forgotten = true;
            forget(t);
        }
    }
}

/* --- reading ------------------------------------------------------------------------------- */

/* id, name, help, value */
#define GAUGES(ROW)                                                                                \
    ROW("tenantry_connections", "Ingest connections that are open.", atomic_load(&r->connections)) \
    ROW("tenantry_buffered_bytes", "Bytes of request bodies held, against router.max_buffered.",   \
        atomic_load(&r->buffered))                                                                 \
    ROW("tenantry_producer_queued_bytes",                                                          \
        "Bytes handed to the Kafka client and not reported yet.",                                  \
        producers_queued_bytes(r->producers))                                                      \
    ROW("tenantry_kafka_up", "1 when a Kafka broker is reachable.", producers_ready(r->producers)) \
    ROW("tenantry_draining", "1 while the router is shutting down.", atomic_load(&r->leaving))     \
    ROW("tenantry_tenants", "Tenants of the config in use.", s->n_tenants)                         \
    ROW("tenantry_config_version", "Grows by 1 with every config taken into use.", s->version)     \
    ROW("tenantry_config_refused", "1 while a changed file is not in use because it is wrong.",    \
        atomic_load(&r->config_refused))                                                           \
    ROW("tenantry_certificate_refused", "1 while a changed certificate or key is not in use.",     \
        atomic_load(&r->certificate_refused))                                                      \
    ROW("tenantry_certificate_expires_seconds",                                                    \
        "Unix time at which the first certificate in use expires; 0 without TLS.",                 \
        atomic_load(&r->certificate_expires_s))

void router_metrics_sample(struct router *r, const struct snapshot *s)
{
#define ROW(name, help, value)                                                                     \
    {                                                                                              \
        static const struct metric row = {name, METRIC_GAUGE, help, {NULL}};                       \
        metric_set(metric_series(&row, NULL), (double)(value));                                    \
    }
    GAUGES(ROW)
#undef ROW
    static const struct metric in_flight = {
        "tenantry_in_flight_bytes",
        METRIC_GAUGE,
        "Bytes of a tenant's requests under way, against limits.in_flight.",
        {"tenant", NULL}};
    static const struct metric today = {"tenantry_today_bytes",
                                        METRIC_GAUGE,
                                        "Bytes of a tenant since 00:00 UTC, against limits.daily.",
                                        {"tenant", NULL}};
    static const struct metric slow = {
        "tenantry_produce_slow_lane",
        METRIC_GAUGE,
        "1 while Kafka does not take this tenant's records; tenants it always took are left out.",
        {"tenant", NULL}};
    const uint64_t day = day_of(clock_wall_ns());
    for (size_t i = 0; i < s->n_tenants; i++) {
        struct tenant_runtime *rt = s->tenants[i].runtime;
        uint64_t used = day_count_read(&rt->limits[SIGNAL_COUNT].today, day);
        if (atomic_load(&rt->metrics) == NULL && used == 0)
            continue;               /* nothing of it to tell: most of thousands of tenants */
        metrics_of(r->metrics, rt); /* so that it is forgotten one day */
        struct producer_standing standing = producer_standing(r->producers, s->tenants[i].id);
        if (standing.ever_slow)
            metric_set(metric_series(&slow, &s->tenants[i].id), standing.slow);
        metric_set(metric_series(&in_flight, &s->tenants[i].id),
                   (double)atomic_load(&rt->in_flight));
        metric_set(metric_series(&today, &s->tenants[i].id), (double)used);
    }
}

static uint64_t read_slot(series_slot *slot)
{
    struct metric_series *s = atomic_load(slot);
    return s ? metric_read(s) : 0;
}

static void write_counts(series_slot *slots, struct buf *out)
{
    for (int i = 0; i < COUNTED_COUNT; i++)
        buf_printf(out, "%s\"%s\":%llu", i ? "," : "{", outcome_fields[i],
                   (unsigned long long)read_slot(&slots[i]));
    buf_append_byte(out, '}');
}

static bool was_counted(const struct tenant_metrics *t, int signal)
{
    for (int o = 0; o < OUTCOME_COUNT; o++)
        if (atomic_load(&t->outcomes[signal][o][COUNTED_REQUESTS]) != NULL)
            return true;
    return false;
}

/* Since the start; bounds of the histogram's buckets. */
static void write_ack(series_slot *slot, struct buf *out)
{
    struct metric_series *s = atomic_load(slot);
    double half = s ? metric_quantile(s, 0.5) : -1, most = s ? metric_quantile(s, 0.99) : -1;
    if (half < 0)
        return;
    buf_printf(out, ",\"ack_seconds\":{\"p50_below\":%g,\"p99_below\":", half);
    if (most < 0)
        buf_append_str(out, "null}");
    else
        buf_printf(out, "%g}", most);
}

static void write_signal(struct tenant_metrics *t, int signal, struct buf *out)
{
    buf_append_str(out, "{\"accepted\":");
    write_counts(t->outcomes[signal][OUTCOME_ACCEPTED], out);
    buf_append_str(out, ",\"refused\":{");
    const char *comma = "";
    for (int o = OUTCOME_ACCEPTED + 1; o < OUTCOME_COUNT; o++) {
        if (atomic_load(&t->outcomes[signal][o][COUNTED_REQUESTS]) == NULL)
            continue;
        buf_printf(out, "%s\"%s\":", comma, outcome_info[o].reason);
        write_counts(t->outcomes[signal][o], out);
        comma = ",";
    }
    buf_append_str(out, "},\"dry_run\":{");
    comma = "";
    for (int o = 0; signal < SIGNAL_COUNT && o < OUTCOME_COUNT; o++) {
        if (atomic_load(&t->dry_run[signal][o]) == NULL)
            continue;
        buf_printf(out, "%s\"%s\":%llu", comma, outcome_info[o].reason,
                   (unsigned long long)read_slot(&t->dry_run[signal][o]));
        comma = ",";
    }
    buf_printf(out, "},\"possible_duplicates\":%llu,\"waited\":%llu",
               (unsigned long long)read_slot(&t->plain[signal][TENANT_POSSIBLE_DUPLICATES]),
               (unsigned long long)read_slot(&t->plain[signal][TENANT_WAITED]));
    write_ack(&t->plain[signal][TENANT_ACK_SECONDS], out);
    if (t->rt != NULL && signal < SIGNAL_COUNT)
        buf_printf(out,
                   ",\"bytes_per_second\":%.1f,\"items_per_second\":%.1f,"
                   "\"requests_per_second\":%.2f",
                   meter_per_second(&t->rt->rates[signal].bytes),
                   meter_per_second(&t->rt->rates[signal].items),
                   meter_per_second(&t->rt->rates[signal].requests));
    buf_append_byte(out, '}');
}

void router_metrics_json(struct router_metrics *m, struct tenant_runtime *rt, struct buf *out)
{
    struct tenant_metrics *t = rt ? atomic_load(&rt->metrics) : &m->nobody;
    const char *comma = "";
    buf_append_byte(out, '{');
    for (int i = 0; t != NULL && i <= SIGNAL_COUNT; i++) {
        if (!was_counted(t, i))
            continue;
        buf_printf(out, "%s\"%s\":", comma, i < SIGNAL_COUNT ? signal_info[i].name : "unknown");
        write_signal(t, i, out);
        comma = ",";
    }
    buf_append_byte(out, '}');
}
