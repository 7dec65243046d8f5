#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define FIRST_CHUNK  4096
#define LARGEST_STEP (1024 * 1024)

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* of data[] */
    size_t used;
    alignas(max_align_t) uint8_t data[];
};

static struct arena_chunk *chunk_new(struct arena *a, size_t need)
{
    size_t size = a->head ? a->head->size * 2 : FIRST_CHUNK;
    if (size > LARGEST_STEP)
        size = LARGEST_STEP;
    if (size < need)
        size = need;
    if (a->ceiling != 0 && a->held + size > a->ceiling) {
        if (a->held + need > a->ceiling)
            return NULL;
        size = need;
    }
    struct arena_chunk *c = malloc(sizeof(*c) + size);
    if (c == NULL)
        return NULL;
    c->size = size;
    c->used = 0;
    c->next = a->head;
    a->head = c;
    a->held += size;
    return c;
}

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t mask = alignof(max_align_t) - 1;
    if (size > SIZE_MAX / 4)
        return NULL;
    size = (size + mask) & ~mask;
    struct arena_chunk *c = a->head;
    if (c == NULL || c->size - c->used < size)
        c = chunk_new(a, size);
    if (c == NULL)
        return NULL;
    void *at = c->data + c->used;
    c->used += size;
    a->used += size;
    return at;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / 4 / size)
        return NULL;
    void *at = arena_alloc(a, count * size);
    if (at != NULL)
        memset(at, 0, count * size);
    return at;
}

struct slice arena_copy(struct arena *a, struct slice s, bool *ok)
{
    if (s.len == 0)
        return SLICE_NULL;
    void *at = arena_alloc(a, s.len);
    if (at == NULL) {
        *ok = false;
        return SLICE_NULL;
    }
    memcpy(at, s.at, s.len);
    return slice_of(at, s.len);
}

char *arena_strdup(struct arena *a, struct slice s)
{
    char *at = arena_alloc(a, s.len + 1);
    if (at == NULL)
        return NULL;
    if (s.len > 0)
        memcpy(at, s.at, s.len);
    at[s.len] = 0;
    return at;
}

void arena_reset(struct arena *a, size_t keep)
{
    struct arena_chunk *kept = NULL, *c = a->head;
    while (c != NULL) {
        struct arena_chunk *next = c->next;
        if (kept == NULL && c->size <= keep) {
            kept = c;
        } else {
            a->held -= c->size;
            free(c);
        }
        c = next;
    }
    if (kept != NULL) {
        kept->next = NULL;
        kept->used = 0;
    }
    a->head = kept;
    a->used = 0;
}

void arena_release(struct arena *a)
{
    arena_reset(a, 0);
    if (a->head != NULL) { /* only a chunk of size 0 could be left */
        free(a->head);
        a->head = NULL;
    }
    a->held = 0;
}
