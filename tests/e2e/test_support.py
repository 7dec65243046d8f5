"""The harness itself: a test stands on it, so it is tested first."""

import gzip
import json
import math
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc

from support import oracle, otlp_build, ports, proc
from support.kafka import Kafka
from support.sdk import COMPRESSIONS, PROTOCOLS, Sdk
from support.wait import TimedOut, until


# ---- waiting, ports, processes


def test_until_names_what_it_waited_for():
    with pytest.raises(TimedOut, match=r"0.05 s: the moon \(last seen: 0\)"):
        until(lambda: 0, 0.05, "the moon", least=0)
    assert until(iter([None, "", "here"]).__next__, 5, "a value") == "here"


def test_ports_are_taken_once_among_processes():
    code = "from support.ports import free_ports; print(*free_ports(200)); input()"
    others = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        taken = ports.free_ports(200)
        for other in others:
            taken += map(int, other.stdout.readline().split())
        assert len(taken) == len(set(taken)) == 600
    finally:
        for other in others:
            other.communicate("\n", timeout=30)


def test_process_output_signals_and_memory(tmp_path):
    script = "echo ready; trap 'echo bye; exit 3' TERM; while :; do read -t 9 <> <(:); done"
    p = proc.Process(["bash", "-c", script], tmp_path / "log")
    assert p.wait_log("^ready$", 30)
    assert 1 << 18 < p.rss() <= p.peak_rss() < 1 << 27
    assert p.terminate() == 3 and not p.alive
    assert p.output() == "ready\nbye\n"
    with pytest.raises(RuntimeError, match="ended with 3 before /never/"):
        p.wait_log("never", 10)
    p.stop()
    again = proc.Process(["sleep", "60"], tmp_path / "log")
    assert again.output() == ""  # what an earlier one wrote isn't its own
    assert again.kill9() == -signal.SIGKILL
    again.stop()
    assert p not in proc.started and again not in proc.started


def test_children_by_command_line(tmp_path):
    p = proc.Process(["bash", "-c", "sleep 61 & sleep 62 & wait"], tmp_path / "log")
    try:
        until(lambda: len(p.children("sleep")) == 2, 10, "two children")
        (child,) = p.children("sleep 62")
        assert proc.exists(child)
        for pid in p.children():  # ours: children of a process this test started
            os.kill(pid, signal.SIGKILL)
        p.wait_exit(30)
    finally:
        p.stop()


def test_processes_die_with_a_killed_harness(tmp_path):
    code = (
        "import sys, threading; from support.proc import Process\n"
        # From a thread that ends: that alone must not end the process.
        "def go(): print(Process(['sleep', '60'], sys.argv[1]).pid, flush=True)\n"
        "t = threading.Thread(target=go); t.start(); t.join(); input()"
    )
    harness = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = int(harness.stdout.readline())
    until(lambda: "sleep 60" in proc.command_line(pid), 10, "the program in place of setpriv")
    harness.kill()
    harness.wait()
    until(lambda: not proc.exists(pid), 10, f"the end of process {pid}")


def test_a_missing_program_is_an_error(monkeypatch):
    monkeypatch.delenv("TENANTRY_BIN", raising=False)
    with pytest.raises(RuntimeError, match="tools/e2e --bin"):
        proc.tenantry_bin()
    monkeypatch.setenv("TENANTRY_BIN", "/nowhere/tenantry")
    with pytest.raises(RuntimeError, match="/nowhere/tenantry, which isn't a program"):
        proc.tenantry_bin()


