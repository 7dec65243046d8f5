#include "cli/send/send_report.h"

#include "base/clock.h"
#include "base/json.h"

#include <inttypes.h>

/* Cells of latency in microseconds, as in HDR histograms: 32 per power of two, so each is at most
 * 3 % wide; the first 32 are exact. */
#define CELLS_PER_OCTAVE 32
#define OCTAVE_BITS      5

static size_t latency_cell(uint64_t ns)
{
    uint64_t us = ns / NS_PER_US;
    if (us < CELLS_PER_OCTAVE)
        return (size_t)us;
    unsigned shift = 63u - (unsigned)__builtin_clzll(us) - OCTAVE_BITS;
    return (size_t)((uint64_t)(shift << OCTAVE_BITS) + (us >> shift));
}

static uint64_t cell_top_ns(size_t cell)
{
    if (cell < CELLS_PER_OCTAVE)
        return cell * NS_PER_US;
    size_t shift = (cell >> OCTAVE_BITS) - 1;
    uint64_t us = (((cell & (CELLS_PER_OCTAVE - 1)) + CELLS_PER_OCTAVE + 1) << shift) - 1;
    return us * NS_PER_US;
}

uint64_t send_report_latency_ns(const struct send_report *r, double p)
{
    uint64_t seen = 0, rank = (uint64_t)((double)r->acked_attempts * p + 0.5);
    for (size_t cell = 0; cell < SEND_LATENCY_CELLS; cell++) {
        seen += r->latency[cell];
        if (seen > 0 && seen >= rank) {
            uint64_t top = cell_top_ns(cell);
            return top < r->latency_max_ns ? top : r->latency_max_ns;
        }
    }
    return r->latency_max_ns;
}

static void count_refusal(struct send_report *r, const struct send_answer *a, uint32_t items)
{
    unsigned i = 0;
    while (i < r->reason_count && i < SEND_REASONS - 1 &&
           (r->reasons[i].http_status != a->http_status ||
            r->reasons[i].grpc_status != a->grpc_status))
        i++;
    struct send_reason *reason = &r->reasons[i];
    if (i == r->reason_count) {
        r->reason_count++;
        reason->http_status = a->http_status;
        reason->grpc_status = a->grpc_status;
        memcpy(reason->message, a->message, sizeof(reason->message));
    }
    reason->attempts++;
    reason->items += items;
}

void send_report_attempt(struct send_report *r, const struct send_answer *a, uint32_t items,
                         uint64_t latency_ns)
{
    r->attempts++;
    switch (send_answer_outcome(a)) {
    case SEND_ACKED:
        r->acked_attempts++;
        r->latency[latency_cell(latency_ns)]++;
        if (latency_ns > r->latency_max_ns)
            r->latency_max_ns = latency_ns;
        break;
    case SEND_REFUSED:
        r->refused_attempts++;
        count_refusal(r, a, items);
        break;
    case SEND_UNKNOWN:
        r->unknown_attempts++;
        memcpy(r->unknown_message, a->message, sizeof(r->unknown_message));
        break;
    }
}

void send_report_final(struct send_report *r, const struct send_answer *a, uint32_t items)
{
    if (a == NULL || send_answer_outcome(a) != SEND_ACKED) {
        r->dropped += items;
        return;
    }
    uint64_t rejected = a->rejected < items ? a->rejected : items;
    r->rejected += rejected;
    r->acked += items - rejected;
}

bool send_report_all_acked(const struct send_report *r)
{
    return r->acked == r->items && (r->wanted == 0 || r->acked == r->wanted);
}

static double seconds_of(const struct send_report *r, uint64_t now_ns)
{
    return now_ns > r->start_ns ? (double)(now_ns - r->start_ns) / NS_PER_S : 1e-9;
}

void send_report_progress(const struct send_report *r, uint64_t now_ns, unsigned in_flight,
                          FILE *to)
{
    double seconds = seconds_of(r, now_ns);
    fprintf(to, "\r\033[K%5.0f s  %" PRIu64, seconds, r->acked);
    if (r->wanted != 0)
        fprintf(to, " of %" PRIu64, r->wanted);
    fprintf(to, " acked, %.0f/s, %u in flight", (double)r->acked / seconds, in_flight);
    if (r->refused_attempts + r->unknown_attempts != 0)
        fprintf(to, ", %" PRIu64 " refused, %" PRIu64 " unanswered", r->refused_attempts,
                r->unknown_attempts);
    fflush(to);
}

