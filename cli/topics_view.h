/* A plan of topics, for people and as JSON. */
#ifndef CLI_TOPICS_VIEW_H
#define CLI_TOPICS_VIEW_H

#include "base/buf.h"
#include "tenancy/topics/plan.h"

/* The differences by topic, a line of sums and one of replicas. */
void topics_view_text(const struct plan *p, const struct conf *conf, bool colour, struct buf *out);
/* An object of the same; `result` (may be NULL) is further members, each with a comma in front. */
void topics_view_json(const struct plan *p, const struct conf *conf, const char *result,
                      struct buf *out);
/* "1 topic", "3 topics". */
void topics_view_count(struct buf *out, size_t n, const char *thing);

#endif
