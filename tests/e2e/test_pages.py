"""What the ingest port answers besides telemetry: readiness for balancers, a tenant about itself."""

import json
import os
import re
import signal
import socket

import pytest

from support import otlp_build as build
from support.system import System
from support.wait import until
from support.wire import PROTOBUF, Http1, Http2, bearer, request

TENANTS = {
    "acme": 'rate = "1MB/s"; items = "10k/s"; daily = "5MB"; logs = { requests = "100/s"; };',
    "beta": 'items = "3/s"; wait = "0s";',
}
DELAY = 'drain_delay = "60s"; drain_timeout = "120s";'


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    system = System(
        tmp_path_factory.mktemp("pages"), brokers=kafka.bootstrap, tenants=TENANTS,
        extra={"kafka": 'prefix = "pages";', "router": DELAY + 'max_decompressed = "64KiB";'},
    )  # fmt: skip
    for tenant, text in TENANTS.items():
        path = system.folder / "tenants.d" / f"{tenant}.conf"
        path.write_text(f'tenant: {{ id = "{tenant}"; limits = {{ {text} }}; topics = {{ partitions = 1; }}; }};\n')
    system.up()
    yield system
    system.process.kill9()


def get(system, path, key=None, method="GET", http=1):
    fields = bearer(key) if key else {}
    if http == 2:
        with Http2(system) as c:
            return c.read(c.start(method, path, fields, end=True))
    with Http1(system) as c:
        c.send(request(method=method, path=path, headers=fields))
        return c.read(head=method == "HEAD")


def push(system, tenant, items=1):
    body = build.logs_request([build.log("x") for _ in range(items)]).SerializeToString()
    with Http1(system) as c:
        c.send(request(body=body, headers={"Content-Type": PROTOBUF, **bearer(system.keys[tenant])}))
        return c.read().status, len(body)


def metric(system, name):
    match = re.search(rf"^{name} (\S+)$", system.http("/metrics")[1], re.M)
    return float(match[1]) if match else 0


@pytest.mark.parametrize("http", [1, 2])
def test_readiness_needs_no_key(system, http):
    answer = get(system, "/readyz", http=http)
    assert (answer.status, answer.body) == (200, b"ready\n")
    assert answer.get("content-type").startswith("text/plain") and answer.get("date")
    head = get(system, "/readyz", method="HEAD", http=http)
    assert (head.status, head.body) == (200, b"")  # R63
    post = get(system, "/readyz", method="POST", http=http)
    assert (post.status, post.get("allow")) == (405, "GET, HEAD")  # R62
    before = system.http("/metrics")[1].count("tenantry_requests_total")
    get(system, "/readyz?from=balancer", http=http)
    assert system.http("/metrics")[1].count("tenantry_requests_total") == before


@pytest.mark.parametrize("http", [1, 2])
def test_a_tenant_asks_about_itself(system, http):
    def accepted():
        status, size = push(system, "acme", 5)
        return status == 200 and size

    size = until(accepted, 60, "an accepted request of acme")
    answer = get(system, "/api/tenant", system.keys["acme"], http=http)
    assert answer.status == 200 and answer.get("content-type") == "application/json"
    told = json.loads(answer.body)
    assert told["tenant"] == "acme" and not told["suspended"] and not told["dry_run"]
    limits = told["limits"]
    assert limits["all"]["bytes"]["per_second"] == 1_000_000 and limits["all"]["bytes"]["burst"] == 2_000_000
    assert limits["all"]["items"]["per_second"] == 10_000 and limits["all"]["requests"] is None
    assert limits["logs"]["requests"]["per_second"] == 100 and limits["logs"]["bytes"] is None
    assert limits["all"]["daily_bytes"] == 5_000_000 and limits["logs"]["daily_bytes"] is None
    assert limits["in_flight_bytes"] == 64_000_000 and limits["wait_seconds"] == 0.5
    today = told["today"]
    assert today["logs"]["requests"] >= 1 and today["logs"]["items"] == 5 * today["logs"]["requests"]
    assert today["logs"]["bytes"] == today["all"]["bytes"] == size * today["logs"]["requests"]
    assert today["traces"] == {"bytes": 0, "items": 0, "requests": 0}
    assert told["key"] == {"id": system.keys["acme"].split("_")[1], "limits": None}
    assert "beta" not in answer.body.decode()


def test_rates_and_refusals(system):
    def refused():
        status, _ = push(system, "beta", 3)
        return status == 429

    def told():
        return json.loads(get(system, "/api/tenant", system.keys["beta"]).body)

    until(refused, 60, "a refusal of beta")
    last = told()["refusals"][0]
    assert (last["reason"], last["signal"]) == ("over_items", "logs") and last["count"] >= 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", last["last"]) and last["first"] <= last["last"]

    def flows():
        push(system, "beta", 1)
        return told()["rates"]["logs"]["items_per_second"] > 0

    until(flows, 30, "a rate above 0")


def test_without_a_good_key_nothing_is_told(system):
    assert get(system, "/api/tenant").status == 401
    wrong = get(system, "/api/tenant", system.keys["acme"][:-1])
    assert wrong.status == 401 and b"acme" not in wrong.body
    with Http1(system) as c:
        c.send(request(path="/api/tenant", headers=bearer(system.keys["acme"])))
        assert c.read().status == 405


def test_a_bare_probe_is_no_error(system):
    """A balancer that connects and leaves without a byte: neither counted as a failure nor logged."""
    def accepted():
        return metric(system, "tenantry_router_connections_total")

    failed, before = metric(system, "tenantry_router_handshakes_failed_total"), accepted()
    system.process.mark()
    for _ in range(5):
        socket.create_connection(("127.0.0.1", system.port)).close()
    until(lambda: accepted() >= before + 5 and metric(system, "tenantry_connections") == 0, 30, "the probes are gone")
    assert metric(system, "tenantry_router_handshakes_failed_total") == failed
    assert "handshake" not in system.process.news()
    with socket.create_connection(("127.0.0.1", system.port)) as s:
        s.sendall(b"this is no TLS at all, and ends here\r\n\r\n")
        while s.recv(100):
            pass
    until(lambda: metric(system, "tenantry_router_handshakes_failed_total") == failed + 1, 30, "a failed handshake")


def test_readiness_goes_off_before_the_listeners(system):
    """The last test here: SIGTERM. For router.drain_delay balancers hear no while requests are served."""
    router = system.child(" router")
    assert get(system, "/readyz").status == 200
    os.kill(router, signal.SIGTERM)

    def not_ready():
        answer = get(system, "/readyz")
        return answer.status == 503 and answer

    assert until(not_ready, 30, "readiness off").body == b"not ready\n"
    assert push(system, "acme", 1)[0] == 200
    assert get(system, "/readyz", http=2).status == 503
    assert system.http("/readyz")[0] == 503
