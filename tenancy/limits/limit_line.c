#include "tenancy/limits/limit_line.h"

#include "base/clock.h"

/* How long a place waits for who is late: Retry-After is told in whole seconds, rounded up. */
#define GRACE_NS (2 * NS_PER_S)
/* A client's clock may be a little fast. */
#define EARLY_NS     (50 * NS_PER_MS)
#define SWEEP_GAP_NS (10 * NS_PER_MS)

static struct limit_place *set_of(struct limit_line *line, uint64_t id)
{
    return line->at[(id ^ id >> 32) % LIMIT_LINE_SETS];
}

void limit_line_leave(struct limit_line *line, struct limit_place *place)
{
    line->promised_ns -= place->cost_ns;
    *place = (struct limit_place){0};
}

void limit_line_sweep(struct limit_line *line, uint64_t now_ns)
{
    uint64_t next = UINT64_MAX;
    if (now_ns < line->sweep_ns || line->promised_ns == 0)
        return;
    for (size_t i = 0; i < LIMIT_LINE_SETS; i++) {
        for (size_t k = 0; k < LIMIT_LINE_WAYS; k++) {
            struct limit_place *p = &line->at[i][k];
            if (p->id == 0)
                continue;
            if (p->back_ns + GRACE_NS <= now_ns)
                limit_line_leave(line, p);
            else if (p->back_ns + GRACE_NS < next)
                next = p->back_ns + GRACE_NS;
        }
    }
    line->sweep_ns = next < now_ns + SWEEP_GAP_NS ? now_ns + SWEEP_GAP_NS : next;
}

struct limit_place *limit_line_find(struct limit_line *line, struct limit_caller who,
                                    uint64_t now_ns)
{
    struct limit_place *set = set_of(line, who.id), *found = NULL;
    for (size_t k = 0; who.id != 0 && k < LIMIT_LINE_WAYS; k++) {
        struct limit_place *p = &set[k];
        if (p->id != who.id || (who.several && p->back_ns > now_ns + EARLY_NS))
            continue;
        if (found == NULL || p->due_ns < found->due_ns)
            found = p;
    }
    return found;
}

static uint64_t promised_before(const struct limit_line *line, uint64_t due_ns)
{
    uint64_t sum_ns = 0;
    for (size_t i = 0; i < LIMIT_LINE_SETS; i++)
        for (size_t k = 0; k < LIMIT_LINE_WAYS; k++)
            if (line->at[i][k].due_ns < due_ns) /* free ones cost nothing */
                sum_ns += line->at[i][k].cost_ns;
    return sum_ns;
}

uint64_t limit_line_ahead(const struct limit_line *line, const struct limit_place *place)
{
    return place ? promised_before(line, place->due_ns) : line->promised_ns;
}

uint64_t limit_line_overdue(const struct limit_line *line, uint64_t now_ns)
{
    return promised_before(line, now_ns + 1);
}

bool limit_line_add(struct limit_line *line, struct limit_place place)
{
    struct limit_place *set = set_of(line, place.id);
    for (size_t k = 0; place.id != 0 && k < LIMIT_LINE_WAYS; k++) {
        if (set[k].id != 0)
            continue;
        set[k] = place;
        line->promised_ns += place.cost_ns;
        if (place.back_ns + GRACE_NS < line->sweep_ns)
            line->sweep_ns = place.back_ns + GRACE_NS;
        return true;
    }
    return false;
}
