/* The lines of all limits of the process: a pool of fixed size. A limit gets a line by its first
 * refusal, and may lose it once nobody stands in it any more and another limit needs one; so a
 * limit without a line only means that all are in use right now. Lines are never freed, so that who
 * still has a pointer to one that went to another limit finds that out under its lock. Thread: any.
 */
#ifndef TENANCY_LINE_POOL_H
#define TENANCY_LINE_POOL_H

#include "tenancy/limits/limit.h"

#define LINE_POOL_SIZE 1024 /* 32 MiB, of which is touched what was needed at once */

/* The limit's line, swept. NULL when it has none. Locks: the line's, until line_close. */
struct limit_line *line_open(struct limit_state *s, uint64_t now_ns);
/* The same; one without a line gets one, unless all are in use. */
struct limit_line *line_make(struct limit_state *s, uint64_t now_ns);
void line_close(struct limit_state *s, struct limit_line *line);
/* Gives the limit's line back; the limit is not used by anybody else any more. */
void line_release(struct limit_state *s);

#endif
