/* Headers of the PROXY protocol as bytes, and in front of a listener. */
#include "tests/base/unit.h"
#include "tests/router/stub_server.h"

#include "router/net/proxy_protocol.h"

#define SIGNATURE "\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A"
#define V4_PAIR   "\xC0\x00\x02\x01\xC6\x33\x64\x01\xDC\x04\x01\xBB"
#define V6_PAIR                                                                                    \
    "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x02\xDC\x04" \
    "\x01\xBB"

static const struct {
    int line;
    struct slice in;
    enum proxy_header result;
    const char *client; /* of PROXY_CLIENT */
    unsigned port;
} rows[] = {
#define ROW(in, result, ...)                                                                       \
    {                                                                                              \
        __LINE__, SLICE_LIT(in), result, __VA_ARGS__                                               \
    }
    /* version 1 */
    ROW("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", PROXY_CLIENT, "192.0.2.1", 56324),
    ROW("PROXY TCP4 255.255.255.255 0.0.0.0 0 65535\r\n", PROXY_CLIENT, "255.255.255.255", 0),
    ROW("PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", PROXY_CLIENT, "2001:db8::1", 56324),
    ROW("PROXY UNKNOWN\r\n", PROXY_LOCAL, NULL, 0),
    ROW("PROXY UNKNOWN ffff:f::1 what ever 1 2\r\n", PROXY_LOCAL, NULL, 0),
    ROW("PROXY  TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", PROXY_BAD, NULL, 0),
    ROW("PROXY TCP4 192.0.2.1  198.51.100.1 56324 443\r\n", PROXY_BAD, NULL, 0),
    ROW("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n", PROXY_BAD, NULL, 0),
    ROW("PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n", PROXY_BAD, NULL, 0),
    ROW("PROXY TCP4 192.0.2.1 198.51.100.1 056324 443\r\n", PROXY_BAD, NULL, 0),
    ROW("PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n", PROXY_BAD, NULL, 0),
    ROW("PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n", PROXY_BAD, NULL, 0),
    ROW("PROXY TCP4 192.0.2.256 198.51.100.1 1 443\r\n", PROXY_BAD, NULL, 0),
    ROW("PROXY TCP4 192.0.2.1\0 198.51.100.1 1 443\r\n", PROXY_BAD, NULL, 0),
    ROW("PROXY TCP4 2001:db8::1 2001:db8::2 1 443\r\n", PROXY_BAD, NULL, 0),
    ROW("PROXY TCP6 192.0.2.1 198.51.100.1 1 443\r\n", PROXY_BAD, NULL, 0),
    ROW("PROXY UDP4 192.0.2.1 198.51.100.1 1 443\r\n", PROXY_BAD, NULL, 0),
    ROW("PROXY TCP4 192.0.2.1 198.51.100.1 1 443\n", PROXY_MORE, NULL, 0),
    ROW("PROXY TCP4 192.0.2.1 198.51.100.1 1 443\rx", PROXY_BAD, NULL, 0),
    ROW("PROXY\r\n", PROXY_BAD, NULL, 0),
    ROW("PROXY \r\n", PROXY_BAD, NULL, 0),
    ROW("proxy TCP4 192.0.2.1 198.51.100.1 1 443\r\n", PROXY_BAD, NULL, 0),
    ROW("POST /v1/logs HTTP/1.1\r\n", PROXY_BAD, NULL, 0),
    ROW("\x16\x03\x01", PROXY_BAD, NULL, 0),
    ROW("PROXY UNKNOWN 67890123456789012345678901234567890123456789012345678901234567890123456789"
        "01234567890123456789012345\r\n",
        PROXY_BAD, NULL, 0),
    ROW("", PROXY_MORE, NULL, 0),
    ROW("P", PROXY_MORE, NULL, 0),
    /* version 2 */
    ROW(SIGNATURE "\x21\x11\x00\x0C" V4_PAIR, PROXY_CLIENT, "192.0.2.1", 56324),
    ROW(SIGNATURE "\x21\x21\x00\x24" V6_PAIR, PROXY_CLIENT, "2001:db8::1", 56324),
    ROW(SIGNATURE "\x20\x00\x00\x00", PROXY_LOCAL, NULL, 0),
    ROW(SIGNATURE "\x20\x11\x00\x03xyz", PROXY_LOCAL, NULL, 0), /* skipped unseen */
    ROW(SIGNATURE "\x21\x00\x00\x00", PROXY_LOCAL, NULL, 0),    /* for whom is not known */
    ROW(SIGNATURE "\x21\x11\x00\x10" V4_PAIR "\x04\x00\x01x", PROXY_CLIENT, "192.0.2.1", 56324),
    ROW(SIGNATURE "\x21\x11\x00\x10" V4_PAIR "\x04\x00\x02x", PROXY_BAD, NULL, 0),
    ROW(SIGNATURE "\x21\x11\x00\x0E" V4_PAIR "\x04\x00", PROXY_BAD, NULL, 0),
    ROW(SIGNATURE "\x21\x11\x00\x13" V4_PAIR "\x03\x00\x04\0\0\0\0", PROXY_BAD, NULL, 0),
    ROW(SIGNATURE "\x21\x11\x00\x0B" V4_PAIR, PROXY_BAD, NULL, 0),
    ROW(SIGNATURE "\x21\x12\x00\x0C" V4_PAIR, PROXY_BAD, NULL, 0), /* a datagram */
    ROW(SIGNATURE "\x22\x11\x00\x0C" V4_PAIR, PROXY_BAD, NULL, 0),
    ROW(SIGNATURE "\x11\x11\x00\x0C" V4_PAIR, PROXY_BAD, NULL, 0),
    ROW(SIGNATURE "\x21\x11\xFF\xFF", PROXY_BAD, NULL, 0),
    ROW(SIGNATURE "\x21\x11\x00\x0C" V4_PAIR "\x16\x03", PROXY_CLIENT, "192.0.2.1", 56324),
    ROW(SIGNATURE, PROXY_MORE, NULL, 0),
    ROW("\x0D\x0A\x0D\x0A\x01", PROXY_BAD, NULL, 0),
#undef ROW
};

