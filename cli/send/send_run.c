#include "cli/send/send_run.h"

#include "base/clock.h"
#include "cli/send/send_item.h"

#include <errno.h>
#include <stdlib.h>

#define TURN_STARTS   8   /* requests built before the transport gets its turn again */
#define TURN_MS       500 /* longest wait, so that `stop` is seen */
#define PROGRESS_NS   (NS_PER_S / 5)
#define BACKOFF_MIN_S 1 /* delays without advice lie between these, and grow */
#define BACKOFF_MAX_S 5

enum slot_state { SLOT_FREE, SLOT_FLYING, SLOT_WAITING };

struct slot {
    enum slot_state state;
    struct send_attempt at;
    uint64_t first_sent_ns; /* monotonic, of the request's first attempt */
    uint64_t due_ns;        /* SLOT_WAITING: when to repeat it */
    unsigned tries;
};

struct run {
    const struct send_plan *plan;
    const struct send_builder *sb;
    struct send_http *http;
    struct send_journal *journal;
    struct send_report *report;
    struct errbuf *err;
    struct slot *slots;
    unsigned in_flight, waiting;
    uint64_t next_attempt;
    uint64_t random; /* for jitter */
    uint64_t now_ns, progress_ns;
    struct buf payload;
    bool stopped;
    int rc; /* what a callback could not return */
};

static bool may_begin(const struct run *run)
{
    const struct send_plan *plan = run->plan;
    if (run->stopped || (plan->count != 0 && run->report->items >= plan->count))
        return false;
    return plan->duration_ns == 0 || run->now_ns - run->report->start_ns < plan->duration_ns;
}

/* When the next request is to begin, by the plan. */
static uint64_t begin_ns(const struct run *run)
{
    if (run->plan->rate == 0)
        return run->now_ns;
    double seconds = (double)run->report->items / (double)run->plan->rate;
    return run->report->start_ns + (uint64_t)(seconds * NS_PER_S);
}

static int launch(struct run *run, unsigned slot)
{
    struct slot *s = &run->slots[slot];
    s->at.number = run->next_attempt++;
    buf_clear(&run->payload);
    if (send_build(run->sb, &s->at.req, s->at.number, &run->payload) < 0)
        return errbuf_set(run->err, ENOMEM, "There is no memory for a request of %u items.",
                          s->at.req.items);
    int rc = send_journal_sent(run->journal, &s->at, run->err);
    if (rc < 0)
        return rc;
    s->at.sent_ns = clock_mono_ns();
    if (s->tries++ == 0)
        s->first_sent_ns = s->at.sent_ns;
    rc = send_http_start(run->http, slot, s->at.req.signal, buf_slice(&run->payload), run->err);
    if (rc < 0)
        return rc;
    s->state = SLOT_FLYING;
    run->in_flight++;
    return 0;
}

static int begin(struct run *run, unsigned slot)
{
    const struct send_plan *plan = run->plan;
    struct send_report *r = run->report;
    struct slot *s = &run->slots[slot];
    uint64_t left = plan->count ? plan->count - r->items : plan->batch;
    uint64_t due_ns = begin_ns(run);
    if (run->now_ns - due_ns > r->behind_ns)
        r->behind_ns = run->now_ns - due_ns;
    *s = (struct slot){0};
    s->at.req = (struct send_request){
        .signal = plan->signals[r->requests % plan->signal_count],
        .first_seq = r->items,
        .items = left < plan->batch ? (uint32_t)left : plan->batch,
        .time_ns = clock_wall_ns(),
    };
    r->requests++;
    r->items += s->at.req.items;
    return launch(run, slot);
}

/* Starts what is due, a few at a time. Returns how many, or a negative errno. */
static int start_due(struct run *run)
{
    int started = 0;
    for (unsigned i = 0; i < run->plan->concurrency && started < TURN_STARTS; i++) {
        struct slot *s = &run->slots[i];
        int rc;
        if (s->state == SLOT_WAITING && s->due_ns <= run->now_ns) {
            run->waiting--;
            rc = launch(run, i);
        } else if (s->state == SLOT_FREE && may_begin(run) && begin_ns(run) <= run->now_ns) {
            rc = begin(run, i);
        } else {
            continue;
        }
        if (rc < 0)
            return rc;
        started++;
    }
    return started;
}

/* Uniform between 1 s and a ceiling that doubles with each try, up to 5 s. */
static uint64_t backoff_ns(struct run *run, unsigned tries)
{
    uint64_t ceiling = tries < 3 ? 1u << tries : BACKOFF_MAX_S;
    run->random = send_mix(run->random);
    return BACKOFF_MIN_S * NS_PER_S + run->random % ((ceiling - BACKOFF_MIN_S) * NS_PER_S);
}

