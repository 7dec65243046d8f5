/* One page of metrics from several processes: the text format wants all lines of a metric together
 * and its HELP and TYPE once, so that pages cannot just be put behind each other. Thread: one at a
 * time. */
#ifndef BASE_EXPOSITION_H
#define BASE_EXPOSITION_H

#include "base/buf.h"

struct exposition {
    struct exposition_family *families; /* in order of first appearance */
    size_t n, capacity;
    bool failed; /* memory: the page would not be whole */
};
/* clang-format off */
#define EXPOSITION_INIT {NULL, 0, 0, false}
/* clang-format on */

/* The page of this process: every line is taken. */
void exposition_add_own(struct exposition *e, struct slice page);
/* The page of a worker: series without labels tell of that process alone and are left out, for they
 * would stand there once per worker. */
void exposition_add_worker(struct exposition *e, struct slice page);
/* The pages in `folder` that were written a minute ago or later; older ones are of a process that
 * is gone. One that is being replaced or cannot be read is left out. */
void exposition_add_folder(struct exposition *e, const char *folder);
void exposition_write(const struct exposition *e, struct buf *out);
void exposition_release(struct exposition *e);

#endif
