/* One made-up item of each signal: what send_build.c puts together. Everything in an item but the
 * attempt follows from the run and its seq. */
#ifndef CLI_SEND_ITEM_H
#define CLI_SEND_ITEM_H

#include "cli/send/send_build.h"

/* Encoded attributes are kept per field number: it differs between log records, spans and the kinds
 * of data points, and is below 16 in all, so that keys are one byte. */
#define SEND_FIELDS   16
#define SEND_VARIANTS 16

struct send_builder {
    const struct send_content *content; /* borrowed */
    uint64_t seed;                      /* from the run's name: other runs have other ids */
    struct buf resource, scope;         /* as field 1 of the message around them */
    struct buf attributes[SEND_FIELDS][SEND_VARIANTS]; /* all but the numeric stamps */
};

struct send_item {
    const struct send_builder *sb;
    uint64_t seq, attempt, time_ns;
    uint64_t hash; /* of run and seq */
};

/* A well-mixed number of `n`, never 0. */
uint64_t send_mix(uint64_t n);
/* The attributes as repeated KeyValue `field`, stamps included. */
void send_item_attributes(const struct send_item *item, uint32_t field, struct buf *out);
/* 16 bytes; items of one trace share it. 8 bytes. Never all zero. */
struct send_trace_id {
    uint8_t bytes[16];
};
struct send_span_id {
    uint8_t bytes[8];
};
struct send_trace_id send_item_trace(const struct send_item *item, uint64_t trace);
struct send_span_id send_item_span(const struct send_item *item, uint64_t seq);

/* Spans of a trace are neighbours: seq / SEND_TRACE_SPANS is the trace, its first span the root. */
#define SEND_TRACE_SPANS 5

/* Append LogRecord's and Span's content. */
void send_log_record(const struct send_item *item, struct buf *out);
void send_span(const struct send_item *item, struct buf *out);
/* The five kinds of metrics take turns: seq % SEND_METRIC_KINDS. Append a metric's name, unit and
 * description; open its data (close with pb_close after the points); append one data point. */
#define SEND_METRIC_KINDS 5
void send_metric_head(unsigned kind, struct buf *out);
size_t send_metric_open(unsigned kind, struct buf *out);
void send_data_point(const struct send_item *item, unsigned kind, struct buf *out);

#endif
