#include "consumer/inspect/letters.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

bool letter_parse(struct slice origin, struct letter *ret)
{
    char text[96];
    int end = 0;
    snprintf(text, sizeof(text), "%.*s", SLICE_ARG(origin));
    return sscanf(text, "%" SCNu32 ":%" SCNd32 ":%" SCNd64 ":%n", &ret->source, &ret->partition,
                  &ret->offset, &end) == 3 &&
           end > 0 && text[0] != '-' && ret->partition >= 0 && ret->offset >= 0;
}

bool letter_of(const rd_kafka_message_t *m, const struct tenant *t, struct letter *ret)
{
    ret->signal = tenant_signal_of(t, kafka_log_header(m, DLQ_H_TOPIC));
    return letter_parse(kafka_log_header(m, DLQ_H_ORIGIN), ret);
}

static int order(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

int letter_cmp(const struct letter *a, const struct letter *b)
{
    int c = order(a->signal, b->signal);
    if (c == 0)
        c = order(a->source, b->source);
    if (c == 0)
        c = order(a->partition, b->partition);
    return c ? c : order(a->offset, b->offset);
}

static int compare(const void *a, const void *b)
{
    return letter_cmp(a, b);
}

int letters_add(struct letters *l, const struct letter *letter)
{
    if (l->n == l->capacity) {
        size_t capacity = l->capacity ? l->capacity * 2 : 256;
        struct letter *at = realloc(l->at, capacity * sizeof(*at));
        if (at == NULL)
            return -ENOMEM;
        l->at = at;
        l->capacity = capacity;
    }
    l->at[l->n++] = *letter;
    return 0;
}

void letters_settle(struct letters *l)
{
    size_t kept = 0;
    if (l->n > 0)
        qsort(l->at, l->n, sizeof(*l->at), compare);
    for (size_t i = 0; i < l->n; i++)
        if (kept == 0 || letter_cmp(&l->at[kept - 1], &l->at[i]) != 0)
            l->at[kept++] = l->at[i];
    l->n = kept;
}

/* How many stand in front of `letter`. */
static size_t rank(const struct letters *l, const struct letter *letter)
{
    size_t low = 0, high = l->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (letter_cmp(&l->at[middle], letter) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t letters_count(const struct letters *l, enum signal signal, uint32_t source,
                       int32_t partition, int64_t from, int64_t to)
{
    struct letter first = {signal, source, partition, from};
    struct letter last = {signal, source, partition, to};
    return from < to ? rank(l, &last) - rank(l, &first) : 0;
}

struct reading {
    const struct tenant *t;
    struct letters *l;
    struct errbuf *err;
};

static int take(void *arg, const rd_kafka_message_t *m)
{
    struct reading *r = arg;
    struct letter letter;
    if (letter_of(m, r->t, &letter) && letters_add(r->l, &letter) < 0)
        return errbuf_set(r->err, ENOMEM, "out of memory for %zu dead letters", r->l->n);
    return 0;
}

int letters_read(struct kafka_log *log, const struct tenant *t, struct letters *ret,
                 struct errbuf *err)
{
    struct reading r = {t, ret, err};
    int partitions = kafka_log_partitions(log, t->dlq_topic, err);
    ret->complete = true;
    for (int32_t p = 0; p < partitions; p++) {
        int64_t low, high;
        int rc = kafka_log_range(log, t->dlq_topic, p, &low, &high, err);
        if (rc == 0)
            rc = kafka_log_read(log, t->dlq_topic, p, low, high, take, &r, err);
        if (rc < 0)
            return rc;
        ret->complete = ret->complete && low == 0;
    }
    letters_settle(ret);
    return partitions < 0 ? partitions : 0;
}

void letters_release(struct letters *l)
{
    free(l->at);
    *l = (struct letters){0};
}
