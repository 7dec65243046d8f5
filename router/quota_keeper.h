/* Keeps what tenants used of the day in a file of the state folder, so that quotas survive restarts
 * and kill -9: a thread writes it, every quarter of a second in which something was counted, never
 * a request. One router keeps the quotas of a state folder. */
#ifndef ROUTER_QUOTA_KEEPER_H
#define ROUTER_QUOTA_KEEPER_H

struct quota_keeper;

/* Reads the counts back, before anything is counted, and starts the thread. NULL, logged, when they
 * cannot be kept: quotas then count from 0. */
struct quota_keeper *quota_keeper_start(const char *state);
/* After the last request was counted; writes once more. NULL is fine. */
void quota_keeper_stop(struct quota_keeper *k);

#endif
