"""Partial success (R104-R107, R182, R232, R267, R268, R270): one bad item costs itself alone."""

import grpc
import pytest
import requests

from support import otlp_build as build
from support.otlp_build import REQUESTS, RESPONSES
from support.system import System
from support.wait import until

METHOD = "/opentelemetry.proto.collector.{0}.v1.{1}Service/Export"
NAMES = {"traces": "Trace", "metrics": "Metrics", "logs": "Logs"}


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    it = System(tmp_path_factory.mktemp("partial"), brokers=kafka.bootstrap, tenants=("acme",),
                extra={"router": 'answer_timeout = "30s";'})
    it.up()
    for signal in REQUESTS:
        until(lambda: post(it, signal, FIRST[signal].SerializeToString()).ok, 60, f"the topic of {signal}")
    yield it
    it.down()


FIRST = {
    "logs": build.logs_request([build.log("first")]),
    "traces": build.traces_request([build.span("first")]),
    "metrics": build.metrics_request([build.gauge("first", [build.number(1)])]),
}


def post(system, signal, body):
    return requests.post(
        f"https://127.0.0.1:{system.port}/v1/{signal}",
        data=body,
        headers={"content-type": "application/x-protobuf", "x-api-key": system.keys["acme"]},
        verify=str(system.folder / "certs/ca.pem"),
        timeout=60,
    )


def send_http(system, signal, body):
    answer = post(system, signal, body)
    assert answer.status_code == 200, answer.text
    return RESPONSES[signal].FromString(answer.content)


def send_grpc(system, signal, body):
    ca = (system.folder / "certs/ca.pem").read_bytes()
    target = f"localhost:{system.port}"
    with grpc.secure_channel(target, grpc.ssl_channel_credentials(ca)) as channel:
        call = channel.unary_unary(
            METHOD.format({"traces": "trace"}.get(signal, signal), NAMES[signal]),
            request_serializer=lambda b: b,
            response_deserializer=RESPONSES[signal].FromString,
        )
        return call(body, timeout=60, metadata=(("x-api-key", system.keys["acme"]),))


SENDERS = {"http": send_http, "grpc": send_grpc}


def names(system, table, column):
    return {row[column] for row in system.rows("acme", table)}


@pytest.mark.parametrize("protocol", SENDERS)
def test_R232_spans_with_bad_ids(system, protocol):
    """R104, R105, R106, R182, R270"""
    good = [build.span(f"{protocol}-good-{i}") for i in range(3)]
    bad = [
        build.span(f"{protocol}-bad-trace", trace_id=b"short"),
        build.span(f"{protocol}-bad-zero", trace_id=bytes(16)),
        build.span(f"{protocol}-bad-span", span_id=bytes(8)),
        build.span(f"{protocol}-bad-parent", parent_span_id=b"123"),
        build.span(f"{protocol}-bad-link", links=[build.link(trace_id=b"x")]),
    ]
    mixed = [item for pair in zip(good + [None, None], bad) for item in pair if item is not None]
    body = build.traces_request(mixed).SerializeToString()
    partial = SENDERS[protocol](system, "traces", body).partial_success
    assert partial.rejected_spans == 5
    assert partial.error_message.startswith("5 of 8 spans rejected; in the first one, trace_id")
    wanted = {s.name for s in good}
    until(lambda: wanted <= names(system, "otel_traces", "SpanName"), 30, "the good spans")
    assert not {s.name for s in bad} & names(system, "otel_traces", "SpanName")


@pytest.mark.parametrize("protocol", SENDERS)
def test_R267_R268_points_of_a_forbidden_shape(system, protocol):
    """R105: points are counted, not metrics; R270"""
    request = build.metrics_request([
        build.gauge(f"{protocol}.g", [build.number(1), build.number(2, time_unix_nano=0)]),
        build.histogram(f"{protocol}.h", [
            build.histogram_point(attrs={"good": True}),
            build.histogram_point(counts=(1, 2), bounds=(1.0, 10.0)),
        ]),
        build.summary(f"{protocol}.lost", [build.summary_point(time_unix_nano=0)]),
    ])
    partial = SENDERS[protocol](system, "metrics", request.SerializeToString()).partial_success
    assert partial.rejected_data_points == 3
    assert "time_unix_nano is missing or 0" in partial.error_message

    def points(table, name):
        return [r for r in system.rows("acme", table) if r["MetricName"] == f"{protocol}.{name}"]

    until(lambda: points("otel_metrics_histogram", "h"), 30, "the good histogram point")
    until(lambda: points("otel_metrics_gauge", "g"), 30, "the good gauge point")
    assert len(points("otel_metrics_histogram", "h")) == len(points("otel_metrics_gauge", "g")) == 1
    assert not points("otel_metrics_summary", "lost")


@pytest.mark.parametrize("protocol", SENDERS)
def test_everything_rejected_is_still_a_success(system, protocol):
    body = build.traces_request([build.span(trace_id=b"")] * 3).SerializeToString()
    partial = SENDERS[protocol](system, "traces", body).partial_success
    assert partial.rejected_spans == 3


@pytest.mark.parametrize("protocol", SENDERS)
def test_R264_logs_are_kept(system, protocol):
    record = build.log(f"{protocol}-odd-ids", trace_id=b"odd", span_id=bytes(8))
    body = build.logs_request([record]).SerializeToString()
    assert not SENDERS[protocol](system, "logs", body).HasField("partial_success")
    until(lambda: f"{protocol}-odd-ids" in names(system, "otel_logs", "Body"), 30, "the record")


def test_rejected_items_are_counted(system):
    def counted():
        lines = system.http("/metrics")[1].splitlines()
        series = 'tenantry_items_rejected_total{tenant="acme",signal="traces",reason="span_id"} '
        return sum(float(line.removeprefix(series)) for line in lines if line.startswith(series))

    before = counted()
    body = build.traces_request([build.span(span_id=b""), build.span()]).SerializeToString()
    send_http(system, "traces", body)
    assert counted() == before + 1


def test_R99_full_success_says_nothing(system):
    assert set(REQUESTS) == set(NAMES)
    for signal, request in (
        ("traces", build.traces_request([build.span()])),
        ("metrics", build.metrics_request(build.all_metrics())),
    ):
        answer = send_http(system, signal, request.SerializeToString())
        assert not answer.HasField("partial_success"), signal
