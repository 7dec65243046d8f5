/* The scanner's verdicts and counts, a row per case. R-numbers are rules of OTLP conformance; that
 * the scanner agrees with protobuf-c at large is test_scan_oracle.c. */
#include "tests/base/unit.h"

#include "otlp/scan.h"
#include "tests/otlp/notation.h"

#define ID16   "'0123456789abcdef'"
#define ID8    "'01234567'"
#define ZERO16 "{~00000000000000000000000000000000}"
#define ZERO8  "{~0000000000000000}"
#define T      SIGNAL_TRACES
#define M      SIGNAL_METRICS
#define L      SIGNAL_LOGS

/* Requests with one resource, one scope and what is given. */
#define LOG(fields)       "1{2{2{" fields "}}}"
#define SPAN(fields)      "1{2{2{1" ID16 " 2" ID8 " " fields "}}}"
#define METRIC(fields)    "1{2{2{" fields "}}}"
#define GAUGE(fields)     METRIC("5{1{" fields "}}")
#define HISTOGRAM(fields) METRIC("9{1{3@1 " fields "}}")

static enum scan_status scan_text(enum signal signal, const char *text, struct scan_result *ret)
{
    struct slice body = wire_text(text);
    enum scan_status status = scan_request(signal, body, NULL, ret);
    free((void *)(uintptr_t)body.at);
    return status;
}

struct row {
    int line;
    enum signal signal;
    const char *text;
    int items; /* -1: malformed */
};

static void check_rows(const struct row *rows, size_t n)
{
    for (const struct row *row = rows; row < rows + n; row++) {
        struct scan_result r;
        enum scan_status status = scan_text(row->signal, row->text, &r);
        if (row->items < 0) {
            check_row(row->line, status == SCAN_MALFORMED, "status %d", status);
            check_row(row->line, r.error != NULL && r.field != NULL, "no reason");
        } else {
            check_row(row->line, status == SCAN_OK, "%s in %s", r.error, r.field);
            check_row(row->line, r.items == (uint64_t)row->items, "%d items", (int)r.items);
        }
    }
}

#define CHECK(...)                                                                                 \
    do {                                                                                           \
        static const struct row rows[] = {__VA_ARGS__};                                            \
        check_rows(rows, COUNT(rows));                                                             \
    } while (0)

static void empty_requests(void **state)
{
    (void)state;
    CHECK({__LINE__, T, "", 0}, {__LINE__, M, "1{}", 0}, {__LINE__, L, "1{2{}}", 0},
          {__LINE__, M, METRIC(""), 0}, {__LINE__, M, METRIC("1'name' 5{}"), 0},
          {__LINE__, L, LOG(""), 1});
}

static void R214_unknown_fields_are_skipped(void **state)
{
    (void)state;
    CHECK({__LINE__, L, "99=1 99@1 99%1 99'x' 99(1=1) " LOG(""), 1},
          {__LINE__, L, LOG("99=-1 99@1 99%1 99'x' 99(1(2=3) 4'y')"), 1},
          {__LINE__, L, LOG("4=1 4'reserved' 17@1 536870911(5%1)"), 1},
          {__LINE__, L, LOG("6{1'k' 2{99(1=1)} 99(2=2)}"), 1}, {__LINE__, L, LOG("~9b06 1=1"), -1});
}

static void R216_fields_in_any_order(void **state)
{
    (void)state;
    CHECK({__LINE__, L, "1{3'url' 2{3'url' 2{5{1'b'} 1@1} 1{1's'}} 1{2=1}}", 1},
          {__LINE__, L, LOG("1@1 2=9 1@2 2=10 3'a' 3'b'"), 1},
          {__LINE__, L, LOG("6{2{1'v'} 1'k'}"), 1});
}

static void R217_singular_messages_are_merged(void **state)
{
    (void)state;
    CHECK({__LINE__, L, "1{1{2=1} 1{1{1'k'}} 2{1{1's'} 1{2'v'} 2{5{1'a'} 5{3=1}}}}", 1},
          {__LINE__, M, METRIC("5{1{}} 5{1{} 1{}}"), 3},
          {__LINE__, M, METRIC("7{1{}} 7{2=1 3=1}"), 1});
}

