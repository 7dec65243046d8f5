/* Requests without their bad items and in parts, a row per case, and random ones against
 * protobuf-c. */
#include "tests/base/unit.h"

#include "tests/otlp/generator.h"
#include "tests/otlp/notation.h"
#include "tests/otlp/split_oracle.h"

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
    /* what holds nothing goes, whether it did before or not */
    {__LINE__, T, "1{1{} 2{2{" BAD "}}}", "", 0, 1, DEFECT_TRACE_ID},
    {__LINE__, T, "1{2{} 2{2{" BAD "}}} 1{} 1{2{2{" GOOD "}}}", "1{2{2{" GOOD "}}}", 1, 1, DEFECT_TRACE_ID},
    {__LINE__, T, "1{2{} 2{2{" BAD "}} 2{2{" GOOD "}}}", "1{2{2{" GOOD "}}}", 1, 1, DEFECT_TRACE_ID},
    /* fields in any order, unknown ones, groups (R214-R216): in front of what is held */
    {__LINE__, T, "9=1 1{3'url' 2{77(1=1) 2{" BAD "} 3'u' 2{" GOOD "} 78%1} 1{1{}}} 10@5",
        "9=1 10@5 1{3'url' 1{1{}} 2{77(1=1) 3'u' 78%1 2{" GOOD "}}}", 1, 1, DEFECT_TRACE_ID},
    {__LINE__, T, "1{2{2{" BAD " 99'x'} 99'x'}}", "", 0, 1, DEFECT_TRACE_ID},
    /* R264 */
    {__LINE__, L, "1{2{2{9'x' 10'y'} 2{}}}", NULL, 2, 0, 0},
    {__LINE__, L, "1{1{}} 1{2{}} 1{2{2{}}}", "1{2{2{}}}", 1, 0, 0},
    /* R267, R268 */
    {__LINE__, M, "1{2{2{1'm' 5{1{3@1} 1{2@1}}}}}", "1{2{2{1'm' 5{1{3@1}}}}}", 1, 1, DEFECT_TIME},
    {__LINE__, M, "1{2{2{1'm' 9{1{3@1 6@1 6@2} 1{3@1 6@1 6@2 7@1} 2=1}}}}", "1{2{2{1'm' 9{2=1 1{3@1 6@1 6@2 7@1}}}}}", 1, 1, DEFECT_BUCKETS},
    {__LINE__, M, "1{2{2{5{1{3@1 5{5'x'}} 1{3@1}}}}}", "1{2{2{5{1{3@1}}}}}", 1, 1, DEFECT_EXEMPLAR_TRACE_ID},
    {__LINE__, M, "1{2{2{5{1{3@1 5{4'x'}} 1{3@1}}}}}", "1{2{2{5{1{3@1}}}}}", 1, 1, DEFECT_EXEMPLAR_SPAN_ID},
    {__LINE__, M, "1{2{2{1'a' 7{1{}}} 2{1'b' 11{1{3@1}}} 2{1'c' 10{}}}}", "1{2{2{1'b' 11{1{3@1}}}}}", 1, 1, DEFECT_TIME},
    /* the last member counts (R218): a Sum that lost its points does not give way to the Gauge */
    {__LINE__, M, "1{2{2{5{1{3@1}} 7{1{}}} 2{5{1{3@1}}}}}", "1{2{2{5{1{3@1}}}}}", 1, 1, DEFECT_TIME},
    {__LINE__, M, "1{2{2{5{1{} 1{3@1}} 7{1{3@1}}}}}", "1{2{2{7{1{3@1}}}}}", 1, 0, 0},
    {__LINE__, M, "1{2{2{1'm' 7{1{3@1}} 5{1{3@1}} 7{1{3@2}} 3'u'}}}", "1{2{2{1'm' 3'u' 7{1{3@2}}}}}", 1, 0, 0},
    /* merged: what the one says holds for the points of the other */
    {__LINE__, M, "1{2{2{5{1{}} 5{1{3@1}}}}}", "1{2{2{5{1{3@1}}}}}", 1, 1, DEFECT_TIME},
    {__LINE__, M, "1{2{2{7{2=1 1{3@1}} 7{3=1 1{3@2}}}}}", "1{2{2{7{2=1 3=1 1{3@1} 1{3@2}}}}}", 2, 0, 0},
};
/* clang-format on */

