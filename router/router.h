/* The front end: listeners, loops, producers, admin server, reload and drain. One per process. */
#ifndef ROUTER_ROUTER_H
#define ROUTER_ROUTER_H

#include "router/net/address_table.h"
#include "router/produce/producer.h"
#include "tenancy/tenancy.h"

struct router {
    struct tenancy *tenancy;
    struct producers *producers;
    struct loop *loops;
    unsigned n_loops;
    _Atomic uint64_t buffered; /* bytes of all request bodies held, against router.max_buffered */
    _Atomic uint64_t connections;
    _Atomic uint64_t handshakes;     /* TLS handshakes under way */
    struct address_table *addresses; /* what each address holds of both; made by front_start */
    _Atomic bool leaving;            /* SIGTERM came: readiness is off, requests are still served */
    _Atomic bool config_refused;     /* some changed file is wrong and not in use */
    _Atomic bool certificate_refused;       /* the same of a certificate or key */
    _Atomic uint64_t certificate_expires_s; /* the first of those in use; 0 = there is none */
    _Atomic bool draining;                  /* late in that: new requests get OUTCOME_DRAINING */
    struct router_metrics *metrics;         /* metrics.c */
    struct guesses *guesses;                /* guess.h; NULL: nobody is slowed */
};

/* Runs until SIGTERM or SIGINT; SIGHUP and file changes reload. `brokers` overrides the config (own
 * broker of `up`); NULL = as configured. `ready_fd` >= 0: one line "ready <port> <port> ..." is
 * written to it when all listeners listen. Returns the exit code. Blocks signals itself; call it
 * from the main thread. */
int router_run(const char *config_file, const char *brokers, int ready_fd);

#endif
