/* Requests without their bad items, a row per case, and random ones against protobuf-c. */
#include "tests/base/unit.h"

#include "tests/otlp/filter_oracle.h"
#include "tests/otlp/generator.h"
#include "tests/otlp/notation.h"

#define ID16 "'0123456789abcdef'"
#define ID8  "'01234567'"
#define T    SIGNAL_TRACES
#define M    SIGNAL_METRICS
#define L    SIGNAL_LOGS

#define GOOD "1" ID16 " 2" ID8 /* a span's content */
#define BAD  "1'short' 2" ID8
#define LONG                                                                                       \
    "5'a text that is long enough to make lengths of two bytes of what holds it, "                 \
    "and a good deal more than that, so that taking it out makes them shorter again'"
#define MESSAGES   300
#define FIRST_SEED 77

struct row {
    int line;
    enum signal signal;
    const char *in, *out; /* out NULL: as it came */
    unsigned kept, rejected;
    enum defect first;
};

/* clang-format off */
static const struct row rows[] = {
    {__LINE__, T, "", NULL, 0, 0, 0},
    {__LINE__, T, "1{2{2{" GOOD "}}}", NULL, 1, 0, 0},
    /* R232, R270: the item alone */
    {__LINE__, T, "1{2{2{" GOOD "} 2{" BAD "} 2{" GOOD " 5'x'}}}", "1{2{2{" GOOD "} 2{" GOOD " 5'x'}}}", 2, 1, DEFECT_TRACE_ID},
    {__LINE__, T, "1{2{2{1" ID16 " 2'x'} 2{" BAD "} 2{" GOOD "}}}", "1{2{2{" GOOD "}}}", 1, 2, DEFECT_SPAN_ID},
    {__LINE__, T, "1{2{2{" GOOD " 4'x'} 2{" GOOD "}}}", "1{2{2{" GOOD "}}}", 1, 1, DEFECT_PARENT_ID},
    {__LINE__, T, "1{2{2{" GOOD " 13{1'x'}} 2{" GOOD "}}}", "1{2{2{" GOOD "}}}", 1, 1, DEFECT_LINK_TRACE_ID},
    {__LINE__, T, "1{2{2{" GOOD " 13{2'x'}} 2{" GOOD "}}}", "1{2{2{" GOOD "}}}", 1, 1, DEFECT_LINK_SPAN_ID},
    /* lengths become shorter, also those written longer than need be */
    {__LINE__, T, "1{2{2{" GOOD "} 2{" BAD LONG "}}}", "1{2{2{" GOOD "}}}", 1, 1, DEFECT_TRACE_ID},
    {__LINE__, T, "~0ab58000 2{2{" BAD "}} 2{2{" GOOD "}}", "1{2{2{" GOOD "}}}", 1, 1, DEFECT_TRACE_ID},
    /* what holds nothing any more goes, what was empty before stays */
    {__LINE__, T, "1{1{} 2{2{" BAD "}}}", "", 0, 1, DEFECT_TRACE_ID},
    {__LINE__, T, "1{2{} 2{2{" BAD "}}} 1{} 1{2{2{" GOOD "}}}", "1{} 1{2{2{" GOOD "}}}", 1, 1, DEFECT_TRACE_ID},
    {__LINE__, T, "1{2{} 2{2{" BAD "}} 2{2{" GOOD "}}}", "1{2{} 2{2{" GOOD "}}}", 1, 1, DEFECT_TRACE_ID},
    /* fields in any order, unknown ones, groups (R214-R216) */
    {__LINE__, T, "9=1 1{3'url' 2{77(1=1) 2{" BAD "} 3'u' 2{" GOOD "} 78%1} 1{1{}}} 10@5",
        "9=1 1{3'url' 2{77(1=1) 3'u' 2{" GOOD "} 78%1} 1{1{}}} 10@5", 1, 1, DEFECT_TRACE_ID},
    {__LINE__, T, "1{2{2{" BAD " 99'x'} 99'x'}}", "", 0, 1, DEFECT_TRACE_ID},
    /* R264 */
    {__LINE__, L, "1{2{2{9'x' 10'y'} 2{}}}", NULL, 2, 0, 0},
    /* R267, R268 */
    {__LINE__, M, "1{2{2{1'm' 5{1{3@1} 1{2@1}}}}}", "1{2{2{1'm' 5{1{3@1}}}}}", 1, 1, DEFECT_TIME},
    {__LINE__, M, "1{2{2{1'm' 9{1{3@1 6@1 6@2} 1{3@1 6@1 6@2 7@1} 2=1}}}}", "1{2{2{1'm' 9{1{3@1 6@1 6@2 7@1} 2=1}}}}", 1, 1, DEFECT_BUCKETS},
    {__LINE__, M, "1{2{2{5{1{3@1 5{5'x'}} 1{3@1}}}}}", "1{2{2{5{1{3@1}}}}}", 1, 1, DEFECT_EXEMPLAR_TRACE_ID},
    {__LINE__, M, "1{2{2{5{1{3@1 5{4'x'}} 1{3@1}}}}}", "1{2{2{5{1{3@1}}}}}", 1, 1, DEFECT_EXEMPLAR_SPAN_ID},
    {__LINE__, M, "1{2{2{1'a' 7{1{}}} 2{1'b' 11{1{3@1}}} 2{1'c' 10{}}}}", "1{2{2{1'b' 11{1{3@1}}} 2{1'c' 10{}}}}", 1, 1, DEFECT_TIME},
    /* the last member counts (R218): a Sum that lost its points does not give way to the Gauge */
    {__LINE__, M, "1{2{2{5{1{3@1}} 7{1{}}} 2{5{1{3@1}}}}}", "1{2{2{5{1{3@1}}}}}", 1, 1, DEFECT_TIME},
    {__LINE__, M, "1{2{2{5{1{} 1{3@1}} 7{1{3@1}}}}}", "1{2{2{5{1{3@1}} 7{1{3@1}}}}}", 1, 0, 0},
    {__LINE__, M, "1{2{2{5{1{}} 5{1{3@1}}}}}", "1{2{2{5{} 5{1{3@1}}}}}", 1, 1, DEFECT_TIME}, /* merged */
};
/* clang-format on */