static void R218_last_member_of_a_oneof_counts(void **state)
{
    (void)state;
    CHECK({__LINE__, M, METRIC("5{1{} 1{}} 7{1{}}"), 1},
          {__LINE__, M, METRIC("5{1{} 1{}} 7{1{}} 5{1{}}"), 1},
          {__LINE__, M, METRIC("5{1{} 1{}} 11{}"), 0}, {__LINE__, M, GAUGE("4@1 6@1 4@2"), 1},
          {__LINE__, L, LOG("5{1'a' 3=1 6{1{1'k'}} 4@1}"), 1},
          /* a member that does not count must be valid all the same */
          {__LINE__, M, METRIC("5{1{4=1}} 7{1{}}"), -1});
}

static void R219_packed_and_unpacked_mix(void **state)
{
    (void)state;
    CHECK({__LINE__, M, METRIC("9{1{6@1 6'12345678' 6'' 6'1234567812345678' 6@2}}"), 1},
          {__LINE__, M, METRIC("9{1{7'12345678' 7@1}}"), 1},
          {__LINE__, M, METRIC("9{1{6'1234567'}}"), -1}, {__LINE__, M, METRIC("9{1{6=1}}"), -1},
          {__LINE__, M, METRIC("10{1{8{2=1 2{~01ff7f00} 2{} 2=-1}}}"), 1},
          {__LINE__, M, METRIC("10{1{8{2{~01ff}}}}"), -1},
          {__LINE__, M, METRIC("10{1{9{2{*10 ~ff} }}}"), -1},
          {__LINE__, M, METRIC("10{1{9{2@1}}}"), -1},
          /* not a repeated field: one value only */
          {__LINE__, M, GAUGE("4'12345678'"), -1}, {__LINE__, L, LOG("2'1'"), -1});
}

static void R220_varints_of_up_to_ten_bytes(void **state)
{
    (void)state;
    CHECK({__LINE__, L, LOG("2=-1 7=-1"), 1}, {__LINE__, L, LOG("5{3=-1}"), 1},
          {__LINE__, L, LOG("~10 ~ffffffffffffffffff7f"), 1},
          {__LINE__, L, LOG("~10 ~ffffffffffffffffffff01"), -1},
          {__LINE__, L, LOG("6{1'k' 2{~18 ~ffffffffffffffffff7f}}"), 1},
          {__LINE__, L, LOG("6{1'k' 2{~18 ~ffffffffffffffffffff01}}"), -1},
          {__LINE__, L, LOG("~1a"), -1});
}

static void R221_R222_R223_any_number_is_valid(void **state)
{
    (void)state;
    CHECK({__LINE__, M, METRIC("10{1{6=-1 8{1=4294967295}}}"), 1},              /* sint32 */
          {__LINE__, M, METRIC("7{3=2}"), 0}, {__LINE__, L, LOG("5{2=-1}"), 1}, /* bool */
          {__LINE__, T, SPAN("6=77 15{3=-5}"), 1}, {__LINE__, L, LOG("2=1000"), 1} /* enum */);
}

static void R224_R225_R226_numbers_of_fixed_width(void **state)
{
    (void)state;
    CHECK({__LINE__, M, METRIC("9{1{4@-1 5@0 11@0 12@-1}}"), 1},
          {__LINE__, M, METRIC("10{1{5@0 12@0 13@0 14@0}}"), 1},
          {__LINE__, M, METRIC("11{1{4@-1 5@0 6{1@0 2@-1} 8=1}}"), 1},
          {__LINE__, M, GAUGE("4@9221120237041090560"), 1}, /* a NaN */
          {__LINE__, L, LOG("8%1 1@-1"), 1}, {__LINE__, L, LOG("8@1"), -1});
}

