/* The scanner and protobuf-c agree on random valid messages, on every truncation of them and on
 * changes of single bytes; the scanner's rows are those of the .proto files; and the scanner never
 * touches the heap. */
#include "tests/base/unit.h"

#include "otlp/scan_schema.h"
#include "tests/otlp/generator.h"
#include "tests/otlp/notation.h"
#include "tests/otlp/oracle.h"

#include <stdbool.h>

#define MESSAGES  40 /* per signal, each of at most */
#define MAX_BYTES 3000
#define MUTATIONS 3 /* per byte */

struct packed {
    uint8_t *at; /* of exactly `len` bytes, so that a sanitizer sees a read past them */
    size_t len;
};

static struct packed packed_of(const uint8_t *at, size_t len)
{
    struct packed p = {generator_alloc(len), len};
    memcpy(p.at, at, len);
    return p;
}

/* The next random request that is neither empty nor too long. */
static struct packed next_request(struct generator *g, enum signal signal)
{
    for (;;) {
        ProtobufCMessage *m = generate(g, request_type[signal]);
        struct packed p = {NULL, protobuf_c_message_get_packed_size(m)};
        if (p.len > 0 && p.len <= MAX_BYTES) {
            p.at = generator_alloc(p.len);
            protobuf_c_message_pack(m, p.at);
        }
        protobuf_c_message_free_unpacked(m, NULL);
        if (p.at != NULL)
            return p;
    }
}

static void check_agreement(enum signal signal, struct packed p, const char *what, size_t where)
{
    const char *disagreement = oracle_disagreement(signal, slice_of(p.at, p.len));
    if (disagreement == NULL)
        return;
    print_error("%s, %s %zu: ", signal_info[signal].name, what, where);
    for (size_t i = 0; i < p.len; i++)
        print_error("%02x", p.at[i]);
    fail_msg("\n%s", disagreement);
}

typedef void check_request(struct generator *g, enum signal signal, struct packed p);

static void each_request(check_request *check)
{
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        struct generator g = {.state = 1000 + (uint64_t)s, .levels = 14};
        for (int i = 0; i < MESSAGES; i++) {
            struct packed p = next_request(&g, (enum signal)s);
            check(&g, (enum signal)s, p);
            free(p.at);
        }
    }
}

static void check_valid(struct generator *g, enum signal signal, struct packed p)
{
    (void)g;
    struct scan_result r;
    assert_int_equal(scan_request(signal, slice_of(p.at, p.len), NULL, &r), SCAN_OK);
    check_agreement(signal, p, "message of bytes", p.len);
}

static void check_truncated(struct generator *g, enum signal signal, struct packed p)
{
    (void)g;
    for (size_t len = 0; len < p.len; len++) {
        struct packed cut = packed_of(p.at, len);
        check_agreement(signal, cut, "cut at", len);
        free(cut.at);
    }
}

static void check_mutated(struct generator *g, enum signal signal, struct packed p)
{
    for (size_t i = 0; i < p.len * MUTATIONS; i++) {
        size_t at = i / MUTATIONS;
        uint8_t was = p.at[at];
        p.at[at] = (uint8_t)(was ^ (1 + generator_next(g, 255)));
        check_agreement(signal, p, "changed at", at);
        p.at[at] = was;
    }
}

static void random_valid_messages(void **state)
{
    (void)state;
    each_request(check_valid);
}

static void R227_truncation_at_every_byte(void **state)
{
    (void)state;
    each_request(check_truncated);
}

static void changes_of_single_bytes(void **state)
{
    (void)state;
    each_request(check_mutated);
}

/* --- where the two differ, by rule (docs/decisions/0003-scanner-from-tables.md) --- */

#define IN_BODY(text) "1{2{2{5{" text "}}}}" /* of a log record */

static void differences_from_protobuf_c(void **state)
{
    (void)state;
    static const struct {
        int line;
        enum signal signal;
        const char *text;
        bool scanner, protobuf_c; /* takes it */
    } rows[] = {
        {__LINE__, SIGNAL_LOGS, IN_BODY("2'x'"), false, true},        /* R228 */
        {__LINE__, SIGNAL_LOGS, IN_BODY("2%1"), false, true},         /* R228 */
        {__LINE__, SIGNAL_LOGS, IN_BODY("3'x'"), false, false},       /* R228: no bool */
        {__LINE__, SIGNAL_LOGS, "99(1=1)", true, false},              /* R214 */
        {__LINE__, SIGNAL_LOGS, IN_BODY("99(2(3=1))"), true, false},  /* R214 */
        {__LINE__, SIGNAL_LOGS, "0=1", false, false},                 /* R227: both */
        {__LINE__, SIGNAL_LOGS, "~800001", false, true},              /* R227: 0, written longer */
        {__LINE__, SIGNAL_LOGS, IN_BODY("536870912=1"), false, true}, /* R227 */
        {__LINE__, SIGNAL_LOGS, "~8a808080800000", true, false},      /* R220: key of six bytes */
        {__LINE__, SIGNAL_LOGS, "~0a808080808000", true, false}, /* R220: length of six bytes */
        {__LINE__, SIGNAL_LOGS, "~0a8080808000", true, true},    /* five are common */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice body = wire_text(rows[i].text);
        struct scan_result r;
        enum scan_status status = scan_request(rows[i].signal, body, NULL, &r);
        ProtobufCMessage *m =
            protobuf_c_message_unpack(request_type[rows[i].signal], NULL, body.len, body.at);
        check_row(rows[i].line, (status == SCAN_OK) == rows[i].scanner, "%s", r.error);
        check_row(rows[i].line, (m != NULL) == rows[i].protobuf_c, "protobuf-c");
        if (m != NULL)
            protobuf_c_message_free_unpacked(m, NULL);
        free((void *)(uintptr_t)body.at);
    }
}

