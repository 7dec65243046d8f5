#include "consumer/export/progress.h"

#include "base/log.h"

#include <assert.h>

void batch_forget_verdicts(struct batch *b)
{
    for (size_t i = 0; i < b->n_records; i++)
        if (b->records[i].fate == RECORD_REFUSED)
            b->records[i].fate = RECORD_GOOD;
    for (size_t i = 0; i < b->n_units; i++)
        b->units[i].fenced = false;
}

bool batch_has_refused(const struct batch *b)
{
    for (size_t i = 0; i < b->n_records; i++)
        if (b->records[i].fate == RECORD_REFUSED)
            return true;
    return false;
}

bool batch_is_written(const struct batch *b, uint32_t record)
{
    if (record >= b->n_records)
        return false;
    const struct batch_record *r = &b->records[record];
    return r->fate != RECORD_DEAD && !r->repeated;
}

bool record_has_name(const struct batch_record *r)
{
    return r->fate != RECORD_DEAD && r->name.len > 0;
}

uint64_t batch_oldest_named(const struct batch *b, uint32_t unit)
{
    uint64_t oldest = UINT64_MAX;
    for (size_t i = 0; i < b->n_records; i++) {
        const struct batch_record *r = &b->records[i];
        if (r->unit == unit && record_has_name(r) && r->received_ns < oldest)
            oldest = r->received_ns;
    }
    return oldest;
}

static void add_record(struct progress *p, const struct batch_record *r)
{
    if (r->fate == RECORD_DEAD) {
        p->totals.dlq_records++;
        p->totals.dlq_items += r->items;
    } else if (r->repeated) {
        p->totals.records++;
        p->totals.dropped += r->items + r->dropped;
    } else {
        p->totals.records++;
        p->totals.items += r->items;
        p->totals.dropped += r->dropped;
    }
    p->last_timestamp = r->timestamp;
    p->last_checksum = r->checksum;
}

void progress_after(const struct batch *b, struct progress *after)
{
    for (size_t u = 0; u < b->n_units; u++) {
        after[u] = b->units[u].before;
        after[u].next = b->units[u].next;
        after[u].totals.lost_records += b->units[u].lost;
        after[u].totals.gaps += b->units[u].gaps;
    }
    for (size_t i = 0; i < b->n_records; i++)
        add_record(&after[b->records[i].unit], &b->records[i]);
    for (size_t u = 0; u < b->n_units; u++) {
        const struct totals *t = &after[u].totals;
        int64_t first =
            after[u].next - (int64_t)(t->records + t->dlq_records + t->lost_records + t->gaps);
        assert(!after[u].known ||
               after[u].first == first); /* else offsets went missing unnoticed */
        after[u].first = first;
        after[u].known = true;
    }
}

void batch_committed(struct batch *b, const struct progress *after, const char *tenant)
{
    for (size_t u = 0; u < b->n_units; u++)
        b->units[u].before = after[u];
    for (size_t i = 0; i < b->n_records; i++)
        if (b->records[i].repeated)
            log_repeated(LOG_INFO, "Kafka holds a record twice, it is written once", tenant,
                         log_str("tenant", tenant),
                         log_str("topic", b->units[b->records[i].unit].topic),
                         log_i64("partition", b->units[b->records[i].unit].partition),
                         log_i64("offset", b->records[i].offset));
}
