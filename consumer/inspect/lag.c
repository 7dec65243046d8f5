#include "consumer/inspect/lag.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

const char *const lag_source_name[LAG_SOURCE_COUNT] = {
#define ROW(id, name) name,
    LAG_SOURCES(ROW)
#undef ROW
};

enum lag_source lag_next(const struct progress *p, int64_t committed, int64_t low, int64_t high,
                         int64_t *ret_next)
{
    int64_t said = p == NULL ? committed : p->known ? p->next : -1;
    *ret_next = low;
    if (said < 0 || said > high)
        return LAG_START;
    if (said > low)
        *ret_next = said;
    return p == NULL ? LAG_COMMIT : LAG_DATABASE;
}

/* The first record at or behind an offset. */
struct first {
    bool found;
    int64_t timestamp;
};

static int take_first(void *arg, const rd_kafka_message_t *m)
{
    struct first *f = arg;
    f->found = true;
    f->timestamp = rd_kafka_message_timestamp(m, NULL);
    return 1;
}

/* Offsets without a record (transaction markers) at the log's end are no lag. */
static int measure_age(struct kafka_log *log, const char *topic, struct lag_unit *u,
                       struct errbuf *err)
{
    struct first f = {0};
    int rc = kafka_log_read(log, topic, u->partition, u->next, u->high, take_first, &f, err);
    if (rc < 0)
        return rc;
    double now_ms = (double)clock_wall_ns() / NS_PER_MS;
    u->records = f.found ? (uint64_t)(u->high - u->next) : 0;
    u->seconds = f.found && f.timestamp > 0 && now_ms > (double)f.timestamp
                     ? (now_ms - (double)f.timestamp) / 1000
                     : 0;
    return 0;
}

static int find_next(struct kafka_log *log, const char *topic, const struct book *b,
                     struct lag_unit *u, struct errbuf *err)
{
    static const struct progress nothing;
    const struct book_entry *e = book_latest(b, kafka_log_cluster(log), topic, u->partition);
    const struct progress *p = e ? &e->p : &nothing;
    bool readable = b->result == EXPORT_OK || b->result == EXPORT_MISSING;
    int64_t committed = -1;
    struct progress copy;
    bool has_totals;
    int rc = readable ? 0
                      : kafka_log_committed(log, topic, u->partition, &committed, &copy,
                                            &has_totals, err);
    if (rc < 0)
        return rc;
    u->source = lag_next(readable ? p : NULL, committed, u->low, u->high, &u->next);
    bool newest = p->generation == book_generation(b, kafka_log_cluster(log), topic);
    if (u->source != LAG_DATABASE || (u->next == u->high && newest))
        return 0; /* a log of as many records in place of the last one is noticed by its worker */
    enum last_record last;
    rc = kafka_log_compare(log, topic, u->partition, u->low, u->high, p, &last, err);
    if (rc == 0 && last == LAST_OTHER) {
        u->source = LAG_START;
        u->next = u->low;
    }
    return rc;
}

static int measure_topic(struct kafka_log *log, const struct tenant *t, enum signal signal,
                         struct lag *l, struct errbuf *err)
{
    const char *topic = t->topic[signal];
    int partitions = kafka_log_partitions(log, topic, err);
    if (partitions <= 0)
        return partitions;
    struct lag_unit *units = realloc(l->units, (l->n + (size_t)partitions) * sizeof(*units));
    if (units == NULL)
        return errbuf_set(err, ENOMEM, "out of memory");
    l->units = units;
    for (int32_t p = 0; p < partitions; p++) {
        struct lag_unit *u = &l->units[l->n++];
        *u = (struct lag_unit){.signal = signal, .partition = p};
        int rc = kafka_log_range(log, topic, p, &u->low, &u->high, err);
        if (rc == 0)
            rc = find_next(log, topic, &l->book, u, err);
        if (rc == 0)
            rc = measure_age(log, topic, u, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int lag_measure(struct kafka_log *log, const struct tenant *t, struct lag *ret, struct errbuf *err)
{
    struct exporter *x = exporter_for(t)->open(t, EXPORTER_READ, err);
    if (x == NULL)
        return -EINVAL;
    book_read(x, &ret->book);
    x->ops->close(x);
    int rc = 0;
    for (int s = 0; rc == 0 && s < SIGNAL_COUNT; s++)
        rc = measure_topic(log, t, (enum signal)s, ret, err);
    return rc;
}

struct lag_unit lag_sum(const struct lag *l, enum signal signal)
{
    struct lag_unit sum = {.signal = signal};
    for (size_t i = 0; i < l->n; i++) {
        const struct lag_unit *u = &l->units[i];
        if (signal != SIGNAL_COUNT && u->signal != signal)
            continue;
        sum.records += u->records;
        if (u->seconds > sum.seconds)
            sum.seconds = u->seconds;
    }
    return sum;
}

void lag_release(struct lag *l)
{
    free(l->units);
    book_release(&l->book);
}
