/* HTTP/2 on a connection: an nghttp2 session, and one stream object per request (http2.c has the
 * session, http2_stream.c the streams, http2_life.c keepalive and drain).
 *
 * nghttp2's callbacks run inside nghttp2_session_mem_recv and _mem_send; what they start may answer
 * at once, which only submits frames: the connection is never closed from within them. */
#ifndef ROUTER_HTTP2_H
#define ROUTER_HTTP2_H

#include "router/http/answer.h"
#include "router/http/grpc.h"
#include "router/http/http2_guard.h"
#include "router/net/conn.h"
#include "router/net/guards.h"

#include <nghttp2/nghttp2.h>

#define HTTP2_STREAM_WINDOW     (1 << 20)
#define HTTP2_CONNECTION_WINDOW (16 << 20)

struct http2 {
    struct conn *c;
    nghttp2_session *session;
    struct http2_stream *streams;
    size_t n_streams;
    struct http2_guard guard;
    uint64_t ignored;  /* bytes fed to the session that no callback told of, of this read */
    int32_t open_head; /* stream whose HEADERS came but not its last CONTINUATION; 0 = none */
    bool served;       /* a request came on this connection */
    bool announced;    /* our SETTINGS are written */
    enum guard why;    /* it is cut */
    bool pinged;       /* what was cut is a flood of PINGs */
    bool cut;          /* GOAWAY is on its way for what the client did: nothing is read any more */
    bool asked;        /* we sent a PING because nothing came, and nothing has come since */
    bool draining;
    bool drain_told;        /* the last GOAWAY was submitted */
    uint64_t idle_since_ns; /* when a stream closed last */
    uint64_t heard_ns;      /* when bytes came last */
    struct loop_timer drain_timer, alive_timer;
};

/* How the connection ends in order, and keepalive: http2_life.c. */
void http2_life_begin(struct http2 *h);
/* Bytes came. */
void http2_life_heard(struct http2 *h);
void http2_life_drain(struct http2 *h);
void http2_life_ping_acked(struct http2 *h, const uint8_t opaque[8]);
void http2_life_end(struct http2 *h);

struct http2_stream {
    struct http2 *h;
    int32_t id;
    struct request *req; /* until it is answered or gone */
    struct grpc_frame frame;
    struct loop_timer timer; /* the body stalls; after the answer: the client does not take it */
    enum outcome refused;    /* found while the headers came; ACCEPTED = nothing */
    size_t header_bytes;     /* decoded, also those that are not kept */
    size_t unopened;         /* bytes taken while the request was paused: the window's */
    bool begun;              /* all headers came; what follows are trailers */
    bool ended;              /* the client has sent all */
    struct buf answer;       /* body of the answer */
    size_t answer_read;      /* of it, given to nghttp2 */
    bool grpc_ok;            /* trailers follow the body */
    bool answer_sent;
    struct http2_stream *next, **prev;
};

/* A stream for a request whose headers begin. NULL: no memory. */
struct http2_stream *http2_stream_new(struct http2 *h, int32_t id);
/* One header; -1: far beyond any limit, cut the connection. */
int http2_stream_header(struct http2_stream *s, struct slice name, struct slice value);
/* All headers are there. */
void http2_stream_begin(struct http2_stream *s, bool ended);
/* A piece of body; the windows are the caller's. */
void http2_stream_data(struct http2_stream *s, struct slice piece);
/* The client has sent all. */
void http2_stream_end(struct http2_stream *s);
/* The last frame of the answer was handed to the socket. */
void http2_stream_answer_sent(struct http2_stream *s);
/* The stream is closed: tells admission when the answer was still due, and frees it. */
void http2_stream_free(struct http2_stream *s);

#endif
