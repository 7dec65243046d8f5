"""Done when 2: what real clients send over TLS stands in its own tenant's database, value for value, and
nowhere else. The expected rows are decoded from the captured bytes by oracle.py, not by our code."""

import gzip
import re
import socket
import ssl
import threading

import pytest

from support import oracle
from support import otlp_build as build
from support.database import assert_rows, rows
from support.sdk import COMPRESSIONS, PROTOCOLS, Sdk
from support.system import System
from support.wait import until
from support.wire import PROTOBUF, Channel, Http1, bearer, http1, http2, request, tls_context, warm_up

pytestmark = pytest.mark.sanitize

TENANTS = ("acme", "beta")


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    system = System(tmp_path_factory.mktemp("sdk"), brokers=kafka.bootstrap, tenants=TENANTS,
                    extra={"kafka": 'prefix = "sdk";', "router": 'answer_timeout = "30s";'})
    system.up()
    # Every acked message of this module.
    system.sent = {tenant: warm_up(system, tenant) for tenant in TENANTS}
    yield system
    system.end()


def check(system):
    """Both databases hold what was acked to their tenant so far, and nothing else."""
    for tenant in TENANTS:
        assert_rows(system, tenant, system.sent[tenant])


def together(work):
    """Runs work(tenant) for both tenants at once."""
    failures = []

    def run(tenant):
        try:
            work(tenant)
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=run, args=(tenant,)) for tenant in TENANTS]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]


# Every header that may carry the key; the name's case does not matter (R279, R280).
CARRIERS = {
    "acme": lambda key: {"Authorization": f"Bearer {key}"},
    "beta": lambda key: {"X-API-Key": key},
}


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sdk_to_two_tenants_at_once(system, protocol, compression):
    def work(tenant):
        name = f"{tenant}-{protocol}-{compression}"
        headers = CARRIERS[tenant](system.keys[tenant])
        with Sdk(system.endpoint, protocol, compression, system.ca, headers,
                 {"of.tenant": tenant, "run": name}) as sdk:
            sdk.emit_rich(f"{name}-1")
            sdk.flush()
            sdk.emit_rich(f"{name}-2")
            sdk.flush()
        assert [a.signal for a in sdk.attempts][:6] == 2 * ["traces", "logs", "metrics"]
        assert [a.status for a in sdk.attempts if not a.ok or a.rejected] == []
        system.sent[tenant] += sdk.acked()

    together(work)
    check(system)


def test_all_five_metric_kinds_are_rows_of_their_tables(system):
    """That the comparison below is not one of nothing with nothing."""
    made = oracle.rows_of(build.unusual_requests("acme").values())
    kinds = {t for t in made if "metrics" in t}
    assert kinds == {"otel_metrics_gauge", "otel_metrics_sum", "otel_metrics_histogram",
                     "otel_metrics_exponential_histogram", "otel_metrics_summary"}


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_built_messages_over_raw_grpc(system, compression):
    """R131, R132, R133: one call per signal, by grpcio, which sends te: trailers (R142)."""
    def work(tenant):
        with Channel(system, compression) as channel:
            for signal, message in build.unusual_requests(tenant).items():
                answer = channel.call(signal, message.SerializeToString(), bearer(system.keys[tenant]))
                assert (answer.code, answer.body, answer.binary) == (0, b"", {})  # R181, R99
                system.sent[tenant].append(message)

    together(work)
    check(system)


