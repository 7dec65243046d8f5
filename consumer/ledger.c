#include "consumer/ledger.h"

#include "consumer/export/exporter.h"
#include "consumer/kafka_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Dead letters of the tenant by origin; a letter that was sent twice counts once. */
struct letter {
    uint32_t source;
    int32_t partition;
    int64_t offset;
    enum signal signal;
};
struct letters {
    struct letter *at;
    size_t n, capacity;
    bool complete; /* nothing of the DLQ has expired */
};

struct making {
    const struct conf *conf;
    const struct tenant *t;
    struct ledger *l;
    struct kafka_log *log;
    struct exporter *x;
    const struct exporter_ops *ops;
    struct letters letters;
    struct errbuf *err;
    bool no_memory;
};

static void finding(struct making *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void finding(struct making *m, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    struct ledger_finding *f = arena_calloc(&m->l->arena, 1, sizeof(*f));
    const char *kept = arena_strdup(&m->l->arena, slice_str(text));
    if (f == NULL || kept == NULL) {
        m->no_memory = true;
        return;
    }
    f->text = kept;
    struct ledger_finding **end = &m->l->findings;
    while (*end != NULL)
        end = &(*end)->next;
    *end = f;
}

/* ---- facts ---- */

static enum signal signal_of(const struct tenant *t, const char *topic)
{
    int s = 0;
    while (s < SIGNAL_COUNT && strcmp(t->topic[s], topic) != 0)
        s++;
    return (enum signal)s;
}

static struct ledger_unit *unit_new(struct making *m, const char *topic, int32_t partition)
{
    struct ledger_unit *u = arena_calloc(&m->l->arena, 1, sizeof(*u));
    const char *name = arena_strdup(&m->l->arena, slice_str(topic));
    if (u == NULL || name == NULL) {
        m->no_memory = true;
        return NULL;
    }
    *u = (struct ledger_unit){.topic = name,
                              .signal = signal_of(m->t, topic),
                              .partition = partition,
                              .committed = -1,
                              .next = m->l->units};
    m->l->units = u;
    return u;
}

static void add_db_unit(void *arg, const char *cluster, const char *topic, int32_t partition,
                        const struct progress *p)
{
    struct making *m = arg;
    struct ledger_unit *u = unit_new(m, topic, partition);
    if (u == NULL)
        return;
    u->db = *p;
    u->current = strcmp(cluster, kafka_log_cluster(m->log)) == 0;
}

/* Of several generations of one topic and partition the highest is the one that is written. */
static void keep_latest_current(struct ledger *l)
{
    for (struct ledger_unit *a = l->units; a != NULL; a = a->next)
        for (const struct ledger_unit *b = l->units; b != NULL; b = b->next)
            if (b->current && a->partition == b->partition && strcmp(a->topic, b->topic) == 0 &&
                b->db.generation > a->db.generation)
                a->current = false;
}

static struct ledger_unit *unit_current(struct ledger *l, const char *topic, int32_t partition)
{
    for (struct ledger_unit *u = l->units; u != NULL; u = u->next)
        if (u->current && u->partition == partition && strcmp(u->topic, topic) == 0)
            return u;
    return NULL;
}

struct commit {
    const char *topic;
    int32_t partition;
    int64_t offset;
    struct progress p;
    bool has_totals;
};

/* Sums of records [from, to). */
struct counted {
    struct making *m;
    enum signal signal;
    uint32_t source;
    int32_t partition;
    uint64_t records, items;
    uint64_t living_items; /* of those that have no dead letter */
};

static bool has_letter(const struct letters *l, enum signal signal, uint32_t source,
                       int32_t partition, int64_t offset)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->at[i].offset == offset && l->at[i].partition == partition &&
            l->at[i].source == source && l->at[i].signal == signal)
            return true;
    return false;
}

static int count_record(void *arg, const rd_kafka_message_t *message)
{
    struct counted *c = arg;
    uint64_t items = kafka_log_items(message, c->signal);
    c->records++;
    c->items += items;
    if (!has_letter(&c->m->letters, c->signal, c->source, c->partition, message->offset))
        c->living_items += items;
    return 0;
}

static int count_range(struct making *m, const struct ledger_unit *u, int64_t from, int64_t to,
                       struct counted *ret)
{
    *ret = (struct counted){
        .m = m, .signal = u->signal, .source = u->db.source, .partition = u->partition};
    if (from < u->low)
        from = u->low;
    if (to > u->high)
        to = u->high;
    return kafka_log_read(m->log, u->topic, u->partition, from, to, count_record, ret, m->err);
}

