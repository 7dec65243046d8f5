/* A small HTTP/2 client for tests: nghttp2's client session on a blocking socket. */
#ifndef TESTS_ROUTER_H2_CLIENT_H
#define TESTS_ROUTER_H2_CLIENT_H

#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define H2_STREAMS 256

/* One exchange. `head` collects "name: value\n" of all blocks; blocks are separated by "--\n". */
struct h2_exchange {
    struct buf head, body;
    bool closed;
    uint32_t reset; /* code of the server's RST_STREAM + 1; 0 = none came */
    uint32_t close_code;
    struct slice to_send; /* request body */
    size_t step, sent;    /* bytes per DATA frame */
    bool stays_open;      /* the body never ends */
};

struct h2_client {
    int fd;
    nghttp2_session *session;
    struct h2_exchange x[H2_STREAMS]; /* by (stream id - 1) / 2 */
    uint32_t goaway_code;
    int32_t goaway_last[4];
    int n_goaway;
    unsigned n_pings; /* that the server sent */
    bool eof;
};

static struct h2_exchange *h2_at(struct h2_client *c, int32_t id)
{
    return &c->x[(id - 1) / 2 % H2_STREAMS];
}

static int h2_on_header(nghttp2_session *s, const nghttp2_frame *frame, const uint8_t *name,
                        size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                        void *arg)
{
    (void)s;
    (void)flags;
    struct h2_exchange *x = h2_at(arg, frame->hd.stream_id);
    return buf_printf(&x->head, "%.*s: %.*s\n", (int)name_len, (const char *)name, (int)value_len,
                      (const char *)value);
}

static int h2_on_frame(nghttp2_session *s, const nghttp2_frame *frame, void *arg)
{
    (void)s;
    struct h2_client *c = arg;
    if (frame->hd.type == NGHTTP2_HEADERS)
        buf_append_str(&h2_at(c, frame->hd.stream_id)->head, "--\n");
    if (frame->hd.type == NGHTTP2_RST_STREAM)
        h2_at(c, frame->hd.stream_id)->reset = frame->rst_stream.error_code + 1;
    c->n_pings += frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK);
    if (frame->hd.type == NGHTTP2_GOAWAY && c->n_goaway < 4) {
        c->goaway_code = frame->goaway.error_code;
        c->goaway_last[c->n_goaway++] = frame->goaway.last_stream_id;
    }
    return 0;
}

static int h2_on_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *data,
                      size_t len, void *arg)
{
    (void)s;
    (void)flags;
    return buf_append(&h2_at(arg, id)->body, data, len);
}

static int h2_on_close(nghttp2_session *s, int32_t id, uint32_t code, void *arg)
{
    (void)s;
    h2_at(arg, id)->closed = true;
    h2_at(arg, id)->close_code = code;
    return 0;
}

static void h2_client_init(struct h2_client *c, int fd)
{
    nghttp2_session_callbacks *cb;
    memset(c, 0, sizeof(*c));
    c->fd = fd;
    nghttp2_session_callbacks_new(&cb);
    nghttp2_session_callbacks_set_on_header_callback(cb, h2_on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, h2_on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, h2_on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, h2_on_close);
    nghttp2_session_client_new(&c->session, cb, c);
    nghttp2_session_callbacks_del(cb);
    nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, NULL, 0);
}

static void h2_client_release(struct h2_client *c)
{
    for (size_t i = 0; i < H2_STREAMS; i++) {
        buf_release(&c->x[i].head);
        buf_release(&c->x[i].body);
    }
    nghttp2_session_del(c->session);
    close(c->fd);
}

static ssize_t h2_read_body(nghttp2_session *s, int32_t id, uint8_t *out, size_t size,
                            uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    (void)s;
    (void)id;
    (void)arg;
    struct h2_exchange *x = source->ptr;
    size_t n = x->to_send.len - x->sent;
    if (x->step != 0 && n > x->step)
        n = x->step;
    if (n > size)
        n = size;
    if (n > 0)
        memcpy(out, x->to_send.at + x->sent, n);
    x->sent += n;
    if (x->sent == x->to_send.len && x->stays_open)
        return n > 0 ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
    if (x->sent == x->to_send.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

/* `headers`: "name: value\n" lines beside the pseudo headers. Returns the stream's id. */
static int32_t h2_request(struct h2_client *c, const char *method, const char *path,
                          const char *headers, struct h2_exchange body)
{
    nghttp2_nv nv[160] = {
        {(uint8_t *)":method", (uint8_t *)method, 7, strlen(method), 0},
        {(uint8_t *)":scheme", (uint8_t *)"https", 7, 5, 0},
        {(uint8_t *)":authority", (uint8_t *)"a", 10, 1, 0},
        {(uint8_t *)":path", (uint8_t *)path, 5, strlen(path), 0},
    };
    size_t n = 4;
    for (const char *at = headers; *at != 0; n++) {
        size_t name = strcspn(at, ":"), value = strcspn(at + name + 2, "\n");
        nv[n] = (nghttp2_nv){(uint8_t *)at, (uint8_t *)at + name + 2, name, value, 0};
        at += name + 2 + value + 1;
    }
    int32_t id = (int32_t)nghttp2_session_get_next_stream_id(c->session);
    struct h2_exchange *x = h2_at(c, id);
    buf_release(&x->head); /* of the one whose place it takes */
    buf_release(&x->body);
    *x = body;
    nghttp2_data_provider provider = {.source.ptr = x, .read_callback = h2_read_body};
    bool has_body = body.to_send.len > 0 || body.stays_open;
    return nghttp2_submit_request(c->session, NULL, nv, n, has_body ? &provider : NULL, NULL);
}

static void h2_send_raw(struct h2_client *c, const void *at, size_t len)
{
    while (len > 0) {
        ssize_t n = send(c->fd, at, len, MSG_NOSIGNAL);
        if (n <= 0) {
            c->eof = true;
            return;
        }
        at = (const uint8_t *)at + n;
        len -= (size_t)n;
    }
}

static void h2_send(struct h2_client *c)
{
    const uint8_t *data;
    ssize_t n;
    while (!c->eof && (n = nghttp2_session_mem_send(c->session, &data)) > 0)
        h2_send_raw(c, data, (size_t)n);
}

/* Sends and receives until `id` is closed (0: until the server closes), the server has closed, or
 * `ms` have passed. */
static void h2_run(struct h2_client *c, int32_t id, int ms)
{
    uint64_t due = clock_mono_ns() + (uint64_t)ms * NS_PER_MS;
    uint8_t piece[65536];
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    while (!(id != 0 && h2_at(c, id)->closed) && !c->eof && clock_mono_ns() < due) {
        h2_send(c);
        if (poll(&p, 1, 5) <= 0)
            continue;
        ssize_t n = recv(c->fd, piece, sizeof(piece), 0);
        if (n <= 0)
            c->eof = true;
        else
            nghttp2_session_mem_recv(c->session, piece, (size_t)n);
    }
}

#endif
