#include "consumer/supervise/grow.h"

#include "base/clock.h"

/* A topic that was made anew begins at 0: nothing is known of its rate then. */
static void note_rate(struct grow_state *s, const struct grow_look *look, uint64_t now_ns)
{
    double seconds = (double)(now_ns - s->looked_ns) / NS_PER_S;
    bool known = s->looked_ns != 0 && seconds > 0 && look->end >= s->end;
    s->rate = known ? (double)(look->end - s->end) * look->record_bytes / seconds : 0;
    s->looked_ns = now_ns;
    s->end = look->end;
}

static int wanted_by_rate(const struct grow_state *s, const struct grow_conf *c)
{
    if (c->rate == 0)
        return 0;
    double partitions = s->rate / (double)c->rate;
    int whole = partitions < (double)c->most ? (int)partitions : (int)c->most;
    return whole < partitions && whole < (int)c->most ? whole + 1 : whole;
}

/* How many would be enough is not known: twice as many, then a look again. */
static int wanted_by_lag(const struct grow_conf *c, const struct grow_look *look)
{
    if (c->lag == 0 || look->lag_seconds <= (double)c->lag / NS_PER_S)
        return 0;
    int twice = 2 * look->partitions;
    return twice < (int)c->most ? twice : (int)c->most;
}

int grow_decide(struct grow_state *s, const struct grow_conf *c, const struct grow_look *look,
                uint64_t now_ns, enum grow_reason *ret_why)
{
    note_rate(s, look, now_ns);
    int by_rate = wanted_by_rate(s, c), by_lag = wanted_by_lag(c, look);
    int wanted = by_rate > by_lag ? by_rate : by_lag;
    *ret_why = GROW_NOT;
    if (look->held || wanted <= look->partitions) {
        s->hot_ns = 0;
        return look->partitions;
    }
    if (s->hot_ns == 0)
        s->hot_ns = now_ns;
    bool pausing = s->raised_ns != 0 && now_ns - s->raised_ns < c->pause;
    if (pausing || now_ns - s->hot_ns < c->after)
        return look->partitions;
    *ret_why = by_rate >= by_lag ? GROW_BY_RATE : GROW_BY_LAG;
    return wanted;
}

void grow_raised(struct grow_state *s, uint64_t now_ns)
{
    s->raised_ns = now_ns;
    s->hot_ns = 0;
}
