/* What the headers alone decide, cheapest and most general first. */
#include "router/admission/admission_steps.h"

#include "base/clock.h"
#include "router/admission/key_carrier.h"
#include "router/coding/coding.h"
#include "router/metrics.h"
#include "router/net/tls_client.h"
#include "tenancy/keys/key_runtime.h"

static bool not_draining(struct request *req, struct refusal *why)
{
    return !atomic_load(&req->loop->router->draining) || refuse(why, OUTCOME_DRAINING);
}

/* --- route, method, media type (R55-R69, R131-R141) ------------------------------------------ */

static enum signal signal_of_path(struct slice path, bool grpc)
{
    int i = 0;
    while (i < SIGNAL_COUNT &&
           !slice_eq(path, slice_str(grpc ? signal_info[i].grpc_path : signal_info[i].http_path)))
        i++;
    return (enum signal)i;
}

bool is_signal_path(struct slice path)
{
    return signal_of_path(path, false) != SIGNAL_COUNT;
}

static bool find_route(struct request *req, struct refusal *why)
{
    bool grpc = req->kind == REQUEST_GRPC;
    if (grpc && req->http1)
        return refuse(why, OUTCOME_GRPC_OVER_HTTP1);
    req->signal = signal_of_path(req->path, grpc);
    req->routed = req->signal != SIGNAL_COUNT;
    if (req->routed)
        return true;
    if (grpc)
        return refuse(why, OUTCOME_UNKNOWN_METHOD);
    if (signal_of_path(req->path, true) != SIGNAL_COUNT) /* R141 */
        return refuse(why, OUTCOME_UNSUPPORTED_TYPE);
    return refuse(why, OUTCOME_UNKNOWN_PATH);
}

static bool is_post(struct request *req, struct refusal *why)
{
    return slice_eq(req->method, SLICE_LIT("POST")) || refuse(why, OUTCOME_NOT_POST);
}

static bool known_media_type(struct request *req, struct refusal *why)
{
    struct slice type = request_header(req, "content-type");
    const uint8_t *semicolon = type.len ? memchr(type.at, ';', type.len) : NULL;
    if (semicolon != NULL)
        type.len = (size_t)(semicolon - type.at);
    type = slice_trim(type);
    if (req->kind == REQUEST_GRPC) {
        if (slice_ieq(type, SLICE_LIT("application/grpc")) ||
            slice_ieq(type, SLICE_LIT("application/grpc+proto")))
            return true;
        return refuse_text(why, OUTCOME_UNSUPPORTED_TYPE,
                           "gRPC messages are read as protobuf: Content-Type must be "
                           "application/grpc or application/grpc+proto");
    }
    req->json = slice_ieq(type, SLICE_LIT("application/json"));
    return req->json || slice_ieq(type, SLICE_LIT("application/x-protobuf")) ||
           refuse(why, OUTCOME_UNSUPPORTED_TYPE);
}

/* --- coding (R71-R84, R164-R170) -------------------------------------------------------------- */

bool refuse_coding(struct request *req, struct refusal *why)
{
    return refuse_text(why, OUTCOME_UNSUPPORTED_CODING, "%s: supported are %.*s",
                       outcome_info[OUTCOME_UNSUPPORTED_CODING].text,
                       SLICE_ARG(coding_list(&req->arena, req->kind == REQUEST_GRPC)));
}

/* One name of a list of codings, on top of those before it: two at once are not supported (R83). */
static enum coding add_coding(enum coding before, struct slice name, bool grpc)
{
    enum coding c = coding_named(name, grpc);
    if (c == CODING_IDENTITY)
        return before;
    return before == CODING_IDENTITY ? c : CODING_UNSUPPORTED;
}

static enum coding add_codings(enum coding before, struct slice list, bool grpc)
{
    while (list.len > 0) {
        const uint8_t *comma = memchr(list.at, ',', list.len);
        size_t n = comma ? (size_t)(comma - list.at) : list.len;
        before = add_coding(before, slice_trim(slice_of(list.at, n)), grpc);
        n += comma != NULL;
        list = slice_of(list.at + n, list.len - n);
    }
    return before;
}

/* An unknown coding of a gRPC call is refused only when its message uses it (R165, R170). */
static bool known_coding(struct request *req, struct refusal *why)
{
    bool grpc = req->kind == REQUEST_GRPC;
    struct slice wanted = slice_str(grpc ? "grpc-encoding" : "content-encoding");
    enum coding coding = CODING_IDENTITY;
    for (size_t i = 0; i < req->n_headers; i++)
        if (slice_eq(req->headers[i].name, wanted))
            coding = add_codings(coding, req->headers[i].value, grpc);
    req->coding = coding;
    return coding != CODING_UNSUPPORTED || grpc || refuse_coding(req, why);
}

