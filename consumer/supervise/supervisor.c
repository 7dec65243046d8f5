#include "consumer/supervise/supervisor.h"

#include "base/admin_http.h"
#include "base/clock.h"
#include "base/exposition.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "consumer/supervise/own_kafka.h"
#include "consumer/supervise/run_files.h"
#include "consumer/supervise/service.h"
#include "consumer/supervise/topic_maker.h"
#include "consumer/supervise/watch.h"
#include "consumer/worker_status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define TURN_NS (100 * NS_PER_MS)

/* One of a tenant's worker processes and what its argv points to. */
struct worker_service {
    struct service service;
    char tenant[64];
    unsigned number;      /* from 1 to consumer.processes */
    char instance[16];    /* "main", "2", "3" ...: static members of the group (decision 0004) */
    uint64_t config_hash; /* of the tenant's effective options; a change restarts the worker */
    const char *argv[12];
    struct worker_service *next;
};

struct supervisor {
    const char *config_file;
    char program[4096];
    const char *brokers;
    struct tenancy *tenancy;
    struct snapshot *snapshot;
    struct topic_maker *topics;
    bool with_router, own_broker;
    struct own_kafka kafka_files;
    struct service kafka, router;
    const char *router_argv[8];
    struct worker_service *workers;
    struct admin_http *admin;
    struct watch_all *watch;
    bool refused; /* what the last reload read was not taken */
    uint64_t scan_due_ns, status_due_ns;
    int lock_fd;
};

static uint64_t stop_timeout(const struct supervisor *s)
{
    return s->snapshot->conf->supervisor.stop_timeout;
}

/* ---- workers ---- */

/* Of what is in use, not of the file: a file that was refused restarts nothing. How many processes
 * there are concerns none of them. (FNV-1a) */
static uint64_t tenant_hash(const struct tenant *t)
{
    struct buf text = BUF_INIT;
    uint64_t hash = 14695981039346656037ull;
    struct tenant_file file = {.tenant = *t->conf};
    file.tenant.consumer.processes = 0;
    option_print(&tenant_options, &file, NULL, &text);
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ text.at[i]) * 1099511628211ull;
    buf_release(&text);
    return hash;
}

static struct worker_service *worker_find(struct supervisor *s, const char *tenant, unsigned number)
{
    for (struct worker_service *w = s->workers; w != NULL; w = w->next)
        if (w->number == number && strcmp(w->tenant, tenant) == 0)
            return w;
    return NULL;
}

static void worker_add(struct supervisor *s, const struct tenant *t, unsigned number)
{
    struct worker_service *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return; /* the next scan tries again */
    snprintf(w->tenant, sizeof(w->tenant), "%s", t->id);
    w->number = number;
    if (number == 1)
        snprintf(w->instance, sizeof(w->instance), "%s", RUN_INSTANCE);
    else
        snprintf(w->instance, sizeof(w->instance), "%u", number);
    const char *const argv[] = {s->program,  "consumer", w->tenant,    "--config",  s->config_file,
                                "--brokers", s->brokers, "--instance", w->instance, NULL};
    memcpy(w->argv, argv, sizeof(argv));
    char name[96];
    snprintf(name, sizeof(name), "consumer %s%s%s", t->id, number == 1 ? "" : "@",
             number == 1 ? "" : w->instance);
    service_init(&w->service, name, w->argv, NULL, s->snapshot->conf->supervisor.backoff_max);
    w->config_hash = tenant_hash(t);
    w->next = s->workers;
    s->workers = w;
}

/* Makes the set of workers that of the snapshot's tenants. */
static void workers_match_tenants(struct supervisor *s)
{
    for (struct worker_service *w = s->workers; w != NULL; w = w->next) {
        const struct tenant *t = snapshot_tenant(s->snapshot, slice_str(w->tenant));
        w->service.wanted = t != NULL && w->number <= t->conf->consumer.processes;
        uint64_t hash = t ? tenant_hash(t) : 0;
        if (t != NULL && hash != w->config_hash) {
            w->service.restart = w->service.state == SERVICE_RUNNING;
            backoff_reset(&w->service.backoff);
        }
        w->config_hash = hash;
    }
    for (size_t i = 0; i < s->snapshot->n_tenants; i++) {
        const struct tenant *t = &s->snapshot->tenants[i];
        for (unsigned n = 1; n <= t->conf->consumer.processes; n++)
            if (worker_find(s, t->id, n) == NULL)
                worker_add(s, t, n);
    }
}

