#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define V4_BITS   96 /* in front of an IPv4 address */
#define NET6_SIZE 8  /* a /64 */

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

static bool is_v4(const uint8_t at[16])
{
    return memcmp(at, v4_prefix, sizeof(v4_prefix)) == 0;
}

struct address address_v4(const uint8_t at[4], uint16_t port)
{
    struct address a = {.port = port};
    memcpy(a.at, v4_prefix, sizeof(v4_prefix));
    memcpy(a.at + sizeof(v4_prefix), at, 4);
    return a;
}

struct address address_of(const struct sockaddr *sa)
{
    struct address a = {{0}, 0};
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)sa;
        a = address_v4((const uint8_t *)&in->sin_addr, ntohs(in->sin_port));
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)sa;
        memcpy(a.at, &in->sin6_addr, sizeof(a.at));
        a.port = ntohs(in->sin6_port);
    }
    return a;
}

void address_print(const struct address *a, char out[ADDRESS_TEXT])
{
    static const uint8_t unknown[16];
    if (memcmp(a->at, unknown, sizeof(unknown)) == 0)
        strcpy(out, "-");
    else if (is_v4(a->at))
        inet_ntop(AF_INET, a->at + sizeof(v4_prefix), out, ADDRESS_TEXT);
    else
        inet_ntop(AF_INET6, a->at, out, ADDRESS_TEXT);
}

struct address address_network(const struct address *a)
{
    struct address net = {{0}, 0};
    memcpy(net.at, a->at, is_v4(a->at) ? sizeof(net.at) : NET6_SIZE);
    return net;
}

static int refuse(const char *text, struct errbuf *err)
{
    return errbuf_set(err, EINVAL,
                      "\"%.100s\" is neither an address nor a range of them, like \"10.0.0.0/8\" "
                      "or \"2001:db8::/32\"",
                      text);
}

int address_parse_range(const char *text, struct address_range *ret, struct errbuf *err)
{
    char host[ADDRESS_TEXT];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    struct address_range r = {.bits = 128};
    unsigned width = 128;
    if (len >= sizeof(host))
        return refuse(text, err);
    memcpy(host, text, len);
    host[len] = 0;
    uint8_t v4[4];
    if (inet_pton(AF_INET, host, v4) == 1) {
        struct address a = address_v4(v4, 0);
        memcpy(r.at, a.at, sizeof(r.at));
        width = 32;
    } else if (inet_pton(AF_INET6, host, r.at) != 1) {
        return refuse(text, err);
    }
    if (slash != NULL) {
        size_t digits = strspn(slash + 1, "0123456789");
        unsigned long bits = strtoul(slash + 1, NULL, 10);
        if (digits == 0 || digits > 3 || slash[1 + digits] != 0 || bits > width)
            return refuse(text, err);
        r.bits = (unsigned)bits + (width == 32 ? V4_BITS : 0);
    }
    *ret = r;
    return 0;
}

bool address_in(const struct address *a, const struct address_range *r)
{
    unsigned whole = r->bits / 8, rest = r->bits % 8;
    if (memcmp(a->at, r->at, whole) != 0)
        return false;
    return rest == 0 || (a->at[whole] ^ r->at[whole]) >> (8 - rest) == 0;
}
