#include "router/net/front.h"

#include "base/fault.h"
#include "base/log.h"
#include "router/net/conn.h"
#include "router/net/listener.h"
#include "router/router.h"
#include "tenancy/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Cut connections are gone when their TLS goodbye has left or was given up (conn.c). */
#define STOP_NS (3 * NS_PER_S)

const char *front_date(struct loop *l, uint64_t wall_ns)
{
    struct front *f = l->front;
    uint64_t s = wall_ns / NS_PER_S;
    if (f->date_s != s) {
        struct tm tm;
        time_t t = (time_t)s;
        gmtime_r(&t, &tm);
        strftime(f->date, sizeof(f->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        f->date_s = s;
    }
    return f->date;
}

static void close_listeners(struct loop *l)
{
    for (size_t i = 0; l->front != NULL && i < l->front->n_listeners; i++)
        listener_close(&l->front->listeners[i]);
}

/* -- messages to the loops -- */

struct front_message {
    struct loop_message super;
    struct loop *loop;
    struct snapshot *snapshot; /* a reference, or NULL */
    SSL_CTX *ssl_ctx;          /* a reference, or NULL */
};

static void post_all(struct router *r, void (*run)(struct loop_message *m), struct snapshot *s,
                     SSL_CTX *ssl_ctx)
{
    for (unsigned i = 0; i < r->n_loops; i++) {
        struct front_message *m = h2o_mem_alloc(sizeof(*m));
        *m =
            (struct front_message){{.run = run}, &r->loops[i], s ? snapshot_ref(s) : NULL, ssl_ctx};
        if (ssl_ctx != NULL)
            SSL_CTX_up_ref(ssl_ctx);
        loop_post(&r->loops[i], &m->super);
    }
}

static void use(struct loop_message *super)
{
    struct front_message *m = H2O_STRUCT_FROM_MEMBER(struct front_message, super, super);
    FAULT_POINT("between_reload_and_use");
    snapshot_release(m->loop->snapshot);
    m->loop->snapshot = m->snapshot;
    if (m->ssl_ctx != NULL) {
        SSL_CTX_free(m->loop->front->ssl_ctx);
        m->loop->front->ssl_ctx = m->ssl_ctx;
    }
    free(m);
}

/* Closing or draining one connection never takes another one off the list. */
static void each_conn(struct front *f, void (*act)(struct conn *c))
{
    for (struct conn *c = f->conns, *next; c != NULL; c = next) {
        next = c->next;
        act(c);
    }
}

static void drain(struct loop_message *super)
{
    struct front_message *m = H2O_STRUCT_FROM_MEMBER(struct front_message, super, super);
    struct front *f = m->loop->front;
    f->draining = true;
    close_listeners(m->loop);
    each_conn(f, conn_drain);
    free(m);
}

static void cut(struct loop_message *super)
{
    struct front_message *m = H2O_STRUCT_FROM_MEMBER(struct front_message, super, super);
    each_conn(m->loop->front, conn_close);
    free(m);
}

void front_use(struct router *r, struct snapshot *s, SSL_CTX *ssl_ctx)
{
    post_all(r, use, s, ssl_ctx);
}

void front_drain(struct router *r)
{
    post_all(r, drain, NULL, NULL);
}

/* -- start -- */

static void begin(struct loop *l)
{
    for (size_t i = 0; i < l->front->n_listeners; i++)
        listener_start(&l->front->listeners[i]);
}

static bool no_connections(struct loop *l)
{
    return l->front->conns == NULL;
}

static const struct loop_hooks hooks = {
    .begin = begin, .idle = no_connections, .end = close_listeners};

/* The listener's own copy, so that accepting looks at numbers alone. */
static int take_trusted(struct listener *ln, const struct listen_conf *conf, struct errbuf *err)
{
    ln->tls = conf->tls;
    if (!conf->proxy_protocol)
        return 0;
    ln->trusted = calloc(conf->trusted.n, sizeof(ln->trusted[0]));
    if (ln->trusted == NULL)
        return errbuf_set(err, ENOMEM, "no memory for a listener");
    for (size_t i = 0; i < conf->trusted.n; i++) {
        int rc = address_parse_range(conf->trusted.at[i], &ln->trusted[ln->n_trusted], err);
        if (rc < 0)
            return rc;
        ln->n_trusted++;
    }
    return 0;
}

static int make_loop(struct router *r, unsigned index, struct snapshot *s, SSL_CTX *ssl_ctx,
                     size_t n_listeners, struct errbuf *err)
{
    struct loop *l = &r->loops[index];
    int rc = loop_init(l, r, index, s, &hooks, err);
    if (rc < 0)
        return rc;
    l->front = calloc(1, sizeof(*l->front));
    if (l->front == NULL)
        return errbuf_set(err, ENOMEM, "no memory for a loop");
    l->front->listeners = calloc(n_listeners, sizeof(l->front->listeners[0]));
    if (l->front->listeners == NULL)
        return errbuf_set(err, ENOMEM, "no memory for listeners");
    l->front->n_listeners = n_listeners;
    for (size_t i = 0; i < n_listeners; i++)
        l->front->listeners[i] = (struct listener){.loop = l, .fd = -1};
    l->front->ssl_ctx = ssl_ctx;
    if (ssl_ctx != NULL)
        SSL_CTX_up_ref(ssl_ctx);
    return 0;
}

/* Listener `i` on every loop; the first one finds the port. */
static int listen_everywhere(struct router *r, size_t i, const struct router_conf *conf,
                             int *ret_port, struct errbuf *err)
{
    const struct listen_conf *listen = &((const struct listen_conf *)conf->listen.at)[i];
    *ret_port = 0;
    for (unsigned n = 0; n < r->n_loops; n++) {
        struct loop *l = &r->loops[n];
        int fd = listener_open(listen, *ret_port, ret_port, err);
        if (fd < 0)
            return fd;
        l->front->listeners[i].fd = fd;
        int rc = take_trusted(&l->front->listeners[i], listen, err);
        if (rc < 0)
            return rc;
    }
    log_event(LOG_INFO, "listening", log_str("address", listen->address),
              log_i64("port", *ret_port), log_bool("tls", listen->tls));
    return 0;
}

static void free_loop(struct loop *l)
{
    struct front *f = l->front;
    close_listeners(l);
    loop_release(l);
    if (f == NULL)
        return;
    SSL_CTX_free(f->ssl_ctx);
    for (size_t i = 0; i < f->n_listeners && f->listeners != NULL; i++)
        free(f->listeners[i].trusted);
    free(f->listeners);
    free(f);
}

static void free_loops(struct router *r)
{
    for (unsigned i = 0; i < r->n_loops; i++)
        free_loop(&r->loops[i]);
    free(r->loops);
    address_table_free(r->addresses);
    r->addresses = NULL;
    r->loops = NULL;
    r->n_loops = 0;
}

static int start_all(struct router *r, struct snapshot *s, SSL_CTX *ssl_ctx, int *ports,
                     size_t n_ports, struct errbuf *err)
{
    const struct router_conf *conf = &s->conf->router;
    for (unsigned i = 0; i < r->n_loops; i++) {
        int rc = make_loop(r, i, s, ssl_ctx, conf->listen.n, err);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < conf->listen.n; i++) {
        int port;
        int rc = listen_everywhere(r, i, conf, &port, err);
        if (rc < 0)
            return rc;
        if (i < n_ports)
            ports[i] = port;
    }
    return 0;
}

static void stop_loops(struct router *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        loop_stop(&r->loops[i], clock_mono_ns() + STOP_NS);
}

int front_start(struct router *r, struct snapshot *s, SSL_CTX *ssl_ctx, int *ports, size_t n_ports,
                struct errbuf *err)
{
    uint64_t n = s->conf->router.threads;
    if (n == 0)
        n = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    /* Bodies are bounded by our own ceilings: never a file in /tmp behind libh2o's buffers. */
    h2o_socket_buffer_mmap_settings.threshold = SIZE_MAX;
    r->loops = calloc(n, sizeof(r->loops[0]));
    r->addresses = address_table_new();
    if (r->loops == NULL || r->addresses == NULL)
        return errbuf_set(err, ENOMEM, "no memory for %llu loops", (unsigned long long)n);
    r->n_loops = (unsigned)n;
    int rc = start_all(r, s, ssl_ctx, ports, n_ports, err);
    if (rc < 0) {
        free_loops(r);
        return rc;
    }
    for (unsigned i = 0; i < r->n_loops; i++) {
        rc = loop_start(&r->loops[i], err);
        if (rc < 0) {
            stop_loops(r, i);
            free_loops(r);
            return rc;
        }
    }
    return 0;
}

void front_cut(struct router *r)
{
    post_all(r, cut, NULL, NULL);
}

void front_stop(struct router *r)
{
    front_cut(r);
    stop_loops(r, r->n_loops);
    free_loops(r);
}
