#include "tests/base/unit.h"

#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static struct address address(const char *text)
{
    struct address_range r;
    struct errbuf err = ERRBUF_INIT;
    struct address a = {{0}, 0};
    if (address_parse_range(text, &r, &err) < 0)
        fail_msg("%s", err.text);
    memcpy(a.at, r.at, sizeof(a.at));
    return a;
}

static void test_ranges(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *range, *address;
        bool in;
    } rows[] = {
        {__LINE__, "10.0.0.0/8", "10.255.1.2", true},
        {__LINE__, "10.0.0.0/8", "11.0.0.0", false},
        {__LINE__, "10.0.0.1", "10.0.0.1", true},
        {__LINE__, "10.0.0.1", "10.0.0.2", false},
        {__LINE__, "10.0.0.128/25", "10.0.0.127", false},
        {__LINE__, "10.0.0.128/25", "10.0.0.129", true},
        {__LINE__, "0.0.0.0/0", "192.0.2.1", true},
        {__LINE__, "0.0.0.0/0", "2001:db8::1", false},
        {__LINE__, "::/0", "2001:db8::1", true},
        {__LINE__, "2001:db8::/33", "2001:db8:7fff::1", true},
        {__LINE__, "2001:db8::/33", "2001:db8:8000::1", false},
        {__LINE__, "::1/128", "::1", true},
        {__LINE__, "::ffff:10.0.0.0/104", "10.9.9.9", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct address_range r;
        struct errbuf err = ERRBUF_INIT;
        check_row(rows[i].line, address_parse_range(rows[i].range, &r, &err) == 0, "%s", err.text);
        struct address a = address(rows[i].address);
        check_row(rows[i].line, address_in(&a, &r) == rows[i].in, "%s", rows[i].address);
    }
}

static void test_what_is_no_range(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "10.0.0.0/33",
        "10.0.0",
        "::/129",
        "10.0.0.0/",
        "10.0.0.0/8x",
        "localhost",
        "/8",
        "10.0.0.0/-1",
        "1.2.3.4.5",
        "::1/0x10",
        "10.0.0.0/0008",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct address_range r;
        struct errbuf err = ERRBUF_INIT;
        check_row((int)i, address_parse_range(rows[i], &r, &err) == -EINVAL, "\"%s\"", rows[i]);
        assert_non_null(strstr(err.text, "neither an address nor a range"));
    }
}

static void check_text(const struct address *a, const char *expected)
{
    char text[ADDRESS_TEXT];
    address_print(a, text);
    assert_string_equal(text, expected);
}

static void test_text_and_network(void **state)
{
    (void)state;
    struct address unknown = {{0}, 0};
    struct address v4 = address("192.0.2.7"), v6 = address("2001:db8:1:2:3:4:5:6");
    check_text(&unknown, "-");
    check_text(&v4, "192.0.2.7");
    check_text(&v6, "2001:db8:1:2:3:4:5:6");
    v4 = address_network(&v4);
    v6 = address_network(&v6);
    check_text(&v4, "192.0.2.7");
    check_text(&v6, "2001:db8:1:2::");
}

static void test_sockets(void **state)
{
    (void)state;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(4317)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(1)};
    struct sockaddr other = {.sa_family = AF_UNIX};
    inet_pton(AF_INET, "198.51.100.3", &in.sin_addr);
    inet_pton(AF_INET6, "::ffff:198.51.100.3", &in6.sin6_addr);
    struct address a = address_of((struct sockaddr *)&in);
    check_text(&a, "198.51.100.3");
    assert_int_equal(a.port, 4317);
    a = address_of((struct sockaddr *)&in6); /* a socket for both families tells IPv4 like this */
    check_text(&a, "198.51.100.3");
    a = address_of(&other);
    check_text(&a, "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_what_is_no_range),
        cmocka_unit_test(test_text_and_network),
        cmocka_unit_test(test_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