static const struct split_plan leave_out = {.bad_items = true};

static void check(const struct row *r, struct slice in, struct slice want)
{
    struct split_result got = {0};
    assert_int_equal(split_request(r->signal, in, &leave_out, &got), SPLIT_OK);
    assert_int_equal(got.n, r->kept > 0);
    struct slice out = got.n > 0 ? buf_slice(&got.parts[0].bytes) : SLICE_NULL;
    check_row(r->line, slice_eq(out, want), "%zu bytes, not %zu", out.len, want.len);
    check_row(r->line, got.kept == r->kept && got.rejected == r->rejected, "%u kept, %u rejected",
              (unsigned)got.kept, (unsigned)got.rejected);
    check_row(r->line, got.rejected == 0 || got.first == r->first, "first is %s",
              defect_info[got.first].reason);
    const char *disagreement = split_disagreement(r->signal, in, &leave_out);
    check_row(r->line, disagreement == NULL, "%s", disagreement);
    split_release(&got);
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
    struct split_result r = {.kept = 7, .rejected = 3, .first = DEFECT_TIME};
    char text[160];
    split_describe(M, &r, text, sizeof(text));
    assert_string_equal(text, "3 of 10 data points rejected; in the first one, time_unix_nano is "
                              "missing or 0");
    for (int i = 0; i < DEFECT_COUNT; i++) {
        r.first = (enum defect)i;
        r.kept = UINT64_MAX / 2;
        r.rejected = UINT64_MAX / 2;
        split_describe(M, &r, text, sizeof(text));
        assert_true(strlen(text) < sizeof(text) - 1);
    }
}

/* --- parts ---------------------------------------------------------------------------------- */

#define ID_A                                                                                       \
    "1'0123456789abcdef' 2" ID8 /* of 3 partitions its trace is in the first, as is C's; B's is in \
                                   the last */
#define ID_B "1'0123456789abcdeg' 2" ID8
#define ID_C "1'0123456789abcdei' 2" ID8

struct parts_row {
    int line;
    enum signal signal;
    struct split_plan plan;
    const char *in;
    const char *parts[5];
    unsigned too_large;
};

