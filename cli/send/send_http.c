#include "cli/send/send_http.h"

#include "base/clock.h"
#include "cli/send/send_pack.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define RESPONSE_CEILING (1 << 20) /* bytes of an answer that are read */
#define BODY_CEILING     (1u << 30)
#define URL_SIZE         1024

struct slot {
    CURL *easy;
    struct send_http *http;
    struct buf body, response;
    struct send_answer answer;
    unsigned starts; /* how often libcurl set out to send the request */
    bool flying;
    bool opens; /* with `h2c_repair`: expected to open its connection, not to share one */
    bool wrong; /* that was wrong: nothing was sent, start it the other way */
    char error[CURL_ERROR_SIZE];
};

struct send_http {
    CURLM *multi;
    struct curl_slist *headers;
    enum send_protocol protocol;
    struct send_pack pack;
    char urls[SIGNAL_COUNT][URL_SIZE];
    uint64_t bytes;
    bool h2c_repair; /* see needs_h2c_repair */
    bool connected;  /* the last attempt that ended had an answer */
    struct slot *slots;
    unsigned slot_count;
};

/* Headers and trailers alike. */
static size_t on_header(char *at, size_t size, size_t n, void *arg)
{
    struct slot *s = arg;
    send_answer_header(&s->answer, slice_of(at, size * n));
    return size * n;
}

static size_t on_body(char *at, size_t size, size_t n, void *arg)
{
    struct slot *s = arg;
    return buf_append(&s->response, at, size * n) < 0 ? 0 : size * n;
}

/* libcurl before 8.0.0 breaks the second HTTP/2 request of a connection without TLS: it sets HTTP/2
 * up again on each request that asks for "HTTP/2 by prior knowledge" (curl issue 10634). So only
 * the request that opens a connection asks for that, and those that share one ask as they would
 * over TLS. Which of the two a request is, libcurl decides late; one that was prepared the wrong
 * way is stopped before it sends anything and is started the other way. */
static bool needs_h2c_repair(long version)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    return version == CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE && info->version_num < 0x080000;
}

static void set_opens(struct slot *s, bool opens)
{
    long version = opens ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : CURL_HTTP_VERSION_2TLS;
    s->opens = opens;
    curl_easy_setopt(s->easy, CURLOPT_HTTP_VERSION, version);
}

/* Called when the connection is there, before a byte of the request is sent. libcurl repeats a
 * request when a reused connection turns out dead. The far side may have taken it already, so the
 * second start is refused: the repetition must be a new attempt. */
static int on_start(void *arg, char *to, char *from, int to_port, int from_port)
{
    struct slot *s = arg;
    long opened = 0;
    (void)to, (void)from, (void)to_port, (void)from_port;
    curl_easy_getinfo(s->easy, CURLINFO_NUM_CONNECTS, &opened);
    s->wrong = s->starts == 0 && s->http->h2c_repair && s->opens != (opened > 0);
    if (s->wrong)
        return CURL_PREREQFUNC_ABORT;
    return s->starts++ == 0 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer == NULL)
        return false;
    *list = longer;
    return true;
}

static int make_headers(struct send_http *h, const struct send_http_conf *conf)
{
    char timeout[64];
    snprintf(timeout, sizeof(timeout), "grpc-timeout: %llum",
             (unsigned long long)(conf->timeout_ns / NS_PER_MS));
    bool grpc = conf->protocol == SEND_GRPC;
    bool ok = add_header(&h->headers, grpc ? "content-type: application/grpc"
                                           : "content-type: application/x-protobuf");
    ok = ok && add_header(&h->headers, "expect:") && add_header(&h->headers, "accept:");
    if (grpc)
        ok = ok && add_header(&h->headers, "te: trailers") && add_header(&h->headers, timeout);
    if (conf->gzip)
        ok = ok && add_header(&h->headers, grpc ? "grpc-encoding: gzip" : "content-encoding: gzip");
    for (const char *const *line = conf->headers; ok && *line != NULL; line++)
        ok = add_header(&h->headers, *line);
    return ok ? 0 : -ENOMEM;
}

