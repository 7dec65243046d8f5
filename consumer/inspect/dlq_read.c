#include "consumer/inspect/dlq_read.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

struct dlq_entry {
    struct letter origin;
    struct dlq_group *group;
    uint64_t items;
    int64_t died_ms;
};

static bool is_group(const struct dlq_group *g, const struct dlq_facts *f)
{
    return slice_eq(slice_str(g->error_class), f->error_class) &&
           slice_eq(slice_str(g->code), f->code) && slice_eq(slice_str(g->topic), f->topic);
}

/* NULL without memory. */
static struct dlq_group *group_of(struct dlq_summary *s, const struct dlq_facts *f)
{
    struct dlq_group *g = s->groups;
    while (g != NULL && !is_group(g, f))
        g = g->next;
    if (g != NULL)
        return g;
    g = arena_calloc(&s->arena, 1, sizeof(*g));
    if (g == NULL)
        return NULL;
    *g = (struct dlq_group){
        .error_class = arena_strdup(&s->arena, f->error_class),
        .code = arena_strdup(&s->arena, f->code),
        .topic = arena_strdup(&s->arena, f->topic),
        .sample = arena_strdup(&s->arena, f->text),
        .next = s->groups,
    };
    if (g->error_class == NULL || g->code == NULL || g->topic == NULL || g->sample == NULL)
        return NULL;
    s->groups = g;
    return g;
}

static void count(struct dlq_summary *s, struct dlq_group *g, uint64_t items, int64_t died_ms)
{
    if (g->letters == 0 || died_ms < g->oldest_ms)
        g->oldest_ms = died_ms;
    if (g->letters == 0 || died_ms > g->newest_ms)
        g->newest_ms = died_ms;
    g->letters++;
    g->items += items;
    s->letters++;
}

int dlq_summary_add(struct dlq_summary *s, const struct dlq_facts *f)
{
    struct dlq_group *g = group_of(s, f);
    if (g == NULL)
        return -ENOMEM;
    if (!f->has_origin) {
        count(s, g, f->items, f->died_ms);
        return 0;
    }
    if (s->n == s->capacity) {
        size_t capacity = s->capacity ? s->capacity * 2 : 256;
        struct dlq_entry *entries = realloc(s->entries, capacity * sizeof(*entries));
        if (entries == NULL)
            return -ENOMEM;
        s->entries = entries;
        s->capacity = capacity;
    }
    s->entries[s->n++] = (struct dlq_entry){f->origin, g, f->items, f->died_ms};
    return 0;
}

/* Of the copies of a letter the one that died first comes first. */
static int compare_entries(const void *a, const void *b)
{
    const struct dlq_entry *x = a, *y = b;
    int c = letter_cmp(&x->origin, &y->origin);
    return c ? c : (x->died_ms > y->died_ms) - (x->died_ms < y->died_ms);
}

/* Most letters first. */
static void sort_groups(struct dlq_summary *s)
{
    struct dlq_group *sorted = NULL;
    for (struct dlq_group *g = s->groups, *next; g != NULL; g = next) {
        struct dlq_group **at = &sorted;
        next = g->next;
        while (*at != NULL && (*at)->letters >= g->letters)
            at = &(*at)->next;
        g->next = *at;
        *at = g;
    }
    s->groups = sorted;
}

void dlq_summary_settle(struct dlq_summary *s)
{
    if (s->n > 0)
        qsort(s->entries, s->n, sizeof(*s->entries), compare_entries);
    for (size_t i = 0; i < s->n; i++) {
        const struct dlq_entry *e = &s->entries[i];
        if (i > 0 && letter_cmp(&e[-1].origin, &e->origin) == 0)
            s->copies++;
        else
            count(s, e->group, e->items, e->died_ms);
    }
    s->n = 0;
    sort_groups(s);
}

void dlq_summary_release(struct dlq_summary *s)
{
    arena_release(&s->arena);
    free(s->entries);
    *s = (struct dlq_summary){0};
}

struct reading {
    const struct tenant *t;
    struct dlq_summary *s;
    struct errbuf *err;
};

static int64_t died_ms(const rd_kafka_message_t *m)
{
    uint64_t ns;
    if (record_number(kafka_log_header(m, DLQ_H_FAILED_AT), &ns))
        return (int64_t)(ns / NS_PER_MS);
    return rd_kafka_message_timestamp(m, NULL);
}

static int take(void *arg, const rd_kafka_message_t *m)
{
    struct reading *r = arg;
    struct dlq_facts f = {
        .error_class = kafka_log_header(m, DLQ_H_ERROR_CLASS),
        .code = kafka_log_header(m, DLQ_H_ERROR_CODE),
        .topic = kafka_log_header(m, DLQ_H_TOPIC),
        .text = kafka_log_header(m, DLQ_H_ERROR_TEXT),
        .items = kafka_log_told_items(m),
        .died_ms = died_ms(m),
    };
    f.has_origin = letter_of(m, r->t, &f.origin);
    return dlq_summary_add(r->s, &f) < 0 ? errbuf_set(r->err, ENOMEM, "out of memory") : 0;
}

int dlq_summarize(struct kafka_log *log, const struct tenant *t, struct dlq_summary *ret,
                  struct errbuf *err)
{
    struct reading r = {t, ret, err};
    int partitions = kafka_log_partitions(log, t->dlq_topic, err);
    for (int32_t p = 0; p < partitions; p++) {
        int64_t low, high;
        int rc = kafka_log_range(log, t->dlq_topic, p, &low, &high, err);
        if (rc == 0)
            rc = kafka_log_read(log, t->dlq_topic, p, low, high, take, &r, err);
        if (rc < 0)
            return rc;
    }
    dlq_summary_settle(ret);
    return partitions < 0 ? partitions : 0;
}
