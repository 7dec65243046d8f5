#include "cli/send/send_answer.h"

#include "base/clock.h"
#include "otlp/wire.h"

#include <curl/curl.h>
#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* gRPC codes with a meaning of their own here. */
enum { GRPC_OK = 0, GRPC_UNKNOWN = 2, GRPC_RESOURCE_EXHAUSTED = 8, GRPC_LAST = 16 };

#define MAX_DELAY_S   (365 * 24 * 3600u) /* what is longer is not waited for anyway */
#define MAX_BINARY    8192               /* largest -bin value that is read, as base64 */
#define STATUS_PREFIX SLICE_LIT("HTTP/")

void send_answer_init(struct send_answer *a)
{
    *a = (struct send_answer){.grpc_status = SEND_NO_GRPC_STATUS};
}

/* Decimal digits alone; -1 when it is anything else. */
static int64_t number_of(struct slice s)
{
    int64_t n = 0;
    if (s.len == 0 || s.len > 9)
        return -1;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return -1;
        n = n * 10 + (s.at[i] - '0');
    }
    return n;
}

static void set_delay(struct send_answer *a, int64_t seconds, int64_t nanos)
{
    if (seconds < 0 || nanos < 0)
        return;
    uint64_t whole = seconds > MAX_DELAY_S ? MAX_DELAY_S : (uint64_t)seconds;
    a->has_delay = true;
    a->delay_ns = whole * NS_PER_S + (uint64_t)nanos % NS_PER_S;
}

static void set_message(struct send_answer *a, struct slice text)
{
    snprintf(a->message, sizeof(a->message), "%.*s", SLICE_ARG(text));
}

