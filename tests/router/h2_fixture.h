/* One HTTP/2 client at one server with the stub for admission. */
#ifndef TESTS_ROUTER_H2_FIXTURE_H
#define TESTS_ROUTER_H2_FIXTURE_H

#include "tests/router/h2_client.h"
#include "tests/router/stub_server.h"

#define PROTO    "content-type: application/x-protobuf\n"
#define PATIENCE 60000 /* ms */
/* Sends and receives until it is true. */
#define RUN_UNTIL(client, condition)                                                               \
    for (int turn = 0; turn < PATIENCE && !(condition); turn++)                                    \
    h2_run(client, 0, 1)

struct fixture {
    struct server s;
    struct h2_client c;
};

static void begin(struct fixture *f)
{
    server_start(&f->s, NULL);
    h2_client_init(&f->c, server_connect(&f->s));
}

static void end(struct fixture *f)
{
    h2_client_release(&f->c);
    server_stop(&f->s);
}

#endif
