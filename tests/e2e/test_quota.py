"""Daily quotas: spent to the byte, kept over kill -9; and limits that only count (dry_run)."""

import json
import math
import os
import re
import signal
import time

import pytest

from support import otlp_build as build
from support.system import System
from support.wait import until
from support.wire import PROTOBUF, Channel, Http1, bearer, finished, request, retry_delay

DAY = 86_400
QUOTA = 200_000
TENANTS = {
    "small": f'daily = "{QUOTA}";',
    "signal": 'logs = { daily = "64KiB"; };',
    "killed": f'daily = "{QUOTA}";',
    "keyed": "",
    "dry": 'dry_run = true; requests = "1/s"; wait = "0s";',
    "drydaily": 'dry_run = true; daily = "1KB";',
}


def clear_of_midnight(seconds=180):
    """A test that began shortly before midnight would see two days."""
    left = DAY - time.time() % DAY
    if left < seconds:
        time.sleep(left + 1)


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    clear_of_midnight()
    system = System(
        tmp_path_factory.mktemp("quota"), brokers=kafka.bootstrap, tenants=TENANTS,
        extra={"kafka": 'prefix = "quota";', "router": 'max_decompressed = "64KiB";'},
    )  # fmt: skip
    for tenant, text in TENANTS.items():
        path = system.folder / "tenants.d" / f"{tenant}.conf"
        path.write_text(f'tenant: {{ id = "{tenant}"; limits = {{ {text} }}; topics = {{ partitions = 1; }}; }};\n')
    system.up()
    for tenant in TENANTS:
        until(lambda: send(system, tenant, b"").status == 200, 60, f"the topics of {tenant}")
    yield system
    system.process.terminate()


def logs(size):
    return build.logs_request([build.log("x" * size)]).SerializeToString()


def send(system, tenant, body, path="/v1/logs", key=None):
    fields = {"Content-Type": PROTOBUF, **bearer(key or system.keys[tenant])}

    def answer():
        with Http1(system) as c:
            c.send(request(path=path, body=body, headers=fields))
            return c.read()

    # Topics that are being made and a Kafka that is slow for a moment are not what is tested.
    return until(lambda: (a := answer()).status != 503 and a, 60, "an answer other than 503")


def spend(system, tenant, size, key=None):
    """Sends until nothing of this size fits any more; the bytes that were let through, the refusal."""
    body, passed = logs(size), 0
    while True:
        a = send(system, tenant, body, key=key)
        if a.status != 200:
            return passed, a
        passed += len(body)


def kept(system, tenant):
    """Bytes of all signals, as the state file has them."""
    file = system.folder / "state" / "quota"
    match = re.search(rf"^{tenant} (\d+) ", file.read_text() if file.exists() else "", re.M)
    return int(match[1]) if match else 0


def today(system, tenant):
    match = re.search(rf'^tenantry_today_bytes\{{tenant="{tenant}"\}} (\S+)$', system.http("/metrics")[1], re.M)
    return int(float(match[1])) if match else None


def test_a_spent_quota_tells_midnight(system):
    """R204, R207-R209, R212: to the byte; then the seconds to 00:00 UTC, the same in all places."""
    passed, refused = spend(system, "small", 9000)
    assert QUOTA - len(logs(9000)) < passed <= QUOTA
    more, refused = spend(system, "small", 90)
    assert QUOTA - len(logs(90)) < passed + more <= QUOTA
    assert today(system, "small") == passed + more
    left = DAY - time.time() % DAY
    delay = retry_delay(refused.rpc_status)
    assert left - 60 < delay < left + 60
    assert refused.status == 429 and int(refused.get("retry-after")) == math.ceil(delay)
    assert re.fullmatch(
        rf"the tenant's daily quota is spent \(200KB for all signals\): {passed + more} bytes were used since 00:00 UTC"
        rf" and the request needs {len(logs(90))}; come back at 00:00 UTC, in {math.ceil(delay)} s",
        refused.rpc_status.message)
    with Channel(system) as channel:
        a = finished(channel.start("logs", logs(9000), bearer(system.keys["small"])))
        assert a.code == 14 and left - 60 < a.retry_delay < left + 60


def test_a_signal_has_its_own_quota(system):
    passed, refused = spend(system, "signal", 5000)
    assert passed <= 65536 and "(64KiB for logs)" in refused.rpc_status.message
    span = build.traces_request([build.span()]).SerializeToString()
    assert send(system, "signal", span, "/v1/traces").status == 200


def test_a_key_has_its_own_quota(system):
    key = system.issue_key("keyed", "--daily", "100KB")
    until(lambda: send(system, "keyed", b"", key=key).status == 200, 30, "the new key")
    passed, refused = spend(system, "keyed", 9000, key)
    assert 100_000 - len(logs(9000)) < passed <= 100_000
    assert refused.rpc_status.message.startswith("the key's daily quota is spent (100KB for all signals): ")
    assert send(system, "keyed", logs(9000)).status == 200
    kept = rf"^\+{key.split('_')[1]} {passed} 0 0 {passed}$"
    until(lambda: re.search(kept, (system.folder / "state" / "quota").read_text(), re.M), 30, "the key's count in the file")


def test_a_quota_survives_kill_9(system):
    """What stands in the file counts on; it is there within a moment, without a request writing it."""
    body = logs(9000)
    for _ in range(10):
        assert send(system, "killed", body).status == 200
    until(lambda: kept(system, "killed") == 10 * len(body), 30, "the count in the file")
    router = system.child(" router")
    os.kill(router, signal.SIGKILL)
    until(lambda: system.child(" router") not in (None, router), 60, "another router")
    system.wait_ready()
    passed, _ = spend(system, "killed", 9000)
    assert QUOTA - len(body) < 10 * len(body) + passed <= QUOTA


@pytest.mark.parametrize("tenant,reason", [("dry", "over_requests"), ("drydaily", "over_quota")])
def test_dry_run_counts_and_lets_through(system, tenant, reason):
    def counted():
        for _ in range(20):
            assert send(system, tenant, logs(2000)).status == 200
        status = json.loads(system.cli("status", tenant, "--json").stdout)
        return status["tenants"][0]["dry_run"].get(reason)

    until(counted, 60, f"{reason} in the status")
    assert "requests that its limits would have refused (dry_run)" in system.cli("status", tenant).stdout
    metrics = system.http("/metrics")[1]
    assert re.search(rf'^tenantry_limits_dry_run_total\{{tenant="{tenant}",signal="logs",outcome="{reason}"\}} [1-9]', metrics, re.M)
    assert not re.search(rf'^tenantry_requests_total\{{tenant="{tenant}",signal="logs",outcome="over_', metrics, re.M)