def test_run_and_start_tenantry(monkeypatch, tmp_path):
    """With a stand-in for the program, which isn't this test's subject."""
    stand_in = tmp_path / "tenantry"
    stand_in.write_text('#!/bin/sh\necho "got $*"; cat; exit ${FAIL:-0}\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("TENANTRY_BIN", str(stand_in))
    assert proc.run_tenantry("check", 7, input="in").stdout == "got check 7\nin"
    assert proc.run_tenantry("check", check=False, env={"FAIL": "2"}).returncode == 2
    with pytest.raises(AssertionError, match="check ended with 1\ngot check"):
        proc.run_tenantry("check", env={"FAIL": "1"})
    p = proc.start_tenantry("consumer", "acme", log=tmp_path / "log")
    assert p.name == "tenantry consumer acme"
    assert p.wait_exit(30) == 0 and p.output() == "got consumer acme\n"
    p.stop()


# ---- Kafka


def test_records_come_back_as_written(kafka, unique):
    kafka.create_topic(unique, partitions=2)
    headers = [("h", b"1"), ("h", b"\x00\xff"), ("empty", b"")]
    assert kafka.produce(unique, b"value", b"key", headers, partition=1, timestamp=1234) == (1, 0)
    assert kafka.produce(unique, b"", partition=1) == (1, 1)
    first, second = kafka.records(unique)
    assert (first.topic, first.partition, first.offset, first.timestamp) == (unique, 1, 0, 1234)
    assert (first.key, first.value, first.headers) == (b"key", b"value", headers)
    assert first.header("h") == b"\x00\xff" and first.header("none") is None
    assert (second.key, second.value, second.headers) == (None, b"", [])
    assert kafka.end_offsets(unique) == {0: 0, 1: 2}


def test_many_records_and_deleted_ones(kafka, unique):
    kafka.create_topic(unique)
    where = kafka.produce_all(unique, [b"%d" % i for i in range(5000)], partition=0)
    assert where == [(0, i) for i in range(5000)]
    assert [r.value for r in kafka.records(unique)] == [b"%d" % i for i in range(5000)]
    kafka.delete_records(unique, {0: 4998})
    assert kafka.start_offsets(unique) == {0: 4998}
    assert [r.offset for r in kafka.records(unique)] == [4998, 4999]


def test_a_topic_recreated_is_empty(kafka, unique):
    kafka.create_topic(unique)
    kafka.produce(unique, b"old")
    kafka.delete_topic(unique)
    assert unique not in kafka.topics()
    kafka.create_topic(unique, partitions=3)
    assert kafka.end_offsets(unique) == {0: 0, 1: 0, 2: 0}


def test_group_offsets(kafka, unique):
    from confluent_kafka import Consumer, TopicPartition

    kafka.create_topic(unique)
    assert kafka.group_offsets(unique) == {}
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": unique})
    try:
        consumer.commit(offsets=[TopicPartition(unique, 0, 7)], asynchronous=False)
    finally:
        consumer.close()
    assert kafka.group_offsets(unique) == {(unique, 0): 7}


def test_kill_restart_pause_and_wipe(own_kafka, unique):
    broker = own_kafka
    broker.create_topic(unique)
    broker.produce(unique, b"kept")
    address, cluster = broker.bootstrap, broker.cluster_id()

    broker.kill9()
    assert not broker.alive
    broker.start()
    assert [r.value for r in broker.records(unique)] == [b"kept"]
    assert (broker.bootstrap, broker.cluster_id()) == (address, cluster)

    broker.pause()
    broker.resume()
    assert broker.produce(unique, b"more") == (0, 1)

    broker.wipe()
    broker.start()
    assert broker.bootstrap == address
    assert broker.cluster_id() not in (None, cluster)
    assert broker.topics() == []


def test_stop_leaves_nothing():
    broker = Kafka()
    process, folder = broker.process, broker.dir
    broker.stop()
    assert not proc.exists(process.pid) and not folder.exists()
    assert process not in proc.started


# ---- SDK capture and the expected rows


class Sink:
    """Takes OTLP over gRPC and HTTP and keeps the bytes; refuses with the given statuses."""

    def __init__(self, http_status=200, grpc_status=None, rejected=0):
        self.bodies = []
        self.encodings = []
        sink = self

        def answer(signal):
            response = otlp_build.RESPONSES[signal]()
            for field in response.partial_success.DESCRIPTOR.fields:
                if rejected and field.name.startswith("rejected_"):
                    setattr(response.partial_success, field.name, rejected)
            return response

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                encoding = self.headers.get("Content-Encoding", "none")
                sink.encodings.append(encoding)
                sink.bodies.append(gzip.decompress(body) if encoding == "gzip" else body)
                data = answer(self.path.rsplit("/", 1)[1]).SerializeToString()
                self.send_response(http_status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        class Service:
            def __init__(self, signal):
                self.signal = signal

            def Export(self, request, context):
                metadata = dict(context.invocation_metadata())
                sink.encodings.append(metadata.get("grpc-encoding", "unknown"))
                sink.bodies.append(request.SerializeToString())
                if grpc_status is not None:
                    context.abort(grpc_status, "no")
                return answer(self.signal)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        self._grpc = grpc.server(ThreadPoolExecutor(2))
        logs_grpc.add_LogsServiceServicer_to_server(Service("logs"), self._grpc)
        trace_grpc.add_TraceServiceServicer_to_server(Service("traces"), self._grpc)
        metrics_grpc.add_MetricsServiceServicer_to_server(Service("metrics"), self._grpc)
        self._grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()

    def endpoint(self, protocol):
        port = self._grpc_port if protocol == "grpc" else self._http.server_address[1]
        return f"http://127.0.0.1:{port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._grpc.stop(None).wait()
        self._http.shutdown()
        self._http.server_close()


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sdk_capture_is_what_was_sent(protocol, compression):
    with Sink() as sink, Sdk(sink.endpoint(protocol), protocol, compression) as sdk:
        sdk.emit_rich("one")
        sdk.emit_rich("two")
        sdk.flush()
        assert [a.signal for a in sdk.attempts] == ["traces", "logs", "metrics"]
        assert all(a.ok and a.status in ("OK", "200") for a in sdk.attempts)
        assert [a.body for a in sdk.attempts] == sink.bodies
        if protocol != "grpc":  # Python's gRPC server doesn't show the encoding
            assert set(sink.encodings) == {compression}

        rows = oracle.rows_of(sdk.acked())
        assert {t: len(r) for t, r in rows.items() if "metrics" not in t} == {
            "otel_logs": 12,
            "otel_traces": 6,
        }
        assert sorted(t for t in rows if "metrics" in t) == [
            "otel_metrics_exponential_histogram",
            "otel_metrics_gauge",
            "otel_metrics_histogram",
            "otel_metrics_sum",
        ]
        check_rich(rows)


def check_rich(rows):
    """That nothing was lost on the way from the SDK's calls to the expected rows."""
    server = next(r for r in rows["otel_traces"] if r["SpanName"] == "server one")
    assert server["SpanAttributes"]["int.max"] == 2**63 - 1
    assert server["SpanAttributes"]["array.mixed"][5:] == ["AP8=", [1, [2]], {"in": {"array": 1}}]
    assert server["SpanAttributes"]["double.nan"] == "NaN"
    assert len(server["SpanAttributes"]) == len(otlp_build.ALL_KINDS) + 1
    assert server["Events.Name"] == ["plain", "rich", "exception"]
    assert server["Events.Timestamp"][1] == 1_700_000_000_123_456_789
    client = next(r for r in rows["otel_traces"] if r["SpanName"] == "client one")
    assert client["ParentSpanId"] == server["SpanId"]
    assert client["Links.SpanId"] == [server["SpanId"]] * 2
    assert (client["SpanKind"], client["StatusCode"]) == ("Client", "Error")
    producer = next(r for r in rows["otel_traces"] if r["SpanName"] == "producer one")
    assert producer["Duration"] == 9_999_999_998 and producer["StatusCode"] == "Ok"

    first, *_, last = rows["otel_logs"][:6]
    assert (first["Body"], first["TraceId"]) == ("text", server["TraceId"])
    assert first["EventName"] == "shop.opened"
    assert rows["otel_logs"][2]["Body"] == '{"b":"AQ==","map":[1,{"deep":true}]}'
    assert (last["Body"], last["Timestamp"]) == ("", 1_700_000_001_000_000_005)

    sums = {r["MetricName"]: r for r in rows["otel_metrics_sum"]}
    assert sums["rich.counter"]["Value"] == 2**53 + 1
    assert sums["rich.updown"]["IsMonotonic"] is False
    assert sums["rich.observable.counter"]["Value"] == -5
    gauges = {r["MetricName"]: r["Value"] for r in rows["otel_metrics_gauge"]}
    assert gauges == {"rich.gauge": -0.5, "rich.observable.gauge": -5}
    filtered = next(
        r for r in rows["otel_metrics_histogram"] if r["MetricName"] == "rich.filtered"
    )
    assert filtered["Exemplars.SpanId"] and "dropped" in filtered["Exemplars.FilteredAttributes"][0]
    (exponential, _) = rows["otel_metrics_exponential_histogram"]
    assert exponential["Count"] == 6 and exponential["ZeroCount"] == 1
    assert sum(exponential["PositiveBucketCounts"]) == 5


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sdk_capture_tells_refused_from_acked(protocol):
    refusing = Sink(http_status=400, grpc_status=grpc.StatusCode.INVALID_ARGUMENT)
    with refusing as sink, Sdk(sink.endpoint(protocol), protocol) as sdk:
        sdk.emit_rich()
        sdk.flush()
        assert {a.status for a in sdk.attempts} <= {"400", "INVALID_ARGUMENT"}
        assert len(sdk.attempts) == 3 and sdk.acked() == []
    with Sink(rejected=2) as sink, Sdk(sink.endpoint(protocol), protocol) as sdk:
        sdk.emit_rich()
        sdk.flush()
        assert [a.rejected for a in sdk.attempts] == [2, 2, 2]
        assert len(sdk.acked("logs")) == 1


def test_expected_rows_of_built_messages():
    request = otlp_build.metrics_request(
        otlp_build.all_metrics({"a": 1}),
        sc=otlp_build.scope(attrs={"s": b"\x01"}, dropped=4),
        schema="https://example.com/r",
        scope_schema="https://example.com/s",
    )
    rows = oracle.rows(type(request).FromString(request.SerializeToString()))
    assert {t: len(r) for t, r in rows.items()} == {
        "otel_metrics_gauge": 4,
        "otel_metrics_sum": 2,
        "otel_metrics_histogram": 1,
        "otel_metrics_exponential_histogram": 1,
        "otel_metrics_summary": 1,
    }
    assert [r["Value"] for r in rows["otel_metrics_gauge"]] == [
        0.25,
        "NaN",
        -(2**63),
        2**63 - 1,
    ]
    gauge = rows["otel_metrics_gauge"][0]
    assert gauge["Exemplars.Value"] == [1.5, -7] and gauge["Flags"] == 1
    assert (gauge["ScopeAttributes"], gauge["ScopeDroppedAttrCount"]) == ({"s": "AQ=="}, 4)
    (summary,) = rows["otel_metrics_summary"]
    assert summary["ValueAtQuantiles.Quantile"] == [0.0, 0.5, 1.0]
    assert "Exemplars.Value" not in summary
    (exponential,) = rows["otel_metrics_exponential_histogram"]
    assert (exponential["PositiveOffset"], exponential["Scale"]) == (-2, -3)

    bare = otlp_build.metrics.HistogramDataPoint(count=1)
    bare = otlp_build.metrics_request([otlp_build.histogram(points=[bare])])
    assert oracle.rows(bare)["otel_metrics_histogram"][0]["Sum"] is None


def test_expected_rows_of_odd_items():
    build = otlp_build
    log = build.log(2.5, time_unix_nano=0, observed_time_unix_nano=0, flags=0x1FF)
    log.trace_id = bytes(16)
    request = build.logs_request([log], res=build.resource(service=None))
    (row,) = oracle.rows(request, received_ns=9)["otel_logs"]
    assert (row["Timestamp"], row["TraceFlags"], row["TraceId"]) == (9, 255, "")
    assert (row["ServiceName"], row["Body"]) == ("", "2.5")
    assert row["ResourceAttributes"] == {}
    span = build.span(start_time_unix_nano=10, end_time_unix_nano=5, kind=99)
    (row,) = oracle.rows(build.traces_request([span]))["otel_traces"]
    assert (row["Duration"], row["SpanKind"], row["StatusCode"]) == (0, "99", "Unset")


def test_missing_and_extra_compare_values_not_spelling():
    want = [{"A": 1.0, "Body": '{"a":1.0,"b":[2]}', "Attributes": {"x": 3.0, "t": True}}] * 2
    same = {"A": 1, "Body": '{"b":[2],"a":1}', "Attributes": {"t": True, "x": 3}, "Offset": 5}
    assert oracle.missing_and_extra(want, [same, same]) == ([], [])
    missing, extra = oracle.missing_and_extra(want, [same, {**same, "A": 2}])
    assert [r["A"] for r in missing] == [1] and [r["A"] for r in extra] == [2]
    # A bool is no number, a text no JSON unless it is.
    assert oracle.missing_and_extra([{"A": True}], [{"A": 1}])[0]
    assert oracle.missing_and_extra([{"Body": "{"}], [{"Body": "{"}]) == ([], [])
    assert oracle.double(-math.inf) == "-Infinity" and json.dumps(oracle.double(0.5)) == "0.5"