static void check(const struct row *r, struct slice in, struct slice want)
{
    struct buf out = BUF_INIT;
    struct filter_result got;
    assert_int_equal(filter_request(r->signal, in, &out, &got), 0);
    check_row(r->line, slice_eq(buf_slice(&out), want), "%zu bytes, not %zu", out.len, want.len);
    check_row(r->line, got.kept == r->kept && got.rejected == r->rejected, "%u kept, %u rejected",
              (unsigned)got.kept, (unsigned)got.rejected);
    check_row(r->line, got.rejected == 0 || got.first == r->first, "first is %s",
              defect_info[got.first].reason);
    const char *disagreement = filter_disagreement(r->signal, in);
    check_row(r->line, disagreement == NULL, "%s", disagreement);
    buf_release(&out);
}

static void R232_R267_R268_R270_bad_items_are_left_out(void **state)
{
    (void)state;
    for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
        struct slice in = wire_text(r->in), want = wire_text(r->out ? r->out : r->in);
        check(r, in, want);
        free((void *)(uintptr_t)in.at);
        free((void *)(uintptr_t)want.at);
    }
}

static void the_message_says_how_many_and_why(void **state)
{
    (void)state;
    struct filter_result r = {.kept = 7, .rejected = 3, .first = DEFECT_TIME};
    char text[160];
    filter_describe(M, &r, text, sizeof(text));
    assert_string_equal(text, "3 of 10 data points rejected; in the first one, time_unix_nano is "
                              "missing or 0");
    for (int i = 0; i < DEFECT_COUNT; i++) {
        r.first = (enum defect)i;
        r.kept = UINT64_MAX / 2;
        r.rejected = UINT64_MAX / 2;
        filter_describe(M, &r, text, sizeof(text));
        assert_true(strlen(text) < sizeof(text) - 1);
    }
}

static void random_requests_are_those_of_protobuf_c(void **state)
{
    (void)state;
    uint64_t rejected = 0;
    for (int i = 0; i < SIGNAL_COUNT * MESSAGES; i++) {
        enum signal signal = (enum signal)(i % SIGNAL_COUNT);
        struct generator g = {.state = FIRST_SEED + (uint64_t)i, .levels = 9};
        ProtobufCMessage *m = generate(&g, request_type[signal]);
        struct buf b = packed_message(m);
        protobuf_c_message_free_unpacked(m, NULL);
        struct scan_result r;
        assert_int_equal(scan_request(signal, buf_slice(&b), NULL, &r), SCAN_OK);
        const char *disagreement = filter_disagreement(signal, buf_slice(&b));
        check_row(i, disagreement == NULL, "%s", disagreement);
        rejected += r.bad_items;
        buf_release(&b);
    }
    assert_true(rejected > MESSAGES);
}

static void without_memory_nothing_is_kept(void **state)
{
    (void)state;
    struct slice in = wire_text("1{2{2{" GOOD "}}}");
    struct buf out = BUF_INIT_CEILING(3);
    struct filter_result got;
    assert_true(filter_request(T, in, &out, &got) < 0);
    buf_release(&out);
    free((void *)(uintptr_t)in.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R232_R267_R268_R270_bad_items_are_left_out),
        cmocka_unit_test(the_message_says_how_many_and_why),
        cmocka_unit_test(random_requests_are_those_of_protobuf_c),
        cmocka_unit_test(without_memory_nothing_is_kept),
    };
    (void)oracle_disagreement; /* is the scanner's */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