/* --- key and tenant (R278-R285) --------------------------------------------------------------- */

/* The outcome that a sender cannot tell from the others (R284). */
static bool refuse_key(struct request *req, enum auth_verdict verdict, struct refusal *why)
{
    if (verdict == AUTH_REVOKED || verdict == AUTH_EXPIRED)
        key_count_refused(req->key->runtime, req->received_ns / NS_PER_S);
    req->tenant = NULL; /* who could not prove it is nobody */
    req->key = NULL;
    router_count_auth(verdict);
    return refuse(why, verdict == AUTH_MISSING      ? OUTCOME_NO_KEY
                       : verdict == AUTH_UNREADABLE ? OUTCOME_KEYS_UNREADABLE
                                                    : OUTCOME_BAD_KEY);
}

bool authenticate(struct request *req, struct refusal *why)
{
    struct slice key;
    enum carried carried = carried_key(
        req->headers, req->n_headers, &req->snapshot->conf->router.key_carriers, &req->arena, &key);
    /* Whatever it is, the same work is done. */
    enum auth_verdict verdict = snapshot_authenticate(
        req->snapshot, key, req->received_ns / NS_PER_S, &req->tenant, &req->key);
    if (carried == CARRIED_SEVERAL) /* R283 */
        verdict = AUTH_SEVERAL;
    if (verdict == AUTH_OK && !tls_client_agrees(req->certificate, req->tenant))
        verdict = AUTH_CERTIFICATE;
    if (verdict != AUTH_OK)
        return refuse_key(req, verdict, why);
    if (req->routed)
        key_count_use(req->key->runtime, req->signal, req->received_ns / NS_PER_S);
    return true;
}

static bool may_send(struct request *req, struct refusal *why)
{
    if (req->tenant->suspended)
        return refuse(why, OUTCOME_SUSPENDED);
    if (req->tenant->unreadable) /* after a start: no earlier content is known */
        return refuse(why, OUTCOME_TENANT_UNREADABLE);
    if (req->key->signals & 1u << req->signal)
        return true;
    router_count_auth(AUTH_SIGNAL);
    return refuse(why, OUTCOME_SIGNAL_FORBIDDEN);
}

/* --- deadline and length (R91, R144-R148) ----------------------------------------------------- */

bool grpc_timeout(struct slice text, uint64_t *ret_ns)
{
    static const struct {
        char unit;
        uint64_t ns;
    } units[] = {{'H', 3600 * NS_PER_S}, {'M', 60 * NS_PER_S}, {'S', NS_PER_S},
                 {'m', NS_PER_MS},       {'u', NS_PER_US},     {'n', 1}};
    if (text.len < 2 || text.len > 9)
        return false;
    uint64_t n = 0;
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(text.at[i] - '0');
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (units[i].unit != (char)text.at[text.len - 1])
            continue;
        *ret_ns = n > UINT64_MAX / units[i].ns ? UINT64_MAX : n * units[i].ns;
        return true;
    }
    return false;
}

static bool has_time(struct request *req, struct refusal *why)
{
    struct slice text = request_header(req, "grpc-timeout");
    uint64_t timeout_ns;
    if (req->kind != REQUEST_GRPC || text.at == NULL)
        return true;
    if (!grpc_timeout(text, &timeout_ns))
        return refuse(why, OUTCOME_BAD_TIMEOUT);
    bool ever = timeout_ns < UINT64_MAX - req->arrived_ns;
    req->own_deadline = ever;
    req->deadline_ns = ever ? req->arrived_ns + timeout_ns : 0;
    return !ever || req->deadline_ns > req->loop->now_ns || refuse(why, OUTCOME_DEADLINE);
}

static bool announced_fits(struct request *req, struct refusal *why)
{
    uint64_t most = req->snapshot->conf->router.max_body;
    most += req->kind == REQUEST_GRPC ? 5 : 0; /* the message's prefix */
    return req->content_length == UINT64_MAX || req->content_length <= most ||
           refuse(why, OUTCOME_TOO_LARGE);
}

bool check_headers(struct request *req, struct refusal *why)
{
    static step_fn *const steps[] = {
        not_draining, find_route, is_post,  known_media_type, known_coding,
        authenticate, may_send,   has_time, announced_fits,   limit_requests,
    };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (!steps[i](req, why))
            return false;
    return true;
}
