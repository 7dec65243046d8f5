#include "consumer/inspect/fleet.h"

#include "base/clock.h"
#include "tenancy/topics.h"

#include <errno.h>
#include <stdlib.h>

#define ANSWER_MS   3000
#define FETCH_MS    3000
#define FETCH_UNITS 16 /* fetched at a time: each brings at least one batch of records */

struct fleet_client {
    rd_kafka_t *rk;
};

/* ---- connecting ---- */

static rd_kafka_conf_t *client_conf(const struct conf *conf, const char *brokers,
                                    struct errbuf *err)
{
    static const char *const settings[][2] = {
        {"group.id", "tenantry-lag"}, /* never joined */
        {"enable.auto.commit", "false"},
        {"auto.offset.reset", "error"},
        {"isolation.level", "read_committed"},
        {"enable.partition.eof", "true"},
        {"allow.auto.create.topics", "false"},
        {"fetch.wait.max.ms", "50"},
        {"fetch.message.max.bytes", "16384"},
        {"queued.min.messages", "1"},
        {"queued.max.messages.kbytes", "1024"},
        {"log_level", "0"}, /* the owner tells what does not work */
    };
    rd_kafka_conf_t *kc =
        kafka_client_conf(&conf->kafka, brokers, KAFKA_READER, "tenantry-lag", err);
    for (size_t i = 0; kc != NULL && i < sizeof(settings) / sizeof(settings[0]); i++)
        rd_kafka_conf_set(kc, settings[i][0], settings[i][1], NULL, 0);
    return kc;
}

struct fleet_client *fleet_open(const struct conf *conf, const char *brokers, struct errbuf *err)
{
    char reason[256];
    struct fleet_client *c = calloc(1, sizeof(*c));
    rd_kafka_conf_t *kc = c ? client_conf(conf, brokers, err) : NULL;
    if (kc != NULL &&
        (c->rk = rd_kafka_new(RD_KAFKA_CONSUMER, kc, reason, sizeof(reason))) == NULL) {
        rd_kafka_conf_destroy(kc);
        errbuf_set(err, EINVAL, "the Kafka client cannot be made: %s", reason);
    }
    if (c == NULL || c->rk == NULL) {
        free(c);
        return NULL;
    }
    rd_kafka_poll_set_consumer(c->rk);
    return c;
}

void fleet_close(struct fleet_client *c)
{
    if (c == NULL)
        return;
    rd_kafka_destroy_flags(c->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    free(c);
}

void fleet_release(struct fleet *f)
{
    free(f->units);
    arena_release(&f->arena);
    cluster_view_release(&f->cluster);
    *f = (struct fleet){0};
}

/* ---- which partitions there are ---- */

static int by_unit(const void *a, const void *b)
{
    const struct fleet_unit *x = a, *y = b;
    int order = strcmp(x->tenant, y->tenant);
    order = order ? order : (x->signal > y->signal) - (x->signal < y->signal);
    order = order ? order : (x->partition > y->partition) - (x->partition < y->partition);
    return order;
}

struct named_topic {
    const char *name;
    unsigned partitions;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named_topic *)a)->name, ((const struct named_topic *)b)->name);
}

/* Names are those of the metadata. */
static struct named_topic *topics_by_name(const struct rd_kafka_metadata *m)
{
    struct named_topic *topics = calloc((size_t)m->topic_cnt + 1, sizeof(*topics));
    for (int i = 0; topics != NULL && i < m->topic_cnt; i++)
        topics[i] = (struct named_topic){m->topics[i].topic, (unsigned)m->topics[i].partition_cnt};
    if (topics != NULL)
        qsort(topics, (size_t)m->topic_cnt, sizeof(*topics), by_name);
    return topics;
}

