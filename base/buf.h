/* A growable byte buffer with a ceiling. Growing past the ceiling or out of memory marks the buffer
 * `failed`; later appends do nothing, so a writer checks once at the end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"

struct buf {
    uint8_t *at;     /* owned; NULL while nothing was appended */
    size_t len;      /* bytes in use */
    size_t capacity; /* bytes allocated */
    size_t ceiling;  /* largest len; 0 = none */
    bool failed;     /* an append did not fit or found no memory */
};

/* clang-format off */
#define BUF_INIT {NULL, 0, 0, 0, false}
#define BUF_INIT_CEILING(bytes) {NULL, 0, 0, (bytes), false}
/* clang-format on */

/* Makes room for `more` bytes behind len. Returns where they go (valid until the next call), or
 * NULL and marks the buffer failed. */
uint8_t *buf_reserve(struct buf *b, size_t more);
/* Appends; 0, or -ENOBUFS / -ENOMEM when the buffer failed (now or before). */
int buf_append(struct buf *b, const void *at, size_t len);
int buf_append_slice(struct buf *b, struct slice s);
int buf_append_str(struct buf *b, const char *text);
int buf_append_byte(struct buf *b, uint8_t byte);
/* In decimal digits; several times as fast as buf_printf, for texts of many numbers. */
int buf_append_u64(struct buf *b, uint64_t n);
int buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A NUL behind the content (not counted in len). Returns "" when the buffer is empty or failed. */
const char *buf_cstr(struct buf *b);
static inline struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->at, b->len);
}
/* Empties it and keeps the memory. */
void buf_clear(struct buf *b);
/* Frees the memory; the ceiling stays. */
void buf_release(struct buf *b);

#endif
