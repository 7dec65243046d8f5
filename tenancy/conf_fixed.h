/* Options without OPT_RELOAD keep the values they had when the process started. */
#ifndef TENANCY_CONF_FIXED_H
#define TENANCY_CONF_FIXED_H

#include "tenancy/conf.h"

/* Sets the fields of `conf` whose rows lack OPT_RELOAD to those of `boot`, whose strings and lists
 * it then borrows. The names of those that differed are appended to `changed`, parted by ", ". */
void conf_keep_fixed(const struct option_group *group, const void *boot, void *conf,
                     struct buf *changed);

#endif