/* Seconds, or a date (RFC 9110 §10.2.3). */
static void read_retry_after(struct send_answer *a, struct slice value)
{
    char text[64];
    int64_t seconds = number_of(value);
    if (seconds < 0) {
        snprintf(text, sizeof(text), "%.*s", SLICE_ARG(value));
        time_t when = curl_getdate(text, NULL);
        if (when < 0)
            return;
        time_t now = time(NULL);
        seconds = when > now ? when - now : 0;
    }
    set_delay(a, seconds, 0);
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-encoded (R186); a '%' that encodes nothing stays. */
static void read_grpc_message(struct send_answer *a, struct slice value)
{
    size_t len = 0;
    for (size_t i = 0; i < value.len && len + 1 < sizeof(a->message); i++) {
        uint8_t c = value.at[i];
        bool encoded = c == '%' && i + 2 < value.len && hex_digit(value.at[i + 1]) >= 0 &&
                       hex_digit(value.at[i + 2]) >= 0;
        if (encoded) {
            c = (uint8_t)(hex_digit(value.at[i + 1]) << 4 | hex_digit(value.at[i + 2]));
            i += 2;
        }
        a->message[len++] = (char)c;
    }
    a->message[len] = 0;
}

/* base64 with or without padding. Returns the length in `out`, or -1. */
static int decode_binary(struct slice value, uint8_t out[MAX_BINARY])
{
    uint8_t padded[MAX_BINARY];
    while (value.len > 0 && value.at[value.len - 1] == '=')
        value.len--;
    size_t missing = (4 - value.len % 4) % 4;
    if (value.len + missing > sizeof(padded) || missing == 3)
        return -1;
    if (value.len > 0)
        memcpy(padded, value.at, value.len);
    memset(padded + value.len, '=', missing);
    int n = EVP_DecodeBlock(out, padded, (int)(value.len + missing));
    return n < 0 ? -1 : n - (int)missing;
}

static void read_retry_info(struct send_answer *a, struct slice message)
{
    Google__Rpc__RetryInfo *info = google__rpc__retry_info__unpack(NULL, message.len, message.at);
    if (info == NULL)
        return;
    if (info->retry_delay != NULL)
        set_delay(a, info->retry_delay->seconds, info->retry_delay->nanos);
    google__rpc__retry_info__free_unpacked(info, NULL);
}

static void read_details(struct send_answer *a, struct slice message)
{
    Google__Rpc__Status *status = google__rpc__status__unpack(NULL, message.len, message.at);
    if (status == NULL)
        return;
    for (size_t i = 0; i < status->n_details; i++) {
        const Google__Protobuf__Any *any = status->details[i];
        if (strcmp(any->type_url, "type.googleapis.com/google.rpc.RetryInfo") == 0)
            read_retry_info(a, slice_of(any->value.data, any->value.len));
    }
    google__rpc__status__free_unpacked(status, NULL);
}

static void read_status_line(struct send_answer *a, struct slice line)
{
    send_answer_init(a);
    const uint8_t *space = memchr(line.at, ' ', line.len);
    if (space != NULL && line.at + line.len - space >= 4) {
        int64_t status = number_of(slice_of(space + 1, 3));
        a->http_status = status < 0 ? 0 : (int)status;
    }
}

static void read_field(struct send_answer *a, struct slice name, struct slice value)
{
    uint8_t bytes[MAX_BINARY];
    if (slice_ieq(name, SLICE_LIT("grpc-status"))) {
        int64_t status = number_of(value);
        a->grpc_status = status < 0 || status > GRPC_LAST ? GRPC_UNKNOWN : (int)status;
    } else if (slice_ieq(name, SLICE_LIT("grpc-message"))) {
        read_grpc_message(a, value);
    } else if (slice_ieq(name, SLICE_LIT("retry-after"))) {
        read_retry_after(a, value);
    } else if (slice_ieq(name, SLICE_LIT("content-type"))) {
        a->is_protobuf = slice_ieq(value, SLICE_LIT("application/x-protobuf"));
        a->is_grpc = slice_starts(value, SLICE_LIT("application/grpc"));
    } else if (slice_ieq(name, SLICE_LIT("google.rpc.retryinfo-bin"))) {
        int n = decode_binary(value, bytes);
        if (n >= 0)
            read_retry_info(a, slice_of(bytes, (size_t)n));
    } else if (slice_ieq(name, SLICE_LIT("grpc-status-details-bin"))) {
        int n = decode_binary(value, bytes);
        if (n >= 0)
            read_details(a, slice_of(bytes, (size_t)n));
    }
}

void send_answer_header(struct send_answer *a, struct slice line)
{
    while (line.len > 0 && (line.at[line.len - 1] == '\n' || line.at[line.len - 1] == '\r'))
        line.len--;
    if (slice_starts(line, STATUS_PREFIX)) {
        read_status_line(a, line);
        return;
    }
    const uint8_t *colon = line.len ? memchr(line.at, ':', line.len) : NULL;
    if (colon == NULL)
        return;
    struct slice name = slice_of(line.at, (size_t)(colon - line.at));
    struct slice value = slice_of(colon + 1, line.len - name.len - 1);
    read_field(a, slice_trim(name), slice_trim(value));
}

/* ExportPartialSuccess: the same numbers in all signals. */
static void read_partial_success(struct send_answer *a, struct slice message)
{
    struct wire w = wire_of(message);
    struct wire_field f;
    while (wire_next(&w, &f)) {
        if (f.number == 1 && f.type == WIRE_VARINT && (int64_t)f.value > 0)
            a->rejected = f.value;
        else if (f.number == 2 && f.type == WIRE_BYTES)
            set_message(a, f.bytes);
    }
}

static void read_response(struct send_answer *a, struct slice message)
{
    struct wire w = wire_of(message);
    struct wire_field f;
    while (wire_next(&w, &f))
        if (f.number == 1 && f.type == WIRE_BYTES)
            read_partial_success(a, f.bytes);
}

/* google.rpc.Status, or whatever else came. */
static void read_error(struct send_answer *a, struct slice body)
{
    struct wire w = wire_of(body);
    struct wire_field f;
    if (!a->is_protobuf) {
        set_message(a, body);
        return;
    }
    while (wire_next(&w, &f))
        if (f.number == 2 && f.type == WIRE_BYTES)
            set_message(a, f.bytes);
}

/* What a call without grpc-status means, by its HTTP status (gRPC's http-grpc-status-mapping). */
static int grpc_of_http(int status)
{
    switch (status) {
    case 400:
        return 13;
    case 401:
        return 16;
    case 403:
        return 7;
    case 404:
        return 12;
    case 429:
    case 502:
    case 503:
    case 504:
        return 14;
    default:
        return GRPC_UNKNOWN;
    }
}

void send_answer_body(struct send_answer *a, enum send_protocol protocol, struct slice body)
{
    a->answered = true;
    if (protocol == SEND_HTTP) {
        a->grpc_status = SEND_NO_GRPC_STATUS;
        if (a->http_status != 200)
            read_error(a, body);
        else if (a->is_protobuf)
            read_response(a, body);
        return;
    }
    /* libcurl takes the connection's end for that of the answer, and trailers that come along with
     * GOAWAY are lost in it. */
    if (a->grpc_status == SEND_NO_GRPC_STATUS && a->is_grpc && a->http_status == 200) {
        send_answer_none(a, "the connection was lost before the end of the answer");
        return;
    }
    if (a->grpc_status == SEND_NO_GRPC_STATUS)
        a->grpc_status = grpc_of_http(a->http_status);
    if (a->grpc_status == GRPC_OK && body.len > 5)
        read_response(a, slice_of(body.at + 5, body.len - 5));
}

void send_answer_none(struct send_answer *a, const char *why)
{
    send_answer_init(a);
    snprintf(a->message, sizeof(a->message), "%s", why);
}

enum send_outcome send_answer_outcome(const struct send_answer *a)
{
    if (!a->answered)
        return SEND_UNKNOWN;
    bool taken = a->grpc_status == SEND_NO_GRPC_STATUS ? a->http_status / 100 == 2
                                                       : a->grpc_status == GRPC_OK;
    return taken ? SEND_ACKED : SEND_REFUSED;
}

bool send_answer_may_retry(const struct send_answer *a)
{
    if (send_answer_outcome(a) != SEND_REFUSED)
        return !a->answered;
    if (a->grpc_status == SEND_NO_GRPC_STATUS)
        return a->http_status == 429 || a->http_status == 502 || a->http_status == 503 ||
               a->http_status == 504;
    switch (a->grpc_status) {
    case 1:  /* CANCELLED */
    case 4:  /* DEADLINE_EXCEEDED */
    case 10: /* ABORTED */
    case 11: /* OUT_OF_RANGE */
    case 14: /* UNAVAILABLE */
    case 15: /* DATA_LOSS */
        return true;
    case GRPC_RESOURCE_EXHAUSTED:
        return a->has_delay;
    default:
        return false;
    }
}

const char *send_outcome_name(enum send_outcome outcome)
{
    static const char *const names[] = {"acked", "refused", "unknown"};
    return names[outcome];
}
