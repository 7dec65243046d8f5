/* Data points to rows of the five metric tables. Private to otlp/decode_metrics.c. */
#ifndef OTLP_DECODE_POINTS_H
#define OTLP_DECODE_POINTS_H

#include "otlp/decode_walk.h"

/* One row from one data point; `blank` holds what its metric says. */
typedef enum decode_status decode_point_fn(struct decoder *d, enum table table, struct slice point);

decode_point_fn decode_number_point; /* TABLE_GAUGE, TABLE_SUM */
decode_point_fn decode_histogram_point;
decode_point_fn decode_exp_histogram_point;
decode_point_fn decode_summary_point;

#endif