static void test_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = 0;
        struct address a = {{0}, 0};
        char text[ADDRESS_TEXT];
        enum proxy_header got = proxy_header_parse(rows[i].in, &len, &a);
        check_row(rows[i].line, got == rows[i].result, "%d", got);
        address_print(&a, text);
        check_row(rows[i].line, strcmp(text, rows[i].client ? rows[i].client : "-") == 0, "%s",
                  text);
        check_row(rows[i].line, a.port == rows[i].port, "%u", a.port);
        if (got != PROXY_CLIENT && got != PROXY_LOCAL)
            continue;
        for (size_t n = 0; n < len; n++) { /* every shorter part of it asks for more */
            size_t ignored;
            struct address nobody;
            check_row(rows[i].line,
                      proxy_header_parse(slice_of(rows[i].in.at, n), &ignored, &nobody) ==
                          PROXY_MORE,
                      "%zu bytes", n);
        }
    }
}

/* The checksum of the specification is CRC-32C, in network order; these bytes were
 * computed bit by bit, not by base/crc32c.c. */
static void test_checksum(void **state)
{
    (void)state;
    static const char header[] = SIGNATURE "\x21\x11\x00\x13" V4_PAIR "\x03\x00\x04";
    uint8_t whole[sizeof(header) - 1 + 4];
    size_t len = 0;
    struct address a;
    memcpy(whole, header, sizeof(header) - 1);
    memcpy(whole + sizeof(header) - 1, "\x73\x7E\xE9\x19", 4);
    assert_int_equal(proxy_header_parse(slice_of(whole, sizeof(whole)), &len, &a), PROXY_CLIENT);
    assert_int_equal(len, sizeof(whole));
    for (size_t i = 16; i < sizeof(whole); i++) {
        if (i == 28) /* another type of extension */
            continue;
        whole[i] ^= 0x40;
        assert_int_equal(proxy_header_parse(slice_of(whole, sizeof(whole)), &len, &a), PROXY_BAD);
        whole[i] ^= 0x40;
    }
}

/* -- before a listener -- */

static const char request[] = "POST /v1/logs HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                              "Content-Type: application/x-protobuf\r\nContent-Length: 1\r\n\r\na";

/* Sends `text` in pieces of `step` bytes and gives back the answer's first bytes. */
static void exchange(const struct server *s, const void *text, size_t len, size_t step, char *out,
                     size_t size)
{
    int fd = server_connect(s);
    size_t n = 0;
    ssize_t got;
    for (size_t at = 0; at < len; at += step)
        if (send(fd, (const char *)text + at, len - at < step ? len - at : step, MSG_NOSIGNAL) < 0)
            break;
    while (n + 1 < size && (got = recv(fd, out + n, size - 1 - n, 0)) > 0)
        n += (size_t)got;
    out[n] = 0;
    close(fd);
}

static void check_client(const char *expected)
{
    char text[ADDRESS_TEXT];
    address_print(&seen_client, text);
    assert_string_equal(text, expected);
}

static void run(const char *trusted, const char *header, size_t header_len, const char *client)
{
    struct server s;
    char sent[512], answer[4096];
    const char *list[] = {trusted};
    server_init(&s);
    s.listen.proxy_protocol = true;
    s.listen.trusted = (struct option_strings){list, 1};
    server_start(&s, NULL);
    memcpy(sent, header, header_len);
    memcpy(sent + header_len, request, sizeof(request) - 1);
    for (size_t step = 1; step < 600; step += 599) {
        exchange(&s, sent, header_len + sizeof(request) - 1, step, answer, sizeof(answer));
        if (client == NULL) {
            assert_null(strstr(answer, "200 OK"));
        } else {
            assert_non_null(strstr(answer, "HTTP/1.1 200 OK\r\n"));
            check_client(client);
        }
    }
    server_stop(&s);
}

static void test_listener(void **state)
{
    (void)state;
    static const char v1[] = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";
    static const char v2[] = SIGNATURE "\x21\x21\x00\x24" V6_PAIR;
    static const char local[] = SIGNATURE "\x20\x00\x00\x00";
    run("127.0.0.0/8", v1, sizeof(v1) - 1, "192.0.2.1");
    run("127.0.0.0/8", v2, sizeof(v2) - 1, "2001:db8::1");
    run("127.0.0.0/8", local, sizeof(local) - 1, "127.0.0.1");
    run("127.0.0.0/8", "", 0, NULL); /* a balancer has to say for whom */
    /* Nobody else is believed: the header is junk, and without one it is a client. */
    run("10.0.0.0/8", v1, sizeof(v1) - 1, NULL);
    run("10.0.0.0/8", "", 0, "127.0.0.1");
}

/* A balancer that says nothing is not waited for for ever. */
static void test_silent_balancer(void **state)
{
    (void)state;
    struct server s;
    char c;
    const char *list[] = {"127.0.0.1"};
    server_init(&s);
    s.listen.proxy_protocol = true;
    s.listen.trusted = (struct option_strings){list, 1};
    s.conf.router.handshake_timeout = 50 * NS_PER_MS;
    server_start(&s, NULL);
    int fd = server_connect(&s);
    assert_int_equal(recv(fd, &c, 1, 0), 0);
    close(fd);
    server_stop(&s);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_listener),
        cmocka_unit_test(test_silent_balancer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
