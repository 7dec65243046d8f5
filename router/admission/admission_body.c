/* What the whole body decides: it becomes the bytes of a record, or is refused. */
#include "router/admission/admission_steps.h"

#include "base/log.h"
#include "otlp/json_transcode.h"
#include "otlp/scan.h"
#include "router/coding/coding.h"

/* From here on we have answer_timeout, unless the call's own deadline comes first. It is counted
 * from here and not from the headers because it is Kafka's time: a slow upload has body_timeout. */
static bool set_deadline(struct request *req, struct refusal *why)
{
    uint64_t now_ns = req->loop->now_ns;
    uint64_t ours_ns = now_ns + req->snapshot->conf->router.answer_timeout;
    if (req->own_deadline && req->deadline_ns <= now_ns)
        return refuse(why, OUTCOME_DEADLINE);
    if (!req->own_deadline || ours_ns < req->deadline_ns) {
        req->deadline_ns = ours_ns;
        req->own_deadline = false;
    }
    return true;
}

static bool decompress_body(struct request *req, struct refusal *why)
{
    static const enum outcome outcomes[] = {
        [DECOMPRESS_CORRUPT] = OUTCOME_BAD_COMPRESSION,
        [DECOMPRESS_TOO_LARGE] = OUTCOME_TOO_LARGE_DECOMPRESSED,
        [DECOMPRESS_NO_MEMORY] = OUTCOME_OVERLOADED,
    };
    struct buf plain = BUF_INIT_CEILING(req->snapshot->conf->router.max_decompressed);
    enum decompress_status status =
        coding_decompress(&req->loop->decompressor, req->coding, req->kind == REQUEST_GRPC,
                          buf_slice(&req->body), &plain);
    if (status != DECOMPRESS_OK) {
        buf_release(&plain);
        return refuse(why, outcomes[status]);
    }
    req->bytes = plain.len;
    return replace_body(req, plain, why);
}

static bool decompress(struct request *req, struct refusal *why)
{
    if (req->kind == REQUEST_GRPC) {
        if (!req->grpc_compressed)
            return true;
        if (req->coding == CODING_IDENTITY)
            return refuse(why, OUTCOME_COMPRESSED_WITHOUT_CODING);
        if (req->coding == CODING_UNSUPPORTED)
            return refuse_coding(req, why);
    }
    return req->coding == CODING_IDENTITY || decompress_body(req, why);
}

/* An uncompressed body is a decompressed one, too (R86). */
static bool size_fits(struct request *req, struct refusal *why)
{
    return req->body.len <= req->snapshot->conf->router.max_decompressed ||
           refuse(why, OUTCOME_TOO_LARGE_DECOMPRESSED);
}

static bool refuse_json(struct request *req, const struct json_error *error, struct refusal *why)
{
    refuse_text(why, OUTCOME_MALFORMED, "the body is not a valid %s request: %s at byte %zu, in %s",
                signal_info[req->signal].name, error->text, error->at, error->field);
    why->bad_field = arena_strdup(&req->arena, slice_str(error->field));
    return false;
}

/* From here on the body is protobuf, whatever it came as. */
static bool transcode(struct request *req, struct refusal *why)
{
    if (!req->json)
        return true;
    struct buf protobuf = BUF_INIT_CEILING(req->snapshot->conf->router.max_decompressed);
    struct json_error error;
    enum json_status status = json_transcode(req->signal, buf_slice(&req->body), &protobuf, &error);
    if (status == JSON_OK) {
        req->bytes = protobuf.len;
        return replace_body(req, protobuf, why);
    }
    buf_release(&protobuf);
    if (status == JSON_MALFORMED)
        return refuse_json(req, &error, why);
    return refuse(why,
                  status == JSON_TOO_LARGE ? OUTCOME_TOO_LARGE_DECOMPRESSED : OUTCOME_OVERLOADED);
}

/* R262: they belong to profiles; who sends them elsewhere loses keys or values. */
static void tell_string_indexes(const struct request *req, uint64_t n)
{
    if (n > 0)
        log_repeated(LOG_WARN, "string indexes outside of profiles are taken as absent",
                     req->tenant->id, log_str("tenant", req->tenant->id),
                     log_str("signal", signal_info[req->signal].name), log_u64("indexes", n));
}

static bool scan(struct request *req, struct refusal *why)
{
    const struct scan_limits limits = request_ceilings(req->snapshot->conf);
    struct scan_result found = {0};
    enum scan_status status = scan_request(req->signal, buf_slice(&req->body), &limits, &found);
    req->items = found.items;
    switch (status) {
    case SCAN_OK:
        tell_string_indexes(req, found.string_indexes);
        plan_split(req, &found);
        return true;
    case SCAN_TOO_MANY_ITEMS:
        return refuse_text(why, OUTCOME_TOO_MANY_ITEMS, "%s: at most %llu",
                           outcome_info[OUTCOME_TOO_MANY_ITEMS].text,
                           (unsigned long long)limits.items);
    case SCAN_TOO_MANY_EXPANDED:
        return refuse_text(why, OUTCOME_TOO_MANY_EXPANDED, "%s: at most %llu bytes",
                           outcome_info[OUTCOME_TOO_MANY_EXPANDED].text,
                           (unsigned long long)limits.expanded_bytes);
    case SCAN_MALFORMED:
        break;
    }
    refuse_text(why, OUTCOME_MALFORMED, "the body is not a valid %s request: %s at byte %zu%s%s",
                signal_info[req->signal].name, found.error, found.error_at,
                found.field ? ", in " : "", found.field ? found.field : "");
    why->bad_field = found.field;
    return false;
}

bool check_body(struct request *req, struct refusal *why)
{
    static step_fn *const steps[] = {
        set_deadline, decompress, size_fits, transcode, scan, limit_payload,
    };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (!steps[i](req, why))
            return false;
    return true;
}