static bool add_units(struct fleet *f, const struct fleet *before, const struct tenant *t,
                      enum signal signal, unsigned partitions)
{
    const char *tenant = arena_strdup(&f->arena, slice_str(t->id));
    const char *topic = arena_strdup(&f->arena, slice_str(t->topic[signal]));
    struct fleet_unit *more = realloc(f->units, (f->n + partitions + 1) * sizeof(*more));
    if (more != NULL)
        f->units = more;
    if (more == NULL || tenant == NULL || topic == NULL)
        return false;
    for (unsigned p = 0; p < partitions; p++) {
        struct fleet_unit u = {.tenant = tenant,
                               .topic = topic,
                               .signal = signal,
                               .partition = (int32_t)p,
                               .committed = -1,
                               .first_offset = -1};
        const struct fleet_unit *old =
            before->n ? bsearch(&u, before->units, before->n, sizeof(u), by_unit) : NULL;
        if (old != NULL) {
            u = *old;
            u.placed = false;
            u.tenant = tenant;
            u.topic = topic;
        }
        f->units[f->n++] = u;
    }
    return true;
}

/* The units of the topics that are there now, with what was known of them. Tenants are sorted. */
static int list_units(struct fleet *f, const struct rd_kafka_metadata *m, const struct snapshot *s)
{
    struct fleet next = {.looked_at_ms = f->looked_at_ms};
    struct named_topic *topics = topics_by_name(m);
    bool ok = topics != NULL && cluster_view_make(m, s->tenants, s->n_tenants, &next.cluster) == 0;
    for (size_t i = 0; ok && i < s->n_tenants; i++)
        for (int g = 0; ok && g < SIGNAL_COUNT; g++) {
            struct named_topic key = {s->tenants[i].topic[g], 0}, *found;
            found = bsearch(&key, topics, (size_t)m->topic_cnt, sizeof(key), by_name);
            if (found != NULL)
                ok = add_units(&next, f, &s->tenants[i], (enum signal)g, found->partitions);
        }
    free(topics);
    if (!ok) {
        fleet_release(&next);
        return -ENOMEM;
    }
    fleet_release(f);
    *f = next;
    return 0;
}

/* ---- ends of the logs ---- */

static bool is_leaderless(const struct cluster_view *v, const struct fleet_unit *u)
{
    const struct cluster_topic *t = cluster_view_trouble(v, u->topic);
    for (size_t i = 0; t != NULL && i < t->n; i++)
        if (t->at[i].id == u->partition)
            return t->at[i].leader < 0;
    return false;
}

/* Fills in RD_KAFKA_OFFSET_BEGINNING or _END of all partitions that somebody leads. */
static rd_kafka_resp_err_t ask_ends(struct fleet_client *c, struct fleet *f, int64_t which)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)f->n);
    for (size_t i = 0; i < f->n; i++)
        if (!is_leaderless(&f->cluster, &f->units[i])) {
            rd_kafka_topic_partition_t *at =
                rd_kafka_topic_partition_list_add(list, f->units[i].topic, f->units[i].partition);
            at->offset = which;
            at->opaque = &f->units[i];
        }
    rd_kafka_resp_err_t e = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (list->cnt > 0)
        e = rd_kafka_offsets_for_times(c->rk, list, ANSWER_MS);
    for (int i = 0; e == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++) {
        struct fleet_unit *u = list->elems[i].opaque;
        if (list->elems[i].err || list->elems[i].offset < 0)
            continue;
        if (which == RD_KAFKA_OFFSET_END)
            u->high = list->elems[i].offset;
        else
            u->low = list->elems[i].offset;
        u->measured = true;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return e;
}

/* ---- positions ---- */

struct fleet_unit *fleet_first(struct fleet *f, const char *tenant)
{
    size_t low = 0, high = f->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(f->units[middle].tenant, tenant) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < f->n && strcmp(f->units[low].tenant, tenant) == 0 ? &f->units[low] : NULL;
}

struct fleet_unit *fleet_after(struct fleet *f, const struct fleet_unit *u)
{
    size_t next = (size_t)(u - f->units) + 1;
    return next < f->n && strcmp(f->units[next].tenant, u->tenant) == 0 ? &f->units[next] : NULL;
}

void fleet_position(struct fleet *f, const struct tenant *t, enum signal signal, int32_t partition,
                    int64_t next)
{
    struct fleet_unit key = {.tenant = t->id, .signal = signal, .partition = partition};
    struct fleet_unit *u = f->n ? bsearch(&key, f->units, f->n, sizeof(key), by_unit) : NULL;
    if (u == NULL)
        return;
    if (!u->placed ||
        next > u->committed) /* of several that tell, the one that is ahead is right */
        u->committed = next;
    u->placed = true;
}

