"""OTLP/JSON against the real router: what senders of several languages write stands in the database
value for value, in Kafka as the same protobuf; what is wrong is answered in JSON, with its place."""

import gzip
import json
import time
from pathlib import Path

import pytest

from support import otlp_build as build
from support.database import assert_rows
from support.otlp_json import tree
from support.system import System
from support.wait import until
from support.wire import Http1, bearer, curl, http1, http2, request, warm_up

pytestmark = pytest.mark.sanitize

JSON = "application/json"
EXAMPLES = Path(__file__).parents[1] / "otlp/examples"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    system = System(tmp_path_factory.mktemp("json"), brokers=kafka.bootstrap, tenants=("acme",),
                    extra={"kafka": 'prefix = "json";',
                           "router": 'answer_timeout = "30s"; max_body = "256KiB"; max_decompressed = "256KiB";'})
    system.up()
    system.sent = warm_up(system, "acme")  # every acked message of this module
    yield system
    system.end()


def rich_requests():
    """Every kind of value, of point and of id."""
    trace, parent = build.trace_id(), build.span_id()
    texts = {"quotes": '"\\/', "controls": "\b\f\n\r\t\x01\x7f", "wide": "é€😀", "empty": ""}
    scope = build.scope(attrs=build.ALL_KINDS, dropped=3)
    span = build.span(
        "GET /", {**build.ALL_KINDS, **texts}, trace_id=trace, parent_span_id=parent, kind=2,
        trace_state="a=b", flags=0x101, dropped_attributes_count=2**32 - 1,
        events=[build.event(attrs=build.ALL_KINDS)], links=[build.link(build.ALL_KINDS, flags=1)],
        status=build.status("Error", "broken"))
    bodies = [build.ALL_KINDS, list(build.ALL_KINDS.values()), -(2**63), 2.5, True, None, *texts.values()]
    logs = [build.log(v, {"n": i, **texts}) for i, v in enumerate(bodies)]
    logs.append(build.log("in a trace", trace_id=trace, span_id=parent, flags=1, event_name="e"))
    return {
        "traces": build.traces_request([span, build.span()], sc=scope, schema="https://s/1"),
        "logs": build.logs_request(logs, sc=scope, scope_schema="https://s/2"),
        "metrics": build.metrics_request(build.all_metrics(build.ALL_KINDS), sc=scope),
    }


# ---- the forms that senders write


TIMES = {"timeUnixNano", "startTimeUnixNano", "endTimeUnixNano", "observedTimeUnixNano"}
INTEGERS = {"intValue", "asInt", "count", "zeroCount", "bucketCounts"}


FORMS = {
    "as protobuf says": lambda m: json.dumps(tree(m)),
    # sdk-behaviour #6: Node sends integers as numbers, Rust every default, indented.
    "Node": lambda m: json.dumps(tree(m, INTEGERS), separators=(",", ":"), ensure_ascii=False),
    "Rust": lambda m: json.dumps(tree(m, every_field=True), indent=2, ensure_ascii=False),
    "times as numbers": lambda m: json.dumps(tree(m, TIMES | INTEGERS), sort_keys=True),
}


def headers_of(system, **more):
    return {"content-type": JSON, **bearer(system.keys["acme"]), **more}


def check_accepted(answer):
    assert (answer.status, answer.body) == (200, b"{}")  # R100
    assert answer.get("content-type") == JSON  # R98


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("send", [http1, http2], ids=["http1", "http2"])
@pytest.mark.parametrize("form", FORMS)
def test_forms_of_json_are_stored(system, form, send, coding):
    """R65 R72 R233 R236 R238 R241 R243 R245 R246 R248 R250 R259"""
    for signal, message in rich_requests().items():
        body = FORMS[form](message).encode()
        body = gzip.compress(body) if coding == "gzip" else body
        check_accepted(send(system, path=f"/v1/{signal}", body=body,
                            headers=headers_of(system, **{"content-encoding": coding})))
        system.sent.append(message)
    assert_rows(system, "acme", system.sent)


