"""Done when 2: SDKs of other languages, unmodified from their registries, over TLS: what they send stands
in the tenant's database once and value for value, and a refusal makes them do what OTLP says. The expected
rows are decoded from what an exporter of the same SDK gave to a recorder (support/otlp_server.py)."""

import pytest

from support import otlp_build as build
from support.clients import Client, Collector, Way
from support.database import assert_rows
from support.otlp_server import OtlpServer
from support.system import System
from support.wire import warm_up

TENANTS = {"acme": ""}


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    system = System(tmp_path_factory.mktemp("clients"), brokers=kafka.bootstrap, tenants=TENANTS,
                    extra={"kafka": 'prefix = "clients";'})
    system.up()
    # Every acked message of this module.
    system.sent = {tenant: warm_up(system, tenant) for tenant in TENANTS}
    yield system
    system.end()


WAYS = [
    *[Way("javascript", p, c) for p in ("grpc", "http/protobuf", "http/json") for c in ("none", "gzip")],
    *[Way("go", p, c) for p in ("grpc", "http/protobuf") for c in ("none", "gzip")],
]
MORE_WAYS = [
    *[Way("java", p, c) for p in ("grpc", "http/protobuf") for c in ("none", "gzip")],
    *[Way("rust", p, c) for p in ("grpc", "http/protobuf", "http/json") for c in ("none", "gzip")],
]


@pytest.mark.parametrize(
    "way", [*WAYS, *[pytest.param(way, marks=pytest.mark.long) for way in MORE_WAYS]], ids=str)
def test_everything_an_sdk_makes_arrives(system, tmp_path, way):
    with OtlpServer("http/protobuf") as recorder:
        with Client(system, way, system.keys["acme"], tmp_path / "client.log", str(way), recorder) as client:
            exports = client.do("rich")
            assert {e["signal"] for e in exports} == {"traces", "logs", "metrics"}, client.said()
            assert [e["error"] for e in exports if e["error"]] == [], client.said()
        system.sent["acme"] += [r.message for r in recorder.requests]
    assert_rows(system, "acme", system.sent["acme"])


COLLECTOR_WAYS = [
    *[Way("collector", "grpc", c) for c in ("none", "gzip", "snappy", "zstd")],
    *[Way("collector", p, c) for p in ("http/protobuf", "http/json")
      for c in ("none", "gzip", "zlib", "deflate", "snappy", "x-snappy-framed", "zstd", "lz4")],
]


def test_everything_a_collector_forwards_arrives(system, tmp_path):
    """Both exporters with every compression they take; the messages are of no SDK's making."""
    with Collector(system, [(way, system.keys["acme"]) for way in COLLECTOR_WAYS], tmp_path) as collector:
        for way in COLLECTOR_WAYS:
            for signal, message in build.unusual_requests(str(way)).items():
                collector.send(way, signal, message)
                system.sent["acme"].append(message)
        assert_rows(system, "acme", system.sent["acme"])