/* ---- the first record that is not written ---- */

int64_t fleet_next(const struct fleet_unit *u)
{
    return u->committed < u->low || u->committed > u->high ? u->low : u->committed;
}

static bool needs_look(const struct fleet *f, const struct fleet_unit *u)
{
    int64_t next = fleet_next(u);
    return u->measured && next < u->high && (u->first_offset != next || u->first_ms < 0) &&
           !is_leaderless(&f->cluster, u);
}

struct chunk {
    struct fleet_unit *units[FETCH_UNITS];
    bool done[FETCH_UNITS];
    size_t n, left;
};

static void take_message(struct chunk *chunk, const rd_kafka_message_t *m)
{
    size_t i = 0;
    while (i < chunk->n && (m->rkt == NULL || chunk->units[i]->partition != m->partition ||
                            strcmp(chunk->units[i]->topic, rd_kafka_topic_name(m->rkt)) != 0))
        i++;
    if (i == chunk->n)
        return;
    struct fleet_unit *u = chunk->units[i];
    bool last = m->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
                m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
                m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET;
    if (!m->err) {
        u->seen_records++;
        u->seen_bytes += m->len;
    }
    if (chunk->done[i] || !last)
        return;
    chunk->done[i] = true;
    chunk->left--;
    if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
        return;
    u->first_offset = fleet_next(u);
    u->first_ms = m->err ? -1 : rd_kafka_message_timestamp(m, NULL);
}

static void fetch_chunk(struct fleet_client *c, struct chunk *chunk)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)chunk->n);
    for (size_t i = 0; i < chunk->n; i++)
        rd_kafka_topic_partition_list_add(list, chunk->units[i]->topic, chunk->units[i]->partition)
            ->offset = fleet_next(chunk->units[i]);
    uint64_t until = clock_mono_ns() + FETCH_MS * NS_PER_MS;
    chunk->left = chunk->n;
    if (rd_kafka_assign(c->rk, list) == RD_KAFKA_RESP_ERR_NO_ERROR)
        while (chunk->left > 0 && clock_mono_ns() < until) {
            rd_kafka_message_t *m = rd_kafka_consumer_poll(c->rk, 100);
            if (m == NULL)
                continue;
            take_message(chunk, m);
            rd_kafka_message_destroy(m);
        }
    rd_kafka_assign(c->rk, NULL);
    rd_kafka_topic_partition_list_destroy(list);
}

static void look_at_first(struct fleet_client *c, struct fleet *f)
{
    struct chunk chunk = {.n = 0};
    for (size_t i = 0; i < f->n; i++) {
        if (needs_look(f, &f->units[i]))
            chunk.units[chunk.n++] = &f->units[i];
        if (chunk.n > 0 && (chunk.n == FETCH_UNITS || i + 1 == f->n)) {
            fetch_chunk(c, &chunk);
            chunk = (struct chunk){.n = 0};
        }
    }
}

int fleet_look(struct fleet_client *c, const struct snapshot *s, struct fleet *f,
               fleet_positions_fn *positions, void *arg, struct errbuf *err)
{
    f->reachable = false;
    const struct rd_kafka_metadata *m = cluster_ask(c->rk, ANSWER_MS, err);
    if (m == NULL)
        return -EAGAIN;
    int rc = list_units(f, m, s);
    rd_kafka_metadata_destroy(m);
    if (rc < 0)
        return errbuf_set(err, ENOMEM, "out of memory");
    cluster_view_identify(&f->cluster, c->rk, ANSWER_MS);
    rd_kafka_resp_err_t e = ask_ends(c, f, RD_KAFKA_OFFSET_BEGINNING);
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
        e = ask_ends(c, f, RD_KAFKA_OFFSET_END);
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
        return errbuf_set(err, EAGAIN, "Kafka does not tell the ends of the logs: %s",
                          rd_kafka_err2str(e));
    positions(arg, s, f);
    look_at_first(c, f);
    f->reachable = true;
    f->looked_at_ms = clock_wall_ns() / NS_PER_MS;
    return 0;
}
