/* Start, reload, drain: the main thread's part of the router. It serves nothing itself. */
#include "router/router.h"

#include "base/log.h"
#include "router/admin.h"
#include "router/admission/guess.h"
#include "router/admission/key_usage.h"
#include "router/admission/quota_keeper.h"
#include "router/metrics.h"
#include "router/net/front.h"
#include "router/net/tls.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define RELOAD_POLL_NS (250 * NS_PER_MS)
#define WARM_TENANTS   500
#define DRAIN_POLL_NS  (20 * NS_PER_MS)
/* HTTP/2 clients have the last GOAWAY by then (http2.c); who still asks is told to go elsewhere. */
#define LAST_CALL_NS (1500 * NS_PER_MS)
/* Of drain_timeout, for what comes after the connections: Kafka's reports, TLS goodbyes, the end of
 * the threads. */
#define LAST_STEPS_NS (2 * NS_PER_S)
#define MAX_LISTENERS 64

enum { EXIT_OK = 0, EXIT_FAILED = 1 };

struct identity {
    SSL_CTX *ssl_ctx; /* NULL: all listeners are plaintext */
    struct tls_tickets *tickets;
    uint64_t stamp; /* of the files */
};

struct run {
    struct router router;
    struct identity identity;
    struct router_admin *admin;
    struct key_usage_log *usage;
    struct quota_keeper *quotas;
    int ports[MAX_LISTENERS];
    size_t n_ports;
};

/* -- certificate -- */

static bool wants_tls(const struct router_conf *conf)
{
    for (size_t i = 0; i < conf->listen.n; i++)
        if (((const struct listen_conf *)conf->listen.at)[i].tls)
            return true;
    return false;
}

/* A new context when the files are not those of last time; NULL when they are, or are wrong, which
 * is told once per change: chain and key are seldom replaced in one step. */
static SSL_CTX *identity_renew(struct identity *id, const struct router_conf *conf,
                               struct errbuf *err)
{
    uint64_t stamp = tls_files_stamp(conf), now_s = clock_wall_ns() / NS_PER_S;
    if (id->tickets == NULL && (id->tickets = tls_tickets_new()) == NULL) {
        errbuf_set(err, ENOMEM, "no memory for TLS");
        return NULL;
    }
    tls_tickets_turn(id->tickets, now_s);
    if (stamp == id->stamp)
        return NULL;
    id->stamp = stamp;
    if (tls_tickets_use(id->tickets, conf->session_lifetime, conf->ticket_secrets, now_s, err) < 0)
        return NULL;
    SSL_CTX *ctx = tls_context_new(conf, id->tickets, err);
    if (ctx == NULL)
        return NULL;
    SSL_CTX_free(id->ssl_ctx);
    id->ssl_ctx = ctx;
    return ctx;
}

/* -- reload -- */

/* Their metadata is there before the first record. librdkafka walks all its topics for each new
 * one, so with thousands of tenants a start would take a minute: there each is made when it is
 * used. */
static void warm_topics(struct router *r, const struct snapshot *s)
{
    for (size_t i = 0; i < s->n_tenants && s->n_tenants <= WARM_TENANTS; i++)
        producers_warm(r->producers, &s->tenants[i]);
}

static void use_snapshot(struct run *x, struct snapshot *s, SSL_CTX *ssl_ctx)
{
    log_setup("router", (enum log_level)s->conf->log.level, (enum log_format)s->conf->log.format);
    front_use(&x->router, s, ssl_ctx);
    warm_topics(&x->router, s);
}

/* `ctx`: what is in use from now on; NULL = what came instead is wrong. */
static void note_certificate(struct run *x, const SSL_CTX *ctx)
{
    atomic_store(&x->router.certificate_refused, ctx == NULL);
    if (ctx != NULL)
        atomic_store(&x->router.certificate_expires_s, tls_expires_s(ctx));
}

/* Reads what changed; `force` (SIGHUP) looks even when no stamp did. */
static void reload(struct run *x, bool force)
{
    struct errbuf err = ERRBUF_INIT;
    int changed = 0;
    if (force || tenancy_changed(x->router.tenancy)) {
        changed = tenancy_reload(x->router.tenancy, &err);
        tenancy_log_notices(x->router.tenancy);
        atomic_store(&x->router.config_refused, tenancy_refuses(x->router.tenancy));
    }
    struct snapshot *s = tenancy_acquire(x->router.tenancy);
    SSL_CTX *renewed = NULL;
    if (x->identity.ssl_ctx != NULL) {
        err.text[0] = 0;
        renewed = identity_renew(&x->identity, &s->conf->router, &err);
        if (renewed != NULL)
            log_event(LOG_INFO, "certificate renewed");
        else if (err.text[0] != 0)
            log_event(LOG_ERROR, "the new certificate is not used", log_str("reason", err.text));
        if (renewed != NULL || err.text[0] != 0)
            note_certificate(x, renewed);
    }
    if (changed > 0)
        log_event(LOG_INFO, "configuration reloaded", log_u64("version", s->version));
    if (changed > 0 || renewed != NULL)
        use_snapshot(x, s, renewed);
    router_metrics_forget(x->router.metrics, s, clock_mono_ns());
    snapshot_release(s);
}

/* -- start -- */