static void R227_malformed(void **state)
{
    (void)state;
    CHECK({__LINE__, L, "0=1", -1}, {__LINE__, L, LOG("0'x'"), -1},
          {__LINE__, L, LOG("536870912=1"), -1}, {__LINE__, L, LOG("~0e00"), -1},
          {__LINE__, L, LOG("~67"), -1}, {__LINE__, L, LOG("~0c"), -1},
          {__LINE__, L, LOG("99(~0c)"), -1}, {__LINE__, L, LOG("~3205"), -1},
          {__LINE__, L, "~0a7f", -1}, {__LINE__, L, "~0affffffffffffffff7f", -1},
          {__LINE__, L, LOG("6{1'k' ~120a ~0a08616263}"), -1},
          {__LINE__, L, LOG("6{1'k' 2{~0a0161 ~62}}"), -1},
          {__LINE__, L, LOG("6{1'k' 2{~21 ~01020304050607}}"), -1},
          {__LINE__, L, LOG("6{1'k' 2{~21}}"), -1}, {__LINE__, L, LOG("6{1'k' 2{~0a}}"), -1},
          {__LINE__, L, LOG("6{1'k' 2{~10}}"), -1}, {__LINE__, L, LOG("6{1'k' 2{~1880}}"), -1},
          {__LINE__, L, "~08", -1});
}

static void R228_wrong_wire_type_is_malformed(void **state)
{
    (void)state;
    CHECK({__LINE__, L, "1=1", -1}, {__LINE__, L, "1{1=1}", -1}, {__LINE__, L, "1{2@1}", -1},
          {__LINE__, L, "1{2{2%1}}", -1}, {__LINE__, L, LOG("1=1"), -1},
          {__LINE__, L, LOG("1%1"), -1}, {__LINE__, L, LOG("5(1=1)"), -1},
          {__LINE__, L, LOG("6=1"), -1}, {__LINE__, L, LOG("9@1"), -1},
          {__LINE__, L, LOG("6{1=1}"), -1}, {__LINE__, L, LOG("6{2{2@1}}"), -1},
          {__LINE__, L, LOG("6{1'k' 2{4=1}}"), -1}, {__LINE__, T, SPAN("16@1"), -1});
}

/* `levels` messages in each other, in a log body. */
static void nest(struct buf *b, unsigned levels)
{
    struct buf inner = BUF_INIT;
    for (unsigned level = levels; level > 0; level--) {
        static const uint64_t by_level[] = {0, 1, 2, 2, 5}; /* request to LogRecord.body */
        /* below: AnyValue.array_value, ArrayValue.values, in turn */
        uint64_t number = level < 5 ? by_level[level] : level % 2 ? 5 : 1;
        buf_clear(b);
        if (level < levels)
            put_bytes(b, number, buf_slice(&inner));
        buf_clear(&inner);
        buf_append_slice(&inner, buf_slice(b));
    }
    buf_release(&inner);
}

static void R229_depth_is_bounded(void **state)
{
    (void)state;
    static const struct {
        int line;
        unsigned levels;
        enum scan_status status;
    } rows[] = {
        {__LINE__, 5, SCAN_OK},
        {__LINE__, 100, SCAN_OK},
        {__LINE__, SCAN_MAX_DEPTH, SCAN_OK},
        {__LINE__, SCAN_MAX_DEPTH + 1, SCAN_MALFORMED},
        {__LINE__, 20000, SCAN_MALFORMED},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b = BUF_INIT;
        struct scan_result r;
        nest(&b, rows[i].levels);
        enum scan_status status = scan_request(L, buf_slice(&b), NULL, &r);
        check_row(rows[i].line, status == rows[i].status, "%s", r.error ? r.error : "");
        check_row(rows[i].line, status == SCAN_OK || strstr(r.error, "deep"), "%s", r.error);
        buf_release(&b);
    }
}

/* The shortcut for plain attributes counts levels, too: a body of arrays in each other, then of
 * lists of one attribute. */
static void R229_depth_of_attributes(void **state)
{
    (void)state;
    for (unsigned arrays = 0; arrays < 3; arrays++)
        for (unsigned lists = 38; lists < 44; lists++) {
            char text[4096], *end = text + sprintf(text, "1{2{2{5{");
            for (unsigned i = 0; i < arrays; i++) /* ArrayValue, AnyValue */
                end += sprintf(end, "5{1{");
            for (unsigned i = 0; i < lists; i++) /* KeyValueList, KeyValue, AnyValue */
                end += sprintf(end, "6{1{1'k' 2{");
            end += sprintf(end, "1'v'");
            for (unsigned i = 0; i < 4 + 2 * arrays + 3 * lists; i++)
                end += sprintf(end, "}");
            unsigned levels = 5 + 2 * arrays + 3 * lists;
            struct scan_result r;
            assert_int_equal(scan_text(L, text, &r),
                             levels <= SCAN_MAX_DEPTH ? SCAN_OK : SCAN_MALFORMED);
        }
}