static int add_letter(void *arg, const rd_kafka_message_t *message)
{
    struct making *m = arg;
    struct letters *l = &m->letters;
    struct slice origin = kafka_log_header(message, DLQ_H_ORIGIN);
    struct slice topic = kafka_log_header(message, "__connect.errors.topic");
    char text[128], name[256];
    struct letter letter;
    snprintf(text, sizeof(text), "%.*s", SLICE_ARG(origin));
    snprintf(name, sizeof(name), "%.*s", SLICE_ARG(topic));
    if (sscanf(text, "%" SCNu32 ":%" SCNd32 ":%" SCNd64 ":", &letter.source, &letter.partition,
               &letter.offset) != 3)
        return 0; /* not made by a worker */
    letter.signal = signal_of(m->t, name);
    if (has_letter(l, letter.signal, letter.source, letter.partition, letter.offset))
        return 0;
    if (l->n == l->capacity) {
        size_t capacity = l->capacity ? l->capacity * 2 : 256;
        struct letter *at = arena_calloc(&m->l->arena, capacity, sizeof(*at));
        if (at == NULL)
            return -ENOMEM;
        if (l->n > 0)
            memcpy(at, l->at, l->n * sizeof(*at));
        l->at = at;
        l->capacity = capacity;
    }
    l->at[l->n++] = letter;
    return 0;
}

static int read_letters(struct making *m)
{
    int partitions = kafka_log_partitions(m->log, m->t->dlq_topic, m->err);
    m->letters.complete = true;
    for (int32_t p = 0; p < partitions; p++) {
        int64_t low, high;
        int rc = kafka_log_range(m->log, m->t->dlq_topic, p, &low, &high, m->err);
        if (rc < 0)
            return rc;
        m->letters.complete = m->letters.complete && low == 0;
        rc = kafka_log_read(m->log, m->t->dlq_topic, p, low, high, add_letter, m, m->err);
        if (rc < 0)
            return rc;
    }
    return partitions < 0 ? partitions : 0;
}

/* ---- checks ---- */

static void check_database_with_itself(struct making *m, const struct ledger_unit *u)
{
    const struct totals *t = &u->db.totals;
    int64_t explained = u->db.first + (int64_t)(t->records + t->dlq_records + t->lost_records);
    if (u->db.known && explained != u->db.next)
        finding(m,
                "%s, partition %" PRId32 ": the database stands at offset %" PRId64
                ", but first %" PRId64 " + %" PRIu64 " written + %" PRIu64
                " dead-lettered + %" PRIu64 " lost records make %" PRId64,
                u->topic, u->partition, u->db.next, u->db.first, t->records, t->dlq_records,
                t->lost_records, explained);
}

static bool check_order(struct making *m, const struct ledger_unit *u)
{
    if (u->db.next > u->high) {
        finding(m,
                "%s, partition %" PRId32 ": the database stands at offset %" PRId64
                ", beyond the end of the log at %" PRId64
                ": the topic was recreated and its worker has not read it yet, or an offset was "
                "changed",
                u->topic, u->partition, u->db.next, u->high);
        return false;
    }
    if (u->committed > u->db.next) {
        finding(m,
                "%s, partition %" PRId32 ": Kafka holds a commit of offset %" PRId64
                ", the database stands at %" PRId64
                ": the database was set back (restored from a backup?)",
                u->topic, u->partition, u->committed, u->db.next);
        return false;
    }
    return true;
}

static uint64_t items_of(const struct totals *t)
{
    return t->items + t->dropped + t->dlq_items;
}

/* The baseline is the last commit's copy of the totals, or nothing at all where the log is still
 * whole. */
static int check_totals(struct making *m, const struct ledger_unit *u, const struct commit *commit)
{
    struct progress base = {.first = u->db.first};
    int64_t from = u->db.first;
    if (commit->has_totals && commit->p.source == u->db.source) {
        base = commit->p;
        from = commit->offset;
    } else if (u->low > u->db.first) {
        return 0; /* nothing to compare with: the log's start has expired and no commit carries
                     totals */
    }
    struct counted c;
    int rc = count_range(m, u, from, u->db.next, &c);
    if (rc < 0)
        return rc;
    uint64_t expected = items_of(&base.totals) + c.items, have = items_of(&u->db.totals);
    if (have != expected)
        finding(m,
                "%s, partition %" PRId32 ": the database's totals tell of %" PRIu64
                " items up to offset %" PRId64 ", Kafka's records and the last commit of %" PRIu64,
                u->topic, u->partition, have, u->db.next, expected);
    if (commit->has_totals && commit->offset == u->db.next &&
        (base.totals.items != u->db.totals.items ||
         base.totals.dlq_items != u->db.totals.dlq_items))
        finding(
            m,
            "%s, partition %" PRId32
            ": the totals of written and dead-lettered items differ from those that were committed",
            u->topic, u->partition);
    return 0;
}

