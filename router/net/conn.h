/* One accepted connection: TLS handshake, choice of protocol, output, timers, close. What is
 * spoken on it is behind conn_ops (http1.c, http2.c).
 *
 * Life: conn_start → PROXY header from a balancer → handshake → protocol → conn_close → (TLS says
 * goodbye) → freed at the end of a turn, so a callback that closed its connection may still look at
 * it until it returns. Thread: the loop's. */
#ifndef ROUTER_CONN_H
#define ROUTER_CONN_H

#include "base/buf.h"
#include "router/net/front.h"

struct conn;

struct conn_ops {
    /* Makes c->protocol. -ENOMEM closes the connection. */
    int (*start)(struct conn *c);
    /* Bytes arrived: they are in c->sock->input, to be consumed there. */
    void (*read)(struct conn *c);
    /* Puts what is to be sent into c->out, up to about CONN_WRITE_SIZE. */
    void (*fill)(struct conn *c);
    /* All of c->out was taken by the socket and fill had nothing more. */
    void (*wrote)(struct conn *c);
    /* c->timer is due. */
    void (*timeout)(struct conn *c);
    /* Ends the connection as soon as nothing is under way on it. */
    void (*drain)(struct conn *c);
    /* It has reached router.max_connection_age: no further requests, as far as the client can be
     * told; it is closed after router.max_connection_age_grace. */
    void (*aged)(struct conn *c);
    /* The connection is lost or was closed: nobody is there to answer to. */
    void (*gone)(struct conn *c);
    void (*free)(struct conn *c);
};

#define CONN_WRITE_SIZE 65536

struct conn {
    struct loop *loop;
    h2o_socket_t *sock; /* NULL once closed */
    int fd;
    const struct conn_ops *ops; /* NULL until the protocol is known */
    void *protocol;
    const struct listener *listener; /* outlives it */
    struct address client;  /* who is counted and logged: the peer, or whom a balancer names */
    struct buf certificate; /* names in the client's; set by tls.c when the handshake is done */
    struct address_entry *entry; /* of the client, once it is let in; NULL = not counted */
    SSL_CTX *ssl_ctx; /* a reference until the handshake is over: libh2o keeps a bare pointer */
    uint64_t started_ns;
    struct loop_timer timer; /* the protocol's; the handshake's before */
    struct loop_timer age_timer;
    struct loop_timer write_timer; /* the client takes nothing; after close: the goodbye */
    struct buf out;                /* collected for the next write */
    struct buf writing;            /* borrowed by the socket until it is written */
    bool is_writing;
    bool in_handshake; /* counted as such */
    bool awaits_proxy; /* the balancer's PROXY header has not come yet */
    bool input_ended;  /* the client sent close_notify */
    struct loop_task flush, bury;
    struct conn *next, **prev; /* front's list */
};

extern const struct conn_ops http1_conn_ops, http2_conn_ops;

/* Takes `sock`, whose place is already counted in router->connections. */
void conn_start(const struct listener *ln, h2o_socket_t *sock, const struct address *peer);
/* The client sent close_notify: libh2o collects what comes after it for ever and never shows it to
 * us, so the connection ends with this read. Called from within libh2o. */
void conn_input_ended(h2o_socket_t *sock);
/* Asks for a write of c->out at the end of this turn. */
void conn_flush_later(struct conn *c);
/* Closes now; calls ops->gone first. Never from within nghttp2's callbacks. Closed is fine. */
void conn_close(struct conn *c);
/* Asks ops->drain, or closes what has no protocol yet. */
void conn_drain(struct conn *c);
/* After h2o_socket_read_stop. */
void conn_resume_reading(struct conn *c);
void conn_set_timer(struct conn *c, uint64_t after_ns);

const struct router_conf *conn_conf(const struct conn *c);

#endif
