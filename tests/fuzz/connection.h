/* A connection for fuzzing http1.c and http2.c whole, without sockets and threads: the input is a
 * list of steps (bytes arrive, time passes, an answer is due, the client stops reading, drain), and
 * admission does what a request's path asks for. What must hold whatever comes:
 *
 *   a request is answered once, or told that its client is gone, and nothing is asked of it after;
 *   no more bytes of a body are handed on than came in, and none above the ceiling;
 *   at the end every request and every timer is released.
 *
 * The first byte of the input chooses settings. A step is a byte: its low 3 bits say what, the
 * others are an argument. */
#ifndef TESTS_FUZZ_CONNECTION_H
#define TESTS_FUZZ_CONNECTION_H

#include "router/admission/admission.h"
#include "router/net/conn.h"
#include "router/net/guards.h"
#include "tenancy/conf.h"
#include "tenancy/tenancy.h"

#include <assert.h>
#include <stdlib.h>

#define MAX_HELD 64
#define MAX_SENT (4u << 20)
#define MAX_OUT  (1u << 20)

enum step { STEP_BYTES, STEP_REPEATED, STEP_TIME, STEP_ANSWER, STEP_RESUME, STEP_BLOCK, STEP_END };

static struct {
    struct timer_heap timers;
    struct request *held[MAX_HELD], *paused[MAX_HELD]; /* a reference of each */
    size_t n_held, n_paused, received;
    struct buf sent;
    bool flush, blocked, reading;
    h2o_socket_t sock;
    struct conn conn;
} it;

/* --- what stands behind the connection, by its real names ----------------------------------------
 */

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t due_ns)
{
    (void)l;
    timer_heap_set(&it.timers, t, due_ns);
}

void loop_timer_clear(struct loop *l, struct loop_timer *t)
{
    (void)l;
    timer_heap_clear(&it.timers, t);
}

const char *front_date(struct loop *l, uint64_t wall_ns)
{
    (void)l;
    (void)wall_ns;
    return "Thu, 01 Jan 1970 00:00:00 GMT";
}

void guard_count(enum guard g)
{
    assert(g < GUARD_COUNT);
}

const struct router_conf *conn_conf(const struct conn *c)
{
    return &c->loop->snapshot->conf->router;
}

void conn_set_timer(struct conn *c, uint64_t after_ns)
{
    loop_timer_set(c->loop, &c->timer, c->loop->now_ns + after_ns);
}

void conn_flush_later(struct conn *c)
{
    (void)c;
    it.flush = true;
}

void conn_resume_reading(struct conn *c)
{
    assert(c->sock != NULL && !it.reading);
    it.reading = true;
}

void h2o_socket_read_stop(h2o_socket_t *sock)
{
    assert(sock == &it.sock && it.reading);
    it.reading = false;
}

void conn_close(struct conn *c)
{
    if (c->sock == NULL)
        return;
    c->sock = NULL;
    c->ops->gone(c);
    loop_timer_clear(c->loop, &c->timer);
}

/* --- admission: /r refuses by the headers, /d by the first piece of body, /b by the whole body; /p
 * pauses, everything else waits for a step. The letter behind says the outcome. -------------------
 */

static uint8_t path_byte(const struct request *req, size_t at)
{
    return req->path.len > at ? req->path.at[at] : 0;
}

static void answer(struct request *req, uint8_t byte)
{
    static const uint64_t delays[] = {0, NS_PER_S, 5 * NS_PER_S};
    struct answer a = {.outcome = (enum outcome)(byte % OUTCOME_COUNT),
                       .kind = (enum answer_kind)(byte % 3),
                       .payload = SLICE_LIT("\x08\x01"),
                       .rejected = byte & 1,
                       .message = byte & 2 ? "100 % of it: \xc3\xa9" : NULL,
                       .retry_delay_ns = delays[byte % 3]};
    assert(!req->answered && !req->gone);
    req->answered = true;
    req->transport->answer(req, &a);
}