@pytest.mark.parametrize("send", [http1, http2], ids=["http1", "http2"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_built_messages_over_raw_http(system, send, compression):
    """R55, R56, R57, R64, R71: every signal; R225, R226, R261: every value comes back from the database."""
    def work(tenant):
        for signal, message in build.unusual_requests(tenant).items():
            body = message.SerializeToString()
            headers = {"content-type": PROTOBUF, "signoz-ingestion-key": system.keys[tenant]}
            if compression == "gzip":
                headers["content-encoding"] = "gzip"
                # R73: members one behind the other
                body = gzip.compress(body[:100]) + gzip.compress(body[100:])
            answer = send(system, path=f"/v1/{signal}", body=body, headers=headers)
            # R96-R100
            assert (answer.status, answer.body, answer.get("content-type")) == (200, b"", PROTOBUF)
            assert answer.get("date")
            system.sent[tenant].append(message)

    together(work)
    check(system)


def test_tenants_take_turns_on_one_connection(system):
    """R278: the tenant is that of the request, not of the connection."""
    with Http1(system) as c, Channel(system) as channel:
        for i in range(6):
            tenant = TENANTS[i % 2]
            message = build.logs_request([build.log(f"turn {i} of {tenant}")])
            c.send(request(body=message.SerializeToString(),
                           headers={"Content-Type": PROTOBUF, **bearer(system.keys[tenant])}))
            assert c.read().status == 200
            system.sent[tenant].append(message)
            other = TENANTS[1 - i % 2]
            message = build.logs_request([build.log(f"turn {i} of {other}")])
            answer = channel.call("logs", message.SerializeToString(), bearer(system.keys[other]))
            assert answer.code == 0
            system.sent[other].append(message)
    check(system)


def test_records_carry_tenant_key_and_count(system, kafka):
    """DESIGN §5: what a consumer of our topics may rely on."""
    key = system.keys["acme"]
    before = {(r.partition, r.offset) for r in kafka.records("sdk.acme.logs")}
    message = build.logs_request([build.log(str(i)) for i in range(5)])
    body = message.SerializeToString() + b"\xfa\x3e\x05later"  # R215: a field of tomorrow
    answer = http1(system, body=body, headers={"Content-Type": PROTOBUF, **bearer(key)})
    assert answer.status == 200
    system.sent["acme"].append(message)
    (record,) = [r for r in kafka.records("sdk.acme.logs") if (r.partition, r.offset) not in before]
    assert record.value == body and record.key is None
    headers = dict(record.headers)
    assert len(headers) == len(record.headers)
    assert headers.pop("tenantry.v") == b"1"
    assert headers.pop("tenantry.tenant") == b"acme"
    assert headers.pop("tenantry.key") == key.split("_")[1].encode()
    assert headers.pop("tenantry.items") == b"5"
    assert abs(int(headers.pop("tenantry.received_ns")) - record.timestamp * 1_000_000) < 60e9
    assert len(headers.pop("tenantry.request")) == 32
    assert re.fullmatch(rb"[0-9a-f]{16}\.\d+", headers.pop("tenantry.record"))
    assert headers == {}
    secret = key.split("_")[2]
    assert not any(secret.encode() in v for _, v in record.headers)  # R286


def test_the_certificate_is_verified(system, tmp_path):
    """A client that trusts another CA does not send anything; one that trusts ours gets the protocol
    it asked for (R1-R3)."""
    system.cli("certs", "dev", "--folder", tmp_path / "other")
    sdk = Sdk(system.endpoint, "http/protobuf", "gzip", tmp_path / "other" / "ca.pem",
              bearer(system.keys["acme"]), timeout=5)
    with sdk:
        sdk.logger_provider.get_logger("never").emit(body="never")
        sdk.logger_provider.force_flush(60_000)
        assert sdk.attempts and not any(a.ok for a in sdk.attempts)
        assert {a.status for a in sdk.attempts} == {""}
    with Http1(system, alpn=("http/1.1", "h2")) as c:  # the server's order wins
        assert c.sock.selected_alpn_protocol() == "h2"
        assert c.sock.version() == "TLSv1.3"
    with Http1(system, alpn=()) as c:
        assert c.sock.selected_alpn_protocol() is None
        c.send(request(method="GET", path="/"))
        assert c.read().status == 404
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        Http1(system, alpn=("h3",))
    old = tls_context(system.ca)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", system.port), 10) as raw:
        with old.wrap_socket(raw, server_hostname="localhost") as tls:
            assert tls.version() == "TLSv1.2"
    check(system)


def test_nothing_of_keys_in_logs_and_metrics(system):
    """R286, after all the traffic above."""
    until(lambda: system.http("/metrics")[0] == 200, 10, "metrics")
    told = system.process.output() + system.http("/metrics")[1]
    for key in system.keys.values():
        assert key not in told and key.split("_")[2] not in told
    assert set(rows(system, "acme")) == set(rows(system, "beta"))
