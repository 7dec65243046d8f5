/* How an HTTP/2 connection ends in order, and how a dead one is noticed.
 *
 *   drain, age, idle:  GOAWAY(2^31-1) and a PING ──its ACK, or a second──▶ GOAWAY(last stream)
 *                      ──streams end──▶ closed
 *   nothing heard for router.keepalive_interval: PING ──anything──▶ fine
 *                      ──nothing for router.keepalive_timeout──▶ GOAWAY, closed */
#include "router/http/http2.h"
#include "router/net/guards.h"
#include "router/router.h"

#include <string.h>

/* Between "no new requests, please" and the last stream id we take: a round trip (R298). */
#define DRAIN_NOTICE_NS NS_PER_S

static const uint8_t drain_ping[8] = "draining", alive_ping[8] = "thereyet";

static void last_goaway(struct http2 *h)
{
    h->drain_told = true;
    loop_timer_clear(h->c->loop, &h->drain_timer);
    nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(h->session), NGHTTP2_NO_ERROR,
                          NULL, 0);
    conn_flush_later(h->c);
}

static void on_notice_over(struct loop_timer *t)
{
    last_goaway(H2O_STRUCT_FROM_MEMBER(struct http2, drain_timer, t));
}

void http2_life_drain(struct http2 *h)
{
    if (h->draining)
        return;
    h->draining = true;
    nghttp2_submit_shutdown_notice(h->session);
    nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, drain_ping);
    loop_timer_set(h->c->loop, &h->drain_timer, h->c->loop->now_ns + DRAIN_NOTICE_NS);
    conn_flush_later(h->c);
}

/* The client knows what was sent before the PING, so it has seen the notice. */
void http2_life_ping_acked(struct http2 *h, const uint8_t opaque[8])
{
    if (h->draining && !h->drain_told && memcmp(opaque, drain_ping, sizeof(drain_ping)) == 0)
        last_goaway(h);
}

static void wait_for_silence(struct http2 *h)
{
    uint64_t interval = conn_conf(h->c)->keepalive_interval;
    h->asked = false;
    if (interval > 0)
        loop_timer_set(h->c->loop, &h->alive_timer, h->heard_ns + interval);
}

void http2_life_heard(struct http2 *h)
{
    h->heard_ns = h->c->loop->now_ns;
    if (h->asked)
        wait_for_silence(h);
}

static void on_silence(struct loop_timer *t)
{
    struct http2 *h = H2O_STRUCT_FROM_MEMBER(struct http2, alive_timer, t);
    const struct router_conf *conf = conn_conf(h->c);
    uint64_t now = h->c->loop->now_ns;
    if (h->asked) { /* R296 */
        guard_count(GUARD_KEEPALIVE);
        h->cut = true;
        nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
    } else if (h->heard_ns + conf->keepalive_interval > now) {
        wait_for_silence(h);
        return;
    } else {
        h->asked = true;
        nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, alive_ping);
        loop_timer_set(h->c->loop, &h->alive_timer, now + conf->keepalive_timeout);
    }
    conn_flush_later(h->c);
}

void http2_life_begin(struct http2 *h)
{
    h->drain_timer.fire = on_notice_over;
    h->alive_timer.fire = on_silence;
    h->heard_ns = h->c->loop->now_ns;
    wait_for_silence(h);
}

void http2_life_end(struct http2 *h)
{
    loop_timer_clear(h->c->loop, &h->drain_timer);
    loop_timer_clear(h->c->loop, &h->alive_timer);
}
