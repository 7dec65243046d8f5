#include "router/admission/request.h"

#include "router/admission/admission.h"
#include "tenancy/tenancy.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define SLOWEST_BODY 1024 /* bytes/s */
/* What a header costs beside its bytes, as HTTP/2 counts it (RFC 9113 §10.5.1). */
#define HEADER_OVERHEAD 32

struct request *request_new(struct loop *l, const struct transport_ops *transport, void *stream)
{
    struct request *req = calloc(1, sizeof(*req));
    if (req == NULL)
        return NULL;
    req->loop = l;
    req->transport = transport;
    req->stream = stream;
    req->refs = 1;
    req->content_length = UINT64_MAX;
    req->arrived_ns = l->now_ns;
    req->received_ns = clock_wall_ns();
    req->body.ceiling = l->snapshot->conf->router.max_body;
    return req;
}

void request_ref(struct request *req)
{
    req->refs++;
}

void request_unref(struct request *req)
{
    assert(req->refs > 0);
    if (--req->refs > 0)
        return;
    admission_release(req);
    arena_release(&req->arena);
    free(req);
}

uint64_t request_body_due(const struct request *req)
{
    uint64_t timeout = req->loop->snapshot->conf->router.body_timeout;
    uint64_t due_ns = req->loop->now_ns + timeout;
    uint64_t slowest_ns = req->arrived_ns + timeout + req->body.len * (NS_PER_S / SLOWEST_BODY);
    return slowest_ns < due_ns ? slowest_ns : due_ns;
}

int request_add_header(struct request *req, struct slice name, struct slice value)
{
    req->header_bytes += name.len + value.len + HEADER_OVERHEAD;
    if (req->n_headers == REQUEST_MAX_HEADERS ||
        req->header_bytes > req->loop->snapshot->conf->router.max_header_bytes)
        return -E2BIG;
    uint8_t *at = arena_alloc(&req->arena, name.len + value.len + 1);
    if (at == NULL)
        return -E2BIG;
    for (size_t i = 0; i < name.len; i++)
        at[i] = (uint8_t)tolower(name.at[i]);
    if (value.len != 0)
        memcpy(at + name.len, value.at, value.len);
    req->headers[req->n_headers++] =
        (struct header){slice_of(at, name.len), slice_of(at + name.len, value.len)};
    return 0;
}

struct slice request_header(const struct request *req, const char *name)
{
    struct slice wanted = slice_str(name);
    for (size_t i = 0; i < req->n_headers; i++)
        if (slice_eq(req->headers[i].name, wanted))
            return req->headers[i].value;
    return SLICE_NULL;
}
