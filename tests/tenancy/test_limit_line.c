/* The line at a limit, in virtual time: clients that keep to what they are told get in at the first
 * try, share alike, and neither they nor a flood that ignores it leave anything of the rate unused.
 */
#include "tenancy/limits/limit.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS          NS_PER_MS
#define MAX_CLIENTS 500

struct client {
    uint64_t at_ns; /* its next request */
    uint64_t seq;   /* of the request; the same again after a refusal */
    uint64_t tries, passed, first_tries;
    uint64_t
        passed_late; /* without the first seconds, in which the burst goes to whoever is first */
    bool patient;    /* comes back when told; else it sends something else at once */
};

struct plan {
    struct limit limit;
    uint64_t cost, max_wait_ns;
    size_t patient, impatient;
    uint64_t impatient_gap_ns;
    bool whole_seconds;  /* Retry-After: rounded up */
    uint64_t first_cost; /* of the first client's requests; 0 = as all */
    bool several;        /* a client's requests cannot be told apart */
};
struct world {
    struct plan p;
    struct client clients[MAX_CLIENTS];
    uint64_t taken, taken_late, refused_twice, told, seed;
};

static uint64_t random_below(struct world *w, uint64_t n)
{
    w->seed = w->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (w->seed >> 33) % n;
}

static void turn(struct world *w, struct limit_state *s, struct client *c, uint64_t start)
{
    uint64_t now = c->at_ns, wait = 0;
    uint64_t cost = c == w->clients && w->p.first_cost ? w->p.first_cost : w->p.cost;
    struct limit_caller who = {((uint64_t)(c - w->clients) + 1) << 32, w->p.several};
    who.id |= w->p.several ? 0 : c->seq;
    enum limit_verdict v = limit_take(s, &w->p.limit, cost, who, now, w->p.max_wait_ns, &wait);
    c->tries++;
    if (v != LIMIT_REFUSED) {
        limit_leave(s, who, now);
        w->taken += cost;
        w->taken_late += now >= start + 10 * NS_PER_S ? cost : 0;
        c->passed++;
        c->passed_late += now >= start + 10 * NS_PER_S;
        c->first_tries += c->tries <= 2;
        c->tries = 0;
        c->seq++;
        c->at_ns = c->patient ? now + wait + 1 * MS + random_below(w, 10 * MS)
                              : now + w->p.impatient_gap_ns;
        return;
    }
    uint64_t told = limit_queue_up(s, &w->p.limit, cost, who, now);
    assert_true(told >= LIMIT_DELAY_MIN_NS && told <= LIMIT_DELAY_MAX_NS);
    w->told = told > w->told ? told : w->told;
    if (!c->patient) {
        c->tries = 0;
        c->seq++;
        c->at_ns = now + w->p.impatient_gap_ns;
        return;
    }
    if (w->p.whole_seconds)
        told = (told + NS_PER_S - 1) / NS_PER_S * NS_PER_S;
    c->at_ns = now + told + random_below(w, 20 * MS);
}

static void run_world(struct world *w, uint64_t seconds)
{
    const uint64_t start = 1000 * NS_PER_S;
    struct limit_state s = {0};
    size_t n = w->p.patient + w->p.impatient;
    w->seed = 1;
    for (size_t i = 0; i < n; i++) {
        w->clients[i].patient = i < w->p.patient;
        w->clients[i].at_ns = start + random_below(w, 100 * MS);
    }
    for (;;) {
        struct client *next = &w->clients[0];
        for (size_t i = 1; i < n; i++)
            if (w->clients[i].at_ns < next->at_ns)
                next = &w->clients[i];
        if (next->at_ns > start + seconds * NS_PER_S)
            break;
        turn(w, &s, next, start);
    }
    limit_release(&s);
}

/* Of the patient ones' requests that passed: in one thousand, how many at once or at the first try
 * after a refusal. */
static uint64_t first_tries(const struct world *w)
{
    uint64_t passed = 0, first = 0;
    for (size_t i = 0; i < w->p.patient; i++) {
        passed += w->clients[i].passed;
        first += w->clients[i].first_tries;
    }
    return passed ? first * 1000 / passed : 0;
}

static void shares(const struct world *w, double *ret_least, double *ret_most)
{
    double sum = 0, least = 1e18, most = 0;
    for (size_t i = 0; i < w->p.patient; i++) {
        double p = (double)w->clients[i].passed_late;
        sum += p;
        least = p < least ? p : least;
        most = p > most ? p : most;
    }
    *ret_least = least * (double)w->p.patient / sum;
    *ret_most = most * (double)w->p.patient / sum;
}

