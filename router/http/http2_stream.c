/* One request on an HTTP/2 connection, OTLP/HTTP or gRPC, told apart by its content type (R12). */
#include "router/admission/admission.h"
#include "router/http/http1_parse.h"
#include "router/http/http2.h"
#include "router/router.h"

#include <ctype.h>
#include <stdlib.h>

/* A block this many times over the limit is a bomb, not a mistake (R50, R53). */
#define HEADER_BOMB     4
#define HEADER_OVERHEAD 32
#define RESET_GRACE_NS  (200 * NS_PER_MS)

static const struct transport_ops http2_transport;

static void drop_request(struct http2_stream *s)
{
    struct request *req = s->req;
    s->req = NULL;
    req->stream = NULL;
    request_unref(req);
}

static void reset(struct http2_stream *s, uint32_t code)
{
    nghttp2_submit_rst_stream(s->h->session, NGHTTP2_FLAG_NONE, s->id, code);
    conn_flush_later(s->h->c);
}

static void on_stalled(struct loop_timer *t)
{
    struct http2_stream *s = H2O_STRUCT_FROM_MEMBER(struct http2_stream, timer, t);
    if (s->req != NULL) {
        admission_gone(s->req, OUTCOME_BODY_STALLED);
        drop_request(s);
    }
    reset(s, s->answer_sent ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
}

static void set_timer(struct http2_stream *s)
{
    struct loop *l = s->h->c->loop;
    loop_timer_set(l, &s->timer, l->now_ns + conn_conf(s->h->c)->body_timeout);
}

static void set_body_timer(struct http2_stream *s)
{
    loop_timer_set(s->h->c->loop, &s->timer, request_body_due(s->req));
}

struct http2_stream *http2_stream_new(struct http2 *h, int32_t id)
{
    struct http2_stream *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->req = request_new(h->c->loop, &http2_transport, s);
    if (s->req == NULL) {
        free(s);
        return NULL;
    }
    s->req->client = h->c->client;
    s->req->certificate = buf_slice(&h->c->certificate);
    s->h = h;
    s->id = id;
    s->timer.fire = on_stalled;
    s->next = h->streams;
    s->prev = &h->streams;
    if (s->next != NULL)
        s->next->prev = &s->next;
    h->streams = s;
    h->n_streams++;
    return s;
}

void http2_stream_free(struct http2_stream *s)
{
    if (s->req != NULL) {
        admission_gone(s->req, OUTCOME_CLIENT_GONE);
        drop_request(s);
    }
    loop_timer_clear(s->h->c->loop, &s->timer);
    nghttp2_session_set_stream_user_data(s->h->session, s->id, NULL);
    *s->prev = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
    s->h->n_streams--;
    buf_release(&s->answer);
    free(s);
}

/* -- headers -- */

static enum outcome take_path(struct request *req, struct slice value)
{
    bool ok = true;
    const uint8_t *query = value.len ? memchr(value.at, '?', value.len) : NULL;
    if (value.len > HTTP_MAX_TARGET)
        return OUTCOME_URI_TOO_LONG;
    if (query != NULL)
        value.len = (size_t)(query - value.at);
    req->path = arena_copy(&req->arena, value, &ok);
    return ok ? OUTCOME_ACCEPTED : OUTCOME_OVERLOADED;
}

static enum outcome take_method(struct request *req, struct slice value)
{
    bool ok = true;
    req->method = arena_copy(&req->arena, value, &ok);
    return ok ? OUTCOME_ACCEPTED : OUTCOME_OVERLOADED;
}

static enum outcome take_header(struct request *req, struct slice name, struct slice value)
{
    if (name.at[0] != ':')
        return request_add_header(req, name, value) < 0 ? OUTCOME_HEADERS_TOO_LARGE
                                                        : OUTCOME_ACCEPTED;
    if (slice_eq(name, SLICE_LIT(":path")))
        return take_path(req, value);
    if (slice_eq(name, SLICE_LIT(":method")))
        return take_method(req, value);
    return OUTCOME_ACCEPTED;
}

int http2_stream_header(struct http2_stream *s, struct slice name, struct slice value)
{
    s->header_bytes += name.len + value.len + HEADER_OVERHEAD;
    if (s->header_bytes > HEADER_BOMB * conn_conf(s->h->c)->max_header_bytes)
        return -1;
    if (s->req == NULL || s->begun || s->refused != OUTCOME_ACCEPTED || name.len == 0)
        return 0;
    s->refused = take_header(s->req, name, value);
    return 0;
}

/* nghttp2 has checked its form and holds the DATA to it. */
static uint64_t announced_length(const struct request *req)
{
    struct slice text = request_header(req, "content-length");
    uint64_t n = 0;
    if (text.len == 0)
        return UINT64_MAX;
    for (size_t i = 0; i < text.len && n < UINT64_MAX / 16; i++)
        n = n * 10 + (uint64_t)(text.at[i] - '0');
    return n;
}

static enum outcome classify(struct request *req)
{
    enum grpc_type type = grpc_content_type(request_header(req, "content-type"));
    req->kind = type == GRPC_NONE ? REQUEST_HTTP : REQUEST_GRPC;
    req->content_length = announced_length(req);
    /* The prefix is not part of the message that is limited (R90). */
    if (type != GRPC_NONE && req->content_length != UINT64_MAX && req->content_length >= 5)
        req->content_length -= 5;
    return type == GRPC_OTHER_SUBTYPE ? OUTCOME_UNSUPPORTED_TYPE : OUTCOME_ACCEPTED; /* R140 */
}

/* Nobody has to wait for it, but a client that asks is told at once (R52). */
static void tell_continue(struct http2_stream *s)
{
    nghttp2_nv status = {(uint8_t *)":status", (uint8_t *)"100", 7, 3, NGHTTP2_NV_FLAG_NONE};
    if (slice_ieq(request_header(s->req, "expect"), SLICE_LIT("100-continue")))
        nghttp2_submit_headers(s->h->session, NGHTTP2_FLAG_NONE, s->id, NULL, &status, 1, NULL);
}

void http2_stream_begin(struct http2_stream *s, bool ended)
{
    struct request *req = s->req;
    enum outcome kind = classify(req);
    s->begun = true;
    set_body_timer(s);
    request_ref(req); /* the answer may come from within these calls */
    if (s->refused == OUTCOME_ACCEPTED)
        s->refused = kind;
    if (s->refused != OUTCOME_ACCEPTED)
        admission_refuse(req, s->refused, NULL);
    else
        admission_headers(req);
    if (ended)
        http2_stream_end(s);
    else if (s->req != NULL)
        tell_continue(s);
    request_unref(req);
}

/* -- body -- */

static void append_body(struct http2_stream *s, struct slice piece)
{
    struct request *req = s->req;
    if (piece.len > 0 && admission_data(req, piece.len) == ADMISSION_CONTINUE &&
        buf_append_slice(&req->body, piece) < 0)
        admission_refuse(req, OUTCOME_TOO_LARGE, NULL);
}

static void feed_grpc(struct http2_stream *s, struct slice in)
{
    struct request *req = s->req;
    while (in.len > 0 && s->req != NULL) {
        struct slice piece;
        enum outcome o = grpc_frame_next(&s->frame, &in, req->body.ceiling, &piece);
        req->grpc_compressed = grpc_frame_compressed(&s->frame);
        if (o != OUTCOME_ACCEPTED)
            admission_refuse(req, o, NULL);
        else
            append_body(s, piece);
    }
}

void http2_stream_data(struct http2_stream *s, struct slice piece)
{
    struct request *req = s->req;
    request_ref(req);
    if (req->kind == REQUEST_GRPC)
        feed_grpc(s, piece);
    else
        append_body(s, piece);
    if (s->req != NULL && req->paused) /* it is not the client that is slow */
        loop_timer_clear(s->h->c->loop, &s->timer);
    else if (s->req != NULL)
        set_body_timer(s);
    request_unref(req);
}

void http2_stream_end(struct http2_stream *s)
{
    struct request *req = s->req;
    s->ended = true;
    if (req == NULL)
        return;
    loop_timer_clear(s->h->c->loop, &s->timer);
    enum outcome o = req->kind == REQUEST_GRPC ? grpc_frame_end(&s->frame) : OUTCOME_ACCEPTED;
    request_ref(req);
    if (o != OUTCOME_ACCEPTED)
        admission_refuse(req, o, NULL);
    else
        admission_body(req);
    request_unref(req);
}

/* -- answer -- */

static nghttp2_nv name_value(struct slice name, struct slice value)
{
    return (nghttp2_nv){(uint8_t *)name.at, (uint8_t *)value.at, name.len, value.len,
                        NGHTTP2_NV_FLAG_NONE};
}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *out, size_t size,
                           uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    (void)arg;
    struct http2_stream *s = source->ptr;
    size_t left = s->answer.len - s->answer_read, n = left < size ? left : size;
    memcpy(out, s->answer.at + s->answer_read, n);
    s->answer_read += n;
    if (n < left)
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (s->grpc_ok) { /* R180 */
        nghttp2_nv trailer = name_value(SLICE_LIT("grpc-status"), SLICE_LIT("0"));
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (nghttp2_submit_trailer(session, id, &trailer, 1) != 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)n;
}

/* Takes r->body. */
static int submit(struct http2_stream *s, const struct response *r)
{
    nghttp2_nv headers[RESPONSE_MAX_HEADERS + 2];
    char status[16], length[24];
    size_t n = 0;
    snprintf(status, sizeof(status), "%d", r->status);
    snprintf(length, sizeof(length), "%zu", r->body.len);
    headers[n++] = name_value(SLICE_LIT(":status"), slice_str(status));
    for (size_t i = 0; i < r->n_headers; i++)
        headers[n++] = name_value(r->headers[i].name, r->headers[i].value);
    if (!r->grpc_ok && r->body.len > 0)
        headers[n++] = name_value(SLICE_LIT("content-length"), slice_str(length));
    s->answer = r->body;
    s->grpc_ok = r->grpc_ok;
    nghttp2_data_provider body = {.source.ptr = s, .read_callback = read_answer};
    bool has_body = r->body.len > 0 && !r->without_body;
    return nghttp2_submit_response(s->h->session, s->id, headers, n, has_body ? &body : NULL);
}

/* A client that is still sending is told to stop (R51), but not at once: libcurl forgets an answer
 * whose reset comes along with it, and most bodies end by themselves meanwhile. What still comes is
 * bounded by the stream's window, which is not opened any more. */
void http2_stream_answer_sent(struct http2_stream *s)
{
    struct loop *l = s->h->c->loop;
    s->answer_sent = true;
    if (!s->ended)
        loop_timer_set(l, &s->timer, l->now_ns + RESET_GRACE_NS);
}

static void http2_answer(struct request *req, const struct answer *a)
{
    struct http2_stream *s = req->stream;
    struct response r;
    if (s == NULL)
        return;
    struct loop *l = s->h->c->loop;
    if (response_build(req, a, front_date(l, clock_wall_ns()), &r) < 0 || submit(s, &r) != 0)
        reset(s, NGHTTP2_INTERNAL_ERROR);
    set_timer(s);
    conn_flush_later(s->h->c);
    drop_request(s);
}

static void http2_resume(struct request *req)
{
    struct http2_stream *s = req->stream;
    if (s == NULL)
        return;
    nghttp2_session_consume_stream(s->h->session, s->id, s->unopened);
    s->unopened = 0;
    if (!s->ended)
        set_body_timer(s);
    conn_flush_later(s->h->c);
}

static const struct transport_ops http2_transport = {.answer = http2_answer,
                                                     .resume = http2_resume};