static bool asked(struct request *req, uint8_t when)
{
    if (path_byte(req, 1) != when)
        return false;
    answer(req, path_byte(req, 2));
    return true;
}

enum admission_step admission_headers(struct request *req)
{
    assert(!req->answered && !req->gone);
    assert(req->header_bytes <= conn_conf(&it.conn)->max_header_bytes);
    return asked(req, 'r') ? ADMISSION_ANSWERED : ADMISSION_CONTINUE;
}

enum admission_step admission_data(struct request *req, size_t n)
{
    assert(!req->answered && !req->gone && n > 0);
    assert(req->body.len + n <= it.received && req->body.len <= req->body.ceiling);
    if (asked(req, 'd'))
        return ADMISSION_ANSWERED;
    if (path_byte(req, 1) == 'p' && !req->paused && it.n_paused < MAX_HELD) {
        req->paused = true;
        request_ref(req);
        it.paused[it.n_paused++] = req;
    }
    return ADMISSION_CONTINUE;
}

void admission_body(struct request *req)
{
    assert(!req->answered && !req->gone && req->body.len <= req->body.ceiling);
    req->whole = true;
    if (asked(req, 'b'))
        return;
    if (it.n_held == MAX_HELD) {
        answer(req, 0);
        return;
    }
    request_ref(req);
    it.held[it.n_held++] = req;
}

void admission_refuse(struct request *req, enum outcome outcome, const char *message)
{
    (void)message;
    answer(req, (uint8_t)outcome);
}

void admission_gone(struct request *req, enum outcome why)
{
    (void)why;
    assert(!req->answered && !req->gone);
    req->gone = true;
}

void admission_release(struct request *req)
{
    assert(req->answered || req->gone);
    buf_release(&req->body);
}

/* --- the steps -----------------------------------------------------------------------------------
 */

static void drop(struct slice *s, size_t n)
{
    *s = slice_of(s->at + n, s->len - n);
}

static void write_out(struct conn *c)
{
    while (it.flush && !it.blocked && c->sock != NULL) {
        it.flush = false;
        c->ops->fill(c);
        if (c->out.failed) {
            conn_close(c);
        } else if (c->out.len == 0) {
            c->ops->wrote(c);
        } else {
            if (it.sent.len < MAX_SENT)
                buf_append_slice(&it.sent, buf_slice(&c->out));
            buf_clear(&c->out);
            it.flush = true;
        }
    }
    assert(c->out.len <= MAX_OUT);
}

static void arrive(struct conn *c, struct slice piece)
{
    if (piece.len == 0 || c->sock == NULL || !it.reading)
        return;
    h2o_iovec_t room = h2o_buffer_reserve(&c->sock->input, piece.len);
    assert(room.base != NULL);
    memcpy(room.base, piece.at, piece.len);
    c->sock->input->size += piece.len;
    it.received += piece.len;
    c->ops->read(c);
    write_out(c);
}

/* Two bytes tell how many follow. */
static void bytes_arrive(struct conn *c, struct slice *in, unsigned times)
{
    size_t n = in->len < 2 ? in->len : (size_t)(in->at[0] | in->at[1] << 8);
    drop(in, in->len < 2 ? in->len : 2);
    n = n < in->len ? n : in->len;
    for (unsigned i = 0; i < times; i++)
        arrive(c, slice_of(in->at, n));
    drop(in, n);
}

static void time_passes(struct conn *c, unsigned argument)
{
    struct loop_timer *t;
    c->loop->now_ns += (UINT64_C(1) << (argument < 20 ? argument : 20)) * NS_PER_MS;
    while ((t = timer_heap_take_due(&it.timers, c->loop->now_ns)) != NULL)
        t->fire(t);
}

static void answer_held(size_t which, uint8_t byte)
{
    if (it.n_held == 0)
        return;
    struct request **at = &it.held[which % it.n_held], *req = *at;
    *at = it.held[--it.n_held];
    if (!req->gone)
        answer(req, byte);
    request_unref(req);
}

