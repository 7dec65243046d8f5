"""Done when 7: SDKs with default settings that burst three times over their tenant's rate for two seconds
lose nothing: they are slowed, or refused in a way that makes them come back."""

import re

import pytest

from support.clients import Way, connect, together
from support.system import System
from support.wait import until
from support.wire import warm_up

pytestmark = pytest.mark.long

RATE, TIMES, SECONDS = 500, 3, 2
ITEMS = RATE * TIMES * SECONDS
WAYS = [
    *[Way("python", p) for p in ("grpc", "http/protobuf")],
    *[Way("javascript", p) for p in ("grpc", "http/protobuf", "http/json")],
    *[Way("java", p) for p in ("grpc", "http/protobuf")],
]
# Over gRPC this one never repeats a refused export, so its tenant has to be slowed for longer (docs/clients.md).
WAIT = {("javascript", "grpc"): "5s"}


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    system = System(tmp_path_factory.mktemp("burst"), brokers=kafka.bootstrap, tenants=map(str, WAYS),
                    extra={"kafka": 'prefix = "burst";'})
    for way in WAYS:
        wait = WAIT.get((way.language, way.protocol), "500ms")
        path = system.folder / "tenants.d" / f"{way}.conf"
        path.write_text(f'tenant: {{ id = "{way}"; topics = {{ partitions = 1; }};'
                        f' limits = {{ items = "{RATE}/s"; wait = "{wait}"; }}; }};\n')
    system.up()
    for way in WAYS:
        warm_up(system, str(way), 60)
    yield system
    system.end()


def counted(system, name, tenant, what=""):
    return sum(
        int(float(line.split()[-1])) for line in system.http("/metrics")[1].splitlines()
        if re.match(rf'{name}\{{.*tenant="{tenant}"', line) and what in line)


def seqs(system, way):
    return sorted(r[0] for r in system.sql(
        str(way), "SELECT json_extract(SpanAttributes, '$.seq') FROM otel_traces WHERE SpanName = 'burst'"))


def test_a_burst_loses_nothing(system, tmp_path):
    def work(way):
        tenant = str(way)
        with connect(system, way, system.keys[tenant], tmp_path / f"{way}.log", timeout=10,
                     env={"OTEL_BSP_SCHEDULE_DELAY": "5000"}) as client:
            exports = client.do(f"burst {RATE * TIMES} {SECONDS}", 240)
            waited = counted(system, "tenantry_requests_waited_total", tenant)
            refused = counted(system, "tenantry_requests_total", tenant, 'outcome="over_items"')
            print(f"{way}: {len(exports)} exports, {waited} slowed, {refused} refused")
            assert [e["error"] for e in exports if e["error"]] == [], client.said()
        until(lambda: len(seqs(system, way)) >= ITEMS, 60, lambda: f"{ITEMS} rows, {len(seqs(system, way))} so far")
        assert seqs(system, way) == list(range(ITEMS))

    together(WAYS, work)
