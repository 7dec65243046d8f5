/* Limits of a key, below those of its tenant: named as in a tenant's file ("rate", "items",
 * "logs.burst") and kept in the key file under these names. Thread: any. */
#ifndef TENANCY_KEY_LIMITS_H
#define TENANCY_KEY_LIMITS_H

#include "base/buf.h"
#include "tenancy/tenancy.h"

/* Where the limit of this name stands in `limits` ([LIMIT_SCOPE_COUNT]), NULL when there is none;
 * its kind and a number of its own below 32 too. */
uint64_t *key_limit_by_name(struct rate_conf *limits, struct slice name, enum option_kind *ret_kind,
                            unsigned *ret_number);
/* "rate=5000000 logs.items=100" as the key file has it, or "rate=5MB/s logs.items=100/s" for
 * people, with a blank before each; nothing for NULL. */
void key_limits_print(const struct rate_conf *limits, bool for_people, struct buf *out);
/* A burst holds the largest request that is one record (conf_least_burst). 0 or -EINVAL. */
int key_limits_check(const struct rate_conf *limits, const struct conf *c, struct errbuf *err);

#endif