static void check_letters(struct making *m, const struct ledger_unit *u)
{
    uint64_t n = 0;
    for (size_t i = 0; i < m->letters.n; i++)
        n += m->letters.at[i].source == u->db.source &&
             m->letters.at[i].partition == u->partition && m->letters.at[i].signal == u->signal &&
             m->letters.at[i].offset < u->db.next;
    if (m->letters.complete ? n != u->db.totals.dlq_records : n > u->db.totals.dlq_records)
        finding(m,
                "%s, partition %" PRId32 ": the database tells of %" PRIu64
                " dead-lettered records, the DLQ holds %" PRIu64,
                u->topic, u->partition, u->db.totals.dlq_records, n);
}

static int recount(struct making *m, const struct ledger_unit *u)
{
    struct counted c;
    uint64_t rows;
    int64_t from = u->low > u->db.first ? u->low : u->db.first;
    int rc = count_range(m, u, from, u->db.next, &c);
    if (rc < 0)
        return rc;
    if (m->ops->count_rows(m->x, u->signal, u->db.source, u->partition, from, u->db.next, &rows,
                           m->err) != EXPORT_OK)
        return -EIO;
    m->l->recounted_rows += rows;
    if (rows + u->db.totals.dropped < c.living_items || rows > c.living_items)
        finding(m,
                "%s, partition %" PRId32 ": records [%" PRId64 ", %" PRId64 ") hold %" PRIu64
                " items that should be rows, the tables hold %" PRIu64 " rows of them",
                u->topic, u->partition, from, u->db.next, c.living_items, rows);
    return 0;
}

static int count_waiting(struct making *m, struct ledger_unit *u)
{
    struct counted c;
    int rc = count_range(m, u, u->db.known ? u->db.next : u->low, u->high, &c);
    u->waiting_records = c.records;
    u->waiting_items = c.items;
    return rc;
}

static int check_unit(struct making *m, struct ledger_unit *u, const struct commit *commit,
                      bool again)
{
    check_database_with_itself(m, u);
    if (!u->db.known || !check_order(m, u))
        return count_waiting(m, u);
    check_letters(m, u);
    int rc = check_totals(m, u, commit);
    if (rc == 0 && again)
        rc = recount(m, u);
    return rc < 0 ? rc : count_waiting(m, u);
}

/* ---- putting it together ---- */

#define MOST_COMMITS 1024

/* Commits are read before the database, so that a running worker cannot be found behind its own
 * commit. */
static int read_commits(struct making *m, struct commit *commits, size_t *n)
{
    *n = 0;
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        int partitions = kafka_log_partitions(m->log, m->t->topic[s], m->err);
        if (partitions < 0)
            return partitions;
        for (int32_t p = 0; p < partitions && *n < MOST_COMMITS; p++) {
            struct commit *c = &commits[(*n)++];
            *c = (struct commit){.topic = m->t->topic[s], .partition = p};
            int rc =
                kafka_log_committed(m->log, c->topic, p, &c->offset, &c->p, &c->has_totals, m->err);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

static int check_partition(struct making *m, const struct commit *c, bool again)
{
    struct ledger_unit *u = unit_current(m->l, c->topic, c->partition);
    if (u == NULL)
        u = unit_new(m, c->topic, c->partition);
    if (u == NULL)
        return -ENOMEM;
    u->current = true;
    /* A commit of an earlier generation says nothing about this one. */
    bool same = !c->has_totals || !u->db.known || c->p.source == u->db.source;
    u->committed = same ? c->offset : -1;
    int rc = kafka_log_range(m->log, c->topic, c->partition, &u->low, &u->high, m->err);
    return rc < 0 ? rc : check_unit(m, u, c, again);
}

static int make(struct making *m, const char *brokers, bool again)
{
    m->log = kafka_log_open(m->conf, brokers, m->t, 10000, m->err);
    m->ops = exporter_for(m->t);
    m->x = m->log ? m->ops->open(m->t, EXPORTER_READ, m->err) : NULL;
    if (m->x == NULL)
        return -EIO;
    struct commit *commits = arena_calloc(&m->l->arena, MOST_COMMITS, sizeof(*commits));
    size_t n;
    if (commits == NULL)
        return -ENOMEM;
    int rc = read_commits(m, commits, &n);
    if (rc == 0 && m->ops->each_progress(m->x, add_db_unit, m, m->err) != EXPORT_OK)
        rc = -EIO;
    keep_latest_current(m->l);
    if (rc == 0)
        rc = read_letters(m);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = check_partition(m, &commits[i], again);
    for (struct ledger_unit *u = m->l->units; rc == 0 && u != NULL; u = u->next)
        if (!u->current)
            check_database_with_itself(m, u);
    return rc < 0 || !m->no_memory ? rc : errbuf_set(m->err, ENOMEM, "out of memory");
}

int ledger_make(const struct conf *conf, const char *brokers, const struct tenant *t, bool again,
                struct ledger *ret, struct errbuf *err)
{
    struct making m = {.conf = conf, .t = t, .l = ret, .err = err};
    int rc = make(&m, brokers, again);
    if (m.x != NULL)
        m.ops->close(m.x);
    kafka_log_close(m.log);
    return rc;
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
