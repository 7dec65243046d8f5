"""Done when 2: what SDKs and the Collector make of a refusal by our front door: they retry what OTLP lets
them retry, and nothing else. Where an SDK does otherwise, it is named here, and in docs/clients.md."""

import contextlib
import threading

import pytest

from support import keys
from support import otlp_build as build
from support.clients import Way, connect, together
from support.proc import start_tenantry
from support.system import System
from support.wait import until
from support.wire import PROTOBUF, bearer, http1, warm_up

IN_CI = [
    Way("python", "grpc"), Way("python", "http/protobuf", "gzip"),
    Way("javascript", "grpc"), Way("javascript", "http/protobuf", "gzip"), Way("javascript", "http/json"),
    Way("go", "grpc"), Way("go", "http/protobuf", "gzip"),
    Way("collector", "grpc", "zstd"), Way("collector", "http/protobuf", "gzip"),
]  # fmt: skip
MORE = [
    Way("java", "grpc"), Way("java", "http/protobuf", "gzip"),
    Way("rust", "grpc", "gzip"), Way("rust", "http/protobuf"), Way("rust", "http/json"),
]  # fmt: skip
GROUPS = [pytest.param(IN_CI, id="ci"), pytest.param(MORE, id="more", marks=pytest.mark.long)]

# OTLP: RESOURCE_EXHAUSTED without RetryInfo is not retryable. These two retry it all the same.
RETRIES_TOO_LARGE = {("python", "grpc"), ("java", "grpc")}
# OTLP: UNAVAILABLE is retryable. This one never retries over gRPC.
NEVER_RETRIES = {("javascript", "grpc")}


def of(way):
    return way.language, way.protocol


def tenant_of(way):
    return str(way)


@pytest.fixture(scope="module", params=GROUPS)
def ways(request):
    return request.param


@pytest.fixture(scope="module")
def system(ways, kafka, tmp_path_factory):
    system = System(
        tmp_path_factory.mktemp("refused"), brokers=kafka.bootstrap, tenants=map(tenant_of, ways),
        extra={"kafka": 'prefix = "clients-refused";',
               "router": 'max_body = "256KiB"; max_decompressed = "256KiB";'},
    )  # fmt: skip
    for way in ways:
        path = system.folder / "tenants.d" / f"{tenant_of(way)}.conf"
        path.write_text(f'tenant: {{ id = "{tenant_of(way)}"; topics = {{ partitions = 1; }};'
                        ' limits = { items = "100/s"; wait = "0s"; }; };\n')
    system.up()
    for way in ways:
        warm_up(system, tenant_of(way), 60)
    yield system
    system.end()


@pytest.fixture(scope="module")
def without_kafka(ways, tmp_path_factory):
    """A router whose broker never was: it answers 503 to everything that has a key."""
    system = System(tmp_path_factory.mktemp("nokafka"), brokers="127.0.0.1:1", tenants=map(tenant_of, ways),
                    extra={"router": 'answer_timeout = "300ms";'})
    system.process = start_tenantry("--config", system.conf, "router", log=system.folder / "router.log",
                                    name="tenantry router", cwd=system.folder)
    until(lambda: system.http("/healthz")[0] == 200, 60, "the router")
    yield system
    system.end()


def counted(system, outcome, tenant=None):
    """Requests with logs of that outcome so far: the Java SDK sends metrics of its own besides."""
    wanted = [f'outcome="{outcome}', 'signal="logs"', *([f'tenant="{tenant}"'] if tenant else [])]
    return sum(
        int(float(line.split()[-1])) for line in system.http("/metrics")[1].splitlines()
        if line.startswith("tenantry_requests_total") and all(w in line for w in wanted))


def logs_of(client, command):
    return [e for e in client.do(command) if e["signal"] == "logs"]


def refused_once(system, client, way, outcome, tenant=None):
    """One export is tried once and dropped, and its sender knows."""
    before = counted(system, outcome, tenant)
    exports = logs_of(client, "logs 1 300000")
    if way.language == "collector":
        until(client.dropped, 120, "the Collector drops the data")
    else:
        assert len(exports) == 1 and exports[0]["error"], (exports, client.said())
        print(f"{way}: {exports[0]['error'][:200]}")
    assert counted(system, outcome, tenant) == before + 1


