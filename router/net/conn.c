#include "router/net/conn.h"

#include "router/net/guards.h"
#include "router/net/proxy_protocol.h"
#include "router/router.h"

#include <assert.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/socket.h>

/* How long a closed TLS connection may take to send its close_notify. */
#define GOODBYE_NS NS_PER_S

static const struct slice http2_preface = {(const uint8_t *)"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24};

const struct router_conf *conn_conf(const struct conn *c)
{
    return &c->loop->snapshot->conf->router;
}

void conn_set_timer(struct conn *c, uint64_t after_ns)
{
    loop_timer_set(c->loop, &c->timer, c->loop->now_ns + after_ns);
}

/* -- closing -- */

static void bury(struct loop_task *t)
{
    struct conn *c = H2O_STRUCT_FROM_MEMBER(struct conn, bury, t);
    if (c->ops != NULL)
        c->ops->free(c);
    SSL_CTX_free(c->ssl_ctx);
    buf_release(&c->certificate);
    buf_release(&c->out);
    buf_release(&c->writing);
    free(c);
}

static void end_handshake(struct conn *c)
{
    struct router *r = c->loop->router;
    if (!c->in_handshake)
        return;
    c->in_handshake = false;
    atomic_fetch_sub_explicit(&r->handshakes, 1, memory_order_relaxed);
    address_handshake_done(r->addresses, c->entry);
}

/* The socket is gone for good. */
static void on_socket_closed(void *arg)
{
    struct conn *c = arg;
    loop_timer_clear(c->loop, &c->write_timer);
    *c->prev = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    end_handshake(c);
    address_leave(c->loop->router->addresses, c->entry, c->loop->now_ns);
    atomic_fetch_sub_explicit(&c->loop->router->connections, 1, memory_order_relaxed);
    loop_defer(c->loop, &c->bury);
}

/* The goodbye of a closed connection does not leave. */
static void cut(struct loop_timer *t)
{
    struct conn *c = H2O_STRUCT_FROM_MEMBER(struct conn, write_timer, t);
    shutdown(c->fd, SHUT_RDWR);
}

void conn_close(struct conn *c)
{
    if (c->sock == NULL)
        return;
    h2o_socket_t *sock = c->sock;
    c->sock = NULL;
    if (c->ops != NULL)
        c->ops->gone(c);
    loop_timer_clear(c->loop, &c->timer);
    loop_timer_clear(c->loop, &c->age_timer);
    c->write_timer.fire = cut;
    loop_timer_set(c->loop, &c->write_timer, c->loop->now_ns + GOODBYE_NS);
    h2o_socket_close(sock);
}

void conn_drain(struct conn *c)
{
    if (c->sock == NULL)
        return;
    if (c->ops != NULL)
        c->ops->drain(c);
    else
        conn_close(c);
}

/* -- output -- */

static void on_written(h2o_socket_t *sock, const char *error);

static void on_write_stalled(struct loop_timer *t)
{
    guard_count(GUARD_UNREAD);
    conn_close(H2O_STRUCT_FROM_MEMBER(struct conn, write_timer, t));
}

static void write_out(struct conn *c)
{
    if (c->sock == NULL || c->is_writing)
        return;
    c->ops->fill(c);
    if (c->out.failed) {
        conn_close(c);
        return;
    }
    if (c->out.len == 0) {
        buf_release(&c->out); /* an idle connection holds none */
        buf_release(&c->writing);
        c->ops->wrote(c);
        return;
    }
    struct buf spare = c->writing;
    c->writing = c->out;
    c->out = spare;
    buf_clear(&c->out);
    c->is_writing = true;
    loop_timer_set(c->loop, &c->write_timer, c->loop->now_ns + conn_conf(c)->body_timeout);
    h2o_iovec_t v = h2o_iovec_init((char *)c->writing.at, c->writing.len);
    h2o_socket_write(c->sock, &v, 1, on_written);
}

static void on_written(h2o_socket_t *sock, const char *error)
{
    struct conn *c = sock->data;
    loop_enter(c->loop);
    loop_timer_clear(c->loop, &c->write_timer);
    c->is_writing = false;
    if (error != NULL)
        conn_close(c);
    else
        write_out(c);
}

static void flush(struct loop_task *t)
{
    write_out(H2O_STRUCT_FROM_MEMBER(struct conn, flush, t));
}

void conn_flush_later(struct conn *c)
{
    if (c->sock != NULL)
        loop_defer(c->loop, &c->flush);
}

/* -- input, and which protocol it is -- */

void conn_input_ended(h2o_socket_t *sock)
{
    ((struct conn *)sock->data)->input_ended = true;
}

static void on_read(h2o_socket_t *sock, const char *error)
{
    struct conn *c = sock->data;
    loop_enter(c->loop);
    if (error != NULL || c->input_ended)
        conn_close(c);
    else
        c->ops->read(c);
}

void conn_resume_reading(struct conn *c)
{
    h2o_socket_read_start(c->sock, on_read);
}

static void on_timeout(struct loop_timer *t)
{
    struct conn *c = H2O_STRUCT_FROM_MEMBER(struct conn, timer, t);
    if (c->ops != NULL) {
        c->ops->timeout(c);
        return;
    }
    if (c->ssl_ctx != NULL)
        guard_count(GUARD_HANDSHAKE);
    else if (c->awaits_proxy)
        guard_refused(GUARD_PROXY_HEADER, &c->client);
    conn_close(c);
}

/* -- age -- */

static void on_grace_over(struct loop_timer *t)
{
    struct conn *c = H2O_STRUCT_FROM_MEMBER(struct conn, age_timer, t);
    guard_count(GUARD_AGE);
    conn_close(c);
}

static void on_age(struct loop_timer *t)
{
    struct conn *c = H2O_STRUCT_FROM_MEMBER(struct conn, age_timer, t);
    c->age_timer.fire = on_grace_over;
    loop_timer_set(c->loop, &c->age_timer,
                   c->loop->now_ns + conn_conf(c)->max_connection_age_grace);
    c->ops->aged(c);
}

/* A tenth more or less, so that clients that came together do not leave together (R297). */
static void set_age_timer(struct conn *c)
{
    uint64_t age = conn_conf(c)->max_connection_age;
    uint32_t random = 0;
    if (age == 0)
        return;
    RAND_bytes((unsigned char *)&random, sizeof(random));
    age += age / 10 * (random % 2001) / 1000 - age / 10;
    c->age_timer.fire = on_age;
    loop_timer_set(c->loop, &c->age_timer, c->started_ns + age);
}

static void speak(struct conn *c, const struct conn_ops *ops)
{
    if (ops->start(c) < 0) {
        conn_close(c);
        return;
    }
    c->ops = ops;
    set_age_timer(c);
    h2o_socket_read_start(c->sock, on_read);
    if (c->loop->front->draining)
        ops->drain(c);
    if (c->sock != NULL && c->sock->input->size > 0)
        ops->read(c);
}

/* Without ALPN the first bytes tell: HTTP/2's preface, or HTTP/1 (R3, R4). */
static void sniff(h2o_socket_t *sock, const char *error)
{
    struct conn *c = sock->data;
    loop_enter(c->loop);
    struct slice in = slice_of(sock->input->bytes, sock->input->size);
    if (error != NULL || c->input_ended)
        conn_close(c);
    else if (slice_starts(in, http2_preface))
        speak(c, &http2_conn_ops);
    else if (in.len > 0 && !slice_starts(http2_preface, in))
        speak(c, &http1_conn_ops);
}

static void start_plain(struct conn *c)
{
    conn_set_timer(c, conn_conf(c)->header_timeout);
    h2o_socket_read_start(c->sock, sniff);
    if (c->sock->input->size > 0)
        sniff(c->sock, NULL);
}

/* Who leaves without a word has looked whether the port is open: balancers do, it is no failure.
 * The kernel counts a FIN as a byte. */
static bool has_spoken(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 || info.tcpi_bytes_received > 1;
}

static void on_handshake(h2o_socket_t *sock, const char *error)
{
    struct conn *c = sock->data;
    loop_enter(c->loop);
    end_handshake(c);
    SSL_CTX_free(c->ssl_ctx);
    c->ssl_ctx = NULL;
    if (error != NULL || c->input_ended) {
        if (error != NULL && has_spoken(c->fd))
            guard_count(GUARD_HANDSHAKE);
        conn_close(c);
        return;
    }
    h2o_iovec_t name = h2o_socket_ssl_get_selected_protocol(sock);
    struct slice protocol = slice_of(name.base, name.len);
    if (slice_eq(protocol, SLICE_LIT("h2")))
        speak(c, &http2_conn_ops);
    else if (protocol.len != 0)
        speak(c, &http1_conn_ops);
    else
        start_plain(c);
}

static void start_tls(struct conn *c)
{
    c->ssl_ctx = c->loop->front->ssl_ctx;
    SSL_CTX_up_ref(c->ssl_ctx);
    conn_set_timer(c, conn_conf(c)->handshake_timeout);
    h2o_socket_ssl_handshake(c->sock, c->ssl_ctx, NULL, on_handshake);
}

/* -- who is let in -- */

static bool take_handshake(struct conn *c)
{
    struct router *r = c->loop->router;
    if (!c->listener->tls)
        return true;
    c->in_handshake = atomic_fetch_add_explicit(&r->handshakes, 1, memory_order_relaxed) <
                      conn_conf(c)->max_handshakes;
    if (c->in_handshake)
        return true;
    atomic_fetch_sub_explicit(&r->handshakes, 1, memory_order_relaxed);
    return false;
}

/* GUARD_COUNT: welcome. */
static enum guard knock(struct conn *c)
{
    static const enum guard guards[] = {
        [ADDRESS_WELCOME] = GUARD_COUNT,
        [ADDRESS_CONNECTIONS] = GUARD_ADDRESS_CONNECTIONS,
        [ADDRESS_HANDSHAKES] = GUARD_ADDRESS_HANDSHAKES,
        [ADDRESS_RATE] = GUARD_ADDRESS_RATE,
    };
    const struct router_conf *conf = conn_conf(c);
    const struct address_limits limits = {conf->max_connections_per_address,
                                          conf->max_handshakes_per_address,
                                          conf->new_connections_per_address};
    enum address_verdict verdict = address_enter(c->loop->router->addresses, &c->client, &limits,
                                                 c->listener->tls, c->loop->now_ns, &c->entry);
    if (verdict == ADDRESS_WELCOME && !take_handshake(c)) {
        address_handshake_done(c->loop->router->addresses, c->entry);
        return GUARD_HANDSHAKES;
    }
    return guards[verdict];
}

static void start(struct conn *c)
{
    enum guard refused = knock(c);
    if (refused != GUARD_COUNT) {
        guard_refused(refused, &c->client);
        conn_close(c);
        return;
    }
    if (c->listener->tls)
        start_tls(c);
    else
        start_plain(c);
}

/* -- PROXY protocol -- */

static bool is_balancer(const struct listener *ln, const struct address *peer)
{
    for (size_t i = 0; i < ln->n_trusted; i++)
        if (address_in(peer, &ln->trusted[i]))
            return true;
    return false;
}

/* What a balancer says first; the bytes behind it are the client's. A balancer that leaves without
 * a word has looked whether the port is open. */
static void on_proxy_header(h2o_socket_t *sock, const char *error)
{
    struct conn *c = sock->data;
    size_t len = 0;
    loop_enter(c->loop);
    if (error != NULL) {
        conn_close(c);
        return;
    }
    switch (proxy_header_parse(slice_of(sock->input->bytes, sock->input->size), &len, &c->client)) {
    case PROXY_MORE:
        return;
    case PROXY_BAD:
        guard_refused(GUARD_PROXY_HEADER, &c->client);
        conn_close(c);
        return;
    case PROXY_LOCAL:
    case PROXY_CLIENT:
        break;
    }
    c->awaits_proxy = false;
    h2o_socket_read_stop(sock);
    h2o_buffer_consume(&sock->input, len);
    start(c);
}

void conn_start(const struct listener *ln, h2o_socket_t *sock, const struct address *peer)
{
    struct loop *l = ln->loop;
    struct conn *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        atomic_fetch_sub_explicit(&l->router->connections, 1, memory_order_relaxed);
        h2o_socket_close(sock);
        return;
    }
    c->loop = l;
    c->listener = ln;
    c->client = *peer;
    c->sock = sock;
    c->fd = h2o_socket_get_fd(sock);
    c->started_ns = l->now_ns;
    c->timer.fire = on_timeout;
    c->write_timer.fire = on_write_stalled;
    c->flush.run = flush;
    c->bury.run = bury;
    c->next = l->front->conns;
    c->prev = &l->front->conns;
    if (c->next != NULL)
        c->next->prev = &c->next;
    l->front->conns = c;
    sock->data = c;
    sock->on_close.cb = on_socket_closed;
    sock->on_close.data = c;
    if (!is_balancer(ln, peer)) {
        start(c);
        return;
    }
    c->awaits_proxy = true;
    conn_set_timer(c, conn_conf(c)->handshake_timeout);
    h2o_socket_read_start(sock, on_proxy_header);
}
