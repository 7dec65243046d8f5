#include "router/net/listener.h"

#include "base/log.h"
#include "base/metrics.h"
#include "router/net/conn.h"
#include "router/net/guards.h"
#include "router/router.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#define BACKLOG          4096
#define ACCEPTS_PER_TURN 64
#define RETRY_NS         (100 * NS_PER_MS)

static const struct metric accepted_metric = {
    "tenantry_router_connections_total", METRIC_COUNTER, "Connections accepted.", {NULL}};

struct socket_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

/* "0.0.0.0:4317", "[::]:4318" or "localhost:0". */
static int parse_address(const char *text, struct socket_address *ret, struct errbuf *err)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (colon == NULL || len >= sizeof(host))
        return errbuf_set(err, EINVAL, "listen address \"%s\" is not of the form ADDRESS:PORT",
                          text);
    memcpy(host, text, len);
    host[len] = 0;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(len ? host : NULL, colon + 1, &hints, &found);
    if (rc != 0)
        return errbuf_set(err, EINVAL, "listen address \"%s\": %s", host, gai_strerror(rc));
    memcpy(&ret->storage, found->ai_addr, found->ai_addrlen);
    ret->len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static in_port_t *port_of(struct socket_address *a)
{
    return a->storage.ss_family == AF_INET ? &((struct sockaddr_in *)&a->storage)->sin_port
                                           : &((struct sockaddr_in6 *)&a->storage)->sin6_port;
}

int listener_open(const struct listen_conf *conf, int port, int *ret_port, struct errbuf *err)
{
    struct socket_address a = {0};
    int on = 1;
    int rc = parse_address(conf->address, &a, err);
    if (rc < 0)
        return rc;
    if (port != 0)
        *port_of(&a) = htons((uint16_t)port);
    int fd = socket(a.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errbuf_set(err, errno, "cannot make a socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&a.storage, a.len) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&a.storage, &a.len) < 0) {
        int code = errno;
        close(fd);
        return errbuf_set(err, code, "cannot listen on %s: %s", conf->address, strerror(code));
    }
    *ret_port = ntohs(*port_of(&a));
    return fd;
}

static bool take_place(struct loop *l)
{
    struct router *r = l->router;
    uint64_t limit = l->snapshot->conf->router.max_connections;
    if (atomic_fetch_add_explicit(&r->connections, 1, memory_order_relaxed) < limit)
        return true;
    atomic_fetch_sub_explicit(&r->connections, 1, memory_order_relaxed);
    return false;
}

static struct address peer_of(h2o_socket_t *sock)
{
    struct sockaddr_storage ss = {0};
    h2o_socket_getpeername(sock, (struct sockaddr *)&ss);
    return address_of((struct sockaddr *)&ss);
}

static void on_accept(h2o_socket_t *sock, const char *error);

static void on_retry(struct loop_timer *t)
{
    struct listener *ln = H2O_STRUCT_FROM_MEMBER(struct listener, retry, t);
    h2o_socket_read_start(ln->sock, on_accept);
}

/* Out of descriptors the listening socket stays readable: without a pause the loop would spin. */
static void pause_accepting(struct listener *ln)
{
    log_repeated(LOG_ERROR, "cannot accept connections", "", log_str("reason", strerror(errno)));
    h2o_socket_read_stop(ln->sock);
    loop_timer_set(ln->loop, &ln->retry, ln->loop->now_ns + RETRY_NS);
}

static void on_accept(h2o_socket_t *sock, const char *error)
{
    struct listener *ln = sock->data;
    loop_enter(ln->loop);
    if (error != NULL)
        return;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        errno = 0;
        h2o_socket_t *accepted = h2o_evloop_socket_accept(sock);
        if (accepted == NULL) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                pause_accepting(ln);
            return;
        }
        struct address peer = peer_of(accepted);
        if (!take_place(ln->loop)) {
            guard_refused(GUARD_CONNECTIONS, &peer);
            h2o_socket_close(accepted);
            continue;
        }
        metric_add(metric_series(&accepted_metric, NULL), 1);
        conn_start(ln, accepted, &peer);
    }
}

void listener_start(struct listener *ln)
{
    ln->retry.fire = on_retry;
    ln->sock = h2o_evloop_socket_create(ln->loop->evloop, ln->fd, H2O_SOCKET_FLAG_DONT_READ);
    ln->sock->data = ln;
    ln->fd = -1;
    h2o_socket_read_start(ln->sock, on_accept);
}

void listener_close(struct listener *ln)
{
    if (ln->fd >= 0)
        close(ln->fd);
    ln->fd = -1;
    if (ln->sock == NULL)
        return;
    loop_timer_clear(ln->loop, &ln->retry);
    h2o_socket_close(ln->sock);
    ln->sock = NULL;
}
