/* Taking a tenant out of Kafka: its topics and its consumer group. Each may be gone already.
 * Blocking. */
#ifndef TENANCY_TOPICS_REMOVE_H
#define TENANCY_TOPICS_REMOVE_H

#include "tenancy/topics/admin.h"

/* How many are members of the group, by name in `who` the first ("client at host"); 0 also when
 * there is no such group: *ret_there. Negative errno with a sentence. A static member stays for its
 * session timeout (45 s unless configured) after it has ended. */
int group_members(const struct topic_admin *a, const char *group, bool *ret_there, char *who,
                  size_t size, struct errbuf *err);
/* Returns how many were deleted; a negative errno with a sentence that names the topic that
 * was not, and why. */
int topics_delete(const struct topic_admin *a, const char *const *names, size_t n,
                  struct errbuf *err);
/* 1 = deleted, 0 = there was none; negative errno with a sentence. */
int group_delete(const struct topic_admin *a, const char *group, struct errbuf *err);

#endif