@pytest.mark.parametrize("form", FORMS)
def test_kafka_has_what_protobuf_gives(system, kafka, form):
    """R259: the same bytes where the fields come in protobuf's order, else an equal message."""
    for signal, message in rich_requests().items():
        topic = f"json.acme.{signal}"
        seen = len(kafka.records(topic))
        protobuf = message.SerializeToString()
        answer = http1(system, path=f"/v1/{signal}", body=protobuf,
                       headers=headers_of(system, **{"content-type": "application/x-protobuf"}))
        assert answer.status == 200
        check_accepted(http1(system, path=f"/v1/{signal}", body=FORMS[form](message).encode(),
                             headers=headers_of(system)))
        system.sent += [message, message]
        until(lambda: len(kafka.records(topic)) >= seen + 2, 20, "two more records")
        records = sorted(kafka.records(topic), key=lambda r: r.timestamp)[-2:]
        if form in ("as protobuf says", "Node"):
            assert [r.value for r in records] == [protobuf, protobuf]
        again = [build.REQUESTS[signal].FromString(r.value).SerializeToString() for r in records]
        assert again == [protobuf, protobuf]  # compared as bytes: NaN is not equal to itself
        assert len({r.header("tenantry.items") for r in records}) == 1
    assert_rows(system, "acme", system.sent)


def test_media_type_and_transfer(system):
    """R66, R70, R20: any case and parameters, Accept does not count, a body in chunks."""
    message = build.logs_request([build.log("media type")])
    body = FORMS["Node"](message).encode()
    for headers in ({"content-type": "Application/JSON; charset=utf-8"},
                    {"content-type": "application/json;charset=UTF-8"},
                    {"accept": "application/x-protobuf"}):
        check_accepted(http1(system, body=body, headers=headers_of(system, **headers)))
        system.sent.append(message)
    check_accepted(curl(system, "/v1/logs", body, headers_of(system)))
    with Http1(system) as c:
        c.send(request(headers=headers_of(system, **{"transfer-encoding": "chunked"})))
        for i in range(0, len(body), 7):
            piece = body[i:i + 7]
            c.send(f"{len(piece):x}\r\n", piece, "\r\n")
        c.send("0\r\n\r\n")
        check_accepted(c.read())
    check_accepted(http1(system, body=b"\xef\xbb\xbf" + body, headers=headers_of(system)))  # R255
    check_accepted(http1(system, body=b' {"resource_logs":[{}]} ', headers=headers_of(system)))  # R239
    system.sent += [message] * 3
    assert_rows(system, "acme", system.sent)


def test_what_javascript_writes_for_strange_values(system):
    """T16: null for NaN, {} for an empty value, a lone surrogate; R240, R246, R254."""
    now = time.time_ns()
    record = {"timeUnixNano": str(now), "observedTimeUnixNano": None, "body": {"stringValue": "cut \ud83d"},
              "attributes": [{"key": "nan", "value": {"doubleValue": None}},
                             {"key": "empty", "value": {}}], "later": [{"x": {}}]}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()
    check_accepted(http1(system, body=body, headers=headers_of(system)))
    log = build.log("cut \ufffd", {"nan": None, "empty": None}, time_unix_nano=now,
                    observed_time_unix_nano=0, severity_number=0, severity_text="")
    system.sent.append(build.logs_request([log], res=build.resource(service=None), sc=build.scope("", "")))
    assert_rows(system, "acme", system.sent)


def test_an_item_with_a_bad_id_is_rejected_alone(system):
    """R232 R234 R242: base64 or a wrong length is never decoded; a log record is kept (R264)."""
    good = build.span("good")
    fields = tree(build.traces_request([good, build.span(), build.span()]))
    _, base64_id, short = fields["resourceSpans"][0]["scopeSpans"][0]["spans"]
    base64_id["traceId"] = "CvdlGRbNQ92ESOshHIAxnA=="
    short["spanId"] = "b7ad6b71692033"
    answer = http1(system, path="/v1/traces", body=json.dumps(fields).encode(),
                   headers=headers_of(system))
    assert (answer.status, answer.get("content-type")) == (200, JSON)
    told = json.loads(answer.body)
    assert told == {"partialSuccess": {"rejectedSpans": "2", "errorMessage": told["partialSuccess"]["errorMessage"]}}  # R101
    log = build.log("kept")
    fields = tree(build.logs_request([log]))
    fields["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["traceId"] = "no id"
    check_accepted(http1(system, body=json.dumps(fields).encode(), headers=headers_of(system)))
    system.sent += [build.traces_request([good]), build.logs_request([log])]
    assert_rows(system, "acme", system.sent)


# ---- refusals


def span(text):
    return f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{text}]}}]}}]}}'.encode()


