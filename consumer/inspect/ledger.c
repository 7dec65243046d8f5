/* The ledger's facts: gathered in an order in which a running worker cannot be caught half way.
 * Commits first, then the database (so that it is never found behind its own commit), then the dead
 * letters (acknowledged before the database moves), then the log. */
#include "consumer/inspect/ledger.h"

#include "consumer/inspect/book.h"
#include "consumer/inspect/letters.h"

#include <errno.h>

struct making {
    const struct conf *conf;
    const struct tenant *t;
    bool quick;
    struct ledger *l;
    struct kafka_log *log;
    struct exporter *x;
    struct book book;
    struct letters letters;
    struct errbuf *err;
};

static int no_memory(struct making *m)
{
    return errbuf_set(m->err, ENOMEM, "out of memory");
}

static struct ledger_unit *unit_new(struct making *m, const char *topic, int32_t partition)
{
    struct ledger_unit *u = arena_calloc(&m->l->arena, 1, sizeof(*u));
    const char *kept = arena_strdup(&m->l->arena, slice_str(topic));
    if (u == NULL || kept == NULL)
        return NULL;
    *u = (struct ledger_unit){.topic = kept,
                              .signal = tenant_signal_of(m->t, slice_str(topic)),
                              .partition = partition,
                              .committed = -1};
    struct ledger_unit **end = &m->l->units;
    while (*end != NULL)
        end = &(*end)->next;
    *end = u;
    return u;
}

/* ---- commits ---- */

static int read_commit(struct making *m, const char *topic, int32_t partition)
{
    struct ledger_unit *u = unit_new(m, topic, partition);
    if (u == NULL)
        return no_memory(m);
    u->current = true;
    return kafka_log_committed(m->log, topic, partition, &u->committed, &u->copy, &u->has_copy,
                               m->err);
}

