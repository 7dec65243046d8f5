/* An arena: many small allocations, freed together. One per request or per batch. Not thread-safe:
 * one owner at a time. Memory stays accounted, so that a batch knows what it holds. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *head; /* the chunk that is being filled; older ones behind it */
    size_t used;              /* bytes handed out */
    size_t held;              /* bytes of all chunks */
    size_t ceiling;           /* most bytes that `held` may reach; 0 = none */
};

/* clang-format off */
#define ARENA_INIT {NULL, 0, 0, 0}
#define ARENA_INIT_CEILING(bytes) {NULL, 0, 0, (bytes)}
/* clang-format on */

/* `size` bytes aligned for any type, not zeroed, valid until arena_reset or arena_release. NULL
 * when memory or the ceiling is spent. */
void *arena_alloc(struct arena *a, size_t size);
/* The same, zeroed; NULL also when count * size overflows. */
void *arena_calloc(struct arena *a, size_t count, size_t size);
/* A copy of the bytes; {NULL,0} for an empty slice, at == NULL with len > 0 never happens: on
 * failure `*ok` is set to false (it is left alone otherwise). */
struct slice arena_copy(struct arena *a, struct slice s, bool *ok);
/* A NUL-terminated copy, or NULL. */
char *arena_strdup(struct arena *a, struct slice s);
/* Frees everything handed out and keeps one chunk of up to `keep` bytes for the next round. */
void arena_reset(struct arena *a, size_t keep);
void arena_release(struct arena *a);

#endif