SPAN_AT = len(span("").partition(b"]")[0])
REQUEST = "ExportTraceServiceRequest"
REFUSED = [
    ("empty", "R94", b"", "expected an object", 0, REQUEST),
    ("an array", "R256", b"[]", "expected an object", 0, REQUEST),
    ("two values", "R256", b"{} {}", "text behind the object", 3, REQUEST),
    ("cut off", "R256", b'{"resourceSpans":[{"scopeSpans":[]}', "the text ends too early",
     35, f"{REQUEST}.resource_spans"),
    ("not UTF-8", "R253", b'{"x":"\xff"}', "invalid UTF-8", 6, REQUEST),
    ("an enum by name", "R236", span('{"kind":"SPAN_KIND_SERVER"}'),
     "expected a number (names of enum values are not read)", SPAN_AT + 8, "Span.kind"),
    ("a fraction", "R244", span('{"flags":1.5}'), "not an integer", SPAN_AT + 9, "Span.flags"),
    ("out of range", "R244", span('{"startTimeUnixNano":"18446744073709551616"}'), "number out of range",
     SPAN_AT + 21, "Span.start_time_unix_nano"),
    ("null in an array", "R247", span("null"), "expected an object", SPAN_AT, "ScopeSpans.spans"),
    ("a number for a string", "R250", span('{"name":1}'), "expected a string", SPAN_AT + 8, "Span.name"),
    ("an object for an array", "R250", span('{"links":{}}'), "expected an array", SPAN_AT + 9, "Span.links"),
    ("nested too deeply", "R257", b'{"x":' + b"[" * 5000, "nested too deeply", 133, REQUEST),
]


@pytest.mark.parametrize("send", [http1, http2], ids=["http1", "http2"])
@pytest.mark.parametrize("name, rule, body, error, at, field", REFUSED, ids=[r[0] for r in REFUSED])
def test_refused(system, send, name, rule, body, error, at, field):
    """R118 R122 R123 R124 R258: a Status in JSON that names byte and field."""
    answer = send(system, path="/v1/traces", body=body, headers=headers_of(system))
    text = f"the body is not a valid traces request: {error} at byte {at}, in {field}"
    assert (answer.status, answer.get("content-type")) == (400, JSON)
    assert json.loads(answer.body) == {
        "code": 3, "message": text,
        "details": [{"@type": BAD_REQUEST, "fieldViolations": [{"field": field, "description": text}]}],
    }


def test_other_refusals_come_in_json(system):
    """R98, R118: keys, sizes, codings."""
    body = b'{"resourceLogs":[]}'
    no_key = http1(system, body=body, headers={"content-type": JSON})
    assert (no_key.status, no_key.rpc_status.code) == (401, 16)
    bomb = gzip.compress(b" " * (1 << 20))
    answer = http1(system, body=bomb, headers=headers_of(system, **{"content-encoding": "gzip"}))
    assert (answer.status, answer.rpc_status.code) == (413, 8)
    # A list of zeros is four times as large as protobuf.
    zeros = b"[" + b"0," * 100_000 + b"0]"
    growing = (b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":'
               b'[{"explicitBounds":' + zeros + b"}]}}]}]}]}")
    answer = http1(system, path="/v1/metrics", body=growing, headers=headers_of(system))
    assert (answer.status, answer.rpc_status.code) == (413, 8)
    assert_rows(system, "acme", system.sent)


# ---- last, since the rows are not compared


@pytest.mark.parametrize("file, signal", [("trace", "traces"), ("metrics", "metrics"), ("logs", "logs"),
                                          ("events", "logs")])
def test_examples_of_the_schema_repository(system, file, signal):
    """R260: the four files, as they are."""
    body = (EXAMPLES / f"{file}.json").read_bytes()
    check_accepted(http1(system, path=f"/v1/{signal}", body=body, headers=headers_of(system)))
