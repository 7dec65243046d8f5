/* Tells the use of keys now and then (tenancy/keys/usage_file.h), on a thread of its own: counting
 * is a few atomics (tenancy/keys/key_runtime.h), and a slow disk keeps nobody waiting. */
#ifndef ROUTER_KEY_USAGE_H
#define ROUTER_KEY_USAGE_H

#include "tenancy/tenancy.h"

struct key_usage_log;

/* Goes on with the counts of the router that had this name before. A state folder that cannot be
 * written is told in the log and otherwise no reason to fail. NULL when router.key_usage is 0 or
 * nothing can be started. */
struct key_usage_log *key_usage_start(struct tenancy *t);
/* Tells the last counts. NULL is fine. */
void key_usage_stop(struct key_usage_log *u);

#endif
