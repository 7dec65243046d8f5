#include "consumer/worker.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "consumer/worker_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define KAFKA_ANSWER_MS 1000
#define REVOKE_WAIT_MS  5000 /* for the write under way before partitions are given away */
#define STOP_WAIT_MS    4000 /* for writing what is held before a stop leaves it to the next start */
#define CANCEL_WAIT_MS  100
#define BOUNDS_WAIT_MS  2000 /* for the broker to tell the bounds of a log */
#define LAG_WAIT_MS     300
#define IDLE_LOOK_NS    (20 * NS_PER_S) /* a topic without records: is it still the same? */

volatile sig_atomic_t worker_stop_asked;

static void on_stop_signal(int signal_number)
{
    (void)signal_number;
    worker_stop_asked = 1;
}

/* ---- the group ---- */

static void on_revoked(void *arg)
{
    struct worker *w = arg;
    worker_finish_job(w, REVOKE_WAIT_MS);
    worker_drop_open(w);
    log_event(LOG_INFO, "partitions were taken back", log_str("tenant", w->tenant->id));
}

static void on_assigned(void *arg)
{
    struct worker *w = arg;
    worker_drop_open(w);
    w->reload = w->recheck = false; /* the new units are LOADING already */
    log_event(LOG_INFO, "partitions are assigned", log_str("tenant", w->tenant->id),
              log_u64("partitions", w->session.n_units));
}

/* Everything that is not written is read again from what the database says. */
static void reload_units(struct worker *w)
{
    worker_finish_job(w, REVOKE_WAIT_MS);
    worker_drop_open(w);
    w->reload = w->recheck = false;
    for (size_t i = 0; i < w->session.n_units; i++)
        if (!(w->session.units[i].stopped && w->session.units[i].state == UNIT_PARKED))
            w->session.units[i].state = UNIT_LOADING;
    if (w->session.n_units > 0) /* else it would be taken for the answer to a rebalance */
        session_place(&w->session);
}

/* One unit at a time: the broker may be slow to answer. */
static void look_at_doubts(struct worker *w)
{
    for (size_t i = 0; i < w->session.n_units; i++) {
        struct unit *u = &w->session.units[i];
        int64_t low, high;
        if (!unit_wants_watermarks(u, clock_mono_ns()))
            continue;
        if (session_watermarks(&w->session, u, BOUNDS_WAIT_MS, &low, &high) == 0)
            unit_watermarks(u, low, high, clock_mono_ns());
        else
            unit_watermarks_unknown(u, clock_mono_ns());
        return;
    }
}

/* What is held was read before the doubt came up: it is written, then cluster and logs are looked
 * at. */
static void recheck_units(struct worker *w)
{
    if (w->open->n_records > 0 || w->held != NULL || !writer_idle(w->writer))
        return;
    int same = session_same_cluster(&w->session, KAFKA_ANSWER_MS);
    if (same == 0)
        w->session.brokers_gone = true;
    w->reload = same > 0;
}

static size_t units_in(const struct worker *w, enum unit_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < w->session.n_units; i++)
        n += w->session.units[i].state == state;
    return n;
}

static void look_at_stopped(struct worker *w)
{
    for (size_t i = 0; i < w->session.n_units; i++)
        if (unit_looks_again(&w->session.units[i], clock_mono_ns()))
            w->session.units[i].state = UNIT_LOADING;
}

static bool some_parked(const struct worker *w)
{
    bool parked = false;
    for (size_t i = 0; i < w->session.n_units; i++)
        parked |= w->session.units[i].stopped || w->session.units[i].state == UNIT_PARKED;
    return parked;
}

/* A topic that was made anew with just as many records, and nobody told: fetching goes on at the
 * end as if nothing had happened. All idle units at once, since setting positions disturbs the
 * others. */
static void look_at_idle(struct worker *w)
{
    uint64_t now = clock_mono_ns();
    bool some = false;
    for (size_t i = 0; i < w->session.n_units; i++)
        some |= unit_idle(&w->session.units[i], IDLE_LOOK_NS, now);
    for (size_t i = 0; some && i < w->session.n_units; i++)
        if (unit_idle(&w->session.units[i], IDLE_LOOK_NS / 2, now))
            unit_look_again(&w->session.units[i]);
}

/* What librdkafka has learned by itself since: costs no request. */
static void notice_cluster(struct worker *w)
{
    w->recheck = session_cluster_changed(&w->session) || w->recheck;
}

/* ---- status ---- */

