#include "tenancy/topics/plan.h"

#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* How many times `was` goes into `will`: "3", "1.5". */
static void print_times(struct buf *out, const char *was, const char *will)
{
    double from = strtod(was, NULL), to = strtod(will, NULL);
    char text[32];
    snprintf(text, sizeof(text), "%.1f", from > 0 ? to / from : 0);
    size_t len = strlen(text);
    if (len > 2 && strcmp(text + len - 2, ".0") == 0)
        text[len - 2] = 0;
    buf_append_str(out, text);
}

/* The sentence with its {was}, {will} and {times} filled in. */
static const char *fill_in(const char *sentence, const struct topic_change *c, struct arena *arena)
{
    struct buf out = BUF_INIT;
    char text[TOPIC_VALUE_SIZE];
    while (*sentence != 0) {
        if (strncmp(sentence, "{was}", 5) == 0)
            buf_append_str(&out, topic_for_people(c->property, c->was, text));
        else if (strncmp(sentence, "{will}", 6) == 0)
            buf_append_str(&out, topic_for_people(c->property, c->wanted, text));
        else if (strncmp(sentence, "{times}", 7) == 0)
            print_times(&out, c->was, c->wanted);
        else
            buf_append_byte(&out, (uint8_t)*sentence);
        sentence += *sentence == '{' ? strcspn(sentence, "}") + 1 : 1;
    }
    char *filled = out.failed ? NULL : arena_strdup(arena, buf_slice(&out));
    buf_release(&out);
    return filled;
}

/* What the cluster has; NULL when it does not tell, as clusters that lack the property do. */
static const char *value_now(const struct topic_plan *t, const struct topic_property *p,
                             char out[TOPIC_VALUE_SIZE])
{
    if (!p->shape)
        return topic_seen_value(t->seen, p->name);
    bool partitions = p == &topic_properties[TOPIC_PARTITIONS];
    snprintf(out, TOPIC_VALUE_SIZE, "%d", partitions ? t->seen->partitions : t->seen->copies);
    return out;
}

static bool add_change(struct topic_plan *t, const struct topic_property *p,
                       const struct topic_way *way, const char *was, const char *wanted,
                       struct arena *arena)
{
    struct topic_change *c = &t->changes[t->n];
    *c = (struct topic_change){.property = p,
                               .was = arena_strdup(arena, slice_str(was)),
                               .wanted = arena_strdup(arena, slice_str(wanted)),
                               .care = way->care};
    if (c->was == NULL || c->wanted == NULL)
        return false;
    c->effect = fill_in(way->effect, c, arena);
    t->n++;
    return c->effect != NULL;
}

bool topic_compare(struct topic_plan *t, struct arena *arena)
{
    char now[TOPIC_VALUE_SIZE], text[TOPIC_VALUE_SIZE];
    t->n = 0;
    t->missing = t->seen->partitions == 0;
    t->facts.copies = t->seen->copies;
    t->facts.partitions = t->seen->partitions;
    t->problem = t->missing ? NULL : t->seen->problem;
    if (t->missing || t->problem != NULL)
        return true;
    t->changes = arena_calloc(arena, TOPIC_PROPERTY_COUNT, sizeof(*t->changes));
    if (t->changes == NULL)
        return false;
    for (size_t i = 0; i < TOPIC_PROPERTY_COUNT; i++) {
        const struct topic_property *p = &topic_properties[i];
        const char *was = value_now(t, p, now), *wanted = topic_wanted(p, &t->facts, text);
        const struct topic_way *way = was ? topic_way(p, &t->facts, was, wanted) : NULL;
        if (way != NULL && !add_change(t, p, way, was, wanted, arena))
            return false;
    }
    return true;
}

static void count(struct plan *p, const struct topic_plan *t)
{
    int64_t partitions = topic_properties[TOPIC_PARTITIONS].number(&t->facts);
    int64_t copies =
        t->missing ? topic_properties[TOPIC_REPLICATION].number(&t->facts) : t->seen->copies;
    bool may = t->missing || !topic_is_keyed(&t->facts);
    int64_t more = may ? partitions - t->seen->partitions : 0;
    p->missing += t->missing;
    p->problems += t->problem != NULL;
    for (size_t i = 0; i < t->n; i++)
        p->care[t->changes[i].care]++;
    if (more > 0)
        p->replicas_after += (uint64_t)(more * copies);
}

static int compare_all(struct plan *p, const struct conf *conf, const struct tenant *tenants,
                       struct errbuf *err)
{
    p->replicas_after = p->cluster.replicas;
    for (size_t i = 0; i < p->n; i++) {
        struct topic_plan *t = &p->topics[i];
        t->facts = (struct topic_facts){.conf = conf,
                                        .tenant = &tenants[i / TOPIC_COUNT],
                                        .kind = (int)(i % TOPIC_COUNT),
                                        .brokers = p->cluster.brokers};
        t->seen = &p->cluster.topics[i];
        t->name = t->seen->name;
        if (!topic_compare(t, &p->arena))
            return errbuf_set(err, ENOMEM, "out of memory");
        count(p, t);
    }
    return 0;
}

int plan_make(const struct topic_admin *a, const struct conf *conf, const struct tenant *tenants,
              size_t n, struct plan *ret, struct errbuf *err)
{
    *ret = (struct plan){.n = n * TOPIC_COUNT};
    const char **names = arena_calloc(&ret->arena, ret->n + 1, sizeof(*names));
    ret->topics = arena_calloc(&ret->arena, ret->n + 1, sizeof(*ret->topics));
    if (names == NULL || ret->topics == NULL)
        return errbuf_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; i < ret->n; i++)
        names[i] = topic_name(&tenants[i / TOPIC_COUNT], (int)(i % TOPIC_COUNT));
    int rc = cluster_look(a, names, ret->n, &ret->arena, &ret->cluster, err);
    return rc == 0 ? compare_all(ret, conf, tenants, err) : rc;
}

bool plan_is_empty(const struct plan *p)
{
    size_t changes = p->missing + p->problems;
    for (int i = 0; i < TOPIC_CARE_COUNT; i++)
        changes += p->care[i];
    return changes == 0;
}

void plan_release(struct plan *p)
{
    arena_release(&p->arena);
}