/* A connection is a descriptor; the usual soft limit of 1024 is for programs that use select(). */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int start_serving(struct run *x, struct snapshot *s, const char *brokers, struct errbuf *err)
{
    struct router *r = &x->router;
    const struct router_conf *conf = &s->conf->router;
    if (conf->listen.n > MAX_LISTENERS)
        return errbuf_set(err, EINVAL, "more than %d listeners", MAX_LISTENERS);
    if (wants_tls(conf) && identity_renew(&x->identity, conf, err) == NULL)
        return -EINVAL;
    if (x->identity.ssl_ctx != NULL)
        note_certificate(x, x->identity.ssl_ctx);
    r->guesses = guesses_new();
    r->metrics = router_metrics_new();
    if (r->metrics == NULL)
        return errbuf_set(err, ENOMEM, "no memory for the metrics");
    r->producers = producers_new(s->conf, brokers, err);
    if (r->producers == NULL)
        return -EINVAL;
    warm_topics(r, s);
    x->usage = key_usage_start(r->tenancy);
    x->quotas = quota_keeper_start(s->conf->state);
    int rc = front_start(r, s, x->identity.ssl_ctx, x->ports, MAX_LISTENERS, err);
    if (rc < 0)
        return rc;
    x->n_ports = conf->listen.n;
    if (conf->admin[0] == 0)
        return 0;
    x->admin = router_admin_start(r, err);
    return x->admin ? 0 : -EINVAL;
}

static int start(struct run *x, const char *config_file, const char *brokers, struct errbuf *err)
{
    x->router.tenancy = tenancy_open(config_file, NULL, err);
    if (x->router.tenancy == NULL)
        return -EINVAL;
    struct snapshot *s = tenancy_acquire(x->router.tenancy);
    log_setup("router", (enum log_level)s->conf->log.level, (enum log_format)s->conf->log.format);
    tenancy_log_notices(x->router.tenancy);
    atomic_store(&x->router.config_refused, tenancy_refuses(x->router.tenancy));
    int rc = start_serving(x, s, brokers, err);
    snapshot_release(s);
    return rc;
}

static void tell_ready(const struct run *x, int ready_fd)
{
    struct buf line = BUF_INIT;
    if (ready_fd < 0)
        return;
    buf_append_str(&line, "ready");
    for (size_t i = 0; i < x->n_ports; i++)
        buf_printf(&line, " %d", x->ports[i]);
    buf_append_byte(&line, '\n');
    if (write(ready_fd, line.at, line.len) < 0)
        log_event(LOG_WARN, "cannot tell that the router is ready",
                  log_str("reason", strerror(errno)));
    buf_release(&line);
}

/* -- end -- */

static void sleep_until(uint64_t due_ns)
{
    struct timespec due = {(time_t)(due_ns / NS_PER_S), (long)(due_ns % NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
        ;
}

/* Until no connection is left, or `due_ns`. */
static bool wait_for_connections(struct router *r, uint64_t due_ns)
{
    while (atomic_load(&r->connections) > 0) {
        if (clock_mono_ns() >= due_ns)
            return false;
        sleep_until(clock_mono_ns() + DRAIN_POLL_NS);
    }
    return true;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Readiness off → no new connections, GOAWAY → requests that were taken finish → whoever is left is
 * cut and hears nothing, least of all success (R298-R300). */
static void drain(struct run *x)
{
    struct router *r = &x->router;
    struct snapshot *s = tenancy_acquire(r->tenancy);
    const struct router_conf *conf = &s->conf->router;
    uint64_t begin = clock_mono_ns(), end = begin + conf->drain_timeout;
    uint64_t cut = conf->drain_timeout > 2 * LAST_STEPS_NS ? end - LAST_STEPS_NS
                                                           : begin + conf->drain_timeout / 2;
    log_event(LOG_INFO, "draining", log_u64("connections", atomic_load(&r->connections)));
    atomic_store(&r->leaving, true);
    sleep_until(earlier(begin + conf->drain_delay, cut));
    front_drain(r);
    if (!wait_for_connections(r, earlier(clock_mono_ns() + LAST_CALL_NS, cut))) {
        atomic_store(&r->draining, true);
        if (!wait_for_connections(r, cut))
            log_event(LOG_WARN, "connections are cut, the time to drain is over",
                      log_u64("connections", atomic_load(&r->connections)));
    }
    front_cut(r);
    wait_for_connections(r, end);
    uint64_t now = clock_mono_ns();
    producers_flush(r->producers, now < end ? (int)((end - now) / NS_PER_MS) : 0);
    snapshot_release(s);
}

/* Also of a start that failed half way. Reports of the producers reach the loops, so the loops end
 * after them. */
static void stop(struct run *x)
{
    struct router *r = &x->router;
    router_admin_stop(x->admin);
    producers_free(r->producers);
    front_stop(r);
    key_usage_stop(x->usage);
    quota_keeper_stop(x->quotas);
    router_metrics_free(r->metrics);
    guesses_free(r->guesses);
    SSL_CTX_free(x->identity.ssl_ctx);
    tls_tickets_free(x->identity.tickets);
    tenancy_close(r->tenancy);
}

int router_run(const char *config_file, const char *brokers, int ready_fd)
{
    struct run x = {0};
    struct errbuf err = ERRBUF_INIT;
    struct timespec poll = {0, RELOAD_POLL_NS};
    sigset_t signals;
    block_signals(&signals);
    raise_descriptor_limit();
    if (start(&x, config_file, brokers, &err) < 0) {
        log_event(LOG_ERROR, "the router cannot start", log_str("reason", err.text));
        stop(&x);
        return EXIT_FAILED;
    }
    tell_ready(&x, ready_fd);
    for (;;) {
        int signal = sigtimedwait(&signals, NULL, &poll);
        if (signal == SIGTERM || signal == SIGINT)
            break;
        reload(&x, signal == SIGHUP);
    }
    drain(&x);
    stop(&x);
    log_event(LOG_INFO, "stopped");
    return EXIT_OK;
}
