/* HTTP/1.1 on a connection: one request at a time. The next head is read only after the answer to
 * the current one was written, so pipelined requests are answered in order (R33).
 *
 *   HEAD ──▶ BODY ──▶ WAIT ──answer──▶ WRITE ──written──▶ HEAD, or closed
 *     │        └─────answer─────▶ SKIP ─body ends─▶ WRITE
 *     └─refused───────────────────▶ LINGER ──▶ closed
 *
 * An answer that comes before the body has ended is followed by reading on (SKIP while the
 * connection can be kept, LINGER when not): closing with unread bytes would reset the connection
 * and take the answer away from the client (R38). */
#include "router/admission/admission.h"
#include "router/http/answer.h"
#include "router/http/grpc.h"
#include "router/http/http1_parse.h"
#include "router/net/conn.h"
#include "router/net/guards.h"
#include "router/router.h"

#include <errno.h>
#include <stdlib.h>

/* What is read after an early answer: to keep the connection, and before it is closed. */
#define SKIP_BYTES    UINT64_C(262144)
#define LINGER_BYTES  UINT64_C(16777216)
#define LINGER_NS     NS_PER_S        /* without a byte from the client */
#define LINGER_MAX_NS (30 * NS_PER_S) /* in all */
/* Bytes of pipelined requests that are taken while one is being worked on. */
#define PIPELINE_BYTES 65536

enum http1_state { HTTP1_HEAD, HTTP1_BODY, HTTP1_WAIT, HTTP1_SKIP, HTTP1_WRITE, HTTP1_LINGER };

struct http1 {
    struct conn *c;
    enum http1_state state;
    struct request *req; /* until it is answered or gone */
    struct http1_body body;
    size_t seen;      /* bytes of an unfinished head that were looked at */
    uint64_t skipped; /* SKIP and LINGER: bytes read since the answer */
    uint64_t answered_ns;
    bool keep_alive; /* after this answer */
    bool version_1_0;
    bool awaits_100; /* the client holds its body back until we say so (R29) */
    bool served;     /* a request came on this connection */
    bool aged;       /* the next answer is the last one */
    bool paused;     /* not reading: PIPELINE_BYTES are there, or the request is paused */
};

static const struct transport_ops http1_transport;

static struct slice input(const struct http1 *h)
{
    return slice_of(h->c->sock->input->bytes, h->c->sock->input->size);
}

static void consume(struct http1 *h, size_t n)
{
    h2o_buffer_consume(&h->c->sock->input, n);
}

static void drop_request(struct http1 *h)
{
    struct request *req = h->req;
    h->req = NULL;
    req->stream = NULL;
    request_unref(req);
}

/* -- head -- */

/* Waiting for a request: briefly for the first one and for the rest of one that began (R18). */
static void await_head(struct http1 *h)
{
    struct conn *c = h->c;
    h->state = HTTP1_HEAD;
    h->seen = 0;
    if (!h->served)
        loop_timer_set(c->loop, &c->timer,
                       c->started_ns + conn_conf(c)->handshake_timeout +
                           conn_conf(c)->header_timeout);
    else
        conn_set_timer(c, conn_conf(c)->idle_timeout);
}

static int fill_request(struct request *req, const struct http1_head *head)
{
    bool ok = true;
    req->http1 = true;
    req->kind = REQUEST_HTTP;
    req->method = arena_copy(&req->arena, head->method, &ok);
    req->path = arena_copy(&req->arena, head->path, &ok);
    req->content_length = head->content_length;
    for (size_t i = 0; i < head->n_headers; i++)
        if (request_add_header(req, head->headers[i].name, head->headers[i].value) < 0)
            return -E2BIG;
    return ok ? 0 : -E2BIG;
}

/* What of a well-formed head is refused before admission sees it. */
static enum outcome check_request(const struct request *req)
{
    return grpc_content_type(request_header(req, "content-type")) != GRPC_NONE
               ? OUTCOME_GRPC_OVER_HTTP1 /* R16 */
               : OUTCOME_ACCEPTED;
}

static void ask_for_body(struct http1 *h)
{
    if (!h->awaits_100)
        return;
    h->awaits_100 = false;
    buf_append_str(&h->c->out, "HTTP/1.1 100 Continue\r\n\r\n");
    conn_flush_later(h->c);
}

