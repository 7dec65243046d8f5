"""topics.partition_by = "trace_id": all spans of a trace are in one partition, whoever sends them by whichever router."""

import collections

import pytest

from support import otlp_build as build
from support.kafka import Client
from support.otlp_build import REQUESTS
from support.proc import start_tenantry
from support.system import System
from support.ports import free_ports
from support.wait import until
from test_split import post

PARTITIONS, TRACES, ROUNDS = 6, 200, 5


def murmur2(data):
    """Kafka's, of Java's clients; for whole words."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    for i in range(0, len(data), 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_of(trace):
    return (murmur2(trace.hex().encode()) & 0x7FFFFFFF) % PARTITIONS


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    it = System(tmp_path_factory.mktemp("affinity"), brokers=kafka.bootstrap, tenants=("acme",),
                extra={"kafka": 'prefix = "affinity";', "router": 'answer_timeout = "30s";'})  # fmt: skip
    (it.folder / "tenants.d" / "acme.conf").write_text(
        f'tenant: {{ id = "acme"; topics = {{ partitions = {PARTITIONS}; partition_by = "trace_id"; }}; }};\n')
    it.up()
    yield it
    it.down()


def records(kafka, topic):
    return Client(kafka.bootstrap).records(topic)


def send(system, signal, make, port=None):
    """`make` makes another request for each attempt."""
    until(lambda: post(system, make().SerializeToString(), signal, port).ok, 60, f"an answer to {signal}")


def stored(system, table, at_least):
    until(lambda: system.count("acme", [table]) >= at_least, 60, lambda: f"{system.count('acme', [table])} in {table}")


def test_a_trace_is_in_one_partition(system, kafka):
    """Two routers; each request holds spans of all traces."""
    port, admin = free_ports(2)
    text = system.conf.read_text().replace(f":{system.port}", f":{port}").replace(f":{system.admin_port}", f":{admin}")
    second = system.folder / "second.conf"
    second.write_text(text.replace("router:", f'state = "{system.folder}/second";\nrouter:'))
    router = start_tenantry("--config", second, "router", log=system.folder / "second.log", cwd=system.folder)
    try:
        router.wait_log("msg=listening", 60)
        traces = [build.trace_id() for _ in range(TRACES)]
        for i in range(ROUNDS):
            send(system, "traces", lambda: build.traces_request([build.span(trace_id=t) for t in traces]),
                 port if i % 2 else None)  # fmt: skip
    finally:
        router.terminate(60)
    stored(system, "otel_traces", ROUNDS * TRACES)
    seen, requests = collections.defaultdict(set), collections.Counter()
    for record in records(kafka, "affinity.acme.traces"):
        assert record.key == f"{record.partition}/{PARTITIONS}".encode()
        requests[record.header("tenantry.request"), record.partition] += 1
        for resource in REQUESTS["traces"].FromString(record.value).resource_spans:
            for span in (s for scope in resource.scope_spans for s in scope.spans):
                seen[span.trace_id].add(record.partition)
    assert seen == {t: {partition_of(t)} for t in traces}
    assert set(requests.values()) == {1}  # a record for each partition, not for each trace


def test_logs_with_and_without_a_trace(system, kafka):
    traces = [build.trace_id() for _ in range(50)]
    with_trace = [build.log("of a trace", trace_id=t) for t in traces]
    without = [build.log("of none") for _ in range(50)]
    send(system, "logs", lambda: build.logs_request([r for pair in zip(with_trace, without) for r in pair]))
    send(system, "logs", lambda: build.logs_request(without))
    stored(system, "otel_logs", 150)
    for record in records(kafka, "affinity.acme.logs"):
        for resource in REQUESTS["logs"].FromString(record.value).resource_logs:
            for log in (r for scope in resource.scope_logs for r in scope.log_records):
                assert not log.trace_id or partition_of(log.trace_id) == record.partition
