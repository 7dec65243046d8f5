/* Random requests and variants of them that mean the same become the same rows. */
#include "otlp/request_type.h"
#include "tests/otlp/rows.h"
#include "tests/otlp/variant.h"

#define REQUESTS 150 /* per signal */
#define VARIANTS 4   /* per request */
#define LEVELS   14
#define MAX_SIZE 20000

static int add_text(void *arg, enum table table, const struct cell *cells)
{
    row_text(arg, table, cells);
    return 0;
}

/* All rows of the request as text. */
static uint64_t decode_text_of(enum signal signal, struct slice request, struct buf *text)
{
    struct arena a = ARENA_INIT;
    struct decode_result result;
    buf_clear(text);
    assert_int_equal(decode_record(signal, request, RECEIVED, NULL, &a, add_text, text, &result),
                     DECODE_OK);
    assert_int_equal(result.rows, result.scan.items);
    assert_false(text->failed);
    arena_release(&a);
    return result.rows;
}

static bool next_request(struct generator *g, enum signal signal, struct buf *request)
{
    ProtobufCMessage *m = generate(g, request_type[signal]);
    size_t size = protobuf_c_message_get_packed_size(m);
    buf_clear(request);
    if (size > 0 && size <= MAX_SIZE) {
        protobuf_c_message_pack(m, buf_reserve(request, size));
        request->len = size;
    }
    protobuf_c_message_free_unpacked(m, NULL);
    return request->len > 0;
}

static void test_variants_become_the_same_rows(void **state)
{
    (void)state;
    struct buf request = BUF_INIT, variant = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
    for (int signal = 0; signal < SIGNAL_COUNT; signal++) {
        struct generator g = {.state = 77 + (uint64_t)signal, .levels = LEVELS};
        uint64_t rows = 0;
        for (int i = 0; i < REQUESTS; i++) {
            if (!next_request(&g, (enum signal)signal, &request))
                continue;
            rows += decode_text_of((enum signal)signal, buf_slice(&request), &want);
            for (int v = 0; v < VARIANTS; v++) {
                buf_clear(&variant);
                variant_write(&g, request_type[signal], buf_slice(&request), &variant);
                decode_text_of((enum signal)signal, buf_slice(&variant), &got);
                assert_string_equal(buf_cstr(&got), buf_cstr(&want));
            }
        }
        assert_true(rows > REQUESTS / 2);
    }
    buf_release(&request);
    buf_release(&variant);
    buf_release(&want);
    buf_release(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variants_become_the_same_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