static void R230_claimed_lengths_cost_nothing(void **state)
{
    (void)state;
    CHECK({__LINE__, M, METRIC("9{1{~32ffffffff07}}"), -1},
          {__LINE__, L, "1{2{~12ffffffffffffffff7f}}", -1});
}

static void R231_strings_need_not_be_utf8(void **state)
{
    (void)state;
    CHECK({__LINE__, L, LOG("3'\xff\xfe' 5{1'\xc3'} 6{1'\x80' 2{1'\xed\xa0\x80'}}"), 1},
          {__LINE__, T, SPAN("5'\xff'"), 1});
}

static void R232_R267_R268_bad_items_are_counted(void **state)
{
    (void)state;
    static const struct {
        int line;
        enum signal signal;
        const char *text;
        unsigned items, bad_items;
    } rows[] = {
        {__LINE__, T, SPAN(""), 1, 0},
        {__LINE__, T, SPAN("4" ID8), 1, 0},
        {__LINE__, T, SPAN("4''"), 1, 0},
        {__LINE__, T, SPAN("4'0123'"), 1, 1},
        {__LINE__, T, SPAN("1'short'"), 1, 1},
        {__LINE__, T, SPAN("1'short' 1" ID16), 1, 0}, /* the last one counts */
        {__LINE__, T, SPAN("2''"), 1, 1},
        {__LINE__, T, "1{2{2{} 2{1" ID16 "} 2{2" ID8 "} 2{1" ID16 " 2" ID8 "}}}", 4, 3},
        {__LINE__, T, SPAN("1'short' 2'short' 4'short'"), 1, 1}, /* items, not ids */
        {__LINE__, T, SPAN("13{1" ID16 " 2" ID8 "} 13{}"), 1, 0},
        {__LINE__, T, SPAN("13{1" ID16 " 2'x'}"), 1, 1},
        {__LINE__, L, LOG(""), 1, 0},
        {__LINE__, L, LOG("9" ID16 " 10" ID8), 1, 0},
        {__LINE__, L, LOG("9'' 10''"), 1, 0},
        {__LINE__, L, LOG("9" ID8), 1, 0}, /* R264 */
        {__LINE__, L, LOG("10'x'"), 1, 0},
        {__LINE__, L, LOG("9{~00} 10{~00}"), 1, 0},
        {__LINE__, T, SPAN("1" ZERO16), 1, 1}, /* all zero */
        {__LINE__, T, SPAN("2" ZERO8), 1, 1},
        {__LINE__, T, SPAN("4" ZERO8), 1, 0},                    /* a root, said oddly */
        {__LINE__, T, SPAN("13{1" ZERO16 " 2" ZERO8 "}"), 1, 0}, /* a link to nowhere */
        {__LINE__, M, GAUGE(""), 1, 1},                          /* R267 */
        {__LINE__, M, GAUGE("3@0"), 1, 1},
        {__LINE__, M, GAUGE("3@0 3@1"), 1, 0}, /* the last one counts */
        {__LINE__, M, GAUGE("3@1 3@0"), 1, 1},
        {__LINE__, M, GAUGE("2@1"), 1, 1},
        {__LINE__, M, METRIC("7{1{} 1{3@1}}"), 2, 1},
        {__LINE__, M, METRIC("10{1{} 1{3@1}}"), 2, 1},
        {__LINE__, M, METRIC("11{1{} 1{3@1}}"), 2, 1},
        {__LINE__, M, GAUGE("3@1 8=1"), 1, 0}, /* no recorded value */
        {__LINE__, M, GAUGE("3@1 5{4" ID8 " 5" ID16 "}"), 1, 0},
        {__LINE__, M, GAUGE("3@1 5{4" ID16 "} 5{5'x'}"), 1, 1},
        {__LINE__, M, METRIC("10{1{3@1 11{5'x'}}}"), 1, 1},
        {__LINE__, M, HISTOGRAM(""), 1, 0}, /* R268 */
        {__LINE__, M, HISTOGRAM("6@1"), 1, 0},
        {__LINE__, M, HISTOGRAM("6''"), 1, 0},
        {__LINE__, M, HISTOGRAM("6@1 6@2 7@3"), 1, 0},
        {__LINE__, M, HISTOGRAM("6'0123456701234567' 7'01234567'"), 1, 0},
        {__LINE__, M, HISTOGRAM("6'0123456701234567' 7'01234567' 6@1"), 1, 1},
        {__LINE__, M, HISTOGRAM("6'0123456701234567' 7@1 6@1 7'01234567'"), 1, 0},
        {__LINE__, M, HISTOGRAM("6@1 6@1"), 1, 1},
        {__LINE__, M, HISTOGRAM("7@1"), 1, 0}, /* bounds of buckets that nobody counted */
        {__LINE__, M, HISTOGRAM("6@1 7@1"), 1, 1},
        {__LINE__, M, METRIC("9{1{3@1 6@1 6@1} 1{3@1 7@1}}"), 2, 1}, /* each for itself */
        {__LINE__, M, METRIC("5{1{3@1 5{4'x'}}} 7{1{3@1}}"), 1, 0},  /* not what counts (R218) */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scan_result r;
        enum scan_status status = scan_text(rows[i].signal, rows[i].text, &r);
        check_row(rows[i].line, status == SCAN_OK, "%s", r.error);
        check_row(rows[i].line, r.items == rows[i].items, "%u items", (unsigned)r.items);
        check_row(rows[i].line, r.bad_items == rows[i].bad_items, "%u bad", (unsigned)r.bad_items);
    }
}

