/* The line at a limit: requests that were refused and told when to come back have a place, which
 * stands for what their limit will have for them then. Without it all who were told the same would
 * come at once, and who asks for the first time would take what others were promised.
 *
 * Places are kept in a table of fixed size; who finds no room is not promised anything. A place
 * whose holder does not come back in time is taken away. Pure; the caller locks. */
#ifndef TENANCY_LIMIT_LINE_H
#define TENANCY_LIMIT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIMIT_LINE_SETS 128
#define LIMIT_LINE_WAYS 8

/* Who asks. */
struct limit_caller {
    uint64_t id;  /* the same when the same request comes again; 0 = not known: gets no place */
    bool several; /* `id` stands for requests that cannot be told apart (those of one connection) */
};

struct limit_place {
    uint64_t id;      /* 0 = free */
    uint64_t due_ns;  /* when its turn is */
    uint64_t back_ns; /* when it was told to be back: its turn, or before if that is far off */
    uint64_t cost_ns; /* on the bucket's scale of time */
};
/* Zeroed to begin with. */
struct limit_line {
    uint64_t promised_ns; /* costs of all places */
    uint64_t sweep_ns;    /* when to look for places to take away */
    struct limit_place at[LIMIT_LINE_SETS][LIMIT_LINE_WAYS];
};

/* Takes away what was not claimed. Cheap when nothing is to be done. */
void limit_line_sweep(struct limit_line *line, uint64_t now_ns);
/* The caller's place, or NULL. Of several requests the one that should be back by now. */
struct limit_place *limit_line_find(struct limit_line *line, struct limit_caller who,
                                    uint64_t now_ns);
/* A new place, at due_ns; false when there is no room. */
bool limit_line_add(struct limit_line *line, struct limit_place place);
/* What is promised to those whose turn is before this one's (NULL: to all). */
uint64_t limit_line_ahead(const struct limit_line *line, const struct limit_place *place);
/* What is promised to those whose turn has come and who are still to come back. */
uint64_t limit_line_overdue(const struct limit_line *line, uint64_t now_ns);
/* Gives a place up: its turn came, or it is not needed any more. */
void limit_line_leave(struct limit_line *line, struct limit_place *place);

#endif
