"""The rows that decoded OTLP messages should become, in plain Python.

Deliberately a second telling of the mapping: it shares nothing with our decoder but the column
names of the Collector's clickhouseexporter. Conventions:
- times are integer nanoseconds; ids lower hex, '' when absent or all zero;
- attributes are dicts of native values: bytes as base64, NaN and infinities as strings, a value
  without a kind as None; of a repeated key the last one counts;
- int data points stay ints; an absent sum, min or max of a histogram is None, not 0;
- Events., Links., Exemplars. and ValueAtQuantiles. columns are parallel lists.
"""

import base64
import json
import math
from collections import Counter, defaultdict

_KINDS = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"]
_STATUS = ["Unset", "Ok", "Error"]


def rows(message, received_ns=0):
    """{table: [row, ...]} of one Export{Logs,Trace,Metrics}ServiceRequest.

    received_ns stands in for a time the sender left out.
    """
    found = defaultdict(list)
    name = message.DESCRIPTOR.name
    if name == "ExportLogsServiceRequest":
        _logs(message, received_ns, found)
    elif name == "ExportTraceServiceRequest":
        _traces(message, received_ns, found)
    elif name == "ExportMetricsServiceRequest":
        _metrics(message, received_ns, found)
    else:
        raise TypeError(f"{name} is no export request")
    return dict(found)


def rows_of(messages, received_ns=0):
    """The rows of several messages together."""
    found = defaultdict(list)
    for message in messages:
        for table, some in rows(message, received_ns).items():
            found[table] += some
    return dict(found)


def missing_and_extra(expected, got):
    """Compares rows as multisets, on the columns of the expected ones: ([missing], [extra]).

    Doubles equal ints of the same value, and JSON text in Body compares by its content, because
    neither has one spelling.
    """
    columns = set().union(*(row.keys() for row in expected))
    want = Counter(_canonical(row) for row in expected)
    have = Counter(_canonical({k: v for k, v in row.items() if k in columns}) for row in got)
    return (
        [json.loads(row) for row in (want - have).elements()],
        [json.loads(row) for row in (have - want).elements()],
    )


def _canonical(row):
    row = {k: _plain(v) for k, v in row.items()}
    body = row.get("Body")
    if isinstance(body, str):
        try:
            row["Body"] = {"json": _plain(json.loads(body))}
        except ValueError:
            pass
    return json.dumps(row, sort_keys=True)


def _plain(v):
    if isinstance(v, bool):
        return v
    if isinstance(v, float):
        return int(v) if math.isfinite(v) and v == int(v) else double(v)
    if isinstance(v, dict):
        return {k: _plain(i) for k, i in v.items()}
    if isinstance(v, (list, tuple)):
        return [_plain(i) for i in v]
    return v


def value(any_value):
    """The native value of an AnyValue."""
    kind = any_value.WhichOneof("value")
    if kind is None:
        return None
    v = getattr(any_value, kind)
    if kind == "bytes_value":
        return base64.b64encode(v).decode()
    if kind == "double_value":
        return double(v)
    if kind == "array_value":
        return [value(i) for i in v.values]
    if kind == "kvlist_value":
        return attributes(v.values)
    return v


def double(v):
    """JSON has no word for these three, so they are strings."""
    if math.isnan(v):
        return "NaN"
    if math.isinf(v):
        return "Infinity" if v > 0 else "-Infinity"
    return v


def attributes(key_values):
    return {kv.key: value(kv.value) for kv in key_values}