static void begin_body(struct http1 *h, const struct http1_head *head)
{
    if (head->framing == HTTP1_NO_BODY || head->content_length == 0) {
        h->state = HTTP1_WAIT;
        loop_timer_clear(h->c->loop, &h->c->timer);
        admission_body(h->req);
        return;
    }
    ask_for_body(h);
    loop_timer_set(h->c->loop, &h->c->timer, request_body_due(h->req));
}

/* Refused heads end the connection: where the next request would begin is not known. */
static bool begin_request(struct http1 *h, const struct http1_head *head, enum outcome refused)
{
    struct request *req = request_new(h->c->loop, &http1_transport, h);
    if (req == NULL) {
        conn_close(h->c);
        return false;
    }
    h->req = req;
    req->client = h->c->client;
    req->certificate = buf_slice(&h->c->certificate);
    h->served = true;
    h->keep_alive = refused == OUTCOME_ACCEPTED && head->keep_alive && !h->c->loop->front->draining;
    h->version_1_0 = head->minor_version == 0;
    h->awaits_100 = head->expect_continue;
    h->state = HTTP1_BODY;
    http1_body_init(&h->body, head);
    if (refused == OUTCOME_ACCEPTED && fill_request(req, head) < 0)
        refused = OUTCOME_HEADERS_TOO_LARGE;
    if (refused == OUTCOME_ACCEPTED)
        refused = check_request(req);
    request_ref(req); /* the answer may come from within these calls */
    if (refused != OUTCOME_ACCEPTED)
        admission_refuse(req, refused, NULL);
    else if (admission_headers(req) == ADMISSION_CONTINUE)
        begin_body(h, head);
    request_unref(req);
    return true;
}

static bool read_head(struct http1 *h)
{
    struct http1_head head;
    size_t len;
    struct slice in = input(h);
    if (in.len == 0)
        return false;
    enum outcome o = http1_parse_head(in, h->seen, conn_conf(h->c)->max_header_bytes, &head, &len);
    if (o == OUTCOME_ACCEPTED && len == 0) {
        if (h->seen == 0 && h->served)
            conn_set_timer(h->c, conn_conf(h->c)->header_timeout);
        h->seen = in.len;
        return false;
    }
    bool alive = begin_request(h, &head, o);
    if (alive)
        consume(h, len);
    return alive;
}

/* -- body -- */

/* False: the request was answered meanwhile. */
static bool take_piece(struct http1 *h, struct slice piece)
{
    struct request *req = h->req;
    bool open = true;
    if (piece.len == 0)
        return true;
    request_ref(req);
    if (admission_data(req, piece.len) == ADMISSION_ANSWERED) {
        open = false;
    } else if (buf_append_slice(&req->body, piece) < 0) {
        admission_refuse(req, OUTCOME_TOO_LARGE, NULL);
        open = false;
    }
    request_unref(req);
    return open;
}

static void finish_body(struct http1 *h)
{
    struct request *req = h->req;
    h->state = HTTP1_WAIT;
    loop_timer_clear(h->c->loop, &h->c->timer);
    request_ref(req);
    admission_body(req);
    request_unref(req);
}

static void refuse_body(struct http1 *h)
{
    struct request *req = h->req;
    h->keep_alive = false;
    request_ref(req);
    admission_refuse(req, OUTCOME_BAD_REQUEST, NULL);
    request_unref(req);
}

/* Decodes what arrived; `*ret_piece` is the data in it and still has to be consumed. */
static enum http1_body_state decode(struct http1 *h, struct slice *ret_piece)
{
    h2o_buffer_t *in = h->c->sock->input;
    size_t len = in->size, data;
    enum http1_body_state s = http1_body_decode(&h->body, (uint8_t *)in->bytes, &len, &data);
    in->size = len;
    *ret_piece = slice_of(in->bytes, data);
    return s;
}

/* The client sends on until the buffers of the network are full. It is not the client that is slow.
 */
static void stop_reading(struct http1 *h)
{
    loop_timer_clear(h->c->loop, &h->c->timer);
    if (!h->paused)
        h2o_socket_read_stop(h->c->sock);
    h->paused = true;
}