static void workers_forget_stopped(struct supervisor *s)
{
    for (struct worker_service **at = &s->workers; *at != NULL;) {
        struct worker_service *w = *at;
        if (!w->service.wanted && w->service.state == SERVICE_STOPPED) {
            *at = w->next;
            /* What one that was killed left behind; a stop in order removed it already. */
            worker_status_remove(s->snapshot->conf->state, w->tenant, w->instance);
            free(w);
        } else {
            at = &w->next;
        }
    }
}

/* ---- reload ---- */

static void use_snapshot(struct supervisor *s)
{
    snapshot_release(s->snapshot);
    s->snapshot = tenancy_acquire(s->tenancy);
    topic_maker_set(s->topics, s->snapshot);
    workers_match_tenants(s);
}

static void look_for_changes(struct supervisor *s, bool asked)
{
    uint64_t now = clock_mono_ns();
    if (!asked && now < s->scan_due_ns)
        return;
    s->scan_due_ns = now + s->snapshot->conf->supervisor.scan_interval;
    if (!asked && !tenancy_changed(s->tenancy))
        return;
    struct errbuf err = ERRBUF_INIT;
    int rc = tenancy_reload(s->tenancy, &err);
    size_t told = 0;
    if (!s->with_router) { /* which tells the same */
        tenancy_notices(s->tenancy, &told);
        tenancy_log_notices(s->tenancy);
    }
    s->refused = rc < 0 || tenancy_refuses(s->tenancy);
    if (rc < 0 && told == 0)
        log_event(LOG_ERROR, "the changed configuration is refused, the running one stays",
                  log_str("reason", err.text));
    use_snapshot(s);
}

/* ---- status ---- */

static void service_json(struct buf *out, const struct service *v, bool first)
{
    buf_printf(out, "%s{\"name\":", first ? "" : ",");
    json_string(out, slice_str(v->name));
    buf_printf(out, ",\"state\":\"%s\",\"pid\":%d,\"restarts\":%" PRIu64 ",\"last_end\":",
               service_state_name[v->state], (int)v->pid, v->restarts);
    json_string(out, slice_str(v->last_end));
    buf_append_str(out, "}");
}

static void service_metrics(struct buf *out, const struct service *v)
{
    buf_printf(out, "tenantry_process_restarts_total{process=\"%s\"} %" PRIu64 "\n", v->name,
               v->restarts);
    buf_printf(out, "tenantry_process_running{process=\"%s\"} %d\n", v->name,
               v->state == SERVICE_RUNNING);
}

static void write_metrics(struct supervisor *s)
{
    struct buf out = BUF_INIT;
    char path[4096];
    struct errbuf err = ERRBUF_INIT;
    if (s->own_broker)
        service_metrics(&out, &s->kafka);
    if (s->with_router)
        service_metrics(&out, &s->router);
    for (struct worker_service *w = s->workers; w != NULL; w = w->next)
        service_metrics(&out, &w->service);
    buf_printf(&out, "tenantry_supervisor_config_refused{of=\"supervisor\"} %d\n", s->refused);
    snprintf(path, sizeof(path), "%s/run/supervisor.prom", s->snapshot->conf->state);
    file_replace(path, buf_slice(&out), 0644, &err); /* the JSON beside it tells why not */
    buf_release(&out);
}

