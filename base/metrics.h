/* Counters, gauges and histograms, shown as Prometheus text (exposition format 0.0.4).
 *
 * A metric is a row of a table (name, kind, help, labels); a series of it is one value for one set
 * of label values. Series are made off the hot path, with a ceiling (METRICS_MAX_SERIES, the
 * refused ones are counted in tenantry_metric_series_refused_total); updates are one relaxed
 * atomic add into a per-thread cell (cells: METRICS_SHARDS, a thread always uses the same one) and
 * are summed when read. Thread: any, unless said otherwise. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/buf.h"

#define METRICS_SHARDS     8
#define METRICS_MAX_SERIES 200000
#define METRICS_MAX_LABELS 4
#define METRICS_BUCKETS                                                                            \
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {
    const char *name; /* "tenantry_requests_total" */
    enum metric_kind kind;
    const char *help;
    const char *labels[METRICS_MAX_LABELS]; /* names; NULL ends them */
};

struct metric_series; /* opaque; lives until the process ends */

/* Finds or makes the series of `m` (a static row) for these label values (as many as m->labels,
 * copied). Locks: the registry's. Never NULL: past the ceiling all further sets share one hidden
 * series. Bytes that are not UTF-8 are replaced, and a value is cut at 256 bytes. */
struct metric_series *metric_series(const struct metric *m, const char *const *values);
/* Counter: adds. Gauge: sets (`metric_set`). Histogram: one observation, in seconds (upper bounds
 * of its buckets: METRICS_BUCKETS). */
void metric_add(struct metric_series *s, uint64_t n);
void metric_set(struct metric_series *s, double value);
void metric_observe(struct metric_series *s, double seconds);
/* A counter's sum, a gauge's whole part, how many a histogram observed. */
uint64_t metric_read(struct metric_series *s);
/* The upper bound, in seconds, that so much (0-1) of what a histogram observed did not exceed;
 * negative = nothing was observed, or it is above all bounds. */
double metric_quantile(struct metric_series *s, double part);
/* Appends all series as Prometheus text. Takes no lock, so that a scrape delays nobody. */
void metrics_write(struct buf *out);
/* Forgets all series of tables with this label value, e.g. when a tenant is removed: they are no
 * longer written nor count against the ceiling; the handles stay valid. Asking for such a series
 * again shows it again, counting from 0. Locks: the registry's. */
void metrics_forget(const char *label, const char *value);

#endif
