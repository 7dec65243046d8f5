#include "unit.h"

#include "base/admin_http.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LARGE_BODY (8u * 1024 * 1024)

static void handle_hello(void *arg, struct slice query, struct admin_answer *answer)
{
    buf_printf(&answer->body, "%s %.*s", (const char *)arg, SLICE_ARG(query));
}

static void handle_large(void *arg, struct slice query, struct admin_answer *answer)
{
    (void)arg;
    (void)query;
    uint8_t *to = buf_reserve(&answer->body, LARGE_BODY);
    memset(to, 'x', LARGE_BODY);
    answer->body.len += LARGE_BODY;
}

static void handle_unwell(void *arg, struct slice query, struct admin_answer *answer)
{
    (void)arg;
    (void)query;
    answer->status = 503;
    answer->content_type = "application/json";
    buf_append_str(&answer->body, "{}");
}

static void handle_failing(void *arg, struct slice query, struct admin_answer *answer)
{
    handle_hello(arg, query, answer);
    answer->body.failed = true;
}

static const struct admin_route routes[] = {
    {"/hello", handle_hello},
    {"/large", handle_large},
    {"/unwell", handle_unwell},
    {"/failing", handle_failing},
    {NULL, NULL},
};

static struct admin_http *server;

static int start(void **state)
{
    (void)state;
    struct errbuf err = ERRBUF_INIT;
    static char name[] = "hello";
    server = admin_http_new("127.0.0.1:0", routes, name, &err);
    return server == NULL;
}

static int stop(void **state)
{
    (void)state;
    admin_http_free(server);
    return 0;
}

static int connect_to_server(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)admin_http_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static void send_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n < 0)
            return; /* the server may have answered and closed */
        text += n;
        len -= (size_t)n;
    }
}

/* Everything until the server closes. */
static void read_answer(int fd, struct buf *out)
{
    struct pollfd p = {fd, POLLIN, 0};
    ssize_t n;
    do {
        assert_int_equal(poll(&p, 1, 60000), 1);
        uint8_t *to = buf_reserve(out, 65536);
        n = recv(fd, to, 65536, 0);
        if (n > 0)
            out->len += (size_t)n;
    } while (n > 0);
    close(fd);
}