static void R262_string_indexes_are_counted(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *text;
        unsigned indexes;
    } rows[] = {
        {__LINE__, LOG("5{1'v'} 6{1'k' 2{1'v'}}"), 0},
        {__LINE__, LOG("5{8=3}"), 1},
        {__LINE__, LOG("6{3=1 2{8=2}}"), 2},
        {__LINE__, LOG("6{1'k' 2{5{1{8=0}}}}"), 1},
        {__LINE__, "1{1{1{3=1}} 2{1{3{3=1}} 2{}}}", 2},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scan_result r;
        check_row(rows[i].line, scan_text(L, rows[i].text, &r) == SCAN_OK, "%s", r.error);
        check_row(rows[i].line, r.string_indexes == rows[i].indexes, "%u",
                  (unsigned)r.string_indexes);
    }
}

static void R269_old_library_list_is_skipped(void **state)
{
    (void)state;
    CHECK({__LINE__, T, "1{1000{1{1'library'} 2{}}}", 0}, {__LINE__, L, "1{1000'x' 2{2{}}}", 1},
          {__LINE__, M, "1{1000{} 2{2{5{1{}}}} 1000=1}", 1});
}

static void counts_and_expanded_bytes(void **state)
{
    (void)state;
    static const struct {
        int line;
        enum signal signal;
        const char *text;
        unsigned resources, scopes, items, expanded;
    } rows[] = {
        {__LINE__, L, "", 0, 0, 0, 0},
        {__LINE__, L, "1{1{2=1}} 1{2{} 2{}}", 2, 2, 0, 0}, /* nothing is shared by no items */
        {__LINE__, L, LOG(""), 1, 1, 1, 2},                /* key and length */
        {__LINE__, L, LOG("3'ab'"), 1, 1, 1, 6},
        /* resource of 4 bytes, scope of 5, two items of 2 */
        {__LINE__, L, "1{1{2=1} 2{1{1'a'} 2{} 2{}}}", 1, 1, 2, 22},
        {__LINE__, L, "1{2{2{} 2{} 1{1'a'}} 1{2=1}}", 1, 1, 2, 22}, /* told late */
        {__LINE__, L, "1{1{2=1} 2{2{}} 1{2=1}}", 1, 1, 1, 10},      /* told twice */
        {__LINE__, L, "1{3'abcd' 2{3'ab' 2{}}}", 1, 1, 1, 12},      /* schema URLs */
        {__LINE__, L, "1{1{2=1} 2{2{}} 2{2{}}} 1{2{2{}}}", 2, 3, 3, 14},
        {__LINE__, L, "1{9'unknown' 2{9'unknown' 2{}}}", 1, 1, 1, 2}, /* no row has them */
        /* a metric's name of 4 bytes, temporality of 2, points of 2 */
        {__LINE__, M, METRIC("1'na' 7{1{} 1{} 2=1}"), 1, 1, 2, 16},
        {__LINE__, M, METRIC("7{2=1 1{}} 7{1{} 1{}} 12{}"), 1, 1, 3, 14},
        {__LINE__, M, METRIC("5{1{} 1{} 1{}} 7{1{}} 1'na'"), 1, 1, 1, 6},
        {__LINE__, T, "1{2{1{} 2{1" ID16 " 2" ID8 "}}}", 1, 1, 1, 32},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scan_result r;
        enum scan_status status = scan_text(rows[i].signal, rows[i].text, &r);
        check_row(rows[i].line, status == SCAN_OK, "%s", r.error);
        check_row(rows[i].line, r.resources == rows[i].resources, "%u", (unsigned)r.resources);
        check_row(rows[i].line, r.scopes == rows[i].scopes, "%u", (unsigned)r.scopes);
        check_row(rows[i].line, r.items == rows[i].items, "%u", (unsigned)r.items);
        check_row(rows[i].line, r.expanded_bytes == rows[i].expanded, "%u",
                  (unsigned)r.expanded_bytes);
    }
}

