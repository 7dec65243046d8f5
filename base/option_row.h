/* Inside base/option*.c: what reading, defaults, printing and the table check share. */
#ifndef BASE_OPTION_ROW_H
#define BASE_OPTION_ROW_H

#include "base/option.h"

static inline void *option_field(const struct option *row, void *conf)
{
    return (char *)conf + row->offset;
}
static inline const void *option_field_const(const struct option *row, const void *conf)
{
    return (const char *)conf + row->offset;
}
static inline bool option_is_number(const struct option *row)
{
    return row->kind == OPT_UINT || row->kind == OPT_SIZE || row->kind == OPT_RATE ||
           row->kind == OPT_DURATION;
}

/* -EINVAL when `n` is outside the row's bounds. `text` is how the person wrote it. */
int option_check_bounds(const struct option *row, uint64_t n, const char *text, struct errbuf *err);
/* Sets a field of any kind but OPT_MAP, OPT_GROUP and OPT_LIST. OPT_STRINGS takes "a, b". Strings
 * are copied to `a`. Sentences do not name the option. */
int option_set_text(const struct option *row, const char *text, void *conf, struct arena *a,
                    struct errbuf *err);

/* libconfig 1.5 cuts integers above 2^31 to their low bits unless they end in L, and resolves
 * @include from anywhere. Copies `text` to `out` with the L added and refuses @include, NUL bytes
 * and integers above 2^63: `name` and line stand in the sentence. */
int option_scan(const char *name, struct slice text, struct buf *out, struct errbuf *err);

/* The row whose name is nearest to a misspelt one; NULL when none is near. */
const struct option *option_near(const struct option_group *group, const char *name);

#endif
