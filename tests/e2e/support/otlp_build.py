"""Builds Export*ServiceRequest messages with the opentelemetry-proto package, for what the SDK
doesn't send: summaries, odd ids, missing resources, all five metric kinds in one request."""

import os
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1 import common_pb2 as common
from opentelemetry.proto.logs.v1 import logs_pb2 as logs
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2 as trace

REQUESTS = {
    "logs": ExportLogsServiceRequest,
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
RESPONSES = {
    "logs": ExportLogsServiceResponse,
    "traces": ExportTraceServiceResponse,
    "metrics": ExportMetricsServiceResponse,
}

DELTA = metrics.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = metrics.AGGREGATION_TEMPORALITY_CUMULATIVE

# Every kind of AnyValue, with the values that break encoders.
ALL_KINDS = {
    "string": "plain",
    "string.empty": "",
    "string.unicode": "Grüße, 世界 \U0001f600 \"quoted\" \\ 'single' \n\t\x01 end",
    "bool.true": True,
    "bool.false": False,
    "int": 42,
    "int.zero": 0,
    "int.max": 2**63 - 1,
    "int.min": -(2**63),
    "double": 0.1,
    "double.whole": 3.0,
    "double.tiny": 5e-324,
    "double.huge": 1.7976931348623157e308,
    "double.nan": float("nan"),
    "double.inf": float("inf"),
    "double.ninf": float("-inf"),
    "bytes": bytes(range(256)),
    "bytes.empty": b"",
    "array": ["a", "", "b"],
    "array.empty": [],
    "array.mixed": [1, "two", 3.5, False, None, b"\x00\xff", [1, [2]], {"in": {"array": 1}}],
    "map": {"a": 1, "b": {"c": [True, {"d": "deep"}]}, "bytes": b"\x00", "none": None},
    "map.empty": {},
    "none": None,
}


def value(v):
    """An AnyValue of the kind of the Python value; None gives one without a kind."""
    if v is None:
        return common.AnyValue()
    if isinstance(v, bool):  # before int, which it also is
        return common.AnyValue(bool_value=v)
    if isinstance(v, int):
        return common.AnyValue(int_value=v)
    if isinstance(v, float):
        return common.AnyValue(double_value=v)
    if isinstance(v, str):
        return common.AnyValue(string_value=v)
    if isinstance(v, bytes):
        return common.AnyValue(bytes_value=v)
    if isinstance(v, dict):
        return common.AnyValue(kvlist_value=common.KeyValueList(values=attributes(v)))
    return common.AnyValue(array_value=common.ArrayValue(values=[value(i) for i in v]))


def attributes(d):
    return [common.KeyValue(key=k, value=value(v)) for k, v in (d or {}).items()]


def trace_id():
    return os.urandom(15) + b"\x01"  # never all zero


def span_id():
    return os.urandom(7) + b"\x01"


def resource(attrs=None, service="shop"):
    named = {"service.name": service} if service is not None else {}
    return resource_pb2.Resource(attributes=attributes({**named, **(attrs or {})}))


def scope(name="build", version="1.2.3", attrs=None, dropped=0):
    return common.InstrumentationScope(
        name=name, version=version, attributes=attributes(attrs), dropped_attributes_count=dropped
    )


def log(body="hello", attrs=None, **fields):
    """A log record of now; fields are those of LogRecord and win."""
    now = time.time_ns()
    given = dict(
        time_unix_nano=now,
        observed_time_unix_nano=now,
        severity_number=logs.SEVERITY_NUMBER_INFO,
        severity_text="INFO",
        body=value(body),
        attributes=attributes(attrs),
    )
    return logs.LogRecord(**{**given, **fields})


def span(name="work", attrs=None, events=(), links=(), **fields):
    """A span of 1 ms, just ended."""
    now = time.time_ns()
    given = dict(
        trace_id=trace_id(),
        span_id=span_id(),
        name=name,
        kind=trace.Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=now - 1_000_000,
        end_time_unix_nano=now,
        attributes=attributes(attrs),
        events=events,
        links=links,
    )
    return trace.Span(**{**given, **fields})


def event(name="happened", attrs=None, time_ns=None):
    return trace.Span.Event(
        name=name, time_unix_nano=time_ns or time.time_ns(), attributes=attributes(attrs)
    )


def link(attrs=None, **fields):
    given = dict(trace_id=trace_id(), span_id=span_id(), attributes=attributes(attrs))
    return trace.Span.Link(**{**given, **fields})


def status(code="Ok", message=""):
    codes = {"Unset": 0, "Ok": 1, "Error": 2}
    return trace.Status(code=codes[code], message=message)


def exemplar(v=1.5, attrs=None, **fields):
    given = dict(
        time_unix_nano=time.time_ns(),
        span_id=span_id(),
        trace_id=trace_id(),
        filtered_attributes=attributes(attrs),
        **_number(v),
    )
    return metrics.Exemplar(**{**given, **fields})


def _number(v):
    """Fields of a number: an int stays one; None leaves the point without a value."""
    if v is None:
        return {}
    return {"as_int": v} if isinstance(v, int) else {"as_double": v}


def _point(attrs):
    now = time.time_ns()
    return dict(
        attributes=attributes(attrs),
        start_time_unix_nano=now - 60_000_000_000,
        time_unix_nano=now,
    )


def number(v=1, attrs=None, **fields):
    """A data point of a gauge or a sum."""
    return metrics.NumberDataPoint(**{**_point(attrs), **_number(v), **fields})


def gauge(name="g", points=None, **fields):
    data = metrics.Gauge(data_points=points or [number()])
    return metrics.Metric(name=name, gauge=data, **fields)


def sum_(name="s", points=None, temporality=CUMULATIVE, monotonic=True, **fields):
    data = metrics.Sum(
        data_points=points or [number()],
        aggregation_temporality=temporality,
        is_monotonic=monotonic,
    )
    return metrics.Metric(name=name, sum=data, **fields)


def histogram_point(counts=(1, 2, 0), bounds=(1.0, 10.0), attrs=None, **fields):
    given = dict(count=sum(counts), sum=12.5, min=0.5, max=9.0)
    given.update(bucket_counts=counts, explicit_bounds=bounds)
    return metrics.HistogramDataPoint(**{**_point(attrs), **given, **fields})


def histogram(name="h", points=None, temporality=CUMULATIVE, **fields):
    data = metrics.Histogram(
        data_points=points or [histogram_point()], aggregation_temporality=temporality
    )
    return metrics.Metric(name=name, histogram=data, **fields)


def buckets(offset, counts):
    return metrics.ExponentialHistogramDataPoint.Buckets(offset=offset, bucket_counts=counts)


def exponential_point(attrs=None, positive=(-2, (1, 0, 3)), negative=(5, (2,)), **fields):
    given = dict(count=8, sum=1.25, scale=-3, zero_count=2, min=-4.0, max=7.5, zero_threshold=1e-9)
    given.update(positive=buckets(*positive), negative=buckets(*negative))
    return metrics.ExponentialHistogramDataPoint(**{**_point(attrs), **given, **fields})


def exponential_histogram(name="e", points=None, temporality=DELTA, **fields):
    data = metrics.ExponentialHistogram(
        data_points=points or [exponential_point()], aggregation_temporality=temporality
    )
    return metrics.Metric(name=name, exponential_histogram=data, **fields)


def summary_point(quantiles=((0.0, 1.0), (0.5, 2.5), (1.0, 9.0)), attrs=None, **fields):
    kind = metrics.SummaryDataPoint.ValueAtQuantile
    given = dict(count=3, sum=12.5)
    given.update(quantile_values=[kind(quantile=q, value=v) for q, v in quantiles])
    return metrics.SummaryDataPoint(**{**_point(attrs), **given, **fields})


def summary(name="y", points=None, **fields):
    data = metrics.Summary(data_points=points or [summary_point()])
    return metrics.Metric(name=name, summary=data, **fields)


def all_metrics(attrs=None):
    """One metric of each of the five kinds, int and double points, exemplars, all fields set."""
    texts = dict(description="what it is", unit="ms")
    marks = [exemplar(1.5, {"user": "a"}), exemplar(-7, ALL_KINDS)]
    return [
        gauge("all.gauge", [number(0.25, attrs, exemplars=marks, flags=1)], **texts),
        gauge("all.gauge.nan", [number(float("nan"), attrs)], **texts),
        gauge("all.gauge.int", [number(-(2**63), attrs), number(2**63 - 1, attrs)], **texts),
        sum_("all.sum", [number(2**53 + 1, attrs, exemplars=marks)], **texts),
        sum_("all.sum.delta", [number(1.5, attrs)], DELTA, False, **texts),
        histogram("all.histogram", [histogram_point(attrs=attrs, exemplars=marks)], **texts),
        exponential_histogram(
            "all.exponential", [exponential_point(attrs, exemplars=marks, flags=1)], **texts
        ),
        summary("all.summary", [summary_point(attrs=attrs)], **texts),
    ]


def logs_request(records, res=None, sc=None, schema="", scope_schema=""):
    """One resource, one scope. MergeFrom() several of these for more."""
    inner = logs.ScopeLogs(scope=sc or scope(), log_records=records, schema_url=scope_schema)
    outer = logs.ResourceLogs(resource=res or resource(), scope_logs=[inner], schema_url=schema)
    return ExportLogsServiceRequest(resource_logs=[outer])


def traces_request(spans, res=None, sc=None, schema="", scope_schema=""):
    inner = trace.ScopeSpans(scope=sc or scope(), spans=spans, schema_url=scope_schema)
    outer = trace.ResourceSpans(resource=res or resource(), scope_spans=[inner], schema_url=schema)
    return ExportTraceServiceRequest(resource_spans=[outer])


def metrics_request(items, res=None, sc=None, schema="", scope_schema=""):
    inner = metrics.ScopeMetrics(scope=sc or scope(), metrics=items, schema_url=scope_schema)
    outer = metrics.ResourceMetrics(
        resource=res or resource(), scope_metrics=[inner], schema_url=schema
    )
    return ExportMetricsServiceRequest(resource_metrics=[outer])


def bodies(request):
    """The bodies of the log records of a serialized request."""
    parsed = ExportLogsServiceRequest.FromString(request)
    return [
        record.body.string_value
        for resource in parsed.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


def unusual_requests(tenant):
    """By signal, what no SDK sends: summaries, all fields set, odd ids and times, several resources in one."""
    mark = {"of.tenant": tenant, **ALL_KINDS}
    texts = dict(schema="https://example.com/r/9", scope_schema="https://example.com/s/9")
    all_kinds = metrics_request(all_metrics(mark), resource(mark), scope(attrs=mark, dropped=7), **texts)
    all_kinds.MergeFrom(metrics_request(
        [sum_("second.resource", [number(-1, {"b": 1}), number(2.5, {"a": 1})]),
         histogram("bare", [metrics.HistogramDataPoint(count=1, time_unix_nano=5)])],
        resource(service=None)))
    odd = log(2.5, {"k": tenant}, observed_time_unix_nano=7, time_unix_nano=0, flags=0x1FF)
    odd.trace_id = bytes(16)
    full = log(ALL_KINDS, mark, event_name="all.kinds", severity_number=24, trace_id=trace_id(), span_id=span_id())
    records = logs_request([odd, full], resource(mark), scope(attrs=mark), **texts)
    work = span(
        f"span of {tenant}", mark, kind=5, trace_state="a=1,b=2", parent_span_id=span_id(),
        status=status("Error", "why: ünïcode"),
        events=[event("first", mark, 3), event("second", {}, 2**62)],
        links=[link(mark, trace_state="c=3"), link()])
    backwards = span("backwards", start_time_unix_nano=10, end_time_unix_nano=5, kind=99)
    spans = traces_request([work, backwards], resource(mark), **texts)
    spans.MergeFrom(traces_request([span("other")], resource({"n": 2}, None)))
    return {"metrics": all_kinds, "logs": records, "traces": spans}