static void errors_name_place_and_field(void **state)
{
    (void)state;
    static const struct {
        int line;
        enum signal signal;
        const char *text;
        unsigned at;
        const char *field, *error;
    } rows[] = {
        {__LINE__, T, "~07", 0, "ExportTraceServiceRequest", "wire type 6 or 7"},
        {__LINE__, T, "1=1", 1, "ExportTraceServiceRequest.resource_spans", "wrong wire type"},
        {__LINE__, L, "1{2{2{1=1}}}", 7, "LogRecord.time_unix_nano", "wrong wire type"},
        {__LINE__, L, "1{2{~12 ~05}}", 5, "ScopeLogs.log_records",
         "length runs past the end of its message"},
        {__LINE__, L, "1{2{2{99=1 ~ff}}}", 9, "ScopeLogs.log_records", "truncated"},
        {__LINE__, L, LOG("6{1'k' 2{~a406}}"), 15, "KeyValue.value", "end-group outside a group"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scan_result r;
        enum scan_status status = scan_text(rows[i].signal, rows[i].text, &r);
        check_row(rows[i].line, status == SCAN_MALFORMED, "%d", status);
        check_row(rows[i].line, strcmp(r.error, rows[i].error) == 0, "%s", r.error);
        check_row(rows[i].line, strcmp(r.field, rows[i].field) == 0, "%s", r.field);
        check_row(rows[i].line, r.error_at == rows[i].at, "%zu", r.error_at);
    }
}

static void ceilings(void **state)
{
    (void)state;
    static const struct {
        int line;
        struct scan_limits limits;
        enum scan_status status;
        unsigned items;
    } rows[] = {
        {__LINE__, {0, 0}, SCAN_OK, 4},
        {__LINE__, {4, 0}, SCAN_OK, 4},
        {__LINE__, {3, 0}, SCAN_TOO_MANY_ITEMS, 4},
        {__LINE__, {1, 0}, SCAN_TOO_MANY_ITEMS, 2}, /* stops there */
        {__LINE__, {0, 24}, SCAN_OK, 4},
        {__LINE__, {0, 23}, SCAN_TOO_MANY_EXPANDED, 4}, /* only the end tells */
        {__LINE__, {0, 5}, SCAN_TOO_MANY_EXPANDED, 3},  /* the items alone */
        {__LINE__, {1, 1}, SCAN_TOO_MANY_EXPANDED, 1},
    };
    struct slice body = wire_text("1{2{2{} 2{}} 2{2{} 2{}} 1{2=1}}");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scan_result r;
        enum scan_status status = scan_request(L, body, &rows[i].limits, &r);
        check_row(rows[i].line, status == rows[i].status, "%d", status);
        check_row(rows[i].line, r.items == rows[i].items, "%u", (unsigned)r.items);
    }
    free((void *)(uintptr_t)body.at);
}