static void end_of_it(struct conn *c, unsigned argument)
{
    if (argument == 31) {
        conn_close(c);
    } else if (argument & 1) {
        c->ops->aged(c);
    } else {
        c->loop->front->draining = true;
        c->ops->drain(c);
    }
}

/* The pauses are over: the client may send on, or is refused. */
static void end_pauses(unsigned argument)
{
    while (it.n_paused > 0) {
        struct request *req = it.paused[--it.n_paused];
        req->paused = false;
        if (!req->gone && !req->answered && !req->whole && argument & 1)
            answer(req, (uint8_t)argument);
        else if (!req->gone && !req->answered)
            req->transport->resume(req);
        request_unref(req);
    }
}

static void take_step(struct conn *c, struct slice *in)
{
    uint8_t byte = in->at[0];
    unsigned argument = byte >> 3;
    drop(in, 1);
    switch (byte & 7) {
    case STEP_BYTES:
        bytes_arrive(c, in, 1);
        break;
    case STEP_REPEATED:
        bytes_arrive(c, in, 1 + 4 * argument);
        break;
    case STEP_TIME:
        time_passes(c, argument);
        break;
    case STEP_ANSWER:
        answer_held(argument, in->len > 0 ? in->at[0] : 0);
        drop(in, in->len > 0);
        break;
    case STEP_RESUME:
        end_pauses(argument);
        break;
    case STEP_BLOCK:
        it.blocked = !it.blocked;
        it.flush = true;
        break;
    default:
        if (c->sock != NULL)
            end_of_it(c, argument);
    }
    write_out(c);
}

static void on_conn_timer(struct loop_timer *t)
{
    struct conn *c = H2O_STRUCT_FROM_MEMBER(struct conn, timer, t);
    c->ops->timeout(c);
}

/* The settings that the first byte chooses. */
static struct snapshot *snapshot_for(uint8_t byte)
{
    static struct conf conf;
    static struct arena arena;
    static struct snapshot snapshot = {.refs = 1};
    if (arena.used == 0)
        option_defaults(&conf_options, &conf, &arena);
    conf.router.max_streams = byte & 1 ? 2 : 8;
    conf.router.max_header_bytes = 1024;
    conf.router.max_body = 2048;
    conf.router.http2_control_frames = byte & 2 ? 10 : 1000;
    conf.router.http2_abandoned_requests = 1;
    conf.router.http2_ignored_bytes = byte & 4 ? 64 : 65536;
    conf.router.keepalive_interval = byte & 8 ? NS_PER_S : 0;
    snapshot.conf = &conf;
    return &snapshot;
}

/* Runs the input on a connection of this protocol; what was sent is in it.sent until the next. */
static void run_connection(const struct conn_ops *ops, struct slice in)
{
    struct front front = {.draining = false};
    struct loop loop = {.now_ns = NS_PER_S, .snapshot = snapshot_for(in.at[0]), .front = &front};
    struct conn *c = &it.conn;
    buf_release(&it.sent);
    memset(&it, 0, sizeof(it));
    h2o_buffer_init(&it.sock.input, &h2o_socket_buffer_prototype);
    it.reading = true;
    *c = (struct conn){.loop = &loop, .sock = &it.sock, .ops = ops, .started_ns = loop.now_ns};
    c->timer.fire = on_conn_timer;
    drop(&in, 1);
    if (ops->start(c) < 0)
        abort();
    write_out(c);
    while (in.len > 0)
        take_step(c, &in);
    conn_close(c);
    end_pauses(0);
    while (it.n_held > 0)
        answer_held(0, 0);
    ops->free(c);
    assert(timer_heap_next(&it.timers) == UINT64_MAX);
    timer_heap_release(&it.timers);
    buf_release(&c->out);
    h2o_buffer_dispose(&it.sock.input);
}

#endif
