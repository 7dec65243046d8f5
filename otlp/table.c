#include "otlp/table.h"

#define ROW(table, id, name, type, source) {name, type, source},
static const struct column logs_columns[] = {LOGS_COLUMNS(ROW)};
static const struct column traces_columns[] = {TRACES_COLUMNS(ROW)};
static const struct column gauge_columns[] = {GAUGE_COLUMNS(ROW)};
static const struct column sum_columns[] = {SUM_COLUMNS(ROW)};
static const struct column histogram_columns[] = {HISTOGRAM_COLUMNS(ROW)};
static const struct column exp_histogram_columns[] = {EXP_HISTOGRAM_COLUMNS(ROW)};
static const struct column summary_columns[] = {SUMMARY_COLUMNS(ROW)};
#undef ROW

_Static_assert(EXP_HISTOGRAM_COLUMN_COUNT <= TABLE_MAX_COLUMNS, "TABLE_MAX_COLUMNS is too small");

const struct table_info table_info[TABLE_COUNT] = {
#define ROW(id, name, signal, columns)                                                             \
    {name, SIGNAL_##signal, columns, sizeof(columns) / sizeof((columns)[0])},
    TABLES(ROW)
#undef ROW
};
