/* Keepalive, idle time and age of connections (R296-R298). */
#include "tests/base/unit.h"
#include "tests/router/h2_fixture.h"

#define LOGS "/v1/logs"

static int32_t ask(struct fixture *f, const char *headers)
{
    return h2_request(&f->c, "POST", LOGS, headers,
                      (struct h2_exchange){.to_send = SLICE_LIT("a")});
}

static bool has(struct fixture *f, int32_t id, const char *text)
{
    return strstr(buf_cstr(&h2_at(&f->c, id)->head), text) != NULL;
}

/* R296: who answers the PINGs stays, without any request. */
static void test_who_answers_stays(void **state)
{
    (void)state;
    struct fixture f;
    server_init(&f.s);
    f.s.conf.router.keepalive_interval = NS_PER_MS;
    begin(&f);
    int32_t first = ask(&f, PROTO);
    RUN_UNTIL(&f.c, h2_at(&f.c, first)->closed);
    RUN_UNTIL(&f.c, f.c.n_pings >= 10);
    assert_false(f.c.eof);
    int32_t last = ask(&f, PROTO);
    RUN_UNTIL(&f.c, h2_at(&f.c, last)->closed);
    assert_true(has(&f, last, ":status: 200"));
    end(&f);
}

/* Frames as they come: the payload of the last GOAWAY, and how many PINGs. */
static unsigned read_frames(int fd, uint8_t goaway[8])
{
    unsigned pings = 0;
    uint8_t head[9], payload[16384];
    while (recv(fd, head, sizeof(head), MSG_WAITALL) == sizeof(head)) {
        size_t len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (len > 0 && recv(fd, payload, len, MSG_WAITALL) != (ssize_t)len)
            break;
        pings += head[3] == NGHTTP2_PING && !(head[4] & NGHTTP2_FLAG_ACK);
        if (head[3] == NGHTTP2_GOAWAY)
            memcpy(goaway, payload, 8);
    }
    return pings;
}

/* R296, R54: who does not is gone. */
static void test_who_does_not_is_gone(void **state)
{
    (void)state;
    static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    struct server s;
    uint8_t goaway[8] = {0xFF};
    server_init(&s);
    s.conf.router.keepalive_interval = s.conf.router.keepalive_timeout = 20 * NS_PER_MS;
    server_start(&s, NULL);
    int fd = server_connect(&s);
    assert_int_equal(send(fd, hello, sizeof(hello) - 1, 0), sizeof(hello) - 1);
    assert_int_equal(read_frames(fd, goaway), 1);
    assert_memory_equal(goaway, "\0\0\0\0\0\0\0\0", 8); /* no stream, NO_ERROR */
    close(fd);
    server_stop(&s);
}

/* R297, R298: at its age a connection takes nothing new, finishes what it has and is closed. */
static void test_age(void **state)
{
    (void)state;
    struct fixture f;
    server_init(&f.s);
    f.s.conf.router.max_connection_age = 100 * NS_PER_MS;
    f.s.conf.router.max_connection_age_grace = 3600 * NS_PER_S;
    begin(&f);
    int32_t slow = ask(&f, PROTO "x-held: yes\n");
    RUN_UNTIL(&f.c, f.c.n_goaway == 2);
    assert_int_equal(f.c.goaway_last[0], INT32_MAX);
    assert_int_equal(f.c.goaway_last[1], slow);
    assert_int_equal(f.c.goaway_code, NGHTTP2_NO_ERROR);
    assert_false(f.c.eof);
    seen.release = true;
    h2_run(&f.c, 0, PATIENCE);
    assert_true(f.c.eof);
    assert_true(has(&f, slow, ":status: 200"));
    end(&f);
}

/* What does not end in its grace is cut, and hears no success. */
static void test_grace(void **state)
{
    (void)state;
    struct fixture f;
    server_init(&f.s);
    f.s.conf.router.max_connection_age = f.s.conf.router.max_connection_age_grace = 50 * NS_PER_MS;
    begin(&f);
    int32_t slow = ask(&f, PROTO "x-held: yes\n");
    h2_run(&f.c, 0, PATIENCE);
    assert_true(f.c.eof);
    assert_false(has(&f, slow, ":status"));
    seen.release = true;
    while (seen.late < seen.bodies) /* its report still needs the loop */
        usleep(1000);
    end(&f);
}

/* Over HTTP/1.1 the answer says so, and an idle connection is not closed under a client's hands. */
static void test_age_of_http1(void **state)
{
    (void)state;
    static const char request[] = "POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
                                  "Content-Type: application/x-protobuf\r\n\r\n";
    struct server s;
    char answer[4096] = "";
    unsigned n = 0;
    server_init(&s);
    s.conf.router.max_connection_age = 100 * NS_PER_MS;
    s.conf.router.max_connection_age_grace = 3600 * NS_PER_S;
    server_start(&s, NULL);
    int fd = server_connect(&s);
    while (strstr(answer, "connection: close\r\n") == NULL) {
        size_t len = 0;
        assert_int_equal(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL), sizeof(request) - 1);
        do { /* the body of a success is empty */
            ssize_t got = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);
            assert_true(got > 0);
            len += (size_t)got;
            answer[len] = 0;
        } while (strstr(answer, "\r\n\r\n") == NULL);
        assert_non_null(strstr(answer, "HTTP/1.1 200 "));
        n++;
        usleep(1000);
    }
    assert_int_equal(recv(fd, answer, sizeof(answer), 0), 0);
    assert_in_range(n, 1, 100000);
    close(fd);
    server_stop(&s);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_answers_stays),
        cmocka_unit_test(test_who_does_not_is_gone),
        cmocka_unit_test(test_age),
        cmocka_unit_test(test_grace),
        cmocka_unit_test(test_age_of_http1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
