/* The real front end on a free loopback port, with an admission that does what request headers ask
 * for: for tests of the transports.
 *
 *   x-headers: <reason>  answered with this outcome when the headers are in
 *   x-data: <reason>     when the first piece of body arrives
 *   x-body: <reason>     when the body is whole
 *   x-later: <reason>    1 ms after the body, from another thread (like a delivery report);
 *                        "accepted" when none of them is there
 *   x-delay: <ms>        for x-later
 *   x-held: yes          for x-later: not before the test sets seen.release
 */
#ifndef TESTS_ROUTER_STUB_SERVER_H
#define TESTS_ROUTER_STUB_SERVER_H

#include "router/admission/admission.h"
#include "router/net/front.h"
#include "router/router.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the stub has seen. late: answers after the body, also those that found nobody. */
static struct {
    _Atomic unsigned requests, bodies, answered, gone, stalled, late;
    _Atomic uint64_t body_bytes;
    _Atomic bool release;
} seen;

static struct address seen_client; /* of the last request whose headers came */

struct later {
    struct loop_message message;
    struct request *req;
    unsigned delay_ms;
    bool held;
};

static enum outcome outcome_by_reason(struct slice reason)
{
    for (int o = 0; o < OUTCOME_COUNT; o++)
        if (slice_eq(reason, slice_str(outcome_info[o].reason)))
            return (enum outcome)o;
    return OUTCOME_INTERNAL;
}

static void stub_answer(struct request *req, enum outcome o, const char *message)
{
    struct answer a = {.outcome = o, .message = message};
    assert(!req->answered && !req->gone);
    req->answered = true;
    seen.answered++;
    req->transport->answer(req, &a);
}

static bool asked(struct request *req, const char *header)
{
    struct slice reason = request_header(req, header);
    if (reason.at == NULL)
        return false;
    stub_answer(req, outcome_by_reason(reason), NULL);
    return true;
}

static bool route(struct request *req)
{
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        const char *path =
            req->kind == REQUEST_GRPC ? signal_info[s].grpc_path : signal_info[s].http_path;
        req->signal = (enum signal)s;
        if (slice_eq(req->path, slice_str(path)))
            return true;
    }
    return false;
}

enum admission_step admission_headers(struct request *req)
{
    seen.requests++;
    seen_client = req->client;
    if (!route(req))
        stub_answer(req, req->kind == REQUEST_GRPC ? OUTCOME_UNKNOWN_METHOD : OUTCOME_UNKNOWN_PATH,
                    NULL);
    else if (!slice_eq(req->method, SLICE_LIT("POST")))
        stub_answer(req, OUTCOME_NOT_POST, NULL);
    else if (req->content_length != UINT64_MAX && req->content_length > req->body.ceiling)
        stub_answer(req, OUTCOME_TOO_LARGE, NULL);
    else if (!asked(req, "x-headers"))
        return ADMISSION_CONTINUE;
    return ADMISSION_ANSWERED;
}

enum admission_step admission_data(struct request *req, size_t n)
{
    assert(!req->answered && !req->gone && n > 0);
    if (asked(req, "x-data"))
        return ADMISSION_ANSWERED;
    if (req->body.len + n > req->body.ceiling) {
        stub_answer(req, OUTCOME_TOO_LARGE, NULL);
        return ADMISSION_ANSWERED;
    }
    return ADMISSION_CONTINUE;
}

static void deliver_later(struct loop_message *m)
{
    struct later *l = H2O_STRUCT_FROM_MEMBER(struct later, message, m);
    if (!l->req->gone && !asked(l->req, "x-later"))
        stub_answer(l->req, OUTCOME_ACCEPTED, NULL);
    seen.late++;
    request_unref(l->req);
    free(l);
}

static void *wait_and_post(void *arg)
{
    struct later *l = arg;
    usleep(l->delay_ms * 1000);
    while (l->held && !seen.release)
        usleep(1000);
    loop_post(l->req->loop, &l->message);
    return NULL;
}

void admission_body(struct request *req)
{
    assert(!req->answered && !req->gone);
    seen.bodies++;
    seen.body_bytes += req->body.len;
    if (asked(req, "x-body"))
        return;
    struct later *l = calloc(1, sizeof(*l));
    struct slice delay = request_header(req, "x-delay");
    pthread_t thread;
    *l = (struct later){.message.run = deliver_later, .req = req, .delay_ms = 1};
    if (delay.at != NULL)
        l->delay_ms = (unsigned)strtoul(arena_strdup(&req->arena, delay), NULL, 10);
    l->held = request_header(req, "x-held").at != NULL;
    request_ref(req);
    pthread_create(&thread, NULL, wait_and_post, l);
    pthread_detach(thread);
}

void admission_refuse(struct request *req, enum outcome outcome, const char *message)
{
    stub_answer(req, outcome, message);
}

void admission_gone(struct request *req, enum outcome why)
{
    assert(!req->answered && !req->gone);
    req->gone = true;
    if (why == OUTCOME_BODY_STALLED)
        seen.stalled++;
    else
        seen.gone++;
}

void admission_release(struct request *req)
{
    buf_release(&req->body);
}

/* -- the server -- */

struct server {
    struct router router;
    struct snapshot snapshot;
    struct conf conf;
    struct listen_conf listen;
    struct arena arena;
    int port;
};

static void server_start(struct server *s, SSL_CTX *ssl_ctx)
{
    struct errbuf err = ERRBUF_INIT;
    s->listen.address = "127.0.0.1:0";
    s->listen.insecure = ssl_ctx == NULL;
    s->listen.tls = ssl_ctx != NULL;
    s->conf.router.listen = (struct option_list){&s->listen, 1};
    s->conf.router.threads = 2;
    s->snapshot.refs = 1;
    s->snapshot.conf = &s->conf;
    if (front_start(&s->router, &s->snapshot, ssl_ctx, &s->port, 1, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

/* Defaults; change s->conf before server_start. */
static void server_init(struct server *s)
{
    memset(s, 0, sizeof(*s));
    memset(&seen, 0, sizeof(seen));
    option_defaults(&conf_options, &s->conf, &s->arena);
    s->conf.router.max_body = 1 << 20;
}

static void server_stop(struct server *s)
{
    front_stop(&s->router);
    arena_release(&s->arena);
}

static int server_connect(const struct server *s)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
    struct timeval patience = {.tv_sec = 60};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        abort();
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

#endif
