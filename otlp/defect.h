/* Why an item of a valid request is rejected alone (R232, R267, R268, R270): one row each; the
 * metric's reason label and the text a sender sees come from here.
 *
 * Links and exemplars count because the Collector, reading our topics, refuses a whole record for
 * one id of a wrong length. Log records are never rejected: their ids may be anything (R264).
 * Number points without a value are kept: such is the marker of a series that ended.
 *
 * TOO_LARGE is not seen by the scanner but by who makes records (split.h). */
#ifndef OTLP_DEFECT_H
#define OTLP_DEFECT_H

/* id, reason label, what is wrong with the item */
#define DEFECTS(ROW)                                                                               \
    ROW(TRACE_ID, "trace_id", "trace_id is not 16 bytes, or all of them are zero")                 \
    ROW(SPAN_ID, "span_id", "span_id is not 8 bytes, or all of them are zero")                     \
    ROW(PARENT_ID, "parent_span_id", "parent_span_id is neither empty nor 8 bytes")                \
    ROW(LINK_TRACE_ID, "link_trace_id", "the trace_id of a link is neither empty nor 16 bytes")    \
    ROW(LINK_SPAN_ID, "link_span_id", "the span_id of a link is neither empty nor 8 bytes")        \
    ROW(TIME, "time", "time_unix_nano is missing or 0")                                            \
    ROW(BUCKETS, "buckets",                                                                        \
        "there are bucket_counts, and not one more of them than explicit_bounds")                  \
    ROW(EXEMPLAR_TRACE_ID, "exemplar_trace_id",                                                    \
        "the trace_id of an exemplar is neither empty nor 16 bytes")                               \
    ROW(EXEMPLAR_SPAN_ID, "exemplar_span_id",                                                      \
        "the span_id of an exemplar is neither empty nor 8 bytes")                                 \
    ROW(TOO_LARGE, "too_large", "with its resource and scope it is larger than one record may be")

enum defect {
#define ROW(id, ...) DEFECT_##id,
    DEFECTS(ROW)
#undef ROW
        DEFECT_COUNT
};

/* In a set of defects. */
#define DEFECT_BIT(id) (1u << DEFECT_##id)

struct defect_info {
    const char *reason, *text;
};
extern const struct defect_info defect_info[DEFECT_COUNT];

#endif