static void read_on(struct http1 *h)
{
    if (!h->paused || h->c->sock == NULL)
        return;
    h->paused = false;
    conn_resume_reading(h->c);
}

static bool read_body(struct http1 *h)
{
    struct slice piece;
    if (input(h).len == 0)
        return false;
    h->awaits_100 = false;
    enum http1_body_state s = decode(h, &piece);
    bool open = s == HTTP1_BODY_BROKEN || take_piece(h, piece);
    consume(h, piece.len);
    /* An answer from within was told nothing of this piece's end. */
    if (!open && s == HTTP1_BODY_DONE)
        h->state = HTTP1_WRITE;
    else if (open && s == HTTP1_BODY_BROKEN)
        refuse_body(h);
    else if (open && s == HTTP1_BODY_DONE)
        finish_body(h);
    else if (open && h->req->paused)
        stop_reading(h);
    else if (open)
        loop_timer_set(h->c->loop, &h->c->timer, request_body_due(h->req));
    return true;
}

static bool skip_body(struct http1 *h)
{
    struct slice piece;
    if (input(h).len == 0)
        return false;
    enum http1_body_state s = decode(h, &piece);
    h->skipped += piece.len;
    consume(h, piece.len);
    if (s == HTTP1_BODY_BROKEN || h->skipped > SKIP_BYTES) {
        h->keep_alive = false;
        h->state = HTTP1_LINGER;
    } else if (s == HTTP1_BODY_DONE) {
        h->state = HTTP1_WRITE;
        conn_flush_later(h->c);
    }
    return true;
}

static bool linger(struct http1 *h)
{
    h->skipped += input(h).len;
    consume(h, input(h).len);
    if (h->skipped > LINGER_BYTES || h->c->loop->now_ns > h->answered_ns + LINGER_MAX_NS)
        conn_close(h->c);
    else
        conn_set_timer(h->c, LINGER_NS);
    return false;
}

/* While a request is worked on, reading goes on so that a client that leaves is noticed; but not
 * without bound. */
static bool hold_back(struct http1 *h)
{
    if (input(h).len > PIPELINE_BYTES && !h->paused) {
        h->paused = true;
        h2o_socket_read_stop(h->c->sock);
    }
    return false;
}

static bool step(struct http1 *h)
{
    switch (h->state) {
    case HTTP1_HEAD:
        return read_head(h);
    case HTTP1_BODY:
        return read_body(h);
    case HTTP1_SKIP:
        return skip_body(h);
    case HTTP1_LINGER:
        return linger(h);
    case HTTP1_WAIT:
    case HTTP1_WRITE:
        break;
    }
    return hold_back(h);
}

static void run(struct http1 *h)
{
    while (h->c->sock != NULL && step(h))
        ;
}

/* -- answer -- */

static void append_header(struct buf *out, const struct header *h)
{
    buf_append_slice(out, h->name);
    buf_append(out, ": ", 2);
    buf_append_slice(out, h->value);
    buf_append(out, "\r\n", 2);
}

/* May be empty, which some clients do not expect. */
static const char *reason_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } rows[] = {
        {200, "OK"},
        {204, "No Content"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].status == status)
            return rows[i].phrase;
    return "";
}

static const char *connection_value(const struct http1 *h)
{
    if (!h->keep_alive)
        return "connection: close\r\n";
    return h->version_1_0 ? "connection: keep-alive\r\n" : "";
}

static void append_response(struct http1 *h, const struct response *r)
{
    struct buf *out = &h->c->out;
    buf_printf(out, "HTTP/1.1 %d %s\r\n", r->status, reason_phrase(r->status));
    for (size_t i = 0; i < r->n_headers; i++)
        append_header(out, &r->headers[i]);
    if (r->status != 204)
        buf_printf(out, "content-length: %zu\r\n", r->body.len);
    buf_append_str(out, connection_value(h));
    buf_append(out, "\r\n", 2);
    if (!r->without_body)
        buf_append_slice(out, buf_slice(&r->body));
}

/* Whether what is left of the body can be read over, so that the connection stays of use. A client
 * that was not told to continue may send the body or not: nobody can tell what comes next. */