static void test_worlds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct plan p;
        uint64_t first; /* of 1000, at least */
        double unequal; /* how far a share may be from the equal one; 0 = not asked */
    } rows[] = {
        {"one", {{1000, 2000}, 100, 500 * MS, 1, 0, 0, false, 0, false}, 990, 0},
        {"one, whole seconds", {{1000, 2000}, 100, 500 * MS, 1, 0, 0, true, 0, false}, 990, 0},
        {"one large", {{1000, 2000}, 1900, 0, 1, 0, 0, false, 0, false}, 990, 0},
        {"one above the burst", {{1000, 2000}, 3000, 0, 1, 0, 0, false, 0, false}, 990, 0},
        {"ten", {{1000, 2000}, 100, 500 * MS, 10, 0, 0, false, 0, false}, 990, 0.1},
        {"ten without waiting", {{1000, 2000}, 100, 0, 10, 0, 0, false, 0, false}, 990, 0.1},
        {"ten, whole seconds", {{1000, 2000}, 100, 500 * MS, 10, 0, 0, true, 0, false}, 990, 0.1},
        {"forty", {{1000, 2000}, 100, 500 * MS, 40, 0, 0, false, 0, false}, 990, 0.1},
        {"forty, whole seconds", {{1000, 2000}, 100, 500 * MS, 40, 0, 0, true, 0, false}, 990, 0.1},
        {"forty without waiting", {{1000, 2000}, 100, 0, 40, 0, 0, true, 0, false}, 990, 0.1},
        {"a hundred: ten seconds of line",
         {{1000, 2000}, 100, 500 * MS, 100, 0, 0, false, 0, false},
         0,
         0.2},
        {"a hundred, whole seconds",
         {{1000, 2000}, 100, 500 * MS, 100, 0, 0, true, 0, false},
         0,
         0.2},
        {"four hundred", {{10000, 20000}, 100, 500 * MS, 400, 0, 0, true, 0, false}, 990, 0.2},
        {"a flood", {{1000, 2000}, 100, 500 * MS, 0, 1, 10 * MS, false, 0, false}, 0, 0},
        {"a flood of large ones", {{1000, 2000}, 1000, 0, 0, 1, 100 * MS, false, 0, false}, 0, 0},
        {"a flood, small burst", {{50, 4}, 1, 0, 0, 4, 8 * MS, false, 0, false}, 0, 0},
        {"a large one among small ones",
         {{1000, 2000}, 50, 500 * MS, 40, 0, 0, true, 1900, false},
         990,
         0.5},
        {"connections", {{1000, 2000}, 100, 0, 40, 0, 0, false, 0, true}, 990, 0.1},
        {"connections, a long line", {{1000, 2000}, 100, 0, 100, 0, 0, true, 0, true}, 0, 0.2},
        /* One tenant's own doing, but nobody starves. */
        {"twenty beside a flood",
         {{1000, 2000}, 20, 500 * MS, 20, 1, 2 * MS, true, 0, false},
         400,
         0.99},
    };
    static struct world w;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const uint64_t seconds = 120;
        double least = 1, most = 1;
        memset(&w, 0, sizeof(w));
        w.p = rows[i].p;
        run_world(&w, seconds);
        if (w.p.patient > 0)
            shares(&w, &least, &most);
        uint64_t most_units = w.p.limit.burst + w.p.limit.rate * seconds +
                              w.p.limit.rate * w.p.max_wait_ns / NS_PER_S + w.p.cost +
                              w.p.first_cost;
        double used = (double)w.taken_late / (double)(w.p.limit.rate * (seconds - 10));
        printf("%-32s %5.1f %% of the rate, %5.1f %% at the first try, shares %.2f to %.2f, told "
               "up to "
               "%.1f s\n",
               rows[i].name, used * 100, (double)first_tries(&w) / 10, least, most,
               (double)w.told / NS_PER_S);
        bool ok = w.taken <= most_units && first_tries(&w) >= rows[i].first && used >= 0.98;
        if (rows[i].unequal > 0)
            ok = ok && least >= 1 - rows[i].unequal && most <= 1 + rows[i].unequal;
        if (!ok)
            fail_msg("%s: see above", rows[i].name);
    }
}