def text(any_value):
    """An AnyValue in a text column: a string as it is, nothing as '', the rest compact JSON."""
    v = value(any_value)
    if any_value.WhichOneof("value") == "string_value":
        return v
    if v is None:
        return ""
    return json.dumps(v, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _id(octets):
    return octets.hex() if any(octets) else ""


def _service(resource):
    return next(
        (text(kv.value) for kv in reversed(resource.attributes) if kv.key == "service.name"), ""
    )


def _logs(message, received_ns, found):
    for outer in message.resource_logs:
        for inner in outer.scope_logs:
            for r in inner.log_records:
                found["otel_logs"].append({
                    "Timestamp": r.time_unix_nano or r.observed_time_unix_nano or received_ns,
                    "TraceId": _id(r.trace_id),
                    "SpanId": _id(r.span_id),
                    "TraceFlags": r.flags & 0xFF,  # the W3C byte; the rest is reserved
                    "SeverityText": r.severity_text,
                    "SeverityNumber": r.severity_number,
                    "ServiceName": _service(outer.resource),
                    "Body": text(r.body),
                    "ResourceSchemaUrl": outer.schema_url,
                    "ResourceAttributes": attributes(outer.resource.attributes),
                    "ScopeSchemaUrl": inner.schema_url,
                    "ScopeName": inner.scope.name,
                    "ScopeVersion": inner.scope.version,
                    "ScopeAttributes": attributes(inner.scope.attributes),
                    "LogAttributes": attributes(r.attributes),
                    "EventName": r.event_name,
                })  # fmt: skip


def _traces(message, received_ns, found):
    for outer in message.resource_spans:
        for inner in outer.scope_spans:
            for s in inner.spans:
                found["otel_traces"].append({
                    "Timestamp": s.start_time_unix_nano or received_ns,
                    "TraceId": _id(s.trace_id),
                    "SpanId": _id(s.span_id),
                    "ParentSpanId": _id(s.parent_span_id),
                    "TraceState": s.trace_state,
                    "SpanName": s.name,
                    "SpanKind": _named(_KINDS, s.kind),
                    "ServiceName": _service(outer.resource),
                    "ResourceAttributes": attributes(outer.resource.attributes),
                    "ScopeName": inner.scope.name,
                    "ScopeVersion": inner.scope.version,
                    "SpanAttributes": attributes(s.attributes),
                    "Duration": max(0, s.end_time_unix_nano - s.start_time_unix_nano),
                    "StatusCode": _named(_STATUS, s.status.code),
                    "StatusMessage": s.status.message,
                    "Events.Timestamp": [e.time_unix_nano for e in s.events],
                    "Events.Name": [e.name for e in s.events],
                    "Events.Attributes": [attributes(e.attributes) for e in s.events],
                    "Links.TraceId": [_id(link.trace_id) for link in s.links],
                    "Links.SpanId": [_id(link.span_id) for link in s.links],
                    "Links.TraceState": [link.trace_state for link in s.links],
                    "Links.Attributes": [attributes(link.attributes) for link in s.links],
                })  # fmt: skip


def _named(names, number):
    """Numbers that have no name yet are kept as numbers (R223)."""
    return names[number] if 0 <= number < len(names) else str(number)


def _metrics(message, received_ns, found):
    for outer in message.resource_metrics:
        for inner in outer.scope_metrics:
            for metric in inner.metrics:
                kind = metric.WhichOneof("data")
                if kind is None:
                    continue
                data = getattr(metric, kind)
                for p in data.data_points:
                    found[f"otel_metrics_{kind}"].append({
                        "ResourceAttributes": attributes(outer.resource.attributes),
                        "ResourceSchemaUrl": outer.schema_url,
                        "ScopeName": inner.scope.name,
                        "ScopeVersion": inner.scope.version,
                        "ScopeAttributes": attributes(inner.scope.attributes),
                        "ScopeDroppedAttrCount": inner.scope.dropped_attributes_count,
                        "ScopeSchemaUrl": inner.schema_url,
                        "ServiceName": _service(outer.resource),
                        "MetricName": metric.name,
                        "MetricDescription": metric.description,
                        "MetricUnit": metric.unit,
                        "Attributes": attributes(p.attributes),
                        "StartTimeUnix": p.start_time_unix_nano,
                        "TimeUnix": p.time_unix_nano or received_ns,
                        "Flags": p.flags,
                        **_POINTS[kind](data, p),
                    })  # fmt: skip


def _gauge(data, p):
    return {"Value": _number(p), **_exemplars(p)}


def _sum(data, p):
    return {
        **_gauge(data, p),
        "AggregationTemporality": data.aggregation_temporality,
        "IsMonotonic": data.is_monotonic,
    }


def _distribution(data, p):
    """What both histograms have."""
    return {
        "Count": p.count,
        "Sum": _optional(p, "sum"),
        "Min": _optional(p, "min"),
        "Max": _optional(p, "max"),
        "AggregationTemporality": data.aggregation_temporality,
        **_exemplars(p),
    }


def _histogram(data, p):
    return {
        **_distribution(data, p),
        "BucketCounts": list(p.bucket_counts),
        "ExplicitBounds": [double(b) for b in p.explicit_bounds],
    }


def _exponential(data, p):
    return {
        **_distribution(data, p),
        "Scale": p.scale,
        "ZeroCount": p.zero_count,
        "PositiveOffset": p.positive.offset,
        "PositiveBucketCounts": list(p.positive.bucket_counts),
        "NegativeOffset": p.negative.offset,
        "NegativeBucketCounts": list(p.negative.bucket_counts),
    }


def _summary(data, p):
    return {
        "Count": p.count,
        "Sum": double(p.sum),
        "ValueAtQuantiles.Quantile": [double(q.quantile) for q in p.quantile_values],
        "ValueAtQuantiles.Value": [double(q.value) for q in p.quantile_values],
    }


_POINTS = {
    "gauge": _gauge,
    "sum": _sum,
    "histogram": _histogram,
    "exponential_histogram": _exponential,
    "summary": _summary,
}


def _number(p):
    """Of a data point or an exemplar; one without a value (flag: not recorded) reads as 0."""
    kind = p.WhichOneof("value")
    if kind is None:
        return 0
    return p.as_int if kind == "as_int" else double(p.as_double)


def _optional(p, field):
    return double(getattr(p, field)) if p.HasField(field) else None


def _exemplars(p):
    return {
        "Exemplars.FilteredAttributes": [attributes(e.filtered_attributes) for e in p.exemplars],
        "Exemplars.TimeUnix": [e.time_unix_nano for e in p.exemplars],
        "Exemplars.Value": [_number(e) for e in p.exemplars],
        "Exemplars.SpanId": [_id(e.span_id) for e in p.exemplars],
        "Exemplars.TraceId": [_id(e.trace_id) for e in p.exemplars],
    }
