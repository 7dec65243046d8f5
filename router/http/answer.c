#include "router/http/answer.h"

#include "otlp/status.h"
#include "router/coding/coding.h"
#include "router/http/cors.h"
#include "router/http/grpc.h"
#include "tenancy/tenancy.h"

#include <errno.h>
#include <stdio.h>

/* gRPC clients take 8 KiB of headers and trailers (R191): message (at most three bytes for one) and
 * details (base64, with the message in them) stay well below. */
#define MESSAGE_MAX      1024
#define DEFAULT_RETRY_NS NS_PER_S

#define GRPC_UNAVAILABLE 14

/* What the rows below need to know about one answer. */
struct draft {
    struct request *req;
    const struct answer *a;
    const struct outcome_info *info;
    const char *date;
    bool json, grpc, post;
    uint64_t retry_ns; /* 0 = do not tell a delay */
    char message[MESSAGE_MAX + 1];
};

static struct slice printed(struct draft *d, const char *format, unsigned long long n)
{
    char text[32];
    snprintf(text, sizeof(text), format, n);
    char *copy = arena_strdup(&d->req->arena, slice_str(text));
    return copy ? slice_str(copy) : SLICE_NULL;
}

static struct status status_of(const struct draft *d)
{
    return (struct status){d->info->grpc, d->message, d->retry_ns, d->a->bad_field};
}

/* -- header values; at == NULL: not sent -- */

static struct slice content_type(struct draft *d)
{
    if (d->a->kind == ANSWER_PREFLIGHT)
        return SLICE_NULL;
    if (d->grpc)
        return SLICE_LIT("application/grpc");
    return d->json ? SLICE_LIT("application/json") : SLICE_LIT("application/x-protobuf");
}

static struct slice date(struct draft *d)
{
    return slice_str(d->date);
}

/* Whole seconds, rounded up, at least 1, and only where clients look for it (R209, R212). */
static struct slice retry_after(struct draft *d)
{
    if (d->grpc || d->retry_ns == 0 || (d->info->http != 429 && d->info->http != 503))
        return SLICE_NULL;
    return printed(d, "%llu", (d->retry_ns + NS_PER_S - 1) / NS_PER_S);
}

static struct slice authenticate(struct draft *d)
{
    return !d->grpc && d->info->http == 401 ? SLICE_LIT("Bearer") : SLICE_NULL;
}

static struct slice allow(struct draft *d)
{
    if (d->a->outcome != OUTCOME_NOT_POST)
        return SLICE_NULL;
    return cors_is_on(d->req) ? SLICE_LIT("POST, OPTIONS") : SLICE_LIT("POST");
}

/* What would have been understood (R84, R170). */
static struct slice codings(struct draft *d)
{
    return d->a->outcome == OUTCOME_UNSUPPORTED_CODING ? coding_list(&d->req->arena, d->grpc)
                                                       : SLICE_NULL;
}

static struct slice accept_encoding(struct draft *d)
{
    return d->grpc ? SLICE_NULL : codings(d);
}

static struct slice grpc_accept_encoding(struct draft *d)
{
    return d->grpc ? codings(d) : SLICE_NULL;
}

/* Trailers-Only: the status of a failure stands in the first block (R188). */
static struct slice grpc_status(struct draft *d)
{
    return d->grpc && d->info->grpc != 0 ? printed(d, "%llu", (unsigned long long)d->info->grpc)
                                         : SLICE_NULL;
}

static struct slice grpc_message(struct draft *d)
{
    return d->grpc && d->info->grpc != 0
               ? grpc_message_value(&d->req->arena, d->message, MESSAGE_MAX)
               : SLICE_NULL;
}

static struct slice grpc_details(struct draft *d)
{
    if (!d->grpc || d->info->grpc == 0)
        return SLICE_NULL;
    struct buf b = BUF_INIT;
    struct status s = status_of(d);
    status_encode(&b, &s);
    struct slice value = b.failed ? SLICE_NULL : grpc_binary_value(&d->req->arena, buf_slice(&b));
    buf_release(&b);
    return value;
}

/* The only place where the Python SDK looks (R205). */
static struct slice grpc_retry_info(struct draft *d)
{
    if (!d->grpc || d->retry_ns == 0)
        return SLICE_NULL;
    struct buf b = BUF_INIT;
    status_encode_retry_info(&b, d->retry_ns);
    struct slice value = b.failed ? SLICE_NULL : grpc_binary_value(&d->req->arena, buf_slice(&b));
    buf_release(&b);
    return value;
}

/* -- for browsers (R287, R288) -- */

static struct slice allow_origin(struct draft *d)
{
    return cors_origin(d->req);
}

/* Caches must not give one origin's answer to another. */
static struct slice vary(struct draft *d)
{
    return cors_is_on(d->req) ? SLICE_LIT("Origin") : SLICE_NULL;
}

static struct slice expose_headers(struct draft *d)
{
    return d->a->kind == ANSWER_EXPORT && cors_origin(d->req).len > 0 ? SLICE_LIT("Retry-After")
                                                                      : SLICE_NULL;
}

static bool preflight_passes(struct draft *d)
{
    return d->a->kind == ANSWER_PREFLIGHT && cors_origin(d->req).len > 0;
}

static struct slice allow_methods(struct draft *d)
{
    return preflight_passes(d) ? SLICE_LIT("POST") : SLICE_NULL;
}

static struct slice allow_headers(struct draft *d)
{
    struct slice headers = preflight_passes(d) ? cors_headers(d->req) : SLICE_NULL;
    return headers.len > 0 ? headers : SLICE_NULL;
}