/* clang-format off */
static const struct parts_row parts_rows[] = {
    /* items of a part */
    {__LINE__, L, {.limits = {2, 0}}, "1{2{2{3'a'} 2{3'b'} 2{3'c'}}}", {"1{2{2{3'a'} 2{3'b'}}}", "1{2{2{3'c'}}}"}, 0},
    {__LINE__, L, {.limits = {1, 0}}, "1{1{2=1} 2{1{1's'} 2{3'a'} 2{3'b'} 3'u'} 3'v'} 1{2{2{3'c'}}}",
        {"1{1{2=1} 3'v' 2{1{1's'} 3'u' 2{3'a'}}}", "1{1{2=1} 3'v' 2{1{1's'} 3'u' 2{3'b'}}}", "1{2{2{3'c'}}}"}, 0},
    {__LINE__, L, {.limits = {2, 0}}, "1{2{2{3'a'}} 2{2{3'b'}}} 1{2{2{3'c'}}}", {"1{2{2{3'a'}} 2{2{3'b'}}}", "1{2{2{3'c'}}}"}, 0},
    /* bytes: 9 for one item of 3, 14 for two */
    {__LINE__, L, {.max_bytes = 14}, "1{2{2{3'a'} 2{3'b'} 2{3'c'}}}", {"1{2{2{3'a'} 2{3'b'}}}", "1{2{2{3'c'}}}"}, 0},
    {__LINE__, L, {.max_bytes = 13}, "1{2{2{3'a'} 2{3'b'} 2{3'c'}}}", {"1{2{2{3'a'}}}", "1{2{2{3'b'}}}", "1{2{2{3'c'}}}"}, 0},
    {__LINE__, L, {.max_bytes = 9}, "1{2{2{3'a'} 2{3'bb'} 2{3'c'}}}", {"1{2{2{3'a'}}}", "1{2{2{3'c'}}}"}, 1},
    {__LINE__, L, {.max_bytes = 8}, "1{2{2{3'a'} 2{3'b'} 2{3'c'}}}", {NULL}, 3},
    /* with its metric, also what is unknown there */
    {__LINE__, M, {.max_bytes = 26}, "1{2{2{1'm' 99'x' 5{1{3@1}}} 2{1'n' 5{1{3@1}}}}}", {"1{2{2{1'm' 99'x' 5{1{3@1}}}}}", "1{2{2{1'n' 5{1{3@1}}}}}"}, 0},
    {__LINE__, M, {.max_bytes = 25}, "1{2{2{1'm' 99'x' 5{1{3@1}}} 2{1'n' 5{1{3@1}}}}}", {"1{2{2{1'n' 5{1{3@1}}}}}"}, 1},
    /* expanded: 5 for each item and 4 for the resource, twice */
    {__LINE__, L, {.limits = {0, 18}}, "1{1{2=1} 2{2{3'a'} 2{3'b'} 2{3'c'}}}", {"1{1{2=1} 2{2{3'a'} 2{3'b'}}}", "1{1{2=1} 2{2{3'c'}}}"}, 0},
    {__LINE__, L, {.limits = {0, 17}}, "1{1{2=1} 2{2{3'a'} 2{3'b'}}}", {"1{1{2=1} 2{2{3'a'}}}", "1{1{2=1} 2{2{3'b'}}}"}, 0},
    {__LINE__, L, {.limits = {0, 8}}, "1{1{2=1} 2{2{3'a'}}} 1{2{2{3'b'}}}", {"1{2{2{3'b'}}}"}, 1},
    /* by trace */
    {__LINE__, T, {.partitions = 3}, "1{2{2{" ID_A "} 2{" ID_B "} 2{" ID_A "}} 2{2{" ID_C "}}}",
        {"1{2{2{" ID_A "} 2{" ID_A "}} 2{2{" ID_C "}}}", "1{2{2{" ID_B "}}}"}, 0},
    {__LINE__, T, {.partitions = 3, .limits = {1, 0}}, "1{2{2{" ID_A "} 2{" ID_B "} 2{" ID_A "}}}",
        {"1{2{2{" ID_A "}}}", "1{2{2{" ID_B "}}}", "1{2{2{" ID_A "}}}"}, 0},
    {__LINE__, L, {.partitions = 3, .home = 1}, "1{2{2{9'0123456789abcdef'} 2{9'short'} 2{9" ID16 "} 2{}}}",
        {"1{2{2{9" ID16 "} 2{9" ID16 "}}}", "1{2{2{9'short'} 2{}}}"}, 0},
};
/* clang-format on */

static void check_parts_row(const struct parts_row *r)
{
    struct split_result got = {0};
    struct slice in = wire_text(r->in);
    assert_int_equal(split_request(r->signal, in, &r->plan, &got), SPLIT_OK);
    size_t n = 0;
    for (; n < COUNT(r->parts) && r->parts[n] != NULL; n++) {
        struct slice want = wire_text(r->parts[n]);
        check_row(r->line, n < got.n && slice_eq(buf_slice(&got.parts[n].bytes), want),
                  "part %zu differs", n);
        free((void *)(uintptr_t)want.at);
    }
    check_row(r->line, got.n == n, "%zu parts", got.n);
    check_row(r->line,
              got.rejected == r->too_large && got.by_defect[DEFECT_TOO_LARGE] == r->too_large,
              "%u rejected", (unsigned)got.rejected);
    const char *disagreement = split_disagreement(r->signal, in, &r->plan);
    check_row(r->line, disagreement == NULL, "%s", disagreement);
    split_release(&got);
    free((void *)(uintptr_t)in.at);
}

static void parts_hold_what_they_may(void **state)
{
    (void)state;
    for (const struct parts_row *r = parts_rows; r < parts_rows + COUNT(parts_rows); r++)
        check_parts_row(r);
}