static int read_commits(struct making *m)
{
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        int partitions = kafka_log_partitions(m->log, m->t->topic[s], m->err);
        if (partitions < 0)
            return partitions;
        for (int32_t p = 0; p < partitions; p++) {
            int rc = read_commit(m, m->t->topic[s], p);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

/* ---- the database ---- */

static struct ledger_unit *unit_current(struct ledger *l, const char *topic, int32_t partition)
{
    for (struct ledger_unit *u = l->units; u != NULL; u = u->next)
        if (u->current && u->partition == partition && strcmp(u->topic, topic) == 0)
            return u;
    return NULL;
}

/* An entry of the current cluster belongs to the unit of its latest generation; all others (older
 * generations, other clusters, topics that are gone) become units with totals alone. */
static int take_entry(struct making *m, const struct book_entry *e)
{
    const char *cluster = kafka_log_cluster(m->log);
    if (!e->p.known)
        return 0;
    struct ledger_unit *u = unit_current(m->l, e->topic, e->partition);
    if (u == NULL || book_latest(&m->book, cluster, e->topic, e->partition) != e)
        u = unit_new(m, e->topic, e->partition);
    if (u == NULL)
        return no_memory(m);
    u->db = e->p;
    return 0;
}

/* A commit of an earlier generation says nothing about this one. */
static void forget_older_commits(struct ledger *l)
{
    for (struct ledger_unit *u = l->units; u != NULL; u = u->next)
        if (u->db.known && u->has_copy && u->copy.source != u->db.source) {
            u->has_copy = false;
            u->committed = -1;
        }
}

static int read_database(struct making *m)
{
    int rc = 0;
    book_read(m->x, &m->book);
    if (m->book.result != EXPORT_OK && m->book.result != EXPORT_MISSING)
        return errbuf_set(m->err, EIO, "%s", m->book.problem.text);
    for (const struct book_entry *e = m->book.entries; rc == 0 && e != NULL; e = e->next)
        rc = take_entry(m, e);
    forget_older_commits(m->l);
    return rc;
}

/* ---- the log ---- */

struct counting {
    const struct letters *letters;
    const struct ledger_unit *u;
    uint64_t records, items;
    uint64_t living_items; /* of those that have no dead letter */
};

/* A dead letter's items are what its header tells: nobody could count them. */
static int count_record(void *arg, const rd_kafka_message_t *message)
{
    struct counting *c = arg;
    const struct ledger_unit *u = c->u;
    bool dead = letters_count(c->letters, u->signal, u->db.source, u->partition, message->offset,
                              message->offset + 1) > 0;
    uint64_t items = dead ? kafka_log_told_items(message) : kafka_log_items(message, u->signal);
    c->records++;
    c->items += items;
    c->living_items += dead ? 0 : items;
    return 0;
}

static int count(struct making *m, const struct ledger_unit *u, int64_t from, int64_t to,
                 struct counting *ret)
{
    *ret = (struct counting){.letters = &m->letters, .u = u};
    if (from < u->low)
        from = u->low;
    return kafka_log_read(m->log, u->topic, u->partition, from, to, count_record, ret, m->err);
}

static bool is_another_log(const struct ledger_unit *u)
{
    return u->db.known && (u->db.next > u->high || u->last == LAST_OTHER);
}

/* The log may be another one than the database tells of: then all of it waits. */
static int count_waiting(struct making *m, struct ledger_unit *u)
{
    struct counting c;
    bool same = u->db.known && !is_another_log(u);
    int rc = count(m, u, same ? u->db.next : u->low, u->high, &c);
    u->waiting_records = c.records;
    u->waiting_items = c.items;
    return rc;
}

static int count_since_baseline(struct making *m, struct ledger_unit *u)
{
    struct counting c = {0};
    int64_t from = ledger_baseline(u, m->l->recounted);
    int rc = from < 0 ? 0 : count(m, u, from, u->db.next, &c);
    u->since_items = c.items;
    return rc;
}

static int count_rows(struct making *m, struct ledger_unit *u)
{
    struct counting c;
    int64_t from = u->low > u->db.first ? u->low : u->db.first;
    int rc = count(m, u, from, u->db.next, &c);
    u->living_items = c.living_items;
    if (rc == 0 && m->x->ops->count_rows(m->x, u->signal, u->db.source, u->partition, from,
                                         u->db.next, &u->rows, m->err) != EXPORT_OK)
        rc = -EIO;
    m->l->recounted_rows += u->rows;
    return rc;
}

/* The worker has begun a new generation of the recreated topic, but this partition has had no
 * record since: its totals are those of the old log, and nothing of the new one is written. */
static int set_old_log_aside(struct making *m, struct ledger_unit *u)
{
    struct ledger_unit *old = unit_new(m, u->topic, u->partition);
    if (old == NULL)
        return no_memory(m);
    old->db = u->db;
    u->db = (struct progress){0};
    u->has_copy = false;
    u->committed = -1;
    u->last = LAST_GONE;
    return 0;
}

static int look_at_log(struct making *m, struct ledger_unit *u)
{
    int rc = kafka_log_range(m->log, u->topic, u->partition, &u->low, &u->high, m->err);
    if (rc == 0)
        rc = kafka_log_compare(m->log, u->topic, u->partition, u->low, u->high, &u->db, &u->last,
                               m->err);
    uint32_t newest = book_generation(&m->book, kafka_log_cluster(m->log), u->topic);
    if (rc == 0 && is_another_log(u) && u->db.generation < newest)
        rc = set_old_log_aside(m, u);
    return rc;
}

static int read_log(struct making *m, struct ledger_unit *u)
{
    int rc = look_at_log(m, u);
    u->in_log = true;
    u->letters_complete = m->letters.complete;
    u->letters =
        letters_count(&m->letters, u->signal, u->db.source, u->partition, u->db.first, u->db.next);
    bool comparable = u->db.known && !is_another_log(u);
    if (rc == 0 && comparable)
        rc = count_since_baseline(m, u);
    if (rc == 0 && comparable && m->l->recounted)
        rc = count_rows(m, u);
    return rc == 0 && !m->quick ? count_waiting(m, u) : rc;
}

/* ---- dead letters ---- */

static int read_letters(struct making *m)
{
    int64_t low, high, waiting = 0;
    int rc = 0, partitions = m->quick ? kafka_log_partitions(m->log, m->t->dlq_topic, m->err) : 0;
    for (int32_t p = 0; p < partitions && rc == 0; p++) {
        rc = kafka_log_range(m->log, m->t->dlq_topic, p, &low, &high, m->err);
        waiting += rc == 0 ? high - low : 0;
    }
    if (rc == 0 && waiting > LEDGER_QUICK_LETTERS)
        rc = errbuf_set(m->err, E2BIG,
                        "the DLQ holds %lld letters, too many to read now and then: `tenantry "
                        "ledger %s` does",
                        (long long)waiting, m->t->id);
    return rc < 0 ? rc : letters_read(m->log, m->t, &m->letters, m->err);
}

/* ---- putting it together ---- */

static int make(struct making *m, const char *brokers)
{
    m->log = kafka_log_open(m->conf, brokers, m->t, KAFKA_LOG_PATIENCE_MS, m->err);
    m->x = m->log ? exporter_for(m->t)->open(m->t, EXPORTER_READ, m->err) : NULL;
    if (m->x == NULL)
        return -EIO;
    int rc = read_commits(m);
    if (rc == 0)
        rc = read_database(m);
    if (rc == 0)
        rc = read_letters(m);
    for (struct ledger_unit *u = m->l->units; rc == 0 && u != NULL; u = u->next) {
        if (u->current)
            rc = read_log(m, u);
        if (rc == 0)
            ledger_check(m->l, u);
    }
    return rc == 0 && m->l->no_memory ? no_memory(m) : rc;
}

static int make_and_close(struct making *m, const char *brokers)
{
    int rc = make(m, brokers);
    if (m->x != NULL)
        m->x->ops->close(m->x);
    kafka_log_close(m->log);
    book_release(&m->book);
    letters_release(&m->letters);
    return rc;
}

int ledger_make(const struct conf *conf, const char *brokers, const struct tenant *t, bool recount,
                struct ledger *ret, struct errbuf *err)
{
    struct making m = {.conf = conf, .t = t, .l = ret, .err = err};
    ret->recounted = recount;
    return make_and_close(&m, brokers);
}

int ledger_make_quick(const struct conf *conf, const char *brokers, const struct tenant *t,
                      struct ledger *ret, struct errbuf *err)
{
    struct making m = {.conf = conf, .t = t, .quick = true, .l = ret, .err = err};
    return make_and_close(&m, brokers);
}

struct ledger_sums ledger_sum(const struct ledger *l, enum signal signal)
{
    struct ledger_sums s = {0};
    for (const struct ledger_unit *u = l->units; u != NULL; u = u->next) {
        if (u->signal != signal)
            continue;
        s.waiting += u->waiting_items;
        s.written += u->db.totals.items;
        s.dropped += u->db.totals.dropped;
        s.dlq += u->db.totals.dlq_items;
        s.lost_records += u->db.totals.lost_records;
    }
    s.accepted = s.waiting + s.written + s.dropped + s.dlq;
    return s;
}

void ledger_release(struct ledger *l)
{
    arena_release(&l->arena);
    l->units = NULL;
    l->findings = NULL;
}