static void tell_status(struct supervisor *s)
{
    uint64_t now = clock_mono_ns();
    if (now < s->status_due_ns)
        return;
    s->status_due_ns = now + NS_PER_S;
    struct buf out = BUF_INIT;
    char path[4096];
    struct errbuf err = ERRBUF_INIT;
    buf_printf(&out, "{\"pid\":%d,\"written_at_ms\":%" PRIu64 ",\"brokers\":", getpid(),
               (uint64_t)(clock_wall_ns() / NS_PER_MS));
    json_string(&out, slice_str(s->brokers));
    buf_append_str(&out, ",\"processes\":[");
    bool first = true;
    if (s->own_broker)
        service_json(&out, &s->kafka, first), first = false;
    if (s->with_router)
        service_json(&out, &s->router, first), first = false;
    for (struct worker_service *w = s->workers; w != NULL; w = w->next)
        service_json(&out, &w->service, first), first = false;
    buf_append_str(&out, "]}\n");
    snprintf(path, sizeof(path), "%s/run/supervisor.json", s->snapshot->conf->state);
    if (file_replace(path, buf_slice(&out), 0644, &err) < 0)
        log_repeated(LOG_WARN, "the status file cannot be written", "supervisor",
                     log_str("reason", err.text));
    buf_release(&out);
    write_metrics(s);
}

/* The pages of workers and supervisor, as one. Runs on the admin thread. */
static void answer_metrics(void *arg, struct slice query, struct admin_answer *answer)
{
    (void)query;
    struct exposition e = EXPOSITION_INIT;
    exposition_add_folder(&e, arg);
    exposition_write(&e, &answer->body);
    answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
    if (e.failed)
        answer->status = 503;
    exposition_release(&e);
}

static void answer_health(void *arg, struct slice query, struct admin_answer *answer)
{
    (void)arg, (void)query;
    buf_append_str(&answer->body, "ok\n");
}

static const struct admin_route admin_routes[] = {
    {"/metrics", answer_metrics}, {"/healthz", answer_health}, {NULL, NULL}};

/* ---- life ---- */

static int lock_state(struct supervisor *s, struct errbuf *err)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/run", s->snapshot->conf->state);
    if (file_make_folder(path, 0755, err) < 0)
        return -EIO;
    snprintf(path, sizeof(path), "%s/run/supervisor.lock", s->snapshot->conf->state);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (s->lock_fd < 0)
        return errbuf_set(err, errno, "%s cannot be opened: %s", path, strerror(errno));
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        close(s->lock_fd);
        s->lock_fd = -1;
        return errbuf_set(err, EBUSY,
                          "another tenantry runs with the state folder %s: stop it, or set another "
                          "`state` in %s",
                          s->snapshot->conf->state, s->config_file);
    }
    return 0;
}

static int prepare_kafka(struct supervisor *s, struct errbuf *err)
{
    const struct conf *conf = s->snapshot->conf;
    s->brokers = conf->kafka.brokers;
    if (s->brokers[0] != 0)
        return 0;
    if (!s->with_router)
        return errbuf_set(
            err, EINVAL,
            "%s: kafka.brokers is not set: name your brokers, or run `tenantry up`, which "
            "brings a Kafka of its own",
            s->config_file);
    s->own_broker = true;
    if (own_kafka_prepare(&s->kafka_files, conf, err) < 0)
        return -EINVAL;
    s->brokers = s->kafka_files.brokers;
    service_init(&s->kafka, "kafka", s->kafka_files.argv, s->kafka_files.log,
                 conf->supervisor.backoff_max);
    return 0;
}

static void prepare_router(struct supervisor *s)
{
    const char *const argv[] = {s->program,  "router",   "--config", s->config_file,
                                "--brokers", s->brokers, NULL};
    memcpy(s->router_argv, argv, sizeof(argv));
    service_init(&s->router, "router", s->router_argv, NULL,
                 s->snapshot->conf->supervisor.backoff_max);
}

static int start_admin(struct supervisor *s, struct errbuf *err)
{
    static char folder[4096];
    const char *address = s->snapshot->conf->supervisor.admin;
    if (s->with_router || address[0] == 0)
        return 0;
    snprintf(folder, sizeof(folder), "%s/run", s->snapshot->conf->state);
    s->admin = admin_http_new(address, admin_routes, folder, err);
    return s->admin ? 0 : -EINVAL;
}