/* Ends of logs come with what is fetched; while nothing is, they are asked for. */
static void look_at_ends(struct worker *w, enum worker_state state)
{
    int64_t low, high;
    if (state != WORKER_RETRYING && state != WORKER_PARKED)
        return;
    for (size_t i = 0; i < w->session.n_units; i++)
        if (session_watermarks(&w->session, &w->session.units[i], LAG_WAIT_MS, &low, &high) < 0)
            return;
}

static enum worker_state state_now(const struct worker *w, const struct writer_view *view)
{
    if (worker_stop_asked)
        return WORKER_STOPPING;
    if (view->phase == WRITER_PARKED || some_parked(w))
        return WORKER_PARKED;
    if (view->phase == WRITER_RETRYING)
        return WORKER_RETRYING;
    if (w->session.cluster == NULL)
        return w->state;
    if (w->recheck)
        return WORKER_WAITING_FOR_KAFKA;
    return w->session.n_units == 0 ? WORKER_WAITING_FOR_PARTITIONS : WORKER_RUNNING;
}

static void tell_status(struct worker *w, bool now)
{
    uint64_t at = clock_mono_ns();
    if (!now && at < w->status_due_ns)
        return;
    w->status_due_ns = at + w->conf->consumer.status_interval;
    struct writer_view view;
    struct errbuf err = ERRBUF_INIT;
    writer_view(w->writer, &view);
    enum worker_state state = state_now(w, &view);
    if (state == WORKER_RUNNING && w->state == WORKER_RETRYING)
        log_event(LOG_INFO, "the database takes writes again", log_str("tenant", w->tenant->id));
    w->state = state;
    look_at_ends(w, state);
    struct worker_report r = {
        .tenant = w->tenant->id,
        .instance = w->instance,
        .state = state,
        .reason = view.reason[0]            ? view.reason
                  : some_parked(w)          ? w->problem
                  : w->session.n_units == 0 ? w->session.trouble
                                            : "",
        .batches = w->batches,
        .memory = worker_batch_memory(w->open) + w->writing_memory,
        .session = &w->session,
        .writer = &view,
        .flow = &w->flow,
    };
    if (worker_status_write(w->conf->state, &r, &err) < 0)
        log_repeated(LOG_WARN, "the status file cannot be written", w->tenant->id,
                     log_str("reason", err.text));
}

/* ---- the loop ---- */

static void turn(struct worker *w)
{
    session_serve(&w->session, 0);
    struct writer_job *job = writer_take(w->writer, 0);
    if (job != NULL)
        worker_job_done(w, job);
    worker_notice_break(w);
    notice_cluster(w);
    if (w->recheck)
        recheck_units(w);
    if (w->reload)
        reload_units(w);
    if (w->session.brokers_gone)
        return;
    if (writer_idle(w->writer)) {
        if (units_in(w, UNIT_LOADING) > 0)
            worker_submit_units(w, JOB_LOAD, UNIT_LOADING);
        else if (units_in(w, UNIT_REGENERATING) > 0)
            worker_submit_units(w, JOB_GENERATION, UNIT_REGENERATING);
        else if (worker_open_due(w))
            worker_submit_batch(w);
    }
    look_at_doubts(w);
    look_at_stopped(w);
    look_at_idle(w);
    worker_place_if_wanted(w);
    worker_take_records(w);
    tell_status(w, false);
}

/* A stop waits for what is held to be written; not for ever, as a database that is away could take
 * that long, and Kafka still has it all. */
static bool stopped(struct worker *w)
{
    uint64_t now = clock_mono_ns();
    if (!worker_stop_asked)
        return false;
    if (w->stop_due_ns == 0)
        w->stop_due_ns = now + STOP_WAIT_MS * NS_PER_MS;
    return now >= w->stop_due_ns || (w->open->n_records == 0 && writer_idle(w->writer));
}

/* Reads until the session has to end: stop, brokers gone, or a fatal error of the client. */
static void read_session(struct worker *w)
{
    while (!w->session.brokers_gone && w->session.fatal[0] == 0 && !stopped(w))
        turn(w);
    worker_finish_job(w, worker_stop_asked ? CANCEL_WAIT_MS : REVOKE_WAIT_MS);
    worker_drop_open(w);
}