static void items_of_a_part_say_whether_they_are_traced(void **state)
{
    (void)state;
    static const struct split_plan plan = {.partitions = 3, .home = 1};
    struct split_result got = {0};
    struct slice in = wire_text("1{2{2{9" ID16 "} 2{} 2{~4a1000000000000000000000000000000000}}}");
    assert_int_equal(split_request(L, in, &plan, &got), SPLIT_OK);
    assert_int_equal(got.n, 2);
    assert_true(got.parts[0].traced && got.parts[0].partition == 0);
    assert_true(!got.parts[1].traced && got.parts[1].partition == 1 && got.parts[1].items == 2);
    split_release(&got);
    free((void *)(uintptr_t)in.at);
}

/* A fat resource in every part. */
static void there_is_a_ceiling_for_all_parts(void **state)
{
    (void)state;
    struct slice in = wire_text("1{1{1{1'a fat resource'}} 2{2{} 2{} 2{} 2{}}}");
    struct split_result got = {0};
    static const struct {
        struct split_plan plan;
        enum split_status status;
    } cases[] = {
        {{.limits = {1, 0}, .max_parts = 4}, SPLIT_OK},
        {{.limits = {1, 0}, .max_parts = 3}, SPLIT_TOO_MANY},
        {{.limits = {1, 0}, .max_total = 110}, SPLIT_OK},
        {{.limits = {1, 0}, .max_total = 90}, SPLIT_TOO_MANY},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(split_request(L, in, &cases[i].plan, &got), cases[i].status);
        split_release(&got);
    }
    free((void *)(uintptr_t)in.at);
}

/* --- random requests ------------------------------------------------------------------------ */

static struct split_plan random_plan(struct generator *g)
{
    struct split_plan plan = {.bad_items = generator_next(g, 4) == 0};
    if (generator_next(g, 2) == 0)
        plan.limits.items = 1 + generator_next(g, 4);
    if (generator_next(g, 2) == 0)
        plan.limits.expanded_bytes = 100 + generator_next(g, 2000);
    if (generator_next(g, 2) == 0)
        plan.max_bytes = 100 + generator_next(g, 2000);
    if (generator_next(g, 2) == 0) {
        plan.partitions = 1 + generator_next(g, 7);
        plan.home = generator_next(g, plan.partitions);
    }
    return plan;
}

static void check_random(uint64_t seed, enum signal signal, struct split_result *sum)
{
    struct generator g = {.state = seed, .levels = 9};
    ProtobufCMessage *m = generate(&g, request_type[signal]);
    struct buf b = packed_message(m);
    struct split_result got = {0};
    protobuf_c_message_free_unpacked(m, NULL);
    const struct split_plan plans[] = {leave_out, random_plan(&g), random_plan(&g)};
    for (size_t i = 0; i < COUNT(plans); i++) {
        const char *disagreement = split_disagreement(signal, buf_slice(&b), &plans[i]);
        check_row((int)seed, disagreement == NULL, "%s", disagreement);
        assert_int_equal(split_request(signal, buf_slice(&b), &plans[i], &got), SPLIT_OK);
        sum->n += got.n;
        sum->kept += got.kept;
        for (int k = 0; k < DEFECT_COUNT; k++)
            sum->by_defect[k] += got.by_defect[k];
        split_release(&got);
    }
    buf_release(&b);
}

static void random_requests_are_those_of_protobuf_c(void **state)
{
    (void)state;
    struct split_result sum = {0};
    for (uint64_t i = 0; i < SIGNAL_COUNT * MESSAGES; i++)
        check_random(FIRST_SEED + i, (enum signal)(i % SIGNAL_COUNT), &sum);
    assert_true(sum.n > 4 * MESSAGES && sum.kept > 6 * MESSAGES);
    assert_true(sum.by_defect[DEFECT_TOO_LARGE] > MESSAGES / 2);
    assert_true(sum.by_defect[DEFECT_TRACE_ID] > MESSAGES / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R232_R267_R268_R270_bad_items_are_left_out),
        cmocka_unit_test(the_message_says_how_many_and_why),
        cmocka_unit_test(random_requests_are_those_of_protobuf_c),
        cmocka_unit_test(parts_hold_what_they_may),
        cmocka_unit_test(items_of_a_part_say_whether_they_are_traced),
        cmocka_unit_test(there_is_a_ceiling_for_all_parts),
    };
    (void)oracle_disagreement; /* is the scanner's */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
