/* gRPC's bytes: content types, message frames in every split, coded statuses. */
#include "router/http/grpc.h"
#include "tests/base/unit.h"

#include "base/buf.h"

static void test_content_types(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *value;
        enum grpc_type type;
    } rows[] = {
        {__LINE__, "application/grpc", GRPC_PROTO},                       /* R138 */
        {__LINE__, "application/grpc+proto", GRPC_PROTO},                 /* R138 */
        {__LINE__, "Application/GRPC+Proto", GRPC_PROTO},                 /* R66 */
        {__LINE__, "application/grpc;charset=utf-8", GRPC_PROTO},         /* R139 */
        {__LINE__, "application/grpc+proto ; charset=utf-8", GRPC_PROTO}, /* R139 */
        {__LINE__, "application/grpc+json", GRPC_OTHER_SUBTYPE},          /* R140 */
        {__LINE__, "application/grpc+protobuf;x=y", GRPC_OTHER_SUBTYPE},  /* R140 */
        {__LINE__, "application/grpc-web", GRPC_NONE},                    /* R68 */
        {__LINE__, "application/grpc-web+proto", GRPC_NONE},              /* R68 */
        {__LINE__, "application/grpcfoo", GRPC_NONE},                     /* R68 */
        {__LINE__, "application/grp", GRPC_NONE},
        {__LINE__, "application/x-protobuf", GRPC_NONE},
        {__LINE__, "", GRPC_NONE},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        check_row(rows[i].line, grpc_content_type(slice_str(rows[i].value)) == rows[i].type, "%s",
                  rows[i].value);
}

/* Feeds `bytes` in pieces of `step`; what the whole call comes to. */
static enum outcome feed(struct slice bytes, size_t step, uint64_t max, struct buf *message)
{
    struct grpc_frame f = {0};
    enum outcome o = OUTCOME_ACCEPTED;
    for (size_t at = 0; at < bytes.len; at += step) {
        size_t len = bytes.len - at < step ? bytes.len - at : step;
        struct slice in = slice_of(bytes.at + at, len);
        while (in.len > 0) {
            struct slice piece;
            o = grpc_frame_next(&f, &in, max, &piece);
            if (o != OUTCOME_ACCEPTED)
                return o;
            buf_append_slice(message, piece);
        }
    }
    return grpc_frame_end(&f);
}

static void test_frames_in_every_split(void **state)
{
    (void)state;
    static const struct {
        int line;
        struct slice bytes;
        enum outcome outcome;
        const char *message;
    } rows[] = {
        {__LINE__, {(const uint8_t *)"\0\0\0\0\3abc", 8}, OUTCOME_ACCEPTED, "abc"}, /* R158 */
        {__LINE__, {(const uint8_t *)"\1\0\0\0\3abc", 8}, OUTCOME_ACCEPTED, "abc"}, /* R166 */
        {__LINE__, {(const uint8_t *)"\0\0\0\0\0", 5}, OUTCOME_ACCEPTED, ""},       /* R160 */
        {__LINE__, {(const uint8_t *)"", 0}, OUTCOME_MESSAGE_COUNT, ""},            /* R161 */
        {__LINE__, {(const uint8_t *)"\0\0\0\0\0\0\0\0\0\0", 10}, OUTCOME_MESSAGE_COUNT, ""},
        {__LINE__, {(const uint8_t *)"\0\0\0\0\1a\0", 7}, OUTCOME_MESSAGE_COUNT, "a"},  /* R161 */
        {__LINE__, {(const uint8_t *)"\0\0\0\0\3ab", 7}, OUTCOME_BAD_GRPC_FRAME, "ab"}, /* R162 */
        {__LINE__, {(const uint8_t *)"\0\0\0", 3}, OUTCOME_BAD_GRPC_FRAME, ""},         /* R162 */
        {__LINE__, {(const uint8_t *)"\2\0\0\0\1a", 6}, OUTCOME_BAD_GRPC_FRAME, ""},    /* R163 */
        {__LINE__, {(const uint8_t *)"\0\0\0\0\12", 5}, OUTCOME_BAD_GRPC_FRAME, ""},    /* limit */
        {__LINE__, {(const uint8_t *)"\0\0\0\0\13", 5}, OUTCOME_TOO_LARGE, ""},         /* R177 */
        {__LINE__, {(const uint8_t *)"\0\377\377\377\377", 5}, OUTCOME_TOO_LARGE, ""},  /* R177 */
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t step = 1; step <= rows[i].bytes.len + 1; step++) {
            struct buf message = BUF_INIT;
            enum outcome o = feed(rows[i].bytes, step, 10, &message);
            check_row(rows[i].line, o == rows[i].outcome, "in pieces of %zu: %s", step,
                      outcome_info[o].reason);
            check_row(rows[i].line, slice_eq(buf_slice(&message), slice_str(rows[i].message)),
                      "in pieces of %zu: %.*s", step, SLICE_ARG(buf_slice(&message)));
            buf_release(&message);
        }
}

static void test_message_values(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *text, *value;
        size_t max;
    } rows[] = {
        {__LINE__, "plain, text", "plain, text", 100},
        {__LINE__, "100%", "100%25", 100},       /* R186 */
        {__LINE__, "a\nb\x7f", "a%0Ab%7F", 100}, /* R186 */
        {__LINE__, "\xc3\xa4", "%C3%A4", 100},   /* R186 */
        {__LINE__, "abcdef", "abc", 3},          /* R191 */
        {__LINE__, "ab\xc3\xa4", "ab", 3},
        /* cut at a character */ /* R191 */
        {__LINE__, "", "", 3},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena a = ARENA_INIT;
        struct slice value = grpc_message_value(&a, rows[i].text, rows[i].max);
        check_row(rows[i].line, slice_eq(value, slice_str(rows[i].value)), "%.*s",
                  SLICE_ARG(value));
        arena_release(&a);
    }
}

static void test_binary_values_have_no_padding(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *bytes, *value;
    } rows[] = {
        /* RFC 4648 §10, without padding (R190) */
        {__LINE__, "", ""},
        {__LINE__, "f", "Zg"},
        {__LINE__, "fo", "Zm8"},
        {__LINE__, "foo", "Zm9v"},
        {__LINE__, "foob", "Zm9vYg"},
        {__LINE__, "fooba", "Zm9vYmE"},
        {__LINE__, "\xfb\xff", "+/8"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena a = ARENA_INIT;
        struct slice value = grpc_binary_value(&a, slice_str(rows[i].bytes));
        check_row(rows[i].line, slice_eq(value, slice_str(rows[i].value)), "%.*s",
                  SLICE_ARG(value));
        arena_release(&a);
    }
}

static void test_prefix(void **state)
{
    (void)state;
    uint8_t out[5];
    grpc_prefix(out, 0x01020304);
    assert_memory_equal(out, "\0\1\2\3\4", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_types),  cmocka_unit_test(test_frames_in_every_split),
        cmocka_unit_test(test_message_values), cmocka_unit_test(test_binary_values_have_no_padding),
        cmocka_unit_test(test_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