static bool open_session(struct worker *w, struct errbuf *err)
{
    w->session = (struct session){.revoked = on_revoked, .assigned = on_assigned, .arg = w};
    int rc;
    while ((rc = session_open(&w->session, w->conf, w->brokers, w->tenant, w->instance,
                              KAFKA_ANSWER_MS, err)) == -EAGAIN) {
        log_repeated(LOG_WARN, "waiting for Kafka", w->tenant->id, log_str("reason", err->text));
        w->state = WORKER_WAITING_FOR_KAFKA;
        tell_status(w, false);
        if (worker_stop_asked) {
            session_close(&w->session, false);
            return false;
        }
    }
    return rc == 0;
}

/* False: this process cannot go on. */
static bool end_session(struct worker *w)
{
    bool fatal = w->session.fatal[0] != 0, leave = !fatal && !w->session.brokers_gone;
    if (fatal)
        log_event(LOG_ERROR,
                  "the Kafka client cannot go on; if another worker of this tenant has the same "
                  "instance name, give each its own by --instance",
                  log_str("tenant", w->tenant->id), log_str("reason", w->session.fatal));
    else if (!leave)
        log_event(LOG_WARN,
                  "the brokers are gone, or others answer: connecting anew and checking where to "
                  "read on",
                  log_str("tenant", w->tenant->id));
    bool closed = session_close(&w->session, leave);
    if (!closed && !worker_stop_asked)
        log_event(LOG_WARN, "the Kafka client does not end: a new process takes over",
                  log_str("tenant", w->tenant->id));
    return closed && !fatal;
}

static int run_sessions(struct worker *w)
{
    struct errbuf err = ERRBUF_INIT;
    while (!worker_stop_asked) {
        if (!open_session(w, &err)) {
            if (worker_stop_asked)
                break;
            log_event(LOG_ERROR, "the worker cannot run", log_str("tenant", w->tenant->id),
                      log_str("reason", err.text));
            return 1;
        }
        read_session(w);
        if (!end_session(w))
            return worker_stop_asked ? 0 : 1;
    }
    return 0;
}

static int start(struct worker *w, struct errbuf *err)
{
    char folder[4096];
    snprintf(folder, sizeof(folder), "%s/run", w->conf->state);
    if (file_make_folder(folder, 0755, err) < 0)
        return -1;
    const struct exporter_ops *ops = exporter_for(w->tenant);
    w->exporter = ops->open(w->tenant, EXPORTER_WRITE, err);
    w->dlq = w->exporter ? dlq_new(w->conf, w->brokers, w->tenant, err) : NULL;
    w->writer = w->dlq ? writer_new(w->tenant, w->exporter, w->dlq, err) : NULL;
    w->open = batch_new();
    w->spare = batch_new();
    if (w->writer != NULL && (w->open == NULL || w->spare == NULL))
        return errbuf_set(err, ENOMEM, "out of memory");
    return w->writer ? 0 : -1;
}

static void release(struct worker *w)
{
    writer_free(w->writer);
    batch_free(w->open);
    batch_free(w->spare);
    dlq_free(w->dlq);
    if (w->exporter != NULL)
        w->exporter->ops->close(w->exporter);
}

static void handle_signals(void)
{
    struct sigaction stop = {.sa_handler = on_stop_signal};
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* the supervisor restarts a worker whose config changed */
}

int worker_run(const char *config_file, const char *tenant, const char *brokers,
               const char *instance)
{
    struct errbuf err = ERRBUF_INIT;
    struct worker w = {.instance = instance};
    handle_signals();
    struct tenancy *tenancy = tenancy_open(config_file, tenant, &err);
    if (tenancy == NULL) {
        log_event(LOG_ERROR, "cannot start", log_str("tenant", tenant),
                  log_str("reason", err.text));
        return 2;
    }
    struct snapshot *snapshot = tenancy_acquire(tenancy);
    w.conf = snapshot->conf;
    w.tenant = snapshot_tenant(snapshot, slice_str(tenant));
    w.brokers = brokers ? brokers : w.conf->kafka.brokers;
    log_setup("consumer", (enum log_level)w.conf->log.level, (enum log_format)w.conf->log.format);
    int rc = 1;
    if (w.tenant == NULL)
        log_event(LOG_ERROR, "cannot start: there is no such tenant", log_str("tenant", tenant));
    else if (start(&w, &err) < 0)
        log_event(LOG_ERROR, "cannot start", log_str("tenant", tenant),
                  log_str("reason", err.text));
    else
        rc = run_sessions(&w);
    if (rc == 0)
        worker_status_remove(w.conf->state, tenant, instance);
    release(&w);
    snapshot_release(snapshot);
    tenancy_close(tenancy);
    return rc;
}
