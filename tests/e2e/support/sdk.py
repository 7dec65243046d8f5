"""The real OpenTelemetry Python SDK as a client, and a record of what it put on the wire.

Each request is caught where it leaves the exporter, as bytes, and decoded again with the
opentelemetry-proto package. Those messages, not our decoder, say what a database should hold.
"""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import requests
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from .otlp_build import ALL_KINDS, REQUESTS, RESPONSES

PROTOCOLS = ["grpc", "http/protobuf"]
COMPRESSIONS = ["gzip", "none"]


@dataclass(frozen=True)
class Attempt:
    """One request on the wire; a retry is another one."""

    signal: str
    body: bytes  # the serialized request, before compression
    status: str  # "200", "OK", "RESOURCE_EXHAUSTED"; "" when no answer came
    ok: bool
    rejected: int  # items refused by a partial success

    @property
    def message(self):
        return REQUESTS[self.signal].FromString(self.body)


class Sdk:
    """One application: three providers of the SDK that export to one endpoint.

    endpoint is a base URL (http:// or https://), as OTEL_EXPORTER_OTLP_ENDPOINT. Nothing is sent
    before flush() or shutdown(), unless a batch (512 items) is full.
    """

    def __init__(
        self,
        endpoint,
        protocol="grpc",
        compression="gzip",
        ca_file=None,
        headers=None,
        resource=None,
        timeout=10,
        queue=100_000,
    ):
        if protocol not in PROTOCOLS or compression not in COMPRESSIONS:
            raise ValueError(f"the tests know no {protocol} with {compression}")
        self.attempts = []
        make = self._grpc if protocol == "grpc" else self._http
        exporters = make(endpoint, compression, ca_file, headers or {}, timeout)
        told = Resource(
            {"service.name": "shop", **(resource or {})}, schema_url="https://example.com/r/1"
        )
        # The default queue drops items before the wire, silently.
        sizes = dict(max_queue_size=queue, schedule_delay_millis=3_600_000)

        self.tracer_provider = TracerProvider(resource=told, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(BatchSpanProcessor(exporters["traces"], **sizes))
        self.tracer = self.tracer_provider.get_tracer(
            "shop.spans", "1.0", "https://example.com/s/1", {"scope.attribute": [1, 2]}
        )
        self.logger_provider = LoggerProvider(resource=told, shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(
            BatchLogRecordProcessor(exporters["logs"], **sizes)
        )
        self.logger = self.logger_provider.get_logger(
            "shop.logs", "2.0", "https://example.com/s/2", {"scope.attribute": "logs"}
        )
        reader = PeriodicExportingMetricReader(
            exporters["metrics"], export_interval_millis=float("inf")
        )
        views = [
            View(
                instrument_name="rich.exponential",
                aggregation=ExponentialBucketHistogramAggregation(),
            ),
            # The attribute left out comes back as a filtered attribute of the exemplars.
            View(instrument_name="rich.filtered", attribute_keys={"test.mark"}),
        ]
        self.meter_provider = MeterProvider(
            [reader], resource=told, shutdown_on_exit=False, views=views
        )
        self.meter = self.meter_provider.get_meter(
            "shop.metrics", "3.0", "https://example.com/s/3", {"scope.attribute": True}
        )
        self._marks = []
        self._instruments()

    def flush(self, timeout=30):
        """Sends everything now. What came of it stands in attempts."""
        ms = int(timeout * 1000)
        self.tracer_provider.force_flush(ms)
        self.logger_provider.force_flush(ms)
        self.meter_provider.force_flush(ms)

    def shutdown(self):
        """Sends what is left (metrics: their present state once more) and ends its threads."""
        self.tracer_provider.shutdown()
        self.logger_provider.shutdown()
        self.meter_provider.shutdown()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()

    def acked(self, signal=None):
        """The decoded messages of all attempts answered with success."""
        return [a.message for a in self.attempts if a.ok and signal in (None, a.signal)]

    def emit_rich(self, mark="m"):
        """One of everything the SDK can make: a trace of three spans, six logs, all its metrics.

        mark goes onto every item, as attribute test.mark.
        """
        attrs = {**ALL_KINDS, "test.mark": mark}
        current = self._spans(mark, attrs)
        self._logs(mark, attrs, current)
        self._metrics(mark, attrs, current)

    def _spans(self, mark, attrs):
        """Returns the context of a sampled span, for logs and exemplars to point to."""
        with self.tracer.start_as_current_span(
            f"server {mark}", kind=SpanKind.SERVER, attributes=attrs
        ) as root:
            root.add_event("plain", {"test.mark": mark})
            root.add_event("rich", attrs, timestamp=1_700_000_000_123_456_789)
            try:
                raise ValueError("an exception event")
            except ValueError as e:
                root.record_exception(e)
            linked = [Link(root.get_span_context(), attrs), Link(root.get_span_context())]
            with self.tracer.start_as_current_span(
                f"client {mark}",
                kind=SpanKind.CLIENT,
                links=linked,
                attributes={"test.mark": mark},
            ) as child:
                child.set_status(Status(StatusCode.ERROR, "it broke: ünïcode"))
            # Fixed times with all nine digits, and a duration above 32 bits.
            done = self.tracer.start_span(
                f"producer {mark}",
                kind=SpanKind.PRODUCER,
                attributes={"test.mark": mark},
                start_time=1_700_000_000_000_000_001,
            )
            done.set_status(Status(StatusCode.OK))
            done.end(end_time=1_700_000_009_999_999_999)
            return trace.set_span_in_context(root)

    def _logs(self, mark, attrs, current):
        kinds = ["text", "", {"map": [1, {"deep": True}], "b": b"\x01"}, ["a", 1, 2.5], 17, None]
        severities = list(SeverityNumber)
        for i, body in enumerate(kinds):
            severity = severities[(i * 4 + 1) % len(severities)]
            self.logger.emit(
                LogRecord(
                    # The last one has no time of its own, only that of being seen.
                    timestamp=1_700_000_000_000_000_000 + i if body is not None else None,
                    observed_timestamp=1_700_000_001_000_000_000 + i,
                    context=current if i % 2 == 0 else None,
                    severity_number=severity,
                    severity_text=severity.name,
                    body=body,
                    attributes=attrs if i % 2 == 0 else {"test.mark": mark},
                    event_name="" if i else "shop.opened",
                )
            )

    def _instruments(self):
        """Made once. The observable ones report every mark emitted so far."""
        m = self.meter
        ints = [lambda _: [Observation(-5, {"test.mark": mark}) for mark in self._marks]]
        doubles = [lambda _: [Observation(2.5, {"test.mark": mark}) for mark in self._marks]]
        m.create_observable_counter("rich.observable.counter", ints)
        m.create_observable_up_down_counter("rich.observable.updown", doubles)
        m.create_observable_gauge("rich.observable.gauge", ints, "1", "seen from outside")
        self._counter = m.create_counter("rich.counter", "By", "bytes")
        self._counter_double = m.create_counter("rich.counter.double")
        self._updown = m.create_up_down_counter("rich.updown")
        self._gauge = m.create_gauge("rich.gauge", "Cel")
        self._histograms = [
            m.create_histogram(f"rich.{kind}", "ms")
            for kind in ("histogram", "exponential")
        ]
        self._filtered = m.create_histogram("rich.filtered", "ms")

    def _metrics(self, mark, attrs, current):
        self._marks.append(mark)
        marked = {"test.mark": mark}
        self._counter.add(2**53 + 1, attrs, current)
        self._counter_double.add(0.1, marked, current)
        self._updown.add(-3, marked, current)
        self._gauge.set(-0.5, marked, current)
        for i, v in enumerate([0, 0.5, 3, 30, 300, 30_000]):
            for histogram in self._histograms:
                histogram.record(v, marked, current)
            self._filtered.record(v, {**marked, "dropped": i}, current)

    def _grpc(self, endpoint, compression, ca_file, headers, timeout):
        url = urlsplit(endpoint)
        credentials = None
        if url.scheme == "https":
            credentials = grpc.ssl_channel_credentials(Path(ca_file).read_bytes())
        options = dict(
            endpoint=endpoint,
            insecure=url.scheme != "https",
            credentials=credentials,
            headers=tuple((k.lower(), v) for k, v in headers.items()),
            timeout=timeout,
            compression={"gzip": grpc.Compression.Gzip, "none": grpc.Compression.NoCompression}[
                compression
            ],
        )
        kinds = {
            "traces": grpc_traces.OTLPSpanExporter,
            "logs": grpc_logs.OTLPLogExporter,
            "metrics": grpc_metrics.OTLPMetricExporter,
        }
        return {s: _watched(kind, s, self.attempts)(**options) for s, kind in kinds.items()}

    def _http(self, endpoint, compression, ca_file, headers, timeout):
        kinds = {
            "traces": http_traces.OTLPSpanExporter,
            "logs": http_logs.OTLPLogExporter,
            "metrics": http_metrics.OTLPMetricExporter,
        }
        return {
            signal: kind(
                endpoint=f"{endpoint.rstrip('/')}/v1/{signal}",
                certificate_file=ca_file and str(ca_file),
                headers=headers,
                timeout=timeout,
                compression={"gzip": Compression.Gzip, "none": Compression.NoCompression}[
                    compression
                ],
                session=_WatchedSession(signal, self.attempts),
            )
            for signal, kind in kinds.items()
        }


def _rejected(response):
    """partial_success has one field with a count, named after the items."""
    return sum(
        v for f, v in response.partial_success.ListFields() if f.name.startswith("rejected_")
    )


class _WatchedSession(requests.Session):
    """Notes each HTTP request the exporter makes, retries too."""

    def __init__(self, signal, attempts):
        super().__init__()
        self.trust_env = False  # CA bundles and proxies of the environment would win over ours
        self._signal = signal
        self._attempts = attempts

    def send(self, request, **options):
        body = request.body
        encoding = request.headers.get("Content-Encoding")
        if encoding == "gzip":
            body = gzip.decompress(body)
        elif encoding == "deflate":
            body = zlib.decompress(body)
        status, ok, rejected = "", False, 0
        try:
            response = super().send(request, **options)
            status, ok = str(response.status_code), response.status_code == 200
            if ok:
                rejected = _rejected(RESPONSES[self._signal].FromString(response.content))
            return response
        finally:
            self._attempts.append(Attempt(self._signal, body, status, ok, rejected))


def _watched(exporter, signal, attempts):
    """The gRPC exporter has no way to pass a channel in, so its channel is wrapped where it makes
    it: at the start, and anew after UNAVAILABLE."""

    class Watched(exporter):
        def _initialize_channel_and_stub(self):
            super()._initialize_channel_and_stub()
            seen = grpc.intercept_channel(self._channel, _Interceptor(signal, attempts))
            self._client = self._stub(seen)

    return Watched


class _Interceptor(grpc.UnaryUnaryClientInterceptor):
    def __init__(self, signal, attempts):
        self._signal = signal
        self._attempts = attempts

    def intercept_unary_unary(self, continuation, details, request):
        body = request.SerializeToString()
        call = continuation(details, request)
        ok = call.code() is grpc.StatusCode.OK
        rejected = _rejected(call.result()) if ok else 0
        self._attempts.append(Attempt(self._signal, body, call.code().name, ok, rejected))
        return call