/* R217: a message told twice is one, also in a oneof; protobuf-c keeps the last one there. */
static void a_repeated_member_of_a_oneof_is_merged(void **state)
{
    (void)state;
    struct slice body = wire_text("1{2{2{5{1{3@1}} 5{1{3@1} 1{3@1}}}}}");
    struct scan_result r, parsed = {0};
    assert_int_equal(scan_request(SIGNAL_METRICS, body, NULL, &r), SCAN_OK);
    assert_int_equal(r.items, 3);
    ProtobufCMessage *m =
        protobuf_c_message_unpack(request_type[SIGNAL_METRICS], NULL, body.len, body.at);
    count_metrics(m, &parsed);
    assert_int_equal(parsed.items, 2);
    protobuf_c_message_free_unpacked(m, NULL);
    free((void *)(uintptr_t)body.at);
}

/* --- the rows --- */

static enum schema_kind kind_of(const ProtobufCMessageDescriptor *m,
                                const ProtobufCFieldDescriptor *f)
{
    bool in_log = strcmp(m->short_name, "LogRecord") == 0; /* R264 */
    bool in_point = strstr(m->short_name, "DataPoint") != NULL;
    bool repeated = f->label == PROTOBUF_C_LABEL_REPEATED;
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return SCHEMA_MESSAGE;
    case PROTOBUF_C_TYPE_STRING:
        return SCHEMA_BYTES;
    case PROTOBUF_C_TYPE_BYTES:
        return strcmp(f->name, "bytes_value") == 0 || in_log ? SCHEMA_BYTES : SCHEMA_ID;
    case PROTOBUF_C_TYPE_FIXED32:
        return SCHEMA_FIXED32;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        if (repeated)
            return strcmp(f->name, "bucket_counts") == 0 ? SCHEMA_COUNTS : SCHEMA_BOUNDS;
        return in_point && strcmp(f->name, "time_unix_nano") == 0 ? SCHEMA_TIME : SCHEMA_FIXED64;
    default:
        if (strstr(f->name, "strindex") != NULL)
            return SCHEMA_INDEX;
        return repeated ? SCHEMA_VARINTS : SCHEMA_VARINT;
    }
}

static void compare_rows(const ProtobufCMessageDescriptor *m, const struct schema_message *rows,
                         unsigned levels)
{
    const char *name = m->name + strlen(m->package_name) + 1;
    unsigned known = 0;
    assert_string_equal(rows->name, name);
    for (unsigned n = 0; n <= SCHEMA_MAX_NUMBER; n++)
        known += rows->fields[n].kind != SCHEMA_UNKNOWN;
    assert_int_equal(known, m->n_fields);
    for (unsigned i = 0; i < m->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->fields[i];
        const struct schema_field *row = &rows->fields[f->id];
        char field_name[128];
        snprintf(field_name, sizeof(field_name), "%s.%s", name, f->name);
        assert_string_equal(row->name, field_name);
        assert_int_equal(row->kind, kind_of(m, f));
        if (row->kind == SCHEMA_ID)
            assert_int_equal(row->id_len, strcmp(f->name, "trace_id") == 0 ? 16 : 8);
        if (row->kind == SCHEMA_MESSAGE && levels > 0) /* AnyValue holds itself */
            compare_rows(f->descriptor, row->sub, levels - 1);
    }
}

static void rows_are_those_of_the_proto_files(void **state)
{
    (void)state;
    for (int s = 0; s < SIGNAL_COUNT; s++)
        compare_rows(request_type[s], schema_request[s], 9);
}

/* --- the heap --- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HEAP_IS_TAKEN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HEAP_IS_TAKEN 1
#endif
#endif

#ifdef HEAP_IS_TAKEN /* by the sanitizer */
static unsigned heap_calls;
#else
static volatile unsigned heap_calls;

/* These stand in front of the C library's for this whole program. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *at, size_t size);

void *malloc(size_t size)
{
    heap_calls++;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    heap_calls++;
    return __libc_calloc(n, size);
}

void *realloc(void *at, size_t size)
{
    heap_calls++;
    return __libc_realloc(at, size);
}
#endif

static void R230_no_heap_allocation(void **state)
{
    (void)state;
#ifdef HEAP_IS_TAKEN
    skip();
#endif
    unsigned before = heap_calls;
    free(generator_alloc(1));
    assert_int_equal(heap_calls, before + 1); /* calls are counted */
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        struct generator g = {.state = 5, .levels = 14};
        struct packed p = next_request(&g, (enum signal)s);
        struct scan_result r;
        before = heap_calls;
        scan_request((enum signal)s, slice_of(p.at, p.len), NULL, &r);
        scan_request((enum signal)s, slice_of(p.at, p.len - 1), NULL, &r); /* malformed */
        assert_int_equal(heap_calls, before);
        free(p.at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_those_of_the_proto_files),
        cmocka_unit_test(random_valid_messages),
        cmocka_unit_test(R227_truncation_at_every_byte),
        cmocka_unit_test(changes_of_single_bytes),
        cmocka_unit_test(differences_from_protobuf_c),
        cmocka_unit_test(a_repeated_member_of_a_oneof_is_merged),
        cmocka_unit_test(R230_no_heap_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
