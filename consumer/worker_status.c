#include "consumer/worker_status.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "consumer/supervise/run_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

const char *const worker_state_name[WORKER_STATE_COUNT] = {
#define ROW(id, name) name,
    WORKER_STATES(ROW)
#undef ROW
};

struct unit_lag {
    int64_t records; /* -1 = not known */
    double seconds;  /* age of the oldest record that is not in the database; -1 = not known */
    double bytes;    /* records × the mean size of those that were read; -1 = not known */
};

static struct unit_lag lag_of(const struct worker_report *r, const struct unit *u, uint64_t now_ms)
{
    struct unit_lag lag = {-1, -1, -1};
    int64_t low, high;
    if (rd_kafka_get_watermark_offsets(r->session->rk, u->topic, u->partition, &low, &high))
        return lag;
    high = u->end > high ? u->end : high;
    if (high < 0)
        return lag;
    int64_t next = u->progress.known ? u->progress.next : low;
    if (u->state == UNIT_LOADING || next < 0)
        return lag;
    lag.records = high > next ? high - next : 0;
    double mean = flow_mean_bytes(r->flow, u->signal);
    if (lag.records == 0 || mean > 0)
        lag.bytes = (double)lag.records * mean;
    int64_t since = u->writing_since ? u->writing_since : u->open_since;
    since = since ? since : u->parked_since;
    if (lag.records == 0)
        lag.seconds = 0;
    else if (since > 0)
        lag.seconds = now_ms > (uint64_t)since ? (double)(now_ms - (uint64_t)since) / 1000 : 0;
    return lag;
}

static void unit_json(struct buf *out, const struct unit *u, struct unit_lag lag)
{
    const struct totals *t = &u->progress.totals;
    buf_append_str(out, "{\"topic\":");
    json_string(out, slice_str(u->topic));
    buf_printf(out,
               ",\"partition\":%" PRId32 ",\"state\":\"%s\",\"source\":%" PRIu32
               ",\"generation\":%" PRIu32 ",\"next\":%" PRId64 ",\"written_items\":%" PRIu64
               ",\"dropped_items\":%" PRIu64 ",\"dlq_records\":%" PRIu64
               ",\"lost_records\":%" PRIu64 ",\"gaps\":%" PRIu64,
               u->partition, unit_state_name[u->stopped ? UNIT_PARKED : u->state],
               u->progress.source, u->progress.generation, u->progress.next, t->items, t->dropped,
               t->dlq_records, t->lost_records, t->gaps);
    if (lag.records >= 0)
        buf_printf(out, ",\"lag_records\":%" PRId64, lag.records);
    if (lag.seconds >= 0)
        buf_printf(out, ",\"lag_seconds\":%.3f", lag.seconds);
    if (lag.bytes >= 0)
        buf_printf(out, ",\"lag_bytes\":%.0f", lag.bytes);
    buf_append_str(out, "}");
}

static void latency_json(struct buf *out, const struct flow *f)
{
    const char *comma = "";
    buf_append_str(out, ",\"written_latency_seconds\":{");
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        double half = flow_latency(f, (enum signal)s, 0.5),
               most = flow_latency(f, (enum signal)s, 0.99);
        if (half < 0)
            continue;
        buf_printf(out, "%s\"%s\":{\"p50_below\":%g,\"p99_below\":", comma, signal_info[s].name,
                   half);
        if (most < 0)
            buf_append_str(out, "null}");
        else
            buf_printf(out, "%g}", most);
        comma = ",";
    }
    buf_append_str(out, "}");
}

static void report_json(struct buf *out, const struct worker_report *r, uint64_t now_ms)
{
    buf_append_str(out, "{\"tenant\":");
    json_string(out, slice_str(r->tenant));
    buf_append_str(out, ",\"instance\":");
    json_string(out, slice_str(r->instance));
    buf_printf(out,
               ",\"pid\":%d,\"written_at_ms\":%" PRIu64 ",\"state\":\"%s\",\"reason\":", getpid(),
               now_ms, worker_state_name[r->state]);
    json_string(out, slice_str(r->reason));
    buf_printf(out,
               ",\"batches\":%" PRIu64 ",\"memory_bytes\":%" PRIu64 ",\"retries\":%" PRIu64
               ",\"dead_letters\":%" PRIu64 ",\"units\":[",
               r->batches, r->memory, r->writer->retries, r->writer->dead_letters);
    for (size_t i = 0; i < r->session->n_units; i++) {
        const struct unit *u = &r->session->units[i];
        if (i > 0)
            buf_append_str(out, ",");
        unit_json(out, u, lag_of(r, u, now_ms));
    }
    buf_append_str(out, "]");
    latency_json(out, r->flow);
    buf_append_str(out, "}\n");
}

