#include "consumer/flow.h"

#include "base/clock.h"

#include <inttypes.h>

static const double bounds[FLOW_BUCKET_COUNT] = {
#define ROW(bound) bound,
    FLOW_BUCKETS(ROW)
#undef ROW
};

void flow_read(struct flow *f, enum signal signal, uint64_t bytes)
{
    f->of[signal].read_records++;
    f->of[signal].read_bytes += bytes;
}

/* The router's clock and ours may differ: what seems to come from the future took no time. */
static double seconds_since(uint64_t received_ns, uint64_t now_ns)
{
    return now_ns > received_ns ? (double)(now_ns - received_ns) / NS_PER_S : 0;
}

static void observe(struct flow_signal *s, double seconds)
{
    size_t i = 0;
    while (i < FLOW_BUCKET_COUNT && seconds > bounds[i])
        i++;
    s->latency[i]++;
    s->latency_sum += seconds;
}

void flow_written(struct flow *f, const struct batch *b, uint64_t now_ns)
{
    for (size_t i = 0; i < b->n_records; i++) {
        const struct batch_record *r = &b->records[i];
        enum signal signal = b->units[r->unit].signal;
        if (r->fate == RECORD_DEAD || r->repeated || signal >= SIGNAL_COUNT)
            continue;
        struct flow_signal *s = &f->of[signal];
        s->written_records++;
        s->written_items += r->items;
        s->written_bytes += r->message->len;
        if (r->received_ns > 0)
            observe(s, seconds_since(r->received_ns, now_ns));
    }
}

double flow_mean_bytes(const struct flow *f, enum signal signal)
{
    if (signal >= SIGNAL_COUNT || f->of[signal].read_records == 0)
        return 0;
    return (double)f->of[signal].read_bytes / (double)f->of[signal].read_records;
}

double flow_latency(const struct flow *f, enum signal signal, double part)
{
    const struct flow_signal *s = &f->of[signal];
    uint64_t all = 0, seen = 0;
    for (size_t i = 0; i <= FLOW_BUCKET_COUNT; i++)
        all += s->latency[i];
    for (size_t i = 0; all > 0 && i < FLOW_BUCKET_COUNT; i++) {
        seen += s->latency[i];
        if ((double)seen >= part * (double)all)
            return bounds[i];
    }
    return -1;
}

/* name, help, field */
#define COUNTERS(ROW)                                                                              \
    ROW("tenantry_consumer_read_records_total", "Records taken from Kafka since the start.",       \
        read_records)                                                                              \
    ROW("tenantry_consumer_read_bytes_total", "Bytes of the records taken from Kafka.",            \
        read_bytes)                                                                                \
    ROW("tenantry_consumer_written_records_total", "Records written since the start.",             \
        written_records)                                                                           \
    ROW("tenantry_consumer_written_rows_total", "Rows written since the start.", written_items)    \
    ROW("tenantry_consumer_written_bytes_total", "Bytes of the records that were written.",        \
        written_bytes)

static bool is_used(const struct flow_signal *s)
{
    return s->read_records > 0;
}

static void write_latency(const struct flow_signal *s, const char *labels, struct buf *out)
{
    static const char name[] = "tenantry_consumer_written_latency_seconds";
    uint64_t count = 0;
    for (size_t i = 0; i < FLOW_BUCKET_COUNT; i++) {
        count += s->latency[i];
        buf_printf(out, "%s_bucket{%s,le=\"%g\"} %" PRIu64 "\n", name, labels, bounds[i], count);
    }
    count += s->latency[FLOW_BUCKET_COUNT];
    buf_printf(out, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, labels, count);
    buf_printf(out, "%s_sum{%s} %.17g\n%s_count{%s} %" PRIu64 "\n", name, labels, s->latency_sum,
               name, labels, count);
}

static const char *labels_of(int signal, const char *tenant, const char *instance, char out[256])
{
    snprintf(out, 256, "tenant=\"%s\",worker=\"%s\",signal=\"%s\"", tenant, instance,
             signal_info[signal].name);
    return out;
}

void flow_metrics(const struct flow *f, const char *tenant, const char *instance, struct buf *out)
{
    char labels[256];
#define ROW(name, help, field)                                                                     \
    buf_printf(out, "# HELP %s %s\n# TYPE %s counter\n", name, help, name);                        \
    for (int i = 0; i < SIGNAL_COUNT; i++)                                                         \
        if (is_used(&f->of[i]))                                                                    \
            buf_printf(out, "%s{%s} %" PRIu64 "\n", name, labels_of(i, tenant, instance, labels),  \
                       f->of[i].field);
    COUNTERS(ROW)
#undef ROW
    buf_append_str(out, "# HELP tenantry_consumer_written_latency_seconds Time from the router to "
                        "the database, by record.\n"
                        "# TYPE tenantry_consumer_written_latency_seconds histogram\n");
    for (int i = 0; i < SIGNAL_COUNT; i++)
        if (is_used(&f->of[i]))
            write_latency(&f->of[i], labels_of(i, tenant, instance, labels), out);
}