static int make_urls(struct send_http *h, const struct send_http_conf *conf, struct errbuf *err)
{
    for (int signal = 0; signal < SIGNAL_COUNT; signal++) {
        const struct signal_info *info = &signal_info[signal];
        const char *path = conf->protocol == SEND_GRPC ? info->grpc_path : info->http_path;
        int n = snprintf(h->urls[signal], URL_SIZE, "%s%s", conf->endpoint, path);
        if (n < 0 || n >= URL_SIZE)
            return errbuf_set(err, EINVAL, "The endpoint is longer than %d bytes.", URL_SIZE - 100);
    }
    return 0;
}

static long curl_version_of(const struct send_http_conf *conf)
{
    bool tls = strncasecmp(conf->endpoint, "https:", 6) == 0;
    enum send_http_version version = conf->version;
    if (version == SEND_HTTP_AUTO)
        version = tls || conf->protocol == SEND_GRPC ? SEND_HTTP_2 : SEND_HTTP_1;
    if (version == SEND_HTTP_1)
        return CURL_HTTP_VERSION_1_1;
    return tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
}

static int slot_init(struct slot *s, struct send_http *h, const struct send_http_conf *conf)
{
    s->http = h;
    s->response.ceiling = RESPONSE_CEILING;
    s->body.ceiling = BODY_CEILING;
    s->easy = curl_easy_init();
    if (s->easy == NULL)
        return -ENOMEM;
    curl_easy_setopt(s->easy, CURLOPT_PRIVATE, s);
    curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(s->easy, CURLOPT_ERRORBUFFER, s->error);
    curl_easy_setopt(s->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(s->easy, CURLOPT_HTTP_VERSION, curl_version_of(conf));
    curl_easy_setopt(s->easy, CURLOPT_PIPEWAIT, 1L);
    curl_easy_setopt(s->easy, CURLOPT_TIMEOUT_MS, (long)(conf->timeout_ns / NS_PER_MS));
    curl_easy_setopt(s->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, h->headers);
    curl_easy_setopt(s->easy, CURLOPT_USERAGENT, "tenantry-send/" TENANTRY_VERSION);
    curl_easy_setopt(s->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(s->easy, CURLOPT_HEADERDATA, s);
    curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(s->easy, CURLOPT_PREREQFUNCTION, on_start);
    curl_easy_setopt(s->easy, CURLOPT_PREREQDATA, s);
    if (conf->ca_file != NULL && curl_easy_setopt(s->easy, CURLOPT_CAINFO, conf->ca_file) != 0)
        return -ENOMEM;
    return 0;
}

/* The streams per connection are capped so that exactly `connections` are opened and share. */
static int make_slots(struct send_http *h, const struct send_http_conf *conf)
{
    unsigned connections = conf->connections < conf->slots ? conf->connections : conf->slots;
    bool http1 = curl_version_of(conf) == CURL_HTTP_VERSION_1_1;
    long most = http1 ? (long)conf->slots : (long)connections;
    long streams = (long)((conf->slots + connections - 1) / connections);
    h->slots = calloc(conf->slots, sizeof(*h->slots));
    h->multi = curl_multi_init();
    if (h->slots == NULL || h->multi == NULL)
        return -ENOMEM;
    curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, most);
    curl_multi_setopt(h->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, streams);
    h->slot_count = conf->slots;
    for (unsigned i = 0; i < conf->slots; i++)
        if (slot_init(&h->slots[i], h, conf) < 0)
            return -ENOMEM;
    return 0;
}

struct send_http *send_http_new(const struct send_http_conf *conf, struct errbuf *err)
{
    struct send_http *h = calloc(1, sizeof(*h));
    if (h == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        free(h);
        errbuf_set(err, ENOMEM, "There is no memory for the transport.");
        return NULL;
    }
    h->protocol = conf->protocol;
    h->h2c_repair = needs_h2c_repair(curl_version_of(conf));
    int rc = make_urls(h, conf, err);
    if (rc == 0 && (send_pack_init(&h->pack, conf->protocol, conf->gzip) < 0 ||
                    make_headers(h, conf) < 0 || make_slots(h, conf) < 0))
        rc = errbuf_set(err, ENOMEM, "There is no memory for %u requests.", conf->slots);
    if (rc < 0) {
        send_http_free(h);
        return NULL;
    }
    return h;
}

static void slot_release(struct send_http *h, struct slot *s)
{
    if (s->flying)
        curl_multi_remove_handle(h->multi, s->easy);
    curl_easy_cleanup(s->easy);
    buf_release(&s->body);
    buf_release(&s->response);
}

void send_http_free(struct send_http *h)
{
    if (h == NULL)
        return;
    for (unsigned i = 0; h->slots != NULL && i < h->slot_count; i++)
        slot_release(h, &h->slots[i]);
    free(h->slots);
    curl_multi_cleanup(h->multi);
    curl_slist_free_all(h->headers);
    send_pack_release(&h->pack);
    curl_global_cleanup();
    free(h);
}

static int fly(struct send_http *h, struct slot *s, struct errbuf *err)
{
    CURLMcode code = curl_multi_add_handle(h->multi, s->easy);
    if (code != CURLM_OK)
        return errbuf_set(err, EIO, "libcurl: %s.", curl_multi_strerror(code));
    s->flying = true;
    return 0;
}

int send_http_start(struct send_http *h, unsigned slot, enum signal signal, struct slice payload,
                    struct errbuf *err)
{
    struct slot *s = &h->slots[slot];
    buf_clear(&s->body);
    buf_clear(&s->response);
    send_answer_init(&s->answer);
    s->starts = 0;
    s->error[0] = 0;
    if (h->h2c_repair)
        set_opens(s, !h->connected);
    if (send_pack_body(&h->pack, payload, &s->body) < 0)
        return errbuf_set(err, ENOBUFS, "A request of %zu bytes finds no memory.", payload.len);
    curl_easy_setopt(s->easy, CURLOPT_URL, h->urls[signal]);
    curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, s->body.len ? (const char *)s->body.at : "");
    curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)s->body.len);
    h->bytes += s->body.len;
    return fly(h, s, err);
}