static void test_places(void **state)
{
    (void)state;
    const uint64_t t = 1000 * NS_PER_S, s = NS_PER_S;
    static struct limit_line line; /* zeroed */
    const struct limit_caller one = {1, false}, two = {2, false}, many = {3, true},
                              nobody = {0, false};
    assert_false(limit_line_add(&line, (struct limit_place){0, t, t, 5}));
    assert_true(limit_line_add(&line, (struct limit_place){1, t + s, t + s, 10}));
    assert_true(limit_line_add(&line, (struct limit_place){2, t + 2 * s, t + 2 * s, 20}));
    assert_true(limit_line_add(&line, (struct limit_place){3, t + 3 * s, t + 3 * s, 30}));
    assert_true(limit_line_add(&line, (struct limit_place){3, t + 4 * s, t + 4 * s, 40}));
    assert_true(line.promised_ns == 100);
    assert_null(limit_line_find(&line, nobody, t));
    assert_null(limit_line_find(&line, (struct limit_caller){9, false}, t));
    assert_true(limit_line_find(&line, two, t)->cost_ns == 20);
    assert_true(limit_line_ahead(&line, limit_line_find(&line, two, t)) == 10);
    assert_true(limit_line_ahead(&line, NULL) == 100);
    /* Of those alike only who should be back by now: the earliest. */
    assert_null(limit_line_find(&line, many, t + s));
    assert_true(limit_line_find(&line, many, t + 3 * s)->cost_ns == 30);
    assert_true(limit_line_find(&line, many, t + 5 * s)->cost_ns == 30);
    limit_line_leave(&line, limit_line_find(&line, many, t + 5 * s));
    assert_true(limit_line_find(&line, many, t + 5 * s)->cost_ns == 40);
    assert_true(line.promised_ns == 70);
    /* Two seconds after they should have been back they are gone. */
    limit_line_sweep(&line, t + 2 * s);
    assert_non_null(limit_line_find(&line, one, t + 3 * s));
    limit_line_sweep(&line, t + 3 * s);
    assert_null(limit_line_find(&line, one, t + 3 * s));
    assert_true(line.promised_ns == 60);
    limit_line_sweep(&line, t + 100 * s);
    assert_true(line.promised_ns == 0);
}

/* Who finds its set full has no place, and nothing is promised. */
static void test_a_full_line(void **state)
{
    (void)state;
    struct limit_line *line = calloc(1, sizeof(*line));
    for (uint64_t i = 1; i <= LIMIT_LINE_WAYS; i++)
        assert_true(limit_line_add(line, (struct limit_place){i * LIMIT_LINE_SETS, 1, 1, 1}));
    assert_false(limit_line_add(line, (struct limit_place){99 * LIMIT_LINE_SETS, 1, 1, 1}));
    assert_true(line->promised_ns == LIMIT_LINE_WAYS);
    free(line);
}

/* Steps of one limit: 10 units/s, 10 at once, no waiting; callers by number. */
static void test_turns(void **state)
{
    (void)state;
    enum { PASSES, TOLD };
    static const struct {
        int line;
        uint64_t at_ms, n, caller;
        int what;
        uint64_t told_ms;
    } steps[] = {
        {__LINE__, 0, 10, 1, PASSES, 0},    /* the burst */
        {__LINE__, 0, 10, 2, TOLD, 1000},   /* all of a second */
        {__LINE__, 0, 5, 3, TOLD, 1500},    /* behind it */
        {__LINE__, 500, 5, 3, TOLD, 1000},  /* too early: the same turn */
        {__LINE__, 600, 1, 4, TOLD, 1000},  /* new: there is enough, but it is promised (1600) */
        {__LINE__, 1000, 10, 2, PASSES, 0}, /* its turn */
        {__LINE__, 1500, 5, 3, PASSES, 0},
        {__LINE__, 1600, 1, 9, TOLD, 1000}, /* 4 is late: who is new does not get it */
        {__LINE__, 1900, 1, 4, PASSES, 0},
        {__LINE__, 5000, 1, 5, PASSES, 0}, /* 9 is gone */
        {__LINE__, 6000, 10, 6, PASSES, 0},
        {__LINE__, 6000, 9, 0, TOLD, 1000}, /* unknown: no place */
        {__LINE__, 6900, 9, 7, PASSES, 0},
    };
    const struct limit l = {10, 10};
    struct limit_state s = {0};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct limit_caller who = {steps[i].caller, false};
        uint64_t now = 1000 * NS_PER_S + steps[i].at_ms * MS, wait = 0, told = 0;
        bool passes = limit_take(&s, &l, steps[i].n, who, now, 0, &wait) == LIMIT_OK;
        if (passes)
            limit_leave(&s, who, now);
        else
            told = limit_queue_up(&s, &l, steps[i].n, who, now);
        if (passes != (steps[i].what == PASSES) || told != steps[i].told_ms * MS)
            fail_msg("row at line %d: %s, told %llu ns", steps[i].line,
                     passes ? "passes" : "refused", (unsigned long long)told);
    }
    limit_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_a_full_line),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_worlds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
