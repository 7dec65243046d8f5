/* Decompressing gzip under a ceiling: members one behind the other (R73), stops as soon as the
 * ceiling is passed (R92), refuses what is cut off or followed by anything else (R85). One inflater
 * per loop keeps its working memory from request to request. Thread: one at a time. */
#ifndef ROUTER_INFLATE_H
#define ROUTER_INFLATE_H

#include "base/buf.h"

struct inflater;

enum inflate_status {
    INFLATE_OK,
    INFLATE_TOO_LARGE, /* the ceiling of `out` is passed */
    INFLATE_CORRUPT,   /* not gzip, damaged, cut off, or garbage behind it */
    INFLATE_NO_MEMORY,
};

struct inflater *inflater_new(void);    /* NULL when out of memory */
void inflater_free(struct inflater *i); /* NULL is fine */
/* Appends the decompressed bytes to `out`, which is empty and has a ceiling. */
enum inflate_status inflate_gzip(struct inflater *i, struct slice in, struct buf *out);

#endif
