/* The session of an HTTP/2 connection: frames in and out, windows, timers, abuse, drain. */
#include "router/http/http2.h"

#include "router/net/guards.h"
#include "router/router.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define FRAME_HEADER_BYTES 9
/* Most frames that may wait to be sent: who provokes frames (resets of refused streams,
 * acknowledgements) has to take them, or they would pile up. */
#define QUEUED_FRAMES            1000
#define QUEUED_FRAMES_PER_STREAM 4

/* nghttp2 ends the connection when a stream goes above the number that was announced; the rule is
 * to refuse the stream alone (R47). So it is told so many times the number (see announce_streams),
 * and on_begin_headers refuses; who sends even more at once floods. */
#define STREAMS_OF_NGHTTP2 2

static struct http2_stream *stream_of(struct http2 *h, int32_t id)
{
    return nghttp2_session_get_stream_user_data(h->session, id);
}

/* Without requests a connection may stay for router.idle_timeout; briefly before its first request
 * (R18). With requests, they have the timers; draining ends by itself. */
static void set_idle_timer(struct http2 *h)
{
    struct conn *c = h->c;
    if (h->open_head != 0 || c->sock == NULL)
        return;
    if (h->streams != NULL || h->draining)
        loop_timer_clear(c->loop, &c->timer);
    else if (h->served) /* PINGs do not make up for requests */
        loop_timer_set(c->loop, &c->timer, h->idle_since_ns + conn_conf(c)->idle_timeout);
    else
        loop_timer_set(c->loop, &c->timer,
                       c->started_ns + conn_conf(c)->handshake_timeout +
                           conn_conf(c)->header_timeout);
}

/* -- nghttp2's callbacks: a failure returned from one stops the session, and http2_read cuts -- */

static int cut_for(struct http2 *h, enum guard why)
{
    h->why = why;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static bool passes(struct http2 *h, enum http2_guard_kind kind, uint64_t n)
{
    static const enum guard guards[HTTP2_GUARD_COUNT] = {
        [HTTP2_GUARD_CONTROL] = GUARD_CONTROL,
        [HTTP2_GUARD_ABANDONED] = GUARD_ABANDONED,
        [HTTP2_GUARD_IGNORED] = GUARD_IGNORED,
    };
    const struct router_conf *conf = conn_conf(h->c);
    const uint64_t rates[HTTP2_GUARD_COUNT] = {
        [HTTP2_GUARD_CONTROL] = conf->http2_control_frames,
        [HTTP2_GUARD_ABANDONED] = conf->http2_abandoned_requests,
        [HTTP2_GUARD_IGNORED] = conf->http2_ignored_bytes,
    };
    if (http2_guard_add(&h->guard, kind, n, rates[kind], h->c->loop->now_ns))
        return true;
    h->why = guards[kind];
    return false;
}

static int guarded(struct http2 *h, enum http2_guard_kind kind)
{
    return passes(h, kind, 1) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* Empty, or all but padding; the last frame of a body may be. */
static bool brings_little(const nghttp2_frame_hd *hd)
{
    bool may_be_empty =
        hd->length == 0 || (hd->length <= 256 && (hd->flags & NGHTTP2_FLAG_PADDED) != 0);
    return may_be_empty && !(hd->flags & NGHTTP2_FLAG_END_STREAM);
}

static bool takes_too_little(const struct http2 *h)
{
    return nghttp2_session_get_outbound_queue_size(h->session) >
           QUEUED_FRAMES + QUEUED_FRAMES_PER_STREAM * conn_conf(h->c)->max_streams;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
    struct http2 *h = arg;
    (void)session;
    uint64_t known = FRAME_HEADER_BYTES + hd->length;
    h->ignored -= known < h->ignored ? known : h->ignored;
    if (takes_too_little(h))
        return cut_for(h, GUARD_QUEUE);
    switch (hd->type) {
    case NGHTTP2_DATA:
        return brings_little(hd) ? guarded(h, HTTP2_GUARD_CONTROL) : 0;
    case NGHTTP2_PING:
        h->pinged = guarded(h, HTTP2_GUARD_CONTROL) != 0;
        return h->pinged ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
    case NGHTTP2_HEADERS: /* refused ones and trailers; a request makes up for its own */
    case NGHTTP2_SETTINGS:
    case NGHTTP2_PRIORITY:
    case NGHTTP2_RST_STREAM:
    case NGHTTP2_WINDOW_UPDATE:
        return guarded(h, HTTP2_GUARD_CONTROL);
    default:
        return 0;
    }
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2 *h = arg;
    h->open_head = frame->hd.stream_id;
    conn_set_timer(h->c, conn_conf(h->c)->header_timeout);
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    if (h->n_streams >= conn_conf(h->c)->max_streams) /* its headers are read for HPACK's sake */
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                         NGHTTP2_REFUSED_STREAM);
    struct http2_stream *s = http2_stream_new(h, frame->hd.stream_id);
    if (s == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    h->served = true;
    http2_guard_request(&h->guard);
    nghttp2_session_set_stream_user_data(session, s->id, s);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    (void)session;
    (void)flags;
    struct http2_stream *s = stream_of(arg, frame->hd.stream_id);
    if (s == NULL)
        return 0;
    return http2_stream_header(s, slice_of(name, name_len), slice_of(value, value_len)) < 0
               ? cut_for(arg, GUARD_HEADER_BYTES)
               : 0;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2 *h = arg;
    (void)session;
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK))
        http2_life_ping_acked(h, frame->ping.opaque_data);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    bool ended = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    struct http2_stream *s = stream_of(h, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_HEADERS)
        h->open_head = 0;
    if (s == NULL)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        http2_stream_begin(s, ended);
    else if (ended)
        http2_stream_end(s);
    return 0;
}

