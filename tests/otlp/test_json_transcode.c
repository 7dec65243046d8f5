/* OTLP/JSON becomes protobuf by the rules R233-R260: a row is a piece of JSON and the fields it
 * becomes (notation.h), or the reason and field of the refusal. */
#include "tests/base/unit.h"

#include "otlp/json_transcode.h"
#include "otlp/scan.h"
#include "tests/otlp/notation.h"

/* Where a piece of JSON stands in a request, and the same in protobuf. */
struct place {
    enum signal signal;
    const char *json[2], *wire[2];
};

static const struct place request = {SIGNAL_TRACES, {"", ""}, {"", ""}};
static const struct place span = {SIGNAL_TRACES,
                                  {"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[", "]}]}]}"},
                                  {"1{2{2{", "}}}"}};
static const struct place record = {
    SIGNAL_LOGS,
    {"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[", "]}]}]}"},
    {"1{2{2{", "}}}"}};
static const struct place body = {
    SIGNAL_LOGS,
    {"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":", "}]}]}]}"},
    {"1{2{2{5{", "}}}}"}};
static const struct place gauge = {
    SIGNAL_METRICS,
    {"{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":{\"dataPoints\":[",
     "]}}]}]}]}"},
    {"1{2{2{5{1{", "}}}}}"}};
static const struct place histogram = {
    SIGNAL_METRICS,
    {"{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{\"dataPoints\":[",
     "]}}]}]}]}"},
    {"1{2{2{9{1{", "}}}}}"}};
static const struct place exponential = {
    SIGNAL_METRICS,
    {"{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"exponentialHistogram\":{"
     "\"dataPoints\":[",
     "]}}]}]}]}"},
    {"1{2{2{10{1{", "}}}}}"}};

#define TRACE_ID  "0af7651916cd43dd8448eb211c80319c"
#define SPAN_ID   "b7ad6b7169203331"
#define WIRE_IDS  "~0a10" TRACE_ID " ~1208" SPAN_ID
#define NAN_BITS  "9221120237041090560" /* 0x7ff8 << 48 */
#define INF_BITS  "9218868437227405312"
#define HALF_BITS "4602678819172646912" /* 0.5 */
#define REPLACED  "~0a03efbfbd"

static struct buf text_of(const char *const around[2], const char *piece)
{
    struct buf b = BUF_INIT;
    buf_append_str(&b, around[0]);
    buf_append_str(&b, piece);
    buf_append_str(&b, around[1]);
    return b;
}

/* A copy of exactly its length, so that a sanitizer sees a read past it. */
static enum json_status transcode(const struct place *p, const char *piece, struct buf *out,
                                  struct json_error *error)
{
    struct buf b = text_of(p->json, piece);
    uint8_t *copy = malloc(b.len + 1);
    assert_non_null(copy);
    if (b.len > 0)
        memcpy(copy, b.at, b.len);
    enum json_status status = json_transcode(p->signal, slice_of(copy, b.len), out, error);
    free(copy);
    buf_release(&b);
    return status;
}

struct row {
    int line;
    const struct place *place;
    const char *json, *wire;
};

static void check_becomes(const struct row *row)
{
    struct buf out = BUF_INIT, fields = text_of(row->place->wire, row->wire);
    struct json_error error;
    struct scan_result scanned;
    struct slice want = wire_text(buf_cstr(&fields));
    enum json_status status = transcode(row->place, row->json, &out, &error);
    check_row(row->line, status == JSON_OK, "%s at %zu, in %s", error.text, error.at, error.field);
    check_row(row->line, slice_eq(buf_slice(&out), want), "%zu bytes instead of %zu", out.len,
              want.len);
    assert_int_equal(scan_request(row->place->signal, buf_slice(&out), NULL, &scanned), SCAN_OK);
    free((void *)(uintptr_t)want.at);
    buf_release(&fields);
    buf_release(&out);
}

#define CHECK_ROWS(rows)                                                                           \
    do {                                                                                           \
        (void)state;                                                                               \
        for (size_t i = 0; i < COUNT(rows); i++)                                                   \
            check_becomes(&(rows)[i]);                                                             \
    } while (0)

/* clang-format off */
static void R233_R235_ids_are_hex(void **state)
{
    static const struct row rows[] = {
        {__LINE__, &span, "{\"traceId\":\"" TRACE_ID "\",\"spanId\":\"" SPAN_ID "\"}", WIRE_IDS},
        {__LINE__, &span, "{\"traceId\":\"0AF7651916CD43dd8448EB211C80319C\",\"spanId\":\"B7AD6B7169203331\"}", WIRE_IDS},
        {__LINE__, &span, "{\"parentSpanId\":\"" SPAN_ID "\"}", "~2208" SPAN_ID},
        {__LINE__, &span, "{\"links\":[{\"traceId\":\"" TRACE_ID "\",\"spanId\":\"" SPAN_ID "\"}]}", "13{" WIRE_IDS "}"},
        {__LINE__, &record, "{\"traceId\":\"" TRACE_ID "\",\"spanId\":\"" SPAN_ID "\"}", "~4a10" TRACE_ID " ~5208" SPAN_ID},
        {__LINE__, &gauge, "{\"exemplars\":[{\"spanId\":\"" SPAN_ID "\",\"traceId\":\"" TRACE_ID "\"}]}", "5{~2208" SPAN_ID " ~2a10" TRACE_ID "}"},
        {__LINE__, &span, "{\"spanId\":\"\\u0062\\u0037ad6b7169203331\"}", "~1208" SPAN_ID},
        {__LINE__, &span, "{\"traceId\":\"\",\"spanId\":\"\",\"parentSpanId\":\"\"}", ""},
        {__LINE__, &span, "{\"spanId\":\"" SPAN_ID "\",\"spanId\":\"\"}", "~1208" SPAN_ID " 2''"},
    };
    CHECK_ROWS(rows);
}

/* One byte stands for what is no id: the item is rejected like one with a bad id in protobuf. */
static void R234_what_is_no_id_is_never_decoded(void **state)
{
    static const struct row rows[] = {
        {__LINE__, &span, "{\"spanId\":\"b7ad6b716920333g\"}", "~120100"},
        {__LINE__, &span, "{\"spanId\":\"b7ad6b71692033\"}", "~120100"},
        {__LINE__, &span, "{\"spanId\":\"" SPAN_ID "00\"}", "~120100"},
        {__LINE__, &span, "{\"traceId\":\"CvdlGRbNQ92ESOshHIAxnA==\"}", "~0a0100"}, /* base64 */
        {__LINE__, &span, "{\"traceId\":\"" SPAN_ID "\"}", "~0a0100"},
        {__LINE__, &span, "{\"parentSpanId\":\" " SPAN_ID "\"}", "~220100"},
        {__LINE__, &record, "{\"traceId\":\"abc\",\"flags\":1}", "~4a00 8%1"}, /* R264: kept, belongs to none */
    };
    CHECK_ROWS(rows);
}

static void R236_R238_enums_and_keys(void **state)
{
    static const struct row rows[] = {
        {__LINE__, &span, "{\"kind\":3,\"status\":{\"code\":2,\"message\":\"m\"}}", "6=3 15{3=2 2'm'}"},
        {__LINE__, &span, "{\"kind\":99}", "6=99"},
        {__LINE__, &span, "{\"kind\":-1}", "6=-1"},
        {__LINE__, &span, "{\"kind\":2.0}", "6=2"},
        {__LINE__, &record, "{\"severityNumber\":17,\"severityText\":\"ERROR\"}", "2=17 3'ERROR'"},
        {__LINE__, &span, "{\"droppedAttributesCount\":1,\"droppedEventsCount\":2,\"droppedLinksCount\":3}", "10=1 12=2 14=3"},
        {__LINE__, &span, "{\"tr\\u0061ceState\":\"s\"}", "3's'"},
    };
    CHECK_ROWS(rows);
}

static void R239_R240_unknown_keys_are_skipped(void **state)
{
    static const struct row rows[] = {
        {__LINE__, &request, "{\"resource_spans\":[{\"scope_spans\":[]}]}", ""},
        {__LINE__, &request, "{\"resourcespans\":[{}],\"ResourceSpans\":[{}],\"resourceSpan\":[{}],\"resourceSpansX\":[{}],\"\":1}", ""},
        {__LINE__, &span, "{\"x\":{\"a\":[1,{\"b\":[[],{}]},\"c\",null,true,false,-1.5e+3]},\"name\":\"n\",\"y\":\"\\\"\"}", "5'n'"},
        {__LINE__, &span, "{\"trace_id\":\"zz\",\"trace\\u0000Id\":1}", ""},
        {__LINE__, &span, " {\t\"x\" :\r\n[ 1 , 2 ] , \"name\" : \"n\" } ", "5'n'"},
    };
    CHECK_ROWS(rows);
}

/* R243: of 32 bits, too. */
static void R241_R244_integers(void **state)
{
    static const struct row rows[] = {
        {__LINE__, &span, "{\"startTimeUnixNano\":\"1544712660300000001\"}", "7@1544712660300000001"},
        {__LINE__, &span, "{\"startTimeUnixNano\":1544712660300000001}", "7@1544712660300000001"},
        {__LINE__, &span, "{\"startTimeUnixNano\":18446744073709551615}", "~39ffffffffffffffff"},
        {__LINE__, &span, "{\"startTimeUnixNano\":1.8446744073709551615e19}", "~39ffffffffffffffff"},
        {__LINE__, &span, "{\"startTimeUnixNano\":\"1844674407370955161500e-2\"}", "~39ffffffffffffffff"},
        {__LINE__, &body, "{\"intValue\":\"9223372036854775807\"}", "3=9223372036854775807"},
        {__LINE__, &body, "{\"intValue\":-9223372036854775808}", "3=-9223372036854775808"},
        {__LINE__, &body, "{\"intValue\":9007199254740993}", "3=9007199254740993"},
        {__LINE__, &body, "{\"intValue\":1.0}", "3=1"},
        {__LINE__, &body, "{\"intValue\":1e2}", "3=100"},
        {__LINE__, &body, "{\"intValue\":-1.50E+1}", "3=-15"},
        {__LINE__, &body, "{\"intValue\":1000e-3}", "3=1"},
        {__LINE__, &body, "{\"intValue\":0e999999999999}", "3=0"},
        {__LINE__, &body, "{\"intValue\":-0}", "3=0"},
        {__LINE__, &body, "{\"intValue\":1.0000000000000000000000000}", "3=1"},
        {__LINE__, &body, "{\"intValue\":\"\\u0031\"}", "3=1"},
        {__LINE__, &gauge, "{\"asInt\":\"-5\"}", "6@-5"},
        {__LINE__, &gauge, "{\"asInt\":7}", "6@7"},
        {__LINE__, &gauge, "{\"flags\":\"1\"}", "8=1"},
        {__LINE__, &span, "{\"flags\":4294967295}", "16%4294967295"},
        {__LINE__, &span, "{\"flags\":\"257\"}", "16%257"},
        {__LINE__, &exponential, "{\"scale\":-3,\"zeroCount\":\"2\",\"positive\":{\"offset\":\"2147483647\",\"bucketCounts\":[\"1\",2,18446744073709551615]}}",
         "6=5 7@2 8{1=4294967294 ~120c0102ffffffffffffffffff01}"},
        {__LINE__, &exponential, "{\"scale\":-2147483648}", "6=4294967295"},
        {__LINE__, &histogram, "{\"bucketCounts\":[\"1\",0],\"explicitBounds\":[0.5]}", "~321001000000000000000000000000000000 ~3a08000000000000e03f"},
    };
    CHECK_ROWS(rows);
}

static void R245_doubles(void **state)
{
    static const struct row rows[] = {
        {__LINE__, &gauge, "{\"asDouble\":0.5}", "4@" HALF_BITS},
        {__LINE__, &gauge, "{\"asDouble\":\"0.5\"}", "4@" HALF_BITS},
        {__LINE__, &gauge, "{\"asDouble\":\"5e-1\"}", "4@" HALF_BITS},
        {__LINE__, &gauge, "{\"asDouble\":\"NaN\"}", "4@" NAN_BITS},
        {__LINE__, &gauge, "{\"asDouble\":\"Infinity\"}", "4@" INF_BITS},
        {__LINE__, &gauge, "{\"asDouble\":\"-Infinity\"}", "~21000000000000f0ff"},
        {__LINE__, &gauge, "{\"asDouble\":-0.0}", "~210000000000000080"},
        {__LINE__, &gauge, "{\"asDouble\":0}", "4@0"}, /* a member of a oneof */
        {__LINE__, &gauge, "{\"asDouble\":0.30000000000000004}", "~21343333333333d33f"},
        {__LINE__, &gauge, "{\"asDouble\":1.7976931348623157e308}", "~21ffffffffffffef7f"},
        {__LINE__, &gauge, "{\"asDouble\":5e-324}", "4@1"},
        {__LINE__, &gauge, "{\"asDouble\":1e-400}", "4@0"},
        {__LINE__, &gauge, "{\"asDouble\":9007199254740993}", "~210000000000004043"},
        {__LINE__, &histogram, "{\"sum\":0,\"count\":0}", "5@0"}, /* optional, and not */
    };
    CHECK_ROWS(rows);
}

static void R246_null_is_absent(void **state)
{
    static const struct row rows[] = {
        {__LINE__, &request, "{\"resourceSpans\":null}", ""},
        {__LINE__, &span, "{\"traceId\":null,\"name\":null,\"kind\":null,\"attributes\":null,\"status\":null,\"x\":null,\"flags\":1}", "16%1"},
        {__LINE__, &body, "{\"doubleValue\":null}", ""}, /* NaN in JavaScript */
        {__LINE__, &gauge, "{\"asDouble\":null,\"asInt\":null}", ""},
        {__LINE__, &record, "{\"attributes\":[{\"key\":\"k\",\"value\":null}]}", "6{1'k'}"},
        {__LINE__, &span, "{\"name\":\"n\",\"name\":null}", "5'n'"},
    };
    CHECK_ROWS(rows);
}

static void R248_bytes_are_base64(void **state)
{
    static const struct row rows[] = {
        {__LINE__, &body, "{\"bytesValue\":\"AP8=\"}", "~3a0200ff"},
        {__LINE__, &body, "{\"bytesValue\":\"AP8\"}", "~3a0200ff"},
        {__LINE__, &body, "{\"bytesValue\":\"+/+/\"}", "~3a03fbffbf"},
        {__LINE__, &body, "{\"bytesValue\":\"-_-_\"}", "~3a03fbffbf"},
        {__LINE__, &body, "{\"bytesValue\":\"\\u0041P\\u0038=\"}", "~3a0200ff"},
        {__LINE__, &body, "{\"bytesValue\":\"AQ==\"}", "~3a0101"},
        {__LINE__, &body, "{\"bytesValue\":\"AQ\"}", "~3a0101"},
        {__LINE__, &body, "{\"bytesValue\":\"+\\/+\\/\"}", "~3a03fbffbf"},
        {__LINE__, &body, "{\"bytesValue\":\"\"}", "7''"},
    };
    CHECK_ROWS(rows);
}

static void R250_R261_bools_strings_values(void **state)
{
    static const struct row rows[] = {
        {__LINE__, &body, "{\"boolValue\":true}", "2=1"},
        {__LINE__, &body, "{\"boolValue\":false}", "2=0"},
        {__LINE__, &body, "{\"stringValue\":\"\"}", "1''"},
        {__LINE__, &body, "{}", ""},
        {__LINE__, &body, "{\"arrayValue\":{}}", "5{}"},
        {__LINE__, &body, "{\"arrayValue\":{\"values\":[{},{\"intValue\":1}]}}", "5{1{} 1{3=1}}"},
        {__LINE__, &body, "{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}}]}}", "6{1{1'k' 2{1'v'}}}"},
        {__LINE__, &body, "{\"stringValue\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\ude00\\u0000x\"}", "~0a13225c2f080c0a0d09c3a9e282acf09f98800078"},
        {__LINE__, &record, "{\"body\":{}}", "5{}"},
        {__LINE__, &span, "{\"name\":\"\",\"kind\":0,\"flags\":0,\"attributes\":[],\"startTimeUnixNano\":\"0\",\"status\":{}}", "15{}"},
    };
    CHECK_ROWS(rows);
}

static void R251_of_a_repeated_key_the_last_counts(void **state)
{
    static const struct row rows[] = {
        {__LINE__, &request, "{\"resourceSpans\":[],\"resourceSpans\":[]}", ""},
        {__LINE__, &request, "{\"resourceSpans\":[],\"resourceSpans\":[{}]}", "1{}"},
        {__LINE__, &span, "{\"kind\":1,\"kind\":0}", "6=1 6=0"}, /* protobuf takes the last */
        {__LINE__, &span, "{\"events\":[{\"name\":\"a\"},{}],\"events\":[{\"name\":\"b\"}]}", "11{2'b'}"},
        {__LINE__, &span, "{\"events\":[{\"name\":\"a\"}],\"name\":\"n\",\"links\":[{}],\"events\":[],\"links\":[{\"flags\":1}]}", "5'n' 13{6%1}"},
        {__LINE__, &span, "{\"status\":{\"code\":1},\"name\":\"n\",\"status\":{\"message\":\"m\"}}", "5'n' 15{2'm'}"},
        {__LINE__, &span, "{\"links\":[{}],\"events\":[{}],\"links\":[{}],\"events\":[{}],\"links\":[{},{}]}", "11{} 13{} 13{}"},
        {__LINE__, &histogram, "{\"explicitBounds\":[1,2],\"explicitBounds\":[0.5]}", "~3a08000000000000e03f"},
    };
    CHECK_ROWS(rows);
}

static void R252_of_a_oneof_the_last_counts(void **state)
{
    static const struct row rows[] = {
        {__LINE__, &body, "{\"stringValue\":\"s\",\"intValue\":1}", "1's' 3=1"},
        {__LINE__, &body, "{\"arrayValue\":{\"values\":[{}]},\"boolValue\":true,\"arrayValue\":{}}", "2=1 5{}"},
        {__LINE__, &gauge, "{\"asInt\":1,\"asDouble\":0.5}", "6@1 4@" HALF_BITS},
    };
    CHECK_ROWS(rows);
}

static void R254_lone_surrogates_become_replacements(void **state)
{
    static const struct row rows[] = {
        {__LINE__, &body, "{\"stringValue\":\"\\ud800\"}", REPLACED},
        {__LINE__, &body, "{\"stringValue\":\"\\uDFFF\"}", REPLACED},
        {__LINE__, &body, "{\"stringValue\":\"\\ud83d\\ud83d\\ude00\"}", "~0a07efbfbdf09f9880"},
        {__LINE__, &body, "{\"stringValue\":\"\\ud83d\\u0041\"}", "~0a04efbfbd41"},
        {__LINE__, &body, "{\"stringValue\":\"\\ud83d\\n\"}", "~0a04efbfbd0a"},
    };
    CHECK_ROWS(rows);
}

static void R255_a_byte_order_mark_is_ignored(void **state)
{
    static const struct row rows[] = {
        {__LINE__, &request, "\xEF\xBB\xBF{\"resourceSpans\":[{}]}", "1{}"},
        {__LINE__, &request, " \r\n\t{ } \n", ""},
    };
    CHECK_ROWS(rows);
}

/* --- refusals ------------------------------------------------------------------------------- */

static void refusals(void **state)
{
    static const struct {
        int line;
        const struct place *place;
        const char *json, *error, *field;
    } rows[] = {
        {__LINE__, &request, "", "expected an object", "ExportTraceServiceRequest"}, /* R94 */
        {__LINE__, &request, " ", "expected an object", "ExportTraceServiceRequest"},
        {__LINE__, &request, "[]", "expected an object", "ExportTraceServiceRequest"}, /* R256 */
        {__LINE__, &request, "null", "expected an object", "ExportTraceServiceRequest"},
        {__LINE__, &request, "\"x\"", "expected an object", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{}{}", "text behind the object", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{},", "text behind the object", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{", "the text ends too early", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{,}", "expected a key", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\":1,}", "expected a key", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{'x':1}", "expected a key", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\"}", "expected a colon", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\" 1}", "expected a colon", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\":1 \"y\":2}", "expected a comma or a closing brace", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\":[1 2]}", "expected a comma or a closing bracket", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\":[1,]}", "expected a value", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\":}", "expected a value", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\":tru}", "expected a value", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\":NaN}", "expected a value", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\":01}", "expected a value", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\":1.}", "expected a value", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\":.5}", "expected a value", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\":+1}", "expected a value", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\":1e}", "expected a value", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\":-}", "expected a value", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\":1//\n}", "expected a comma or a closing brace", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"resourceSpans\":{}}", "expected an array", "ExportTraceServiceRequest.resource_spans"},
        {__LINE__, &request, "{\"resourceSpans\":[", "expected an object", "ExportTraceServiceRequest.resource_spans"},
        {__LINE__, &span, "null", "expected an object", "ScopeSpans.spans"}, /* R247 */
        {__LINE__, &span, "{\"attributes\":[null]}", "expected an object", "Span.attributes"},
        {__LINE__, &histogram, "{\"bucketCounts\":[null]}", "expected a number", "HistogramDataPoint.bucket_counts"},
        {__LINE__, &histogram, "{\"bucketCounts\":[1 2]}", "expected a comma or a closing bracket", "HistogramDataPoint.bucket_counts"},
        {__LINE__, &span, "{\"kind\":\"SPAN_KIND_SERVER\"}", "expected a number (names of enum values are not read)", "Span.kind"}, /* U */
        {__LINE__, &span, "{\"kind\":\"1\"}", "expected a number (names of enum values are not read)", "Span.kind"},
        {__LINE__, &span, "{\"kind\":true}", "expected a number (names of enum values are not read)", "Span.kind"},
        {__LINE__, &span, "{\"kind\":2147483648}", "number out of range", "Span.kind"},
        {__LINE__, &body, "{\"intValue\":1.5}", "not an integer", "AnyValue.int_value"}, /* R244 */
        {__LINE__, &body, "{\"intValue\":1e-1}", "not an integer", "AnyValue.int_value"},
        {__LINE__, &body, "{\"intValue\":1e-999999999999}", "not an integer", "AnyValue.int_value"},
        {__LINE__, &body, "{\"intValue\":\"\"}", "not a number", "AnyValue.int_value"},
        {__LINE__, &body, "{\"intValue\":\" 1\"}", "not a number", "AnyValue.int_value"},
        {__LINE__, &body, "{\"intValue\":\"1 \"}", "not a number", "AnyValue.int_value"},
        {__LINE__, &body, "{\"intValue\":\"0x1\"}", "not a number", "AnyValue.int_value"},
        {__LINE__, &body, "{\"intValue\":9223372036854775808}", "number out of range", "AnyValue.int_value"},
        {__LINE__, &body, "{\"intValue\":-9223372036854775809}", "number out of range", "AnyValue.int_value"},
        {__LINE__, &body, "{\"intValue\":1e+21}", "number out of range", "AnyValue.int_value"},
        {__LINE__, &body, "{\"intValue\":1e999999999999}", "number out of range", "AnyValue.int_value"},
        {__LINE__, &body, "{\"intValue\":123456789012345678901234567890}", "number out of range", "AnyValue.int_value"},
        {__LINE__, &body, "{\"intValue\":true}", "expected a number", "AnyValue.int_value"},
        {__LINE__, &span, "{\"startTimeUnixNano\":-1}", "number out of range", "Span.start_time_unix_nano"},
        {__LINE__, &span, "{\"startTimeUnixNano\":\"18446744073709551616\"}", "number out of range", "Span.start_time_unix_nano"},
        {__LINE__, &span, "{\"flags\":4294967296}", "number out of range", "Span.flags"},
        {__LINE__, &span, "{\"flags\":-1}", "number out of range", "Span.flags"},
        {__LINE__, &exponential, "{\"scale\":2147483648}", "number out of range", "ExponentialHistogramDataPoint.scale"},
        {__LINE__, &gauge, "{\"asDouble\":1e400}", "number out of range", "NumberDataPoint.as_double"},
        {__LINE__, &gauge, "{\"asDouble\":\"nan\"}", "not a number", "NumberDataPoint.as_double"},
        {__LINE__, &gauge, "{\"asDouble\":\"inf\"}", "not a number", "NumberDataPoint.as_double"},
        {__LINE__, &gauge, "{\"asDouble\":NaN}", "expected a number", "NumberDataPoint.as_double"},
        {__LINE__, &body, "{\"boolValue\":\"true\"}", "expected true or false", "AnyValue.bool_value"}, /* R250 */
        {__LINE__, &body, "{\"boolValue\":1}", "expected true or false", "AnyValue.bool_value"},
        {__LINE__, &body, "{\"stringValue\":1}", "expected a string", "AnyValue.string_value"},
        {__LINE__, &body, "{\"stringValue\":{}}", "expected a string", "AnyValue.string_value"},
        {__LINE__, &body, "\"text\"", "expected an object", "LogRecord.body"},
        {__LINE__, &body, "{\"bytesValue\":\"A\"}", "not base64", "AnyValue.bytes_value"}, /* R248 */
        {__LINE__, &body, "{\"bytesValue\":\"AQ=\"}", "not base64", "AnyValue.bytes_value"},
        {__LINE__, &body, "{\"bytesValue\":\"A===\"}", "not base64", "AnyValue.bytes_value"},
        {__LINE__, &body, "{\"bytesValue\":\"AQ==AQ==\"}", "not base64", "AnyValue.bytes_value"},
        {__LINE__, &body, "{\"bytesValue\":\"A Q=\"}", "not base64", "AnyValue.bytes_value"},
        {__LINE__, &span, "{\"traceId\":1}", "expected a string", "Span.trace_id"},
        {__LINE__, &body, "{\"stringValue\":\"\xFF\"}", "invalid UTF-8", "AnyValue.string_value"}, /* R253 */
        {__LINE__, &body, "{\"stringValue\":\"\xED\xA0\x80\"}", "invalid UTF-8", "AnyValue.string_value"},
        {__LINE__, &body, "{\"x\":\"\xC0\x80\"}", "invalid UTF-8", "AnyValue"},
        {__LINE__, &body, "{\"\xC3\":1}", "expected a key", "AnyValue"},
        {__LINE__, &body, "{\"stringValue\":\"a\nb\"}", "control character in a string", "AnyValue.string_value"},
        {__LINE__, &body, "{\"stringValue\":\"\\x\"}", "invalid escape in a string", "AnyValue.string_value"},
        {__LINE__, &body, "{\"stringValue\":\"\\u12g4\"}", "invalid escape in a string", "AnyValue.string_value"},
        {__LINE__, &request, "{\"x\":\"\\u12", "invalid escape in a string", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\":\"\\", "invalid escape in a string", "ExportTraceServiceRequest"},
        {__LINE__, &request, "{\"x\":\"y", "a string without its end", "ExportTraceServiceRequest"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT;
        struct json_error error;
        enum json_status status = transcode(rows[i].place, rows[i].json, &out, &error);
        check_row(rows[i].line, status == JSON_MALFORMED, "was taken");
        check_row(rows[i].line, strcmp(error.text, rows[i].error) == 0, "%s", error.text);
        check_row(rows[i].line, strcmp(error.field, rows[i].field) == 0, "%s", error.field);
        buf_release(&out);
    }
}
/* clang-format on */

/* --- depth, place, ceiling ------------------------------------------------------------------ */

/* `levels` of `open`, then `middle`, then as many of `close`. */
static struct buf nested(unsigned levels, const char *open, const char *middle, const char *close)
{
    struct buf b = BUF_INIT;
    for (unsigned i = 0; i < levels; i++)
        buf_append_str(&b, open);
    buf_append_str(&b, middle);
    for (unsigned i = 0; i < levels; i++)
        buf_append_str(&b, close);
    return b;
}

static enum json_status transcode_nested(const struct place *p, struct buf text,
                                         struct json_error *error)
{
    struct buf out = BUF_INIT;
    struct scan_result scanned;
    enum json_status status = transcode(p, buf_cstr(&text), &out, error);
    if (status == JSON_OK)
        assert_int_equal(scan_request(p->signal, buf_slice(&out), NULL, &scanned), SCAN_OK);
    buf_release(&text);
    buf_release(&out);
    return status;
}

/* Each level of an array value is two messages: value and array. Request, resource, scope and
 * record are above them. */
static void R257_depth_is_bounded(void **state)
{
    static const char *const value[] = {"{\"arrayValue\":{\"values\":[", "]}}"};
    const unsigned levels = (SCAN_MAX_DEPTH - 5) / 2;
    struct json_error error;
    (void)state;
    assert_true(SCAN_MAX_DEPTH >= 100);
    assert_int_equal(transcode_nested(&body, nested(levels, value[0], "{}", value[1]), &error),
                     JSON_OK);
    assert_int_equal(transcode_nested(&body, nested(levels + 1, value[0], "{}", value[1]), &error),
                     JSON_MALFORMED);
    assert_string_equal(error.text, "messages nested too deeply");

    assert_int_equal(transcode_nested(&request, nested(1, "{\"x\":", "[[[]]]", "}"), &error),
                     JSON_OK);
    struct buf arrays = nested(SCAN_MAX_DEPTH, "[", "", "]");
    assert_int_equal(
        transcode_nested(&request, nested(1, "{\"x\":", buf_cstr(&arrays), "}"), &error), JSON_OK);
    buf_release(&arrays);
    arrays = nested(1000000, "{\"x\":", "1", "}");
    assert_int_equal(transcode_nested(&request, arrays, &error), JSON_MALFORMED);
    assert_string_equal(error.text, "nested too deeply");
}

static void R124_an_error_tells_its_place(void **state)
{
    static const char before[] = "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"kind\": ";
    struct buf text = BUF_INIT, out = BUF_INIT;
    struct json_error error;
    (void)state;
    buf_append_str(&text, before);
    buf_append_str(&text, "\"SERVER\"}]}]}]}");
    assert_int_equal(json_transcode(SIGNAL_TRACES, buf_slice(&text), &out, &error), JSON_MALFORMED);
    assert_int_equal(error.at, sizeof(before) - 1);
    assert_string_equal(error.field, "Span.kind");
    buf_release(&text);
    buf_release(&out);
}

/* Every ceiling below what is needed is met, and no byte is written beyond. */
static void the_output_has_a_ceiling(void **state)
{
    static const char text[] = "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{"
                               "\"stringValue\":\"\\n0123456789\"},\"attributes\":[{\"key\":\"k\","
                               "\"value\":{\"bytesValue\":\"AQID\"}}]}]}]}]}";
    struct json_error error;
    size_t needed = 0;
    (void)state;
    for (size_t ceiling = 1; needed == 0; ceiling++) {
        struct buf out = BUF_INIT_CEILING(ceiling);
        enum json_status status = json_transcode(SIGNAL_LOGS, slice_str(text), &out, &error);
        assert_true(out.len <= ceiling);
        if (status == JSON_OK)
            needed = ceiling;
        else
            assert_int_equal(status, JSON_TOO_LARGE);
        buf_release(&out);
    }
    assert_true(needed < sizeof(text));
}

/* Lengths of one, two, three and four bytes. */
static void lengths_of_all_sizes(void **state)
{
    static const size_t sizes[] = {1, 100, 127, 128, 200, 16383, 16384, 2097151, 2097152, 3000000};
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char *text = malloc(sizes[i] + 32);
        assert_non_null(text);
        int n = snprintf(text, 32, "{\"stringValue\":\"");
        memset(text + n, 'x', sizes[i]);
        memcpy(text + n + sizes[i], "\"}", 3);
        struct buf out = BUF_INIT;
        struct json_error error;
        struct scan_result scanned;
        assert_int_equal(transcode(&body, text, &out, &error), JSON_OK);
        assert_int_equal(scan_request(SIGNAL_LOGS, buf_slice(&out), NULL, &scanned), SCAN_OK);
        assert_int_equal(scanned.items, 1);
        assert_memory_equal(out.at + out.len - sizes[i], text + n, sizes[i]);
        buf_release(&out);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R233_R235_ids_are_hex),
        cmocka_unit_test(R234_what_is_no_id_is_never_decoded),
        cmocka_unit_test(R236_R238_enums_and_keys),
        cmocka_unit_test(R239_R240_unknown_keys_are_skipped),
        cmocka_unit_test(R241_R244_integers),
        cmocka_unit_test(R245_doubles),
        cmocka_unit_test(R246_null_is_absent),
        cmocka_unit_test(R248_bytes_are_base64),
        cmocka_unit_test(R250_R261_bools_strings_values),
        cmocka_unit_test(R251_of_a_repeated_key_the_last_counts),
        cmocka_unit_test(R252_of_a_oneof_the_last_counts),
        cmocka_unit_test(R254_lone_surrogates_become_replacements),
        cmocka_unit_test(R255_a_byte_order_mark_is_ignored),
        cmocka_unit_test(refusals),
        cmocka_unit_test(R257_depth_is_bounded),
        cmocka_unit_test(R124_an_error_tells_its_place),
        cmocka_unit_test(the_output_has_a_ceiling),
        cmocka_unit_test(lengths_of_all_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