static bool can_skip(const struct http1 *h)
{
    return !h->awaits_100 && (h->body.framing != HTTP1_LENGTH || h->body.left <= SKIP_BYTES);
}

static void http1_answer(struct request *req, const struct answer *a)
{
    struct http1 *h = req->stream;
    struct response r;
    if (h == NULL)
        return;
    bool early = h->state == HTTP1_BODY;
    bool body_over =
        h->body.framing == HTTP1_NO_BODY || (h->body.framing == HTTP1_LENGTH && h->body.left == 0);
    if (h->c->loop->front->draining || h->aged || (early && !body_over && !can_skip(h)))
        h->keep_alive = false; /* R299 */
    if (response_build(req, a, front_date(h->c->loop, clock_wall_ns()), &r) == 0)
        append_response(h, &r);
    else
        h->c->out.failed = true; /* closes at the end of the turn */
    buf_release(&r.body);
    h->skipped = 0;
    h->answered_ns = h->c->loop->now_ns;
    if (!early || (body_over && h->keep_alive))
        h->state = HTTP1_WRITE;
    else
        h->state = h->keep_alive ? HTTP1_SKIP : HTTP1_LINGER;
    if (h->state == HTTP1_WRITE)
        loop_timer_clear(h->c->loop, &h->c->timer); /* the write has its own */
    else
        conn_set_timer(h->c, LINGER_NS);
    if (early)
        read_on(h); /* what is left of the body of a paused request */
    conn_flush_later(h->c);
    drop_request(h);
}

static void http1_resume(struct request *req)
{
    struct http1 *h = req->stream;
    if (h == NULL || h->state != HTTP1_BODY)
        return;
    loop_timer_set(h->c->loop, &h->c->timer, request_body_due(req));
    read_on(h);
}

static const struct transport_ops http1_transport = {.answer = http1_answer,
                                                     .resume = http1_resume};

/* -- what the connection tells -- */

static int http1_start(struct conn *c)
{
    struct http1 *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return -ENOMEM;
    h->c = c;
    c->protocol = h;
    await_head(h);
    return 0;
}

static void http1_read(struct conn *c)
{
    run(c->protocol);
}

static void http1_fill(struct conn *c)
{
    (void)c; /* answers are put into c->out as they are made */
}

static void http1_wrote(struct conn *c)
{
    struct http1 *h = c->protocol;
    if (h->state != HTTP1_WRITE)
        return;
    if (!h->keep_alive) {
        conn_close(c);
        return;
    }
    await_head(h);
    read_on(h);
    run(h);
}

static void http1_timeout(struct conn *c)
{
    struct http1 *h = c->protocol;
    /* Silently: clients may retry a lost connection, but must drop on 408 (R37). */
    if (h->req != NULL && h->state == HTTP1_BODY) {
        admission_gone(h->req, OUTCOME_BODY_STALLED);
        drop_request(h);
    }
    if (h->state == HTTP1_HEAD && (!h->served || h->seen > 0))
        guard_count(GUARD_SLOW_HEADERS);
    conn_close(c);
}

static void http1_drain(struct conn *c)
{
    struct http1 *h = c->protocol;
    h->keep_alive = false;
    if (h->state == HTTP1_HEAD && c->sock->input->size == 0 && !c->is_writing)
        conn_close(c);
}

/* A client that is about to ask would lose its request if an idle connection was closed: it is told
 * with the next answer (R297). */
static void http1_aged(struct conn *c)
{
    ((struct http1 *)c->protocol)->aged = true;
}

static void http1_gone(struct conn *c)
{
    struct http1 *h = c->protocol;
    if (h->req == NULL)
        return;
    admission_gone(h->req, OUTCOME_CLIENT_GONE);
    drop_request(h);
}

static void http1_free(struct conn *c)
{
    free(c->protocol);
}

const struct conn_ops http1_conn_ops = {
    .start = http1_start,
    .read = http1_read,
    .fill = http1_fill,
    .wrote = http1_wrote,
    .timeout = http1_timeout,
    .drain = http1_drain,
    .aged = http1_aged,
    .gone = http1_gone,
    .free = http1_free,
};
