/* Whether each tenant's books balance, checked in turn: what the last check of each found. Thread:
 * one. */
#ifndef CONSUMER_BOOKS_H
#define CONSUMER_BOOKS_H

#include "tenancy/tenancy.h"

#include <stdatomic.h>

struct book_check {
    char tenant[64];
    bool doubted;        /* the last check found something: looked at once more before it counts */
    uint64_t due_ns;     /* monotonic */
    uint64_t checked_ms; /* wall clock, of the last that came to an end; 0 = none yet */
    uint64_t findings;
};

struct books {
    struct book_check *at;
    size_t n;
};

/* Checks the tenants whose time has come, for some seconds at most, or until *ending. */
void books_turn(struct books *b, const struct snapshot *s, const char *brokers,
                const _Atomic bool *ending);
/* What a check found: true when the tenant's figure changed. Pure. */
bool book_note(struct book_check *c, uint64_t findings, uint64_t now_ms);
/* As Prometheus text. */
void books_page(const struct books *b, struct buf *out);
void books_release(struct books *b);

#endif
