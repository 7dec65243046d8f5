/* What became of a run: counts, latencies, the summary for people and as JSON, and the progress
 * line. */
#ifndef CLI_SEND_REPORT_H
#define CLI_SEND_REPORT_H

#include "base/buf.h"
#include "cli/send/send_answer.h"

#include <stdio.h>

#define SEND_REASONS       32 /* kinds of refusals told apart; the rest are one */
#define SEND_LATENCY_CELLS 2048

/* Refusals of one kind. */
struct send_reason {
    int http_status, grpc_status;
    uint64_t attempts, items;
    char message[256]; /* of the first */
};

struct send_report {
    uint64_t start_ns, end_ns; /* monotonic */
    uint64_t wanted;           /* items in all; 0 = as many as fit in the time */
    uint64_t requests, items;  /* begun */
    uint64_t attempts;         /* ended, and how: */
    uint64_t acked_attempts, refused_attempts, unknown_attempts;
    /* Items by their final fate: taken, rejected within a taken request, given up. */
    uint64_t acked, rejected, dropped;
    uint64_t bytes;            /* of bodies */
    uint64_t behind_ns;        /* most that a request started after its time */
    char unknown_message[256]; /* of the last attempt without an answer */
    struct send_reason reasons[SEND_REASONS];
    unsigned reason_count;
    uint64_t latency[SEND_LATENCY_CELLS]; /* acked attempts, by latency_cell() */
    uint64_t latency_max_ns;
};

void send_report_attempt(struct send_report *r, const struct send_answer *a, uint32_t items,
                         uint64_t latency_ns);
/* The request has its final answer, or none is waited for any more (`a` NULL). */
void send_report_final(struct send_report *r, const struct send_answer *a, uint32_t items);

/* Every item begun was taken. */
bool send_report_all_acked(const struct send_report *r);
/* The latency that the part `p` (0.5, 0.99) of the acked attempts stayed within, to 3 %. */
uint64_t send_report_latency_ns(const struct send_report *r, double p);

/* One line that overwrites itself; `in_flight` requests. */
void send_report_progress(const struct send_report *r, uint64_t now_ns, unsigned in_flight,
                          FILE *to);
void send_report_text(const struct send_report *r, struct buf *out);
void send_report_json(const struct send_report *r, const char *run, struct buf *out);

#endif