static int start(struct supervisor *s, struct errbuf *err)
{
    ssize_t n = readlink("/proc/self/exe", s->program, sizeof(s->program) - 1);
    if (n < 0)
        return errbuf_set(err, errno, "/proc/self/exe: %s", strerror(errno));
    s->tenancy = tenancy_open(s->config_file, NULL, err);
    if (s->tenancy == NULL)
        return -EINVAL;
    s->snapshot = tenancy_acquire(s->tenancy);
    s->refused = tenancy_refuses(s->tenancy);
    const struct log_conf *log = &s->snapshot->conf->log;
    log_setup("supervisor", (enum log_level)log->level, (enum log_format)log->format);
    if (!s->with_router)
        tenancy_log_notices(s->tenancy);
    int rc = lock_state(s, err);
    if (rc == 0)
        rc = prepare_kafka(s, err);
    if (rc == 0)
        rc = start_admin(s, err);
    if (rc < 0)
        return rc;
    prepare_router(s);
    s->topics = topic_maker_new(s->brokers, NULL, err);
    if (s->topics == NULL)
        return -EINVAL;
    use_snapshot(s);
    s->watch = watch_all_start(s->brokers, s->tenancy, err);
    return s->watch ? 0 : -EAGAIN;
}

static void step_all(struct supervisor *s)
{
    uint64_t patience = stop_timeout(s);
    if (s->own_broker)
        service_step(&s->kafka, true, patience);
    bool connected = topic_maker_connected(s->topics);
    if (s->with_router)
        service_step(&s->router, connected, patience + s->snapshot->conf->router.drain_timeout);
    for (struct worker_service *w = s->workers; w != NULL; w = w->next)
        service_step(&w->service, connected && topic_maker_done(s->topics, w->tenant), patience);
    workers_forget_stopped(s);
}

/* Senders first, then the workers (which write what they hold), Kafka last. */
static bool stop_in_order(struct supervisor *s)
{
    s->router.wanted = false;
    bool router_gone = !s->with_router || s->router.pid == 0;
    bool workers_gone = true;
    for (struct worker_service *w = s->workers; w != NULL; w = w->next) {
        w->service.wanted = w->service.wanted && !router_gone;
        workers_gone = workers_gone && w->service.pid == 0;
    }
    if (router_gone && workers_gone)
        s->kafka.wanted = false;
    return router_gone && workers_gone && (!s->own_broker || s->kafka.pid == 0);
}

static void run(struct supervisor *s, const sigset_t *signals)
{
    bool stopping = false, all_stopped = false;
    while (!all_stopped) {
        struct timespec turn = {.tv_nsec = TURN_NS};
        int got = sigtimedwait(signals, NULL, &turn);
        if ((got == SIGTERM || got == SIGINT) && !stopping) {
            log_event(LOG_INFO, "stopping: router, workers, then Kafka");
            watch_all_end(s->watch);
            stopping = true;
        }
        if (!stopping)
            look_for_changes(s, got == SIGHUP);
        else
            all_stopped = stop_in_order(s);
        step_all(s);
        tell_status(s);
    }
}

static void release(struct supervisor *s)
{
    char path[4096];
    if (s->snapshot != NULL && s->lock_fd >= 0) {
        snprintf(path, sizeof(path), "%s/run/supervisor.json", s->snapshot->conf->state);
        unlink(path);
        snprintf(path, sizeof(path), "%s/run/supervisor.prom", s->snapshot->conf->state);
        unlink(path);
    }
    if (!watch_all_stop(s->watch)) {
        log_event(LOG_WARN, "the supervisor's Kafka client does not end: the process does");
        _exit(0);
    }
    admin_http_free(s->admin);
    topic_maker_free(s->topics);
    while (s->workers != NULL) {
        struct worker_service *next = s->workers->next;
        free(s->workers);
        s->workers = next;
    }
    snapshot_release(s->snapshot);
    tenancy_close(s->tenancy);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
}

int supervisor_run(const char *config_file, bool with_router)
{
    struct errbuf err = ERRBUF_INIT;
    struct supervisor s = {.config_file = config_file, .with_router = with_router, .lock_fd = -1};
    sigset_t signals;
    sigemptyset(&signals);
    const int caught[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
        sigaddset(&signals, caught[i]);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* before any thread starts: all inherit it */
    int rc = start(&s, &err);
    if (rc < 0)
        log_event(LOG_ERROR, "cannot start", log_str("reason", err.text));
    else
        run(&s, &signals);
    release(&s);
    return rc < 0 ? 1 : 0;
}
