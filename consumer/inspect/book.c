#include "consumer/inspect/book.h"

#include <errno.h>

static void add(void *arg, const char *cluster, const char *topic, int32_t partition,
                const struct progress *p)
{
    struct book *b = arg;
    struct book_entry *e = arena_calloc(&b->arena, 1, sizeof(*e));
    const char *kept_cluster = arena_strdup(&b->arena, slice_str(cluster));
    const char *kept_topic = arena_strdup(&b->arena, slice_str(topic));
    if (e == NULL || kept_cluster == NULL || kept_topic == NULL) {
        b->no_memory = true;
        return;
    }
    *e = (struct book_entry){kept_cluster, kept_topic, partition, *p, b->entries};
    b->entries = e;
}

void book_read(struct exporter *x, struct book *ret)
{
    ret->result = x->ops->each_progress(x, add, ret, &ret->problem);
    if (ret->result == EXPORT_OK && ret->no_memory) {
        errbuf_set(&ret->problem, ENOMEM, "Out of memory while the database was read.");
        ret->result = EXPORT_TRANSIENT;
    }
}

static bool is_of(const struct book_entry *e, const char *cluster, const char *topic)
{
    return strcmp(e->topic, topic) == 0 && strcmp(e->cluster, cluster) == 0;
}

const struct book_entry *book_latest(const struct book *b, const char *cluster, const char *topic,
                                     int32_t partition)
{
    const struct book_entry *latest = NULL;
    for (const struct book_entry *e = b->entries; e != NULL; e = e->next)
        if (e->partition == partition && is_of(e, cluster, topic) &&
            (latest == NULL || e->p.generation > latest->p.generation))
            latest = e;
    return latest;
}

uint32_t book_generation(const struct book *b, const char *cluster, const char *topic)
{
    uint32_t highest = 0;
    for (const struct book_entry *e = b->entries; e != NULL; e = e->next)
        if (is_of(e, cluster, topic) && e->p.generation > highest)
            highest = e->p.generation;
    return highest;
}

void book_release(struct book *b)
{
    arena_release(&b->arena);
    b->entries = NULL;
}
