/* The front end: its loops, and on each loop the listeners and the connections they accepted.
 *
 * Start, reload and drain are called by the main thread and reach the loops as messages. */
#ifndef ROUTER_FRONT_H
#define ROUTER_FRONT_H

#include "base/address.h"
#include "base/errbuf.h"
#include "router/net/loop.h"

#include <openssl/ssl.h>

struct conn;

struct listener {
    struct loop *loop;
    int fd;             /* -1 once `sock` has it */
    h2o_socket_t *sock; /* NULL until the loop runs, and when closed */
    bool tls;
    struct address_range *trusted; /* of the balancers whose PROXY headers are believed */
    size_t n_trusted;
    struct loop_timer retry; /* accepting again after running out of descriptors */
};

/* One loop's part. Thread: the loop's, once it runs. */
struct front {
    struct listener *listeners;
    size_t n_listeners;
    SSL_CTX *ssl_ctx; /* for new connections; a reference; NULL without TLS */
    struct conn *conns;
    bool draining;   /* connections are being closed as they become idle */
    uint64_t date_s; /* the second `date` is for */
    char date[32];   /* value of the Date header */
};

/* Makes and starts r->loops with the listeners that `s` configures. `ssl_ctx` may be NULL when all
 * of them are plaintext; borrowed. ports: one number per listener, filled in order of the config;
 * room for `n_ports`. On failure everything is undone. */
int front_start(struct router *r, struct snapshot *s, SSL_CTX *ssl_ctx, int *ports, size_t n_ports,
                struct errbuf *err);
/* Puts a new snapshot and certificate (NULL = no change) into use on every loop. */
void front_use(struct router *r, struct snapshot *s, SSL_CTX *ssl_ctx);
/* Listeners close, connections end as they become idle: GOAWAY, Connection: close (R298, R299). */
void front_drain(struct router *r);
/* Closes all connections; router->connections is 0 when they are gone. */
void front_cut(struct router *r);
/* The same, then ends the threads and frees r->loops. Nothing started is fine. */
void front_stop(struct router *r);

/* The value of the Date header for this second. */
const char *front_date(struct loop *l, uint64_t wall_ns);

#endif
