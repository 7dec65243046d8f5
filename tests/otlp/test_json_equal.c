/* A request in JSON and in protobuf is the same data. Random messages are written as JSON by
 * an independent way (json_text.h), transcoded, decoded by protobuf-c and compared. And the four
 * example files of the schema repository are taken whole. */
#include "tests/base/unit.h"

#include "otlp/json_transcode.h"
#include "tests/otlp/json_text.h"
#include "tests/otlp/oracle.h"

#define MESSAGES 400 /* per signal */

static struct buf packed_message(const ProtobufCMessage *m)
{
    struct buf b = BUF_INIT;
    size_t len = protobuf_c_message_get_packed_size(m);
    if (len > 0)
        b.len = protobuf_c_message_pack(m, buf_reserve(&b, len));
    return b;
}

/* Decoded and encoded again, so that the order of fields is protobuf-c's. */
static struct buf repacked(enum signal signal, struct slice bytes)
{
    ProtobufCMessage *m = protobuf_c_message_unpack(request_type[signal], NULL, bytes.len,
                                                    bytes.len ? bytes.at : (const uint8_t *)"");
    assert_non_null(m);
    struct buf b = packed_message(m);
    protobuf_c_message_free_unpacked(m, NULL);
    return b;
}

static void check_equal(struct generator *g, enum signal signal)
{
    struct buf text = BUF_INIT, out = BUF_INIT;
    struct json_error error;
    ProtobufCMessage *m = generate(g, request_type[signal]);
    json_message(g, &text, m); /* may change the message */
    struct buf want = packed_message(m);
    protobuf_c_message_free_unpacked(m, NULL);
    if (json_transcode(signal, buf_slice(&text), &out, &error) != JSON_OK)
        fail_msg("%s at %zu, in %s\n%s", error.text, error.at, error.field, buf_cstr(&text));
    struct buf got = repacked(signal, buf_slice(&out));
    if (!slice_eq(buf_slice(&got), buf_slice(&want)))
        fail_msg("another message came out of\n%s", buf_cstr(&text));
    assert_null(oracle_disagreement(signal, buf_slice(&out)));
    buf_release(&text);
    buf_release(&out);
    buf_release(&got);
    buf_release(&want);
}

static void R259_json_and_protobuf_are_the_same_data(void **state)
{
    (void)state;
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        struct generator g = {.state = 7000 + (uint64_t)s, .levels = 12};
        for (int i = 0; i < MESSAGES; i++)
            check_equal(&g, (enum signal)s);
    }
}

/* The field tables of the transcoder are protobuf-c's: what it relies on. */
static void check_type(const ProtobufCMessageDescriptor *m, unsigned levels)
{
    for (unsigned i = 0; i < m->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->fields[i];
        assert_in_range(f->id, 1, 16);
        assert_int_not_equal(f->type, PROTOBUF_C_TYPE_FLOAT);
        assert_int_not_equal(f->type, PROTOBUF_C_TYPE_SINT64);
        assert_int_not_equal(f->type, PROTOBUF_C_TYPE_SFIXED32);
        assert_false(f->type == PROTOBUF_C_TYPE_BOOL && f->label == PROTOBUF_C_LABEL_REPEATED);
        if (f->type == PROTOBUF_C_TYPE_MESSAGE && levels > 0)
            check_type(f->descriptor, levels - 1);
    }
}

static void types_are_those_that_are_transcoded(void **state)
{
    (void)state;
    for (int s = 0; s < SIGNAL_COUNT; s++)
        check_type(request_type[s], 9);
}

static void R260_example_files(void **state)
{
    static const struct {
        int line;
        enum signal signal;
        const char *file;
        uint64_t items;
    } rows[] = {
        {__LINE__, SIGNAL_TRACES, "trace.json", 1},
        {__LINE__, SIGNAL_METRICS, "metrics.json", 5},
        {__LINE__, SIGNAL_LOGS, "logs.json", 1},
        {__LINE__, SIGNAL_LOGS, "events.json", 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char path[512];
        struct buf text = BUF_INIT, out = BUF_INIT;
        struct json_error error;
        struct scan_result scanned;
        snprintf(path, sizeof(path), TEST_DATA "/examples/%s", rows[i].file);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        text.len = fread(buf_reserve(&text, 65536), 1, 65536, file);
        fclose(file);
        check_row(rows[i].line,
                  json_transcode(rows[i].signal, buf_slice(&text), &out, &error) == JSON_OK,
                  "%s at %zu, in %s", error.text, error.at, error.field);
        assert_int_equal(scan_request(rows[i].signal, buf_slice(&out), NULL, &scanned), SCAN_OK);
        check_row(rows[i].line, scanned.items == rows[i].items, "%llu items",
                  (unsigned long long)scanned.items);
        buf_release(&text);
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R259_json_and_protobuf_are_the_same_data),
        cmocka_unit_test(types_are_those_that_are_transcoded),
        cmocka_unit_test(R260_example_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