static void test_answers(void **state)
{
    (void)state;
    static char long_header[10000];
    memset(long_header, 'a', sizeof(long_header) - 1);
    memcpy(long_header, "GET /hello HTTP/1.1\r\nx: ", 24);
    static const struct {
        int line;
        const char *request, *head, *body; /* body NULL: any */
    } rows[] = {
        {__LINE__, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n", "hello "},
        {__LINE__, "GET /hello?a=b HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "hello a=b"},
        {__LINE__, "HEAD /hello?a=b HTTP/1.1\r\n\r\n", "Content-Length: 9\r\n", ""},
        {__LINE__, "GET /hello HTTP/1.1\r\n\r\n", "Connection: close\r\n", NULL},
        {__LINE__, "GET /hello HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", " 200 OK\r\n", NULL},
        {__LINE__, "GET /unwell HTTP/1.1\r\n\r\n", "HTTP/1.1 503 ", "{}"},
        {__LINE__, "GET /unwell HTTP/1.1\r\n\r\n", "Content-Type: application/json\r\n", NULL},
        {__LINE__, "GET /failing HTTP/1.1\r\n\r\n", "HTTP/1.1 500 ", NULL},
        {__LINE__, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ", NULL},
        {__LINE__, "GET /hello/ HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ", NULL},
        {__LINE__, "POST /hello HTTP/1.1\r\n\r\n", "HTTP/1.1 405 ", NULL},
        {__LINE__, "POST /hello HTTP/1.1\r\n\r\n", "\r\nAllow: GET, HEAD\r\n", NULL},
        {__LINE__, "\r\n\r\n", "HTTP/1.1 400 ", NULL},
        {__LINE__, "GET\r\n\r\n", "HTTP/1.1 400 ", NULL},
        {__LINE__, "GET /hello\r\n\r\n", "HTTP/1.1 400 ", NULL},
        {__LINE__, "GET /hello HTTP/2\r\n\r\n", "HTTP/1.1 400 ", NULL},
        {__LINE__, "GET hello HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", NULL},
        {__LINE__, "GET /hel\tlo HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", NULL},
        {__LINE__, "GET  /hello HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", NULL},
        {__LINE__, long_header, "HTTP/1.1 431 ", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT;
        int fd = connect_to_server();
        send_all(fd, rows[i].request, strlen(rows[i].request));
        read_answer(fd, &out);
        const char *text = buf_cstr(&out), *body = strstr(text, "\r\n\r\n");
        check_row(rows[i].line, body != NULL, "%s", text);
        const char *head = strstr(text, rows[i].head);
        check_row(rows[i].line, head != NULL && head < body, "%s", text);
        check_row(rows[i].line, rows[i].body == NULL || strcmp(body + 4, rows[i].body) == 0, "%s",
                  text);
        buf_release(&out);
    }
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
    struct buf out = BUF_INIT;
    int fd = connect_to_server();
    for (size_t i = 0; i < sizeof(request) - 1; i++) {
        send_all(fd, request + i, 1);
        usleep(500);
    }
    read_answer(fd, &out);
    assert_non_null(strstr(buf_cstr(&out), "200 OK"));
    buf_release(&out);
}

/* More than the socket buffers hold, so the server has to wait for the reader. */
static void test_large(void **state)
{
    (void)state;
    static const char request[] = "GET /large HTTP/1.1\r\n\r\n";
    struct buf out = BUF_INIT;
    int fd = connect_to_server();
    send_all(fd, request, sizeof(request) - 1);
    usleep(20000);
    read_answer(fd, &out);
    assert_true(out.len > LARGE_BODY);
    buf_release(&out);
}

/* Silent connections take all places; a further one is told so; closing them frees the places. */
static void test_too_many(void **state)
{
    (void)state;
    enum { PLACES = 64 };
    int fds[PLACES];
    struct buf out = BUF_INIT;
    for (int i = 0; i < PLACES; i++)
        fds[i] = connect_to_server();
    read_answer(connect_to_server(), &out);
    assert_non_null(strstr(buf_cstr(&out), "HTTP/1.1 503 "));
    for (int i = 0; i < PLACES; i++)
        close(fds[i]);
    uint64_t deadline = clock_mono_ns() + 60 * NS_PER_S;
    do {
        static const char request[] = "GET /hello HTTP/1.1\r\n\r\n";
        assert_true(clock_mono_ns() < deadline);
        int fd = connect_to_server();
        send_all(fd, request, sizeof(request) - 1);
        buf_clear(&out);
        read_answer(fd, &out);
    } while (strstr(buf_cstr(&out), "200 OK") == NULL);
    buf_release(&out);
}

static void test_silence(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    uint64_t start_ns = clock_mono_ns();
    read_answer(connect_to_server(), &out);
    uint64_t took_ns = clock_mono_ns() - start_ns;
    assert_int_equal(out.len, 0);
    assert_true(took_ns >= 4900 * NS_PER_MS && took_ns < 60 * NS_PER_S);
    buf_release(&out);
}

static void test_addresses(void **state)
{
    (void)state;
    char taken[32];
    snprintf(taken, sizeof(taken), "127.0.0.1:%d", admin_http_port(server));
    const struct {
        int line;
        const char *address, *sentence;
    } rows[] = {
        {__LINE__, "", "is not like"},
        {__LINE__, "127.0.0.1", "is not like"},
        {__LINE__, "127.0.0.1:", "is not like"},
        {__LINE__, ":80", "is not like"},
        {__LINE__, "::1:80", "is not like"},
        {__LINE__, "127.0.0.1:http", "cannot be used"},
        {__LINE__, taken, "Address already in use"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct errbuf err = ERRBUF_INIT;
        struct admin_http *h = admin_http_new(rows[i].address, routes, NULL, &err);
        check_row(rows[i].line, h == NULL, "%s", rows[i].address);
        check_row(rows[i].line, strstr(err.text, rows[i].sentence) != NULL, "%s", err.text);
    }
    admin_http_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),   cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_large),     cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_silence),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
