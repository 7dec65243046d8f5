#include "consumer/supervise/grower.h"

#include "base/clock.h"
#include "base/log.h"
#include "consumer/supervise/grow.h"
#include "consumer/supervise/run_files.h"
#include "tenancy/topics/apply.h"

#include <errno.h>
#include <stdlib.h>

#define ANSWER_MS 10000

struct topic_state {
    char *topic;
    struct grow_state state;
};

struct grower {
    const char *brokers;
    rd_kafka_t *rk;             /* connected when it is needed first */
    struct topic_state *states; /* sorted by topic; those that may grow */
    size_t n;
};

static const char *const reasons[] = {
    [GROW_NOT] = "", [GROW_BY_RATE] = "rate", [GROW_BY_LAG] = "lag"};

/* NULL: out of memory. */
static struct grow_state *state_of(struct grower *g, const char *topic)
{
    size_t low = 0, high = g->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = strcmp(g->states[middle].topic, topic);
        if (c == 0)
            return &g->states[middle].state;
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    struct topic_state *more = realloc(g->states, (g->n + 1) * sizeof(*more));
    char *name = strdup(topic);
    if (more != NULL)
        g->states = more;
    if (more == NULL || name == NULL) {
        free(name);
        return NULL;
    }
    memmove(&more[low + 1], &more[low], (g->n - low) * sizeof(*more));
    more[low] = (struct topic_state){.topic = name};
    g->n++;
    return &more[low].state;
}

/* ---- raising ---- */

/* The cluster keeps room for others: kafka.max_replicas. */
static int check_room(const struct topic_admin *a, const struct conf *conf, const struct tenant *t,
                      const char *topic, int more, struct errbuf *err)
{
    struct plan p;
    int rc = plan_make(a, conf, t, 1, &p, err);
    for (size_t i = 0; rc == 0 && i < p.n; i++) {
        if (strcmp(p.topics[i].name, topic) != 0)
            continue;
        uint64_t then = p.cluster.replicas + (uint64_t)(more * p.topics[i].seen->copies);
        uint64_t most = conf->kafka.max_replicas * (uint64_t)p.cluster.brokers;
        if (then > most)
            rc = errbuf_set(err, ENOSPC,
                            "the cluster would hold %llu replicas, and kafka.max_replicas lets %d "
                            "brokers have %llu",
                            (unsigned long long)then, p.cluster.brokers, (unsigned long long)most);
    }
    plan_release(&p);
    return rc;
}

static int raise_to(struct grower *g, const struct conf *conf, const struct tenant *t,
                    const char *topic, int was, int will, struct errbuf *err)
{
    if (g->rk == NULL)
        g->rk = topic_admin_connect(conf, g->brokers, ANSWER_MS, err);
    if (g->rk == NULL)
        return -EAGAIN;
    struct topic_admin admin = {g->rk, ANSWER_MS};
    int rc = check_room(&admin, conf, t, topic, will - was, err);
    return rc == 0 ? topic_raise(&admin, topic, will, err) : rc;
}

/* ---- looking ---- */

/* A stopped or failing worker is not helped by partitions; workers of other machines are not known
 * here. */
static bool is_held(const struct snapshot *s, const struct tenant *t)
{
    struct arena arena = ARENA_INIT;
    struct run_workers w = {0};
    struct errbuf err;
    bool held = t->suspended;
    if (run_workers_read(s->conf->state, t->id, &arena, &w, &err) == 0)
        for (size_t i = 0; i < w.n; i++)
            held |= w.at[i].alive && (strcmp(w.at[i].state, "parked") == 0 ||
                                      strcmp(w.at[i].state, "retrying") == 0);
    arena_release(&arena);
    return held;
}

/* The topic's units begin at `u`. Returns how many they are; *ret_known: all were measured. */
static size_t sum_up(const struct fleet *f, size_t u, struct grow_look *look, bool *ret_known)
{
    uint64_t now_ms = clock_wall_ns() / NS_PER_MS, records = 0, bytes = 0;
    const char *topic = f->units[u].topic;
    size_t n = 0;
    *look = (struct grow_look){.lag_seconds = -1};
    *ret_known = true;
    for (; u + n < f->n && strcmp(f->units[u + n].topic, topic) == 0; n++) {
        const struct fleet_unit *unit = &f->units[u + n];
        struct fleet_lag lag = fleet_lag(unit, now_ms);
        *ret_known = *ret_known && unit->measured;
        look->end += unit->measured ? (uint64_t)unit->high : 0;
        look->lag_seconds = lag.seconds > look->lag_seconds ? lag.seconds : look->lag_seconds;
        records += unit->seen_records;
        bytes += unit->seen_bytes;
    }
    look->partitions = (int)n;
    look->record_bytes = records > 0 ? (double)bytes / (double)records : 0;
    return n;
}

static void look_at(struct grower *g, const struct snapshot *s, const struct tenant *t,
                    const char *topic, struct grow_look *look)
{
    struct errbuf err = ERRBUF_INIT;
    enum grow_reason why;
    struct grow_state *state = state_of(g, topic);
    if (state == NULL)
        return; /* the next look tries again */
    look->held = is_held(s, t);
    int wanted = grow_decide(state, &t->conf->topics.grow, look, clock_mono_ns(), &why);
    if (wanted <= look->partitions)
        return;
    if (raise_to(g, s->conf, t, topic, look->partitions, wanted, &err) < 0) {
        log_repeated(LOG_WARN, "a topic should get more partitions and cannot", topic,
                     log_str("tenant", t->id), log_str("topic", topic),
                     log_str("reason", err.text));
        return;
    }
    grow_raised(state, clock_mono_ns());
    log_event(LOG_INFO, "a topic gets more partitions", log_str("tenant", t->id),
              log_str("topic", topic), log_i64("from", look->partitions), log_i64("to", wanted),
              log_str("because", reasons[why]), log_i64("bytes_per_second", (int64_t)state->rate),
              log_i64("lag_seconds", (int64_t)look->lag_seconds));
}

void grower_turn(struct grower *g, const struct snapshot *s, const struct fleet *f)
{
    struct grow_look look;
    bool known;
    if (g == NULL || !f->reachable)
        return;
    for (size_t u = 0; u < f->n; u += sum_up(f, u, &look, &known)) {
        const struct tenant *t = snapshot_tenant(s, slice_str(f->units[u].tenant));
        if (t == NULL || t->conf->topics.grow.most == 0)
            continue;
        if (tenant_partitions_by_trace(t, f->units[u].signal))
            continue; /* more partitions would tear its traces apart */
        sum_up(f, u, &look, &known);
        if (known)
            look_at(g, s, t, f->units[u].topic, &look);
    }
}

struct grower *grower_new(const char *brokers)
{
    struct grower *g = calloc(1, sizeof(*g));
    if (g != NULL)
        g->brokers = brokers;
    return g;
}

void grower_free(struct grower *g)
{
    if (g == NULL)
        return;
    for (size_t i = 0; i < g->n; i++)
        free(g->states[i].topic);
    free(g->states);
    if (g->rk != NULL)
        rd_kafka_destroy(g->rk);
    free(g);
}
