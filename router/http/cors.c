#include "router/http/cors.h"

#include "tenancy/tenancy.h"

static const struct cors_conf *conf_of(const struct request *req)
{
    return &req->loop->snapshot->conf->router.cors;
}

bool cors_is_on(const struct request *req)
{
    return req->kind == REQUEST_HTTP && conf_of(req)->origins.n > 0;
}

/* A pattern is an origin in which one star stands for anything. */
static bool matches(struct slice pattern, struct slice origin)
{
    const uint8_t *star = pattern.len ? memchr(pattern.at, '*', pattern.len) : NULL;
    if (star == NULL)
        return slice_ieq(pattern, origin);
    size_t before = (size_t)(star - pattern.at), after = pattern.len - before - 1;
    return origin.len >= before + after &&
           slice_ieq(slice_of(pattern.at, before), slice_of(origin.at, before)) &&
           slice_ieq(slice_of(star + 1, after), slice_of(origin.at + origin.len - after, after));
}

struct slice cors_origin(const struct request *req)
{
    if (!cors_is_on(req))
        return SLICE_NULL;
    struct slice origin = request_header(req, "origin");
    const struct option_strings *allowed = &conf_of(req)->origins;
    for (size_t i = 0; i < allowed->n && origin.len > 0; i++)
        if (matches(slice_str(allowed->at[i]), origin))
            return origin;
    return SLICE_NULL;
}

bool cors_is_preflight(const struct request *req)
{
    return cors_is_on(req) && slice_eq(req->method, SLICE_LIT("OPTIONS")) &&
           request_header(req, "origin").len > 0 &&
           request_header(req, "access-control-request-method").len > 0;
}

struct slice cors_headers(struct request *req)
{
    const struct option_strings *headers = &conf_of(req)->headers;
    if (headers->n == 0)
        return request_header(req, "access-control-request-headers");
    struct buf list = BUF_INIT;
    for (size_t i = 0; i < headers->n; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", headers->at[i]);
    bool ok = true;
    struct slice copy = arena_copy(&req->arena, buf_slice(&list), &ok);
    buf_release(&list);
    return ok ? copy : SLICE_NULL;
}
