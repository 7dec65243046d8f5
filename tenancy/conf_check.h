/* For the checks of what was read: sentences that begin with file, line and option. Thread: any. */
#ifndef TENANCY_CONF_CHECK_H
#define TENANCY_CONF_CHECK_H

#include "tenancy/conf.h"

/* What is being checked. */
struct conf_check {
    const char *file;
    const struct option_origins *where; /* NULL = lines are not known */
    struct arena *a;
    struct errbuf *err;
};

/* "file:line: option: ...". Returns -EINVAL. */
int conf_fail(const struct conf_check *c, const char *option, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fills what follows from other options (paths, names, target), and refuses what does not belong to
 * the kind of database. */
int database_conf_finish(const struct conf_check *c, struct database_conf *d, const char *id,
                         const char *state);

#endif
