#include "router/http/health.h"

#include "otlp/wire.h"
#include "router/http/pages.h"
#include "router/router.h"

bool health_is_check(const struct request *req)
{
    return req->kind == REQUEST_GRPC && !req->http1 &&
           slice_eq(req->path, SLICE_LIT("/grpc.health.v1.Health/Check"));
}

/* HealthCheckRequest: string service = 1. */
static bool asked_service(struct slice message, struct slice *ret)
{
    struct wire w = wire_of(message);
    struct wire_field f;
    *ret = SLICE_NULL;
    while (wire_next(&w, &f))
        if (f.number == 1 && f.type == WIRE_BYTES)
            *ret = f.bytes;
    return w.error == NULL;
}

/* The whole server, or one of the services: the path of a method is /<service>/Export. */
static bool is_known(struct slice service)
{
    if (service.len == 0)
        return true;
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        struct slice path = slice_str(signal_info[s].grpc_path);
        if (path.len == service.len + strlen("//Export") &&
            slice_eq(slice_of(path.at + 1, service.len), service))
            return true;
    }
    return false;
}

void health_check(const struct request *req, struct answer *a)
{
    static const struct slice serving = {(const uint8_t *)"\x08\x01", 2};
    static const struct slice not_serving = {(const uint8_t *)"\x08\x02", 2};
    struct slice service;
    if (req->grpc_compressed)
        a->outcome = OUTCOME_UNSUPPORTED_CODING;
    else if (!asked_service(buf_slice(&req->body), &service))
        a->outcome = OUTCOME_MALFORMED;
    else if (!is_known(service))
        a->outcome = OUTCOME_UNKNOWN_SERVICE;
    a->kind = ANSWER_HEALTH;
    a->payload = router_not_ready(req->loop->router) ? not_serving : serving;
}