/* False: it has only now really begun. */
static bool finish(struct send_http *h, struct slot *s, CURLcode code)
{
    curl_multi_remove_handle(h->multi, s->easy);
    s->flying = false;
    if (s->wrong) {
        s->wrong = false;
        set_opens(s, !s->opens);
        if (fly(h, s, NULL) == 0)
            return false;
    }
    h->connected = code == CURLE_OK;
    if (h->connected)
        send_answer_body(&s->answer, h->protocol, buf_slice(&s->response));
    else if (s->starts > 1)
        send_answer_none(&s->answer, "the connection was lost before an answer came");
    else
        send_answer_none(&s->answer, s->error[0] ? s->error : curl_easy_strerror(code));
    return true;
}

/* How many attempts ended or began anew. */
static unsigned collect(struct send_http *h, send_http_done_fn *done, void *arg)
{
    unsigned n = 0;
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(h->multi, &left)) != NULL;) {
        struct slot *s;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&s);
        if (finish(h, s, m->data.result)) /* `m` is gone after this */
            done(arg, (unsigned)(s - h->slots), &s->answer);
        n++;
    }
    return n;
}

int send_http_turn(struct send_http *h, unsigned wait_ms, send_http_done_fn *done, void *arg,
                   struct errbuf *err)
{
    int running;
    CURLMcode code = curl_multi_perform(h->multi, &running);
    if (code == CURLM_OK && collect(h, done, arg) == 0 && wait_ms > 0)
        code = curl_multi_poll(h->multi, NULL, 0, (int)wait_ms, NULL);
    return code == CURLM_OK ? 0 : errbuf_set(err, EIO, "libcurl: %s.", curl_multi_strerror(code));
}

uint64_t send_http_bytes(const struct send_http *h)
{
    return h->bytes;
}