/* Metrics of a unit: name, value; what is not known (negative) is left out. */
#define UNIT_METRICS(ROW)                                                                          \
    ROW("tenantry_consumer_written_items_total", (double)totals->items)                            \
    ROW("tenantry_consumer_dropped_items_total", (double)totals->dropped)                          \
    ROW("tenantry_consumer_dead_letters_total", (double)totals->dlq_records)                       \
    ROW("tenantry_consumer_lost_records_total", (double)totals->lost_records)                      \
    ROW("tenantry_consumer_parked", u->stopped || u->state == UNIT_PARKED)                         \
    ROW("tenantry_consumer_next_offset", (double)u->progress.next)                                 \
    ROW("tenantry_consumer_lag_records", (double)lag.records)                                      \
    ROW("tenantry_consumer_lag_bytes", lag.bytes)                                                  \
    ROW("tenantry_consumer_lag_seconds", lag.seconds)

static void unit_metric(struct buf *out, const char *metric, const struct worker_report *r,
                        const struct unit *u, double value)
{
    const char *signal_name = u->signal < SIGNAL_COUNT ? signal_info[u->signal].name : "";
    if (value >= 0)
        buf_printf(
            out, "%s{tenant=\"%s\",worker=\"%s\",signal=\"%s\",partition=\"%" PRId32 "\"} %.17g\n",
            metric, r->tenant, r->instance, signal_name, u->partition, value);
}

static void unit_metrics(struct buf *out, const struct worker_report *r, const struct unit *u,
                         struct unit_lag lag)
{
    const struct totals *totals = &u->progress.totals;
#define ROW(metric, value) unit_metric(out, metric, r, u, value);
    UNIT_METRICS(ROW)
#undef ROW
}

static void report_metrics(struct buf *out, const struct worker_report *r, uint64_t now_ms)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {{"tenantry_consumer_retries_total", r->writer->retries},
                {"tenantry_consumer_memory_bytes", r->memory}};
    for (int s = 0; s < WORKER_STATE_COUNT; s++)
        buf_printf(out, "tenantry_consumer_state{tenant=\"%s\",worker=\"%s\",state=\"%s\"} %d\n",
                   r->tenant, r->instance, worker_state_name[s], r->state == (enum worker_state)s);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        buf_printf(out, "%s{tenant=\"%s\",worker=\"%s\"} %" PRIu64 "\n", rows[i].name, r->tenant,
                   r->instance, rows[i].value);
    for (size_t i = 0; i < r->session->n_units; i++) {
        const struct unit *u = &r->session->units[i];
        unit_metrics(out, r, u, lag_of(r, u, now_ms));
    }
    flow_metrics(r->flow, r->tenant, r->instance, out);
}

int worker_status_write(const char *state_folder, const struct worker_report *r, struct errbuf *err)
{
    char path[4096];
    uint64_t now_ms = clock_wall_ns() / NS_PER_MS;
    struct buf text = BUF_INIT;
    report_json(&text, r, now_ms);
    run_worker_path(path, sizeof(path), state_folder, r->tenant, r->instance, "json");
    int rc = file_replace(path, buf_slice(&text), 0644, err);
    buf_clear(&text);
    report_metrics(&text, r, now_ms);
    run_worker_path(path, sizeof(path), state_folder, r->tenant, r->instance, "prom");
    if (rc == 0)
        rc = file_replace(path, buf_slice(&text), 0644, err);
    buf_release(&text);
    return rc;
}

void worker_status_remove(const char *state_folder, const char *tenant, const char *instance)
{
    char path[4096];
    run_worker_path(path, sizeof(path), state_folder, tenant, instance, "json");
    unlink(path);
    run_worker_path(path, sizeof(path), state_folder, tenant, instance, "prom");
    unlink(path);
}