/* What was taken is given back to the windows at once, since the bytes are counted by admission
 * from here on, but for a paused request, whose client has to wait; what a stream no longer wants
 * goes back to the connection's window only, so that it does not starve the others (R44, R45). */
static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *arg)
{
    (void)flags;
    struct http2_stream *s = stream_of(arg, id);
    nghttp2_session_consume_connection(session, len);
    if (s == NULL || s->req == NULL)
        return 0;
    http2_stream_data(s, slice_of(data, len));
    if (s->req != NULL && s->req->paused)
        s->unopened += len;
    else if (s->req != NULL)
        nghttp2_session_consume_stream(session, id, len);
    return 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)session;
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
        !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    struct http2_stream *s = stream_of(arg, frame->hd.stream_id);
    if (s != NULL)
        http2_stream_answer_sent(s);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    struct http2 *h = arg;
    (void)session;
    (void)code;
    struct http2_stream *s = stream_of(h, id);
    if (id == h->open_head) /* its headers were broken */
        h->open_head = 0;
    if (s == NULL)
        return 0;
    bool abandoned = !s->answer_sent;
    h->idle_since_ns = h->c->loop->now_ns;
    http2_stream_free(s);
    set_idle_timer(h);
    return abandoned ? guarded(h, HTTP2_GUARD_ABANDONED) : 0;
}

/* -- the session -- */

static int session_new(struct http2 *h)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int rc = -ENOMEM;
    if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
        goto out;
    nghttp2_option_set_no_auto_window_update(option, 1);
    /* Its own limit is one of all RST_STREAM frames, 33/s: libcurl sends one behind every answer it
     * has read. Ours count requests that are given up, and frames without requests. */
    nghttp2_option_set_stream_reset_rate_limit(option, UINT32_MAX, UINT32_MAX);
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    if (nghttp2_session_server_new2(&h->session, callbacks, h, option) == 0)
        rc = 0;
out:
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return rc;
}

static int submit_settings(struct http2 *h)
{
    const struct router_conf *conf = conn_conf(h->c);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_OF_NGHTTP2 * (uint32_t)conf->max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)conf->max_header_bytes},
    };
    if (nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings,
                                sizeof(settings) / sizeof(settings[0])) != 0 ||
        nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                              HTTP2_CONNECTION_WINDOW) != 0)
        return -ENOMEM;
    return 0;
}

