/* GCRA: the bucket is one point in time, the theoretical arrival time (tat): it is full when tat is
 * not in the future, empty when tat is `burst / rate` ahead. Taking n units moves tat n / rate
 * further. Times are rounded up per take and down per burst, so that rounding never lets more
 * through than rate * time + burst.
 *
 * The line only decides who may take from the bucket, never how much there is: whatever goes wrong
 * in it, the rate holds. */
#include "tenancy/limits/limit.h"

#include "base/clock.h"
#include "tenancy/limits/line_pool.h"

/* Far enough to mean never (146 years), near enough that sums of two fit. */
#define FOREVER_NS (UINT64_MAX / 4)

static uint64_t units_to_ns(uint64_t units, uint64_t rate, bool up)
{
    unsigned __int128 product = (unsigned __int128)units * NS_PER_S + (up ? rate - 1 : 0);
    unsigned __int128 ns = product / rate;
    return ns < FOREVER_NS ? (uint64_t)ns : FOREVER_NS;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What n units are on the bucket's scale of time. */
struct price {
    uint64_t cost;  /* how far tat moves */
    uint64_t spare; /* how far in the future tat may be: depth - need. Needed is all of n, or a full
                       bucket when n is larger than that */
};

static struct price price_of(const struct limit *l, uint64_t n)
{
    uint64_t cost = units_to_ns(n, l->rate, true), depth = units_to_ns(l->burst, l->rate, false);
    return (struct price){cost, cost < depth ? depth - cost : 0};
}

static uint64_t until_ready(uint64_t start_ns, uint64_t now_ns, const struct price *p)
{
    uint64_t ready = now_ns + p->spare;
    return start_ns > ready ? start_ns - ready : 0;
}

/* --- the line -------------------------------------------------------------------------------- */

/* What is held for those in line at most: they may be late by a second each. */
#define HOLD_NS     (2 * NS_PER_S)
#define JITTER_NS   NS_PER_S
#define NOT_SO_LONG (UINT64_C(3600) * NS_PER_S) /* of a line */

/* NULL when nobody stands in line. Locks: the line's, until line_close. */
static struct limit_line *open_line(struct limit_state *s, uint64_t now_ns)
{
    if (atomic_load_explicit(&s->promised_ns, memory_order_relaxed) == 0)
        return NULL;
    return line_open(s, now_ns);
}

/* How the line lets the caller at the bucket. */
struct standing {
    bool in_line;      /* there is a line, and it is not the caller's turn */
    uint64_t turn_ns;  /* until the caller's turn, which comes while it may wait */
    uint64_t ahead_ns; /* in_line: promised to those before it */
    /* Kept beyond the depth for those who are late, or who is late would find less than promised.
     * It is not more in all: it came at the rate. */
    uint64_t kept_ns;
};

static struct standing standing_of(struct limit_state *s, struct limit_caller who, uint64_t now_ns,
                                   uint64_t max_wait_ns)
{
    struct limit_line *line = open_line(s, now_ns);
    struct standing found = {0};
    if (line == NULL)
        return found;
    const struct limit_place *place = limit_line_find(line, who, now_ns);
    found.kept_ns = limit_line_overdue(line, now_ns);
    if (place != NULL && place->due_ns <= now_ns + max_wait_ns) {
        found.turn_ns = place->due_ns > now_ns ? place->due_ns - now_ns : 0;
    } else {
        found.in_line = true;
        found.ahead_ns = limit_line_ahead(line, place);
    }
    line_close(s, line);
    return found;
}

static uint64_t start_of(uint64_t tat_ns, uint64_t now_ns, uint64_t kept_ns)
{
    return later(tat_ns, now_ns > kept_ns ? now_ns - kept_ns : 0);
}

/* --- taking ---------------------------------------------------------------------------------- */

/* Left in the bucket for the line by who does not wait for its end. Less than the bucket holds:
 * what nobody claims must not run over. */
static uint64_t hold_of(const struct standing *standing, const struct price *p)
{
    uint64_t hold = standing->ahead_ns < HOLD_NS ? standing->ahead_ns : HOLD_NS;
    return hold < p->spare / 4 * 3 ? hold : p->spare / 4 * 3;
}

/* How long the caller has to wait when tat is this. */
static uint64_t wait_of(const struct standing *standing, const struct price *p, uint64_t tat_ns,
                        uint64_t now_ns)
{
    uint64_t start = start_of(tat_ns, now_ns, standing->kept_ns);
    if (!standing->in_line)
        return later(until_ready(start, now_ns, p), standing->turn_ns);
    if (until_ready(later(tat_ns, now_ns) + hold_of(standing, p), now_ns, p) == 0)
        return 0;
    return until_ready(start + standing->ahead_ns, now_ns, p);
}

enum limit_verdict limit_take(struct limit_state *s, const struct limit *l, uint64_t n,
                              struct limit_caller who, uint64_t now_ns, uint64_t max_wait_ns,
                              uint64_t *wait_ns)
{
    *wait_ns = 0;
    if (l->rate == 0)
        return LIMIT_OK;
    const struct price p = price_of(l, n);
    const struct standing standing = standing_of(s, who, now_ns, max_wait_ns);
    uint64_t tat = atomic_load_explicit(&s->tat_ns, memory_order_relaxed), next;
    do {
        *wait_ns = wait_of(&standing, &p, tat, now_ns);
        if (*wait_ns > max_wait_ns)
            return LIMIT_REFUSED;
        uint64_t start = start_of(tat, now_ns, standing.kept_ns);
        next = start < FOREVER_NS ? start + p.cost : start;
    } while (!atomic_compare_exchange_weak_explicit(&s->tat_ns, &tat, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return *wait_ns == 0 ? LIMIT_OK : LIMIT_WAIT;
}

/* Until the turn of who has this place (NULL: would come last). Who stood before it and did not
 * come back does not count any more. */
static uint64_t turn_of(struct limit_state *s, const struct price *p, const struct limit_line *line,
                        const struct limit_place *place, uint64_t now_ns)
{
    bool due = place != NULL && place->due_ns <= now_ns;
    uint64_t ahead = line && !due ? limit_line_ahead(line, place) : 0;
    uint64_t kept = line ? limit_line_overdue(line, now_ns) : 0;
    uint64_t tat = atomic_load_explicit(&s->tat_ns, memory_order_relaxed);
    return until_ready(start_of(tat, now_ns, kept) + ahead, now_ns, p);
}

uint64_t limit_wait(struct limit_state *s, const struct limit *l, uint64_t n,
                    struct limit_caller who, uint64_t now_ns)
{
    if (l->rate == 0)
        return 0;
    const struct price p = price_of(l, n);
    struct limit_line *line = open_line(s, now_ns);
    uint64_t wait = turn_of(s, &p, line, line ? limit_line_find(line, who, now_ns) : NULL, now_ns);
    if (line != NULL)
        line_close(s, line);
    return wait;
}

/* Those whose turn is far off, or who have no place, do not all come at the same time. */
static uint64_t delay_for(uint64_t wait_ns, uint64_t id, uint64_t now_ns)
{
    uint64_t mixed = (id ^ now_ns) * UINT64_C(0x9E3779B97F4A7C15);
    if (wait_ns > LIMIT_DELAY_MAX_NS)
        return LIMIT_DELAY_MAX_NS - (mixed >> 32) % JITTER_NS;
    return wait_ns < LIMIT_DELAY_MIN_NS ? LIMIT_DELAY_MIN_NS : wait_ns;
}

uint64_t limit_queue_up(struct limit_state *s, const struct limit *l, uint64_t n,
                        struct limit_caller who, uint64_t now_ns)
{
    const struct price p = price_of(l, n);
    struct limit_line *line = who.id != 0 ? line_make(s, now_ns) : line_open(s, now_ns);
    if (line == NULL)
        return delay_for(turn_of(s, &p, NULL, NULL, now_ns), who.id, now_ns);
    struct limit_place *place = limit_line_find(line, who, now_ns);
    uint64_t wait = turn_of(s, &p, line, place, now_ns);
    uint64_t delay = delay_for(wait, who.id, now_ns);
    if (place != NULL) {
        place->due_ns = now_ns + wait;
        place->back_ns = now_ns + delay;
    } else if (wait < NOT_SO_LONG) {
        limit_line_add(line, (struct limit_place){who.id, now_ns + wait, now_ns + delay, p.cost});
    }
    line_close(s, line);
    return delay;
}

void limit_leave(struct limit_state *s, struct limit_caller who, uint64_t now_ns)
{
    struct limit_line *line = open_line(s, now_ns);
    if (line == NULL)
        return;
    struct limit_place *place = limit_line_find(line, who, now_ns);
    if (place != NULL)
        limit_line_leave(line, place);
    line_close(s, line);
}

void limit_return(struct limit_state *s, const struct limit *l, uint64_t n)
{
    if (l->rate == 0)
        return;
    uint64_t cost = units_to_ns(n, l->rate, true), next;
    uint64_t tat = atomic_load_explicit(&s->tat_ns, memory_order_relaxed);
    do {
        next = tat > cost ? tat - cost : 0;
    } while (!atomic_compare_exchange_weak_explicit(&s->tat_ns, &tat, next, memory_order_relaxed,
                                                    memory_order_relaxed));
}

void limit_reset(struct limit_state *s)
{
    struct limit_line *line = line_open(s, 0);
    atomic_store_explicit(&s->tat_ns, 0, memory_order_relaxed);
    if (line == NULL)
        return;
    *line = (struct limit_line){0};
    line_close(s, line);
}

void limit_release(struct limit_state *s)
{
    line_release(s);
    atomic_store(&s->tat_ns, 0);
    atomic_store(&s->promised_ns, 0);
}

uint64_t limit_available(const struct limit_state *s, const struct limit *l, uint64_t now_ns)
{
    if (l->rate == 0)
        return UINT64_MAX;
    uint64_t tat = atomic_load_explicit(&s->tat_ns, memory_order_relaxed);
    uint64_t ahead = tat > now_ns ? tat - now_ns : 0;
    uint64_t depth = units_to_ns(l->burst, l->rate, false);
    if (ahead == 0)
        return l->burst;
    if (ahead >= depth)
        return 0;
    return (uint64_t)((unsigned __int128)(depth - ahead) * l->rate / NS_PER_S);
}