static void text_reasons(const struct send_report *r, struct buf *out)
{
    for (unsigned i = 0; i < r->reason_count; i++) {
        const struct send_reason *reason = &r->reasons[i];
        buf_printf(out, "refused     %" PRIu64 " attempts: ", reason->attempts);
        if (reason->grpc_status != SEND_NO_GRPC_STATUS)
            buf_printf(out, "gRPC status %d", reason->grpc_status);
        else
            buf_printf(out, "HTTP status %d", reason->http_status);
        buf_printf(out, "%s%s\n", reason->message[0] ? ", " : "", reason->message);
    }
}

void send_report_text(const struct send_report *r, struct buf *out)
{
    double seconds = seconds_of(r, r->end_ns);
    buf_printf(out, "acked       %" PRIu64 " of %" PRIu64 " items in %" PRIu64 " requests\n",
               r->acked, r->wanted ? r->wanted : r->items, r->requests);
    if (r->rejected != 0)
        buf_printf(out, "rejected    %" PRIu64 " items of requests that were taken\n", r->rejected);
    if (r->dropped != 0)
        buf_printf(out, "given up    %" PRIu64 " items\n", r->dropped);
    text_reasons(r, out);
    if (r->unknown_attempts != 0)
        buf_printf(out, "unanswered  %" PRIu64 " attempts, at last: %s\n", r->unknown_attempts,
                   r->unknown_message);
    buf_printf(out, "took        %.2f s, %.0f items/s, %.1f MB/s\n", seconds,
               (double)r->acked / seconds, (double)r->bytes / seconds / 1e6);
    if (r->acked_attempts != 0)
        buf_printf(out, "latency     p50 %.1f ms, p99 %.1f ms, longest %.1f ms\n",
                   (double)send_report_latency_ns(r, 0.5) / NS_PER_MS,
                   (double)send_report_latency_ns(r, 0.99) / NS_PER_MS,
                   (double)r->latency_max_ns / NS_PER_MS);
    if (r->behind_ns > NS_PER_S / 2)
        buf_printf(out, "behind      %.1f s at worst: more --concurrency holds a --rate\n",
                   (double)r->behind_ns / NS_PER_S);
}

static void json_reasons(const struct send_report *r, struct buf *out)
{
    buf_append_str(out, ",\"refused\":[");
    for (unsigned i = 0; i < r->reason_count; i++) {
        const struct send_reason *reason = &r->reasons[i];
        buf_printf(out, "%s{\"status\":%d", i ? "," : "", reason->http_status);
        if (reason->grpc_status != SEND_NO_GRPC_STATUS)
            buf_printf(out, ",\"grpc_status\":%d", reason->grpc_status);
        buf_printf(out,
                   ",\"attempts\":%" PRIu64 ",\"items\":%" PRIu64 ",\"message\":", reason->attempts,
                   reason->items);
        json_string(out, slice_str(reason->message));
        buf_append_str(out, "}");
    }
    buf_append_str(out, "]");
}

void send_report_json(const struct send_report *r, const char *run, struct buf *out)
{
    double seconds = seconds_of(r, r->end_ns);
    buf_append_str(out, "{\"run\":");
    json_string(out, slice_str(run));
    buf_printf(out,
               ",\"all_acked\":%s,\"items\":%" PRIu64 ",\"acked\":%" PRIu64 ",\"rejected\":%" PRIu64
               ",\"given_up\":%" PRIu64,
               send_report_all_acked(r) ? "true" : "false", r->items, r->acked, r->rejected,
               r->dropped);
    buf_printf(out,
               ",\"requests\":%" PRIu64 ",\"attempts\":%" PRIu64 ",\"acked_attempts\":%" PRIu64
               ",\"refused_attempts\":%" PRIu64 ",\"unknown_attempts\":%" PRIu64,
               r->requests, r->attempts, r->acked_attempts, r->refused_attempts,
               r->unknown_attempts);
    json_reasons(r, out);
    buf_printf(out, ",\"bytes\":%" PRIu64 ",\"seconds\":%.3f,\"items_per_second\":%.1f", r->bytes,
               seconds, (double)r->acked / seconds);
    buf_printf(out,
               ",\"latency_ms\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f},\"behind_ms\":%.1f}\n",
               (double)send_report_latency_ns(r, 0.5) / NS_PER_MS,
               (double)send_report_latency_ns(r, 0.99) / NS_PER_MS,
               (double)r->latency_max_ns / NS_PER_MS, (double)r->behind_ns / NS_PER_MS);
}
