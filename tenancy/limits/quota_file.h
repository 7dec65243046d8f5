/* What tenants used of the day, as text: so that a router that is started again goes on counting.
 *
 *     tenantry-quota 1 20780
 *     acme 123456 100000 20000 3456 10 2 1 5 1 1
 *     +BiZEwPSm 100000 100000 0 0
 *
 * The day (since 1970, UTC); then per tenant the bytes of all signals and of each, the items of
 * each, the requests of each; and per key with limits of its own the bytes of all signals and of
 * each. */
#ifndef TENANCY_QUOTA_FILE_H
#define TENANCY_QUOTA_FILE_H

#include "base/buf.h"
#include "base/errbuf.h"

/* All tenants and keys that used something on that day. Thread: any. */
void quota_file_write(struct buf *out, uint64_t day);
/* Takes over the counts when they are of that day or of a later one; those that count already stay.
 * -EINVAL with a sentence when the text is none of ours: what is before the wrong line counts. */
int quota_file_read(struct slice text, uint64_t day, struct errbuf *err);

#endif