/* Repeats it later, if it may be and there is time; false when this was the final answer. */
static bool repeat(struct run *run, struct slot *s, const struct send_answer *a)
{
    if (run->stopped || !send_answer_may_retry(a))
        return false;
    uint64_t delay_ns = a->has_delay ? a->delay_ns : backoff_ns(run, s->tries);
    if (run->now_ns - s->first_sent_ns + delay_ns > run->plan->retry_for_ns)
        return false;
    s->state = SLOT_WAITING;
    s->due_ns = run->now_ns + delay_ns;
    run->waiting++;
    return true;
}

static void on_done(void *arg, unsigned slot, const struct send_answer *a)
{
    struct run *run = arg;
    struct slot *s = &run->slots[slot];
    run->now_ns = clock_mono_ns();
    run->in_flight--;
    s->state = SLOT_FREE;
    send_report_attempt(run->report, a, s->at.req.items, run->now_ns - s->at.sent_ns);
    if (!repeat(run, s, a))
        send_report_final(run->report, a, s->at.req.items);
    int rc = send_journal_done(run->journal, &s->at, a, run->now_ns, run->err);
    if (rc < 0)
        run->rc = rc;
}

/* Nothing begins any more; what waited to be repeated is given up. */
static void stop_now(struct run *run)
{
    run->stopped = true;
    for (unsigned i = 0; i < run->plan->concurrency; i++) {
        struct slot *s = &run->slots[i];
        if (s->state != SLOT_WAITING)
            continue;
        s->state = SLOT_FREE;
        send_report_final(run->report, NULL, s->at.req.items);
    }
    run->waiting = 0;
}

/* Until something is due, in whole milliseconds, rounded up. */
static unsigned wait_ms(const struct run *run)
{
    uint64_t wake_ns = run->now_ns + TURN_MS * NS_PER_MS;
    if (may_begin(run) && run->in_flight + run->waiting < run->plan->concurrency &&
        begin_ns(run) < wake_ns)
        wake_ns = begin_ns(run);
    for (unsigned i = 0; run->waiting > 0 && i < run->plan->concurrency; i++)
        if (run->slots[i].state == SLOT_WAITING && run->slots[i].due_ns < wake_ns)
            wake_ns = run->slots[i].due_ns;
    if (wake_ns <= run->now_ns)
        return 0;
    return (unsigned)((wake_ns - run->now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

static void show_progress(struct run *run)
{
    if (!run->plan->progress || run->now_ns < run->progress_ns)
        return;
    send_report_progress(run->report, run->now_ns, run->in_flight, stderr);
    run->progress_ns = run->now_ns + PROGRESS_NS;
}

/* One turn; 1 while there is more to do. */
static int turn(struct run *run, bool stop)
{
    run->now_ns = clock_mono_ns();
    if (stop && !run->stopped)
        stop_now(run);
    int rc = start_due(run);
    if (rc < 0)
        return rc;
    show_progress(run);
    if (run->in_flight + run->waiting == 0 && !may_begin(run))
        return 0;
    rc = send_http_turn(run->http, rc == TURN_STARTS ? 0 : wait_ms(run), on_done, run, run->err);
    if (rc < 0 || run->rc < 0)
        return rc < 0 ? rc : run->rc;
    return 1;
}

int send_run(const struct send_plan *plan, const struct send_builder *sb, struct send_http *h,
             struct send_journal *j, struct send_report *r, const volatile sig_atomic_t *stop,
             struct errbuf *err)
{
    struct run run = {.plan = plan, .sb = sb, .http = h, .journal = j, .report = r, .err = err};
    run.slots = calloc(plan->concurrency, sizeof(*run.slots));
    if (run.slots == NULL)
        return errbuf_set(err, ENOMEM, "There is no memory for %u requests.", plan->concurrency);
    run.now_ns = r->start_ns = clock_mono_ns();
    run.random = send_mix(run.now_ns);
    run.progress_ns = run.now_ns + NS_PER_S; /* short runs show none */
    r->wanted = plan->count;
    int rc;
    while ((rc = turn(&run, *stop != 0)) > 0)
        ;
    r->end_ns = clock_mono_ns();
    r->bytes = send_http_bytes(h);
    if (plan->progress && run.progress_ns > r->start_ns + NS_PER_S)
        fputs("\r\033[K", stderr);
    buf_release(&run.payload);
    free(run.slots);
    return rc;
}