/* 200 KB of items and one resource of 60 KB would be 6 GB of rows. */
static void an_expansion_bomb_is_told(void **state)
{
    (void)state;
    struct buf fat = BUF_INIT, body = BUF_INIT;
    struct scan_limits limits = {.items = 100000, .expanded_bytes = 64000000};
    struct scan_result r;
    while (fat.len < 60000)
        buf_append_byte(&fat, 'x');
    for (int order = 0; order < 2; order++) {
        struct buf resource = BUF_INIT, shared = BUF_INIT;
        struct slice scope = wire_text("2{*100000 2{}}"), attribute;
        put_bytes(&resource, 1, buf_slice(&fat)); /* KeyValue.key */
        put_bytes(&shared, 1, buf_slice(&resource));
        attribute = buf_slice(&shared);
        buf_clear(&resource);
        if (order == 1)
            buf_append_slice(&resource, scope);
        put_bytes(&resource, 1, attribute);
        if (order == 0)
            buf_append_slice(&resource, scope);
        buf_clear(&body);
        put_bytes(&body, 1, buf_slice(&resource));
        assert_true(body.len < 270000);
        assert_int_equal(scan_request(L, buf_slice(&body), &limits, &r), SCAN_TOO_MANY_EXPANDED);
        assert_int_equal(scan_request(L, buf_slice(&body), NULL, &r), SCAN_OK);
        assert_int_equal(r.items, 100000);
        assert_true(r.expanded_bytes > UINT64_C(6000000000));
        free((void *)(uintptr_t)scope.at);
        buf_release(&resource);
        buf_release(&shared);
    }
    buf_release(&fat);
    buf_release(&body);
}

static void a_flood_of_empty_items_stops_early(void **state)
{
    (void)state;
    struct scan_limits limits = {.items = 100000};
    struct slice body = wire_text("1{2{*1000000 2{}}}");
    struct scan_result r;
    assert_int_equal(scan_request(L, body, &limits, &r), SCAN_TOO_MANY_ITEMS);
    assert_int_equal(r.items, 100001);
    assert_int_equal(scan_request(T, body, NULL, &r), SCAN_OK);
    assert_int_equal(r.items, 1000000);
    assert_int_equal(r.bad_items, 1000000);
    assert_int_equal(r.expanded_bytes, 2000000);
    free((void *)(uintptr_t)body.at);
}

static void more_than_2_gib_is_refused_unread(void **state)
{
    (void)state;
    struct scan_result r;
    struct slice body = slice_of("", (size_t)INT32_MAX + 1);
    assert_int_equal(scan_request(L, body, NULL, &r), SCAN_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_requests),
        cmocka_unit_test(R214_unknown_fields_are_skipped),
        cmocka_unit_test(R216_fields_in_any_order),
        cmocka_unit_test(R217_singular_messages_are_merged),
        cmocka_unit_test(R218_last_member_of_a_oneof_counts),
        cmocka_unit_test(R219_packed_and_unpacked_mix),
        cmocka_unit_test(R220_varints_of_up_to_ten_bytes),
        cmocka_unit_test(R221_R222_R223_any_number_is_valid),
        cmocka_unit_test(R224_R225_R226_numbers_of_fixed_width),
        cmocka_unit_test(R227_malformed),
        cmocka_unit_test(R228_wrong_wire_type_is_malformed),
        cmocka_unit_test(R229_depth_is_bounded),
        cmocka_unit_test(R229_depth_of_attributes),
        cmocka_unit_test(R230_claimed_lengths_cost_nothing),
        cmocka_unit_test(R231_strings_need_not_be_utf8),
        cmocka_unit_test(R232_R267_R268_bad_items_are_counted),
        cmocka_unit_test(R262_string_indexes_are_counted),
        cmocka_unit_test(R269_old_library_list_is_skipped),
        cmocka_unit_test(counts_and_expanded_bytes),
        cmocka_unit_test(errors_name_place_and_field),
        cmocka_unit_test(ceilings),
        cmocka_unit_test(an_expansion_bomb_is_told),
        cmocka_unit_test(a_flood_of_empty_items_stops_early),
        cmocka_unit_test(more_than_2_gib_is_refused_unread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