static int http2_start(struct conn *c)
{
    struct http2 *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return -ENOMEM;
    h->c = c;
    h->why = GUARD_FLOOD; /* what nghttp2 finds by itself */
    if (session_new(h) < 0 || submit_settings(h) < 0) {
        nghttp2_session_del(h->session);
        free(h);
        return -ENOMEM;
    }
    c->protocol = h;
    http2_life_begin(h);
    set_idle_timer(h);
    conn_flush_later(c);
    return 0;
}

/* Tells why, and ends the connection once that is written (R53, R54). Of clients that keep alive
 * too eagerly those of gRPC look for the text, and take more time from then on (R295). */
static void cut(struct http2 *h, uint32_t code)
{
    static const char too_many_pings[] = "too_many_pings";
    h->cut = true;
    guard_count(h->why);
    if (h->pinged)
        nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
                              nghttp2_session_get_last_proc_stream_id(h->session), code,
                              (const uint8_t *)too_many_pings, sizeof(too_many_pings) - 1);
    nghttp2_session_terminate_session(h->session, code);
}

static void http2_read(struct conn *c)
{
    struct http2 *h = c->protocol;
    h2o_buffer_t *in = c->sock->input;
    h->ignored += in->size;
    http2_life_heard(h);
    if (!h->cut) {
        ssize_t n = nghttp2_session_mem_recv(h->session, (const uint8_t *)in->bytes, in->size);
        if (n < 0)
            cut(h, n == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? NGHTTP2_PROTOCOL_ERROR
                                                     : NGHTTP2_ENHANCE_YOUR_CALM);
        else if (!passes(h, HTTP2_GUARD_IGNORED, h->ignored))
            cut(h, NGHTTP2_ENHANCE_YOUR_CALM);
    }
    h->ignored = 0;
    h2o_buffer_consume(&c->sock->input, c->sock->input->size);
    set_idle_timer(h);
    conn_flush_later(c);
}

/* Our first frame is SETTINGS, and its first entry the number of streams. */
static void announce_streams(struct http2 *h, uint8_t *frame)
{
    uint32_t n = (uint32_t)conn_conf(h->c)->max_streams;
    uint8_t *value = frame + FRAME_HEADER_BYTES + 2;
    assert(frame[3] == NGHTTP2_SETTINGS && value[-1] == NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    for (int i = 0; i < 4; i++)
        value[i] = (uint8_t)(n >> (24 - 8 * i));
    h->announced = true;
}

static void http2_fill(struct conn *c)
{
    struct http2 *h = c->protocol;
    while (c->out.len < CONN_WRITE_SIZE && !c->out.failed) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(h->session, &data);
        if (n < 0)
            c->out.failed = true;
        if (n <= 0)
            break;
        size_t at = c->out.len;
        buf_append(&c->out, data, (size_t)n);
        if (!h->announced && !c->out.failed)
            announce_streams(h, c->out.at + at);
    }
}

static void http2_wrote(struct conn *c)
{
    struct http2 *h = c->protocol;
    if (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session))
        conn_close(c);
}

/* Idle, or a header block that does not end, or no request at all. A client that is idle may be
 * about to ask: it is given a round trip to learn that it should not (R297). */
static void http2_timeout(struct conn *c)
{
    struct http2 *h = c->protocol;
    if (h->served && h->open_head == 0 && !h->draining) {
        http2_life_drain(h);
        return;
    }
    if (!h->draining)
        guard_count(GUARD_SLOW_HEADERS);
    nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
    h->cut = true;
    conn_flush_later(c);
}

static void http2_drain(struct conn *c)
{
    http2_life_drain(c->protocol);
}

static void http2_gone(struct conn *c)
{
    struct http2 *h = c->protocol;
    http2_life_end(h);
    while (h->streams != NULL)
        http2_stream_free(h->streams);
}

static void http2_free(struct conn *c)
{
    struct http2 *h = c->protocol;
    nghttp2_session_del(h->session);
    free(h);
}

const struct conn_ops http2_conn_ops = {
    .start = http2_start,
    .read = http2_read,
    .fill = http2_fill,
    .wrote = http2_wrote,
    .timeout = http2_timeout,
    .drain = http2_drain,
    .aged = http2_drain,
    .gone = http2_gone,
    .free = http2_free,
};