static struct slice max_age(struct draft *d)
{
    uint64_t age = d->req->loop->snapshot->conf->router.cors.max_age;
    return preflight_passes(d) ? printed(d, "%llu", age / NS_PER_S) : SLICE_NULL;
}

static const struct {
    const char *name;
    struct slice (*value)(struct draft *d);
} response_headers[] = {
    {"content-type", content_type},
    {"date", date},
    {"retry-after", retry_after},
    {"www-authenticate", authenticate},
    {"allow", allow},
    {"accept-encoding", accept_encoding},
    {"grpc-accept-encoding", grpc_accept_encoding},
    {"grpc-status", grpc_status},
    {"grpc-message", grpc_message},
    {"grpc-status-details-bin", grpc_details},
    {"google.rpc.retryinfo-bin", grpc_retry_info},
    {"access-control-allow-origin", allow_origin},
    {"vary", vary},
    {"access-control-expose-headers", expose_headers},
    {"access-control-allow-methods", allow_methods},
    {"access-control-allow-headers", allow_headers},
    {"access-control-max-age", max_age},
};

/* -- the body -- */

static void write_body(struct draft *d, struct buf *out)
{
    struct status s = status_of(d);
    if (d->a->outcome != OUTCOME_ACCEPTED)
        (d->json ? status_json : status_encode)(out, &s);
    else
        (d->json ? response_json : response_encode)(out, d->req->signal, d->a->rejected,
                                                    d->message);
}

static void write_grpc_body(struct draft *d, struct response *ret)
{
    uint8_t prefix[5] = {0};
    if (d->a->outcome != OUTCOME_ACCEPTED)
        return;
    ret->grpc_ok = true;
    buf_append(&ret->body, prefix, sizeof(prefix));
    if (d->a->kind == ANSWER_HEALTH)
        buf_append_slice(&ret->body, d->a->payload);
    else
        response_encode(&ret->body, d->req->signal, d->a->rejected, d->message);
    if (!ret->body.failed)
        grpc_prefix(ret->body.at, ret->body.len - sizeof(prefix)); /* R181 */
}

/* The media type of the request, without parameters (R97, R98); JSON when it has none that we
 * speak (R119). */
static bool answers_json(const struct request *req)
{
    struct slice type = request_header(req, "content-type");
    const uint8_t *parameters = type.len ? memchr(type.at, ';', type.len) : NULL;
    if (parameters != NULL)
        type.len = (size_t)(parameters - type.at);
    return !slice_ieq(slice_trim(type), SLICE_LIT("application/x-protobuf"));
}

/* A delay is told where a client may wait for it: over gRPC with UNAVAILABLE alone (R201-R204). */
static uint64_t retry_delay(const struct answer *a, const struct outcome_info *info)
{
    if (!info->retryable || info->grpc != GRPC_UNAVAILABLE)
        return 0;
    return a->retry_delay_ns ? a->retry_delay_ns : DEFAULT_RETRY_NS;
}

static void draft_message(struct draft *d)
{
    const char *text = d->a->message ? d->a->message : d->info->text;
    size_t len = strlen(text);
    if (len > MESSAGE_MAX)
        for (len = MESSAGE_MAX; len > 0 && ((uint8_t)text[len] & 0xC0) == 0x80;)
            len--;
    memcpy(d->message, text, len);
    d->message[len] = 0;
}

static int page_build(struct request *req, const struct answer_page *page, const char *date_value,
                      struct response *ret)
{
    const struct header headers[] = {
        {SLICE_LIT("content-type"), slice_str(page->type)},
        {SLICE_LIT("date"), slice_str(date_value)},
        {SLICE_LIT("cache-control"), SLICE_LIT("no-store")},
        {SLICE_LIT("allow"), page->allow ? slice_str(page->allow) : SLICE_NULL},
        {SLICE_LIT("retry-after"), page->status == 429 ? SLICE_LIT("1") : SLICE_NULL},
    };
    *ret = (struct response){.body = BUF_INIT, .status = page->status};
    ret->without_body = slice_eq(req->method, SLICE_LIT("HEAD"));
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        if (headers[i].value.at != NULL)
            ret->headers[ret->n_headers++] = headers[i];
    buf_append_slice(&ret->body, page->body);
    if (!ret->body.failed)
        return 0;
    buf_release(&ret->body);
    return -ENOMEM;
}

int response_build(struct request *req, const struct answer *a, const char *date_value,
                   struct response *ret)
{
    struct draft d = {.req = req, .a = a, .info = &outcome_info[a->outcome], .date = date_value};
    d.grpc = req->kind == REQUEST_GRPC;
    d.post = slice_eq(req->method, SLICE_LIT("POST"));
    d.json = answers_json(req);
    d.retry_ns = retry_delay(a, d.info);
    draft_message(&d);
    *ret = (struct response){.body = BUF_INIT};
    if (a->page != NULL)
        return page_build(req, a->page, date_value, ret);
    ret->status = d.grpc && d.post ? 200 : d.info->http; /* R184, R137 */
    ret->without_body = slice_eq(req->method, SLICE_LIT("HEAD"));
    for (size_t i = 0; i < sizeof(response_headers) / sizeof(response_headers[0]); i++) {
        struct slice value = response_headers[i].value(&d);
        if (value.at != NULL)
            ret->headers[ret->n_headers++] =
                (struct header){slice_str(response_headers[i].name), value};
    }
    if (a->kind == ANSWER_PREFLIGHT)
        ret->status = 204;
    else if (d.grpc)
        write_grpc_body(&d, ret);
    else
        write_body(&d, &ret->body);
    if (!ret->body.failed)
        return 0;
    buf_release(&ret->body);
    return -ENOMEM;
}
