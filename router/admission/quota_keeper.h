/* Watches what tenants use: how fast (tenancy/limits/meter.h), and what of the day, which it keeps
 * in a file of the state folder, so that quotas survive restarts and kill -9. A thread writes it,
 * every quarter of a second in which something was counted, never a request. One router keeps the
 * quotas of a state folder; another one there only counts, and says so. */
#ifndef ROUTER_QUOTA_KEEPER_H
#define ROUTER_QUOTA_KEEPER_H

struct quota_keeper;

/* Reads the counts back, before anything is counted, and starts the thread. When they cannot be
 * kept, which is logged, quotas count from 0. NULL: no memory, no thread. */
struct quota_keeper *quota_keeper_start(const char *state);
/* After the last request was counted; writes once more. NULL is fine. */
void quota_keeper_stop(struct quota_keeper *k);

#endif
