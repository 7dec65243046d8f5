"""Other programs on our topics: what the Collector's kafkaexporter writes is consumed, what we write can be
read by its kafkareceiver and by any client that knows otlp_proto."""

import re
import subprocess

import grpc
import pytest

from support import otlp_build as build
from support import oracle, otlp_json, proc
from support.clients import ROOT, launcher
from support.database import assert_rows
from support.otlp_server import OtlpServer
from support.ports import free_port
from support.system import System
from support.wait import until
from support.wire import GRPC_PATHS

SIGNALS = ("traces", "metrics", "logs")


@pytest.fixture
def system(kafka, unique, tmp_path):
    made = System(tmp_path / "system", kafka.bootstrap, ("acme", "beta"), {"kafka": f'prefix = "{unique}";'})
    made.prefix = unique
    made.up()
    until(lambda: len([t for t in kafka.topics() if t.startswith(unique)]) == 8, 60, "topics")
    yield made
    made.end()


def balanced(system, *tenants):
    for tenant in tenants:
        until(lambda: system.cli("ledger", tenant, check=False).returncode == 0, 60,
              lambda: system.cli("ledger", tenant, check=False).stdout)  # fmt: skip


def test_records_as_the_collector_writes_them(system, kafka):
    """Without our headers, keyed by trace or not, in protobuf and in JSON side by side: the topic names the tenant,
    items are counted, the books balance; JSON that is broken is a dead letter."""
    sent = []
    for signal in SIGNALS:
        topic = f"{system.prefix}.acme.{signal}"
        for n, encode in enumerate((lambda m: m.SerializeToString(), otlp_json.text)):
            message = build.unusual_requests(f"acme-{n}")[signal]
            key = build.trace_id().hex().encode() if signal == "traces" else None
            kafka.produce(topic, encode(message), key=key, headers=[("x-note", b"any")] if n else None)
            sent.append(message)
    kafka.produce(f"{system.prefix}.acme.logs", b'{"resourceLogs":[{"scopeLogs":')
    assert_rows(system, "acme", sent, 60)
    until(lambda: "malformed" in system.cli("dlq", "list", "acme").stdout, 60, "the dead letter")
    assert "resourceLogs" in system.cli("dlq", "show", "acme").stdout
    balanced(system, "acme")


def test_our_records_tell_who_and_what(system, kafka):
    """An independent client sees the request's bytes, no key, and headers that are text."""
    system.send("acme", "logs", 7)
    (record,) = until(lambda: kafka.records(f"{system.prefix}.acme.logs"), 60, "the record")
    headers = {k: v.decode() for k, v in record.headers}
    assert record.key is None
    assert headers["tenantry.v"] == "1" and headers["tenantry.tenant"] == "acme" and headers["tenantry.items"] == "7"
    assert headers["tenantry.key"] in system.keys["acme"]
    assert re.fullmatch(r"[0-9]{19}", headers["tenantry.received_ns"])
    assert re.fullmatch(r"[0-9a-f]{32}", headers["tenantry.request"])
    request = build.REQUESTS["logs"].FromString(record.value)
    assert sum(len(s.log_records) for r in request.resource_logs for s in r.scope_logs) == 7


def test_the_quickstart_runs_at_given_brokers(own_kafka, tenantry_bin, tmp_path):
    """Two tenants, a key each, three signals over TLS, rows shown; a second run goes on, another Kafka is not
    mixed in."""
    run = [ROOT / "tools" / "quickstart", "--bin", tenantry_bin, "--folder", tmp_path / "quick", "--once",
           "--port", str(free_port())]  # fmt: skip

    def start(brokers):
        return subprocess.run([*run, "--brokers", brokers], capture_output=True, text=True, timeout=600)

    for rows in (100, 200):
        done = start(own_kafka.bootstrap)
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(re.findall(rf"^otel_(?:traces|logs) +{rows} +checkout-of-", done.stdout, re.M)) == 4, done.stdout
    assert "otlp.acme.dlq" in own_kafka.topics() and not (tmp_path / "quick" / "state" / "kafka").exists()
    other = start("127.0.0.1:1")
    assert other.returncode == 1 and "was made for another Kafka" in other.stderr


# One Collector: what it is given goes to acme's topics as otlp_proto and to beta's as otlp_json; it reads
# acme's topics back and hands on what stands there.
_CONFIG = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{port}"}}}}}}
  kafka:
    brokers: ["{brokers}"]
    group_id: "{prefix}-reader"
    initial_offset: earliest
    traces: {{topics: ["{prefix}.acme.traces"]}}
    metrics: {{topics: ["{prefix}.acme.metrics"]}}
    logs: {{topics: ["{prefix}.acme.logs"]}}
exporters:
  kafka/proto: {{brokers: ["{brokers}"], partition_traces_by_id: true, {acme}}}
  kafka/json: {{brokers: ["{brokers}"], {beta}}}
  otlp_http: {{endpoint: "{recorder}", compression: none}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{{pipelines}}}
"""


@pytest.mark.long
def test_a_collector_writes_and_reads_our_topics(system, kafka, tmp_path):
    port = free_port()

    def topics(tenant, encoding):
        return ", ".join(f'{s}: {{topic: "{system.prefix}.{tenant}.{s}", encoding: {encoding}}}' for s in SIGNALS)

    pipelines = ", ".join(
        f"{s}/write: {{receivers: [otlp], exporters: [kafka/proto, kafka/json]}},"
        f" {s}/read: {{receivers: [kafka], exporters: [otlp_http]}}" for s in SIGNALS)  # fmt: skip
    with OtlpServer("http/protobuf") as recorder:
        config = tmp_path / "collector.yaml"
        config.write_text(_CONFIG.format(
            port=port, brokers=kafka.bootstrap, prefix=system.prefix, recorder=recorder.endpoint,
            acme=topics("acme", "otlp_proto"), beta=topics("beta", "otlp_json"), pipelines=pipelines))  # fmt: skip
        collector = proc.Process([launcher("collector_kafka"), "--config", config], tmp_path / "collector.log")
        try:
            collector.wait_log("Everything is ready", 60)
            sent = list(give(port))
            assert_rows(system, "acme", sent, 60)
            assert_rows(system, "beta", sent, 60)
            balanced(system, "acme", "beta")
            before = {s: items_read(recorder, s) for s in SIGNALS}
            for signal in SIGNALS:
                system.send("acme", signal, 30)
            for signal in SIGNALS:  # what our router wrote comes to the receiver, too
                until(lambda: items_read(recorder, signal) >= before[signal] + 30, 60, f"{signal} read back")
        finally:
            collector.stop()


def give(port):
    with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.enable_http_proxy", 0)]) as channel:
        for signal, message in build.unusual_requests("collector").items():
            call = channel.unary_unary(GRPC_PATHS[signal], lambda m: m.SerializeToString(), lambda m: m)
            call(message, timeout=30)
            yield message


def items_read(recorder, signal):
    messages = [r.message for r in recorder.requests if r.signal == signal]
    return sum(len(rows) for rows in oracle.rows_of(messages).values())
