/* The ledger's checks: from the facts of a unit to findings. Pure. */
#include "consumer/inspect/ledger.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static void finding(struct ledger *l, const struct ledger_unit *u, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void finding(struct ledger *l, const struct ledger_unit *u, const char *format, ...)
{
    char text[768];
    va_list args;
    int n = snprintf(text, sizeof(text), "%s, partition %" PRId32 ": ", u->topic, u->partition);
    va_start(args, format);
    vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
    va_end(args);
    struct ledger_finding *f = arena_calloc(&l->arena, 1, sizeof(*f));
    const char *kept = arena_strdup(&l->arena, slice_str(text));
    if (f == NULL || kept == NULL) {
        l->no_memory = true;
        return;
    }
    f->text = kept;
    struct ledger_finding **end = &l->findings;
    while (*end != NULL)
        end = &(*end)->next;
    *end = f;
}

static uint64_t items_of(const struct totals *t)
{
    return t->items + t->dropped + t->dlq_items;
}

static bool from_copy(const struct ledger_unit *u)
{
    return u->has_copy && (u->low <= u->committed || u->committed == u->db.next);
}

int64_t ledger_baseline(const struct ledger_unit *u, bool recounting)
{
    bool whole = u->low <= u->db.first || u->db.first == u->db.next;
    if (from_copy(u) && !(recounting && whole))
        return u->committed;
    return whole ? u->db.first : -1;
}

static void check_database_with_itself(struct ledger *l, const struct ledger_unit *u)
{
    const struct totals *t = &u->db.totals;
    int64_t explained =
        u->db.first + (int64_t)(t->records + t->dlq_records + t->lost_records + t->gaps);
    if (explained != u->db.next)
        finding(l, u,
                "the database stands at offset %" PRId64 ", but first %" PRId64 " + %" PRIu64
                " written + %" PRIu64 " dead-lettered + %" PRIu64 " lost records + %" PRIu64
                " offsets without one make %" PRId64,
                u->db.next, u->db.first, t->records, t->dlq_records, t->lost_records, t->gaps,
                explained);
}

/* False: the log is not the one that the database tells of; the rest would only say so again. */
static bool check_place(struct ledger *l, const struct ledger_unit *u)
{
    if (u->db.next > u->high) {
        finding(l, u,
                "the database stands at offset %" PRId64 ", beyond the end of the log at %" PRId64
                ": the topic was recreated and its worker has not read it yet, or an offset was "
                "changed",
                u->db.next, u->high);
        return false;
    }
    if (u->committed > u->db.next) {
        finding(l, u,
                "Kafka holds a commit of offset %" PRId64 ", the database stands at %" PRId64
                ": the database was set back (restored from a backup?)",
                u->committed, u->db.next);
        return false;
    }
    if (u->last == LAST_OTHER) {
        finding(l, u,
                "the record at offset %" PRId64
                " is not the one that the database wrote last: the topic was recreated and its "
                "worker has not read it yet, or the database's offset, timestamp or checksum was "
                "changed",
                u->db.next - 1);
        return false;
    }
    return true;
}

static bool same_totals(const struct totals *a, const struct totals *b)
{
    return a->records == b->records && a->items == b->items && a->dropped == b->dropped &&
           a->dlq_records == b->dlq_records && a->dlq_items == b->dlq_items &&
           a->lost_records == b->lost_records && a->gaps == b->gaps;
}

static void check_totals(struct ledger *l, const struct ledger_unit *u)
{
    static const struct totals none;
    int64_t from = ledger_baseline(u, l->recounted);
    const struct totals *base = from == u->committed && from_copy(u) ? &u->copy.totals : &none;
    uint64_t expected = items_of(base) + u->since_items, have = items_of(&u->db.totals);
    if (from >= 0 && have != expected)
        finding(l, u,
                "the database's totals tell of %" PRIu64 " items up to offset %" PRId64
                ", Kafka's records from offset %" PRId64 " on%s of %" PRIu64,
                have, u->db.next, from, base == &none ? "" : " and the last commit", expected);
    else if (u->has_copy && u->committed == u->db.next &&
             !same_totals(&u->copy.totals, &u->db.totals))
        finding(l, u,
                "the database's totals differ from those that were committed to Kafka at the "
                "same offset");
}

static void check_letters(struct ledger *l, const struct ledger_unit *u)
{
    uint64_t told = u->db.totals.dlq_records;
    if (u->letters_complete ? u->letters != told : u->letters > told)
        finding(l, u,
                "the database tells of %" PRIu64 " dead-lettered records, the DLQ holds %" PRIu64,
                told, u->letters);
}

/* How many of the dropped items are of the records that Kafka still holds is not known. */
static void check_rows(struct ledger *l, const struct ledger_unit *u)
{
    if (u->rows > u->living_items || u->rows + u->db.totals.dropped < u->living_items)
        finding(l, u,
                "the records [%" PRId64 ", %" PRId64 ") hold %" PRIu64
                " items that should be rows, the tables hold %" PRIu64 " rows of them",
                u->low > u->db.first ? u->low : u->db.first, u->db.next, u->living_items, u->rows);
}

void ledger_check(struct ledger *l, const struct ledger_unit *u)
{
    if (!u->db.known) {
        if (u->has_copy && u->copy.totals.records > 0)
            finding(l, u,
                    "Kafka holds a commit of offset %" PRId64
                    ", the database knows nothing of this partition: it was removed or replaced",
                    u->committed);
        return;
    }
    check_database_with_itself(l, u);
    if (!u->in_log || !check_place(l, u))
        return;
    check_totals(l, u);
    check_letters(l, u);
    if (l->recounted)
        check_rows(l, u);
}