def test_401_is_not_retried(system, ways, tmp_path):
    """R125, R199, R284: one after another, since a refused key has no tenant to count it under."""
    for way in ways:
        with connect(system, way, keys.new_key(), tmp_path / f"{way}.log") as client:
            refused_once(system, client, way, "bad_key")


def quietly(client, command):
    """It may be ended in the middle."""
    with contextlib.suppress(AssertionError):
        client.do(command)


def test_413_is_not_retried(system, ways, tmp_path):
    """R125, R174."""

    def work(way):
        tenant = tenant_of(way)
        with connect(system, way, system.keys[tenant], tmp_path / f"{way}.log") as client:
            if of(way) not in RETRIES_TOO_LARGE:
                return refused_once(system, client, way, "too_large", tenant)
            threading.Thread(target=quietly, args=(client, "logs 1 300000"), daemon=True).start()
            until(lambda: counted(system, "too_large", tenant) > 1, 120, "what this SDK does")
            print(f"{way}: tries again")

    together(ways, work)


def drain(system, tenant):
    """Spends what the tenant may send now."""
    body = build.logs_request([build.log() for _ in range(200)]).SerializeToString()
    headers = {"Content-Type": PROTOBUF, **bearer(system.keys[tenant])}

    def refused():
        status = http1(system, body=body, headers=headers).status
        assert status in (200, 429)
        return status == 429

    until(refused, 60, f"{tenant}'s limit")


def seqs(system, tenant, mark):
    return [r[0] for r in system.sql(
        tenant, "SELECT json_extract(LogAttributes, '$.seq') FROM otel_logs"
        " WHERE json_extract(ResourceAttributes, '$.\"client.mark\"') = ?", mark)]


ITEMS = 150


def test_429_is_retried_when_it_fits(system, ways, tmp_path):
    """R204-R212: the tenant has spent its rate, so the export is refused; after the time told it fits."""

    def work(way):
        tenant = tenant_of(way)
        key = system.keys[tenant]
        with connect(system, way, key, tmp_path / f"{way}.log", mark=f"429 {way}") as client:
            for exports in range(1, 21):  # again if the machine was so slow that the rate had recovered
                drain(system, tenant)
                refused, taken = counted(system, "over_items", tenant), counted(system, "accepted", tenant)
                told = logs_of(client, f"logs {ITEMS} 10")
                errors = [e["error"] for e in told if e["error"]]
                ended, before = ("over_items", refused) if errors else ("accepted", taken)
                until(lambda: counted(system, ended, tenant) > before, 120, f"{ended} of {way}")
                refused = counted(system, "over_items", tenant) - refused
                if refused:
                    break
            assert refused
            lost = of(way) in NEVER_RETRIES
            print(f"{way}: refused {refused} times, then {'dropped' if lost else 'accepted'}")
            assert bool(errors) == lost, (errors, client.said())
            assert counted(system, "accepted", tenant) == taken + (not lost)
            assert not lost or refused == 1
            wanted = sorted(list(range(ITEMS)) * (exports - lost))
            until(lambda: len(seqs(system, tenant, f"429 {way}")) >= len(wanted), 60, f"the rows of {way}")
            assert sorted(seqs(system, tenant, f"429 {way}")) == wanted

    together(ways, work)


def test_503_is_retried(without_kafka, ways, tmp_path):
    """R126, R127, R198."""
    system = without_kafka

    def work(way):
        tenant = tenant_of(way)
        with connect(system, way, system.keys[tenant], tmp_path / f"{way}.log") as client:
            ended = []

            def export():
                try:
                    ended.append(client.do("logs 5 10"))
                except BaseException as e:
                    ended.append(e)

            threading.Thread(target=export, daemon=True).start()

            def gave_up():
                return ended and way.language != "collector"

            until(lambda: counted(system, "kafka_down", tenant) > 1 or gave_up(), 120, f"{way} tries again")
            tries = counted(system, "kafka_down", tenant)
            print(f"{way}: {tries} or more requests" if tries > 1 else f"{way}: {ended}")
            assert (tries > 1) == (of(way) not in NEVER_RETRIES), (ended, client.said())

    together(ways, work)
