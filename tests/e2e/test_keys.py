"""Keys as senders and operators see them: where a key may stand in a request, what `tenantry key list`
tells of its use, rotation."""

import base64
import json
import time

import pytest

from support import keys
from support import otlp_build as build
from support.system import System
from support.wait import until
from support.wire import PROTOBUF, Http1, bearer, grpc_call, request

LOGS = build.logs_request([build.log("hello")]).SerializeToString()


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    system = System(
        tmp_path_factory.mktemp("keys"), brokers=kafka.bootstrap, tenants=("acme",),
        extra={"kafka": 'prefix = "keys";',
               "router": 'key_usage = "1s"; guess_rate = "1/s"; guess_delay = "200ms"; key_headers = [ "authorization: Bearer", "Authorization: Basic",'
                         ' "authorization: ApiKey", "X-Api-Key", "x-honeycomb-team" ];'})  # fmt: skip
    system.up()
    until(lambda: push(system, bearer(system.keys["acme"])) == 200, 30, "the topics of acme")
    yield system
    system.end()


def push(system, headers, path="/v1/logs", body=LOGS):
    with Http1(system) as c:
        c.send(request(path=path, body=body, headers={"Content-Type": PROTOBUF, **headers}))
        return c.read().status


def basic(text):
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize("form", ["bearer", "password", "user", "apikey", "x-api-key", "other"])
def test_where_a_key_may_stand(system, form):
    """R279, R280, R281: over HTTP and gRPC alike."""
    key = system.keys["acme"]
    headers = {
        "bearer": bearer(key),
        "password": basic(f"tenant:{key}"),
        "user": basic(f"{key}:"),
        "apikey": {"authorization": f"ApiKey {key}"},
        "x-api-key": {"x-api-key": key},
        "other": {"x-honeycomb-team": key},
    }[form]
    assert push(system, {name.upper(): value for name, value in headers.items()}) == 200
    assert grpc_call(system, "logs", b"", headers).code == 0
    assert push(system, {"signoz-ingestion-key": key}) == 401  # not in the list here
    other = {"x-api-key": keys.new_key()} if form != "x-api-key" else bearer(keys.new_key())
    assert push(system, {**headers, **other}) == 401  # R283
    assert grpc_call(system, "logs", b"", {**headers, **other}).code == 16


def test_guessing_is_slowed_and_a_good_key_is_not(system):
    """Of eight failures at once two are answered at once; a good key of the same address passes."""
    bad = request(body=LOGS, headers={"Content-Type": PROTOBUF, **bearer(keys.new_key())})
    with Http1(system) as c:
        c.send(bad * 8)
        assert push(system, bearer(system.keys["acme"])) == 200
        assert [c.read().status for _ in range(8)] == [401] * 8
    assert 'tenantry_auth_slowed_total{how="delayed"}' in system.http("/metrics")[1]
    assert grpc_call(system, "logs", b"", bearer(keys.new_key())).code == 16


def listed(system, key):
    rows = json.loads(system.cli("key", "list", "acme", "--json").stdout)
    return next(row for row in rows if row["id"] == keys.key_id(key))


def uses(answers):
    """A 503 is a use, too: Kafka may need its time. A 401 is from before the key was known."""
    return sum(status != 401 for status in answers)


def test_the_list_tells_what_a_key_is_used_for(system):
    key = system.issue_key("acme", "--label", "counted", "--signals", "traces,logs")
    row = listed(system, key)
    assert (row["last_used"], row["uses_logs"], row["label"]) == (None, 0, "counted")
    before, told = int(time.time()), []
    for _ in range(3):
        until(lambda: told.append(push(system, bearer(key))) or told[-1] == 200, 20, "the new key")
    assert push(system, bearer(key), "/v1/metrics") == 403
    assert push(system, bearer(key), "/v1/traces") == 400  # a use; what is wrong is the body
    until(lambda: listed(system, key)["uses_metrics"] == 1 and listed(system, key)["uses_traces"] == 1,
          30, "the uses told")
    row = listed(system, key)
    assert row["uses_logs"] == uses(told) >= 3 and row["last_used"] >= before
    text = system.cli("key", "list", "acme").stdout
    assert "LAST USED" in text and "counted" in text and key not in text

    system.cli("key", "revoke", key)
    until(lambda: push(system, bearer(key)) == 401, 20, "the key revoked")
    until(lambda: "refused" in (listed(system, key)["note"] or ""), 30, "who still comes with it")
    assert listed(system, key)["state"] == "revoked"
    metric = system.http("/metrics")[1]
    assert 'tenantry_auth_failures_total{reason="revoked"}' in metric
    assert 'tenantry_auth_failures_total{reason="several"}' in metric
    assert 'tenantry_auth_failures_total{reason="signal"}' in metric


def test_limits_of_a_key(system):
    """Below the tenant's, which has none here; other keys notice nothing. Rotation keeps them."""
    key = system.issue_key("acme", "--requests", "1k/s", "--limit", "logs.items=1/s", "--limit", "traces.rate=5MB/s")
    assert listed(system, key)["limits"] == "requests=1k/s traces.rate=5MB/s logs.items=1/s"
    # More than the burst passes a full bucket and is owed for: for a thousand seconds.
    many = build.logs_request([build.log("hello")] * 1000).SerializeToString()
    until(lambda: push(system, bearer(key), body=many) == 200, 20, "the new key")
    with Http1(system) as c:
        c.send(request(body=LOGS, headers={"Content-Type": PROTOBUF, **bearer(key)}))
        answer = c.read()
    assert answer.status == 429 and int(answer.get("retry-after")) >= 1
    assert answer.rpc_status.message.startswith("the key's limit of items per second is reached (1/s for logs)")
    assert push(system, bearer(system.keys["acme"])) == 200
    new = json.loads(system.cli("key", "rotate", key, "--json").stdout)
    assert new["limits"] == listed(system, key)["limits"]
    small = system.cli("key", "issue", "acme", "--burst", "1KB", check=False)
    assert small.returncode == 1 and "smaller than the largest request" in small.stderr
    changed = system.cli("key", "change", keys.key_id(key), "--limit", "logs.items=0", "--requests", "2k/s")
    assert "requests=2k/s traces.rate=5MB/s" in changed.stdout
    assert listed(system, key)["limits"] == "requests=2k/s traces.rate=5MB/s"
    until(lambda: push(system, bearer(key)) == 200, 20, "the limit lifted")
    wrong = system.cli("key", "issue", "acme", "--limit", "log.rate=1MB/s", check=False)
    assert wrong.returncode == 1 and "is not a limit such as" in wrong.stderr


def test_counts_survive_the_router(system):
    key, told = system.issue_key("acme"), []
    until(lambda: told.append(push(system, bearer(key))) or told[-1] == 200, 20, "the new key")
    system.down()  # in order: nothing is lost
    assert listed(system, key)["uses_logs"] == uses(told)
    system.up()
    until(lambda: told.append(push(system, bearer(key))) or told[-1] == 200, 30, "the router")
    until(lambda: listed(system, key)["uses_logs"] == uses(told), 30, "a count that goes on")


def test_rotation(system):
    """The walk-through of docs/operations.md."""
    old = system.issue_key("acme", "--label", "rotated", "--signals", "logs")
    until(lambda: push(system, bearer(old)) == 200, 20, "the old key")
    answer = json.loads(system.cli("key", "rotate", keys.key_id(old), "--overlap", "7d", "--json").stdout)
    new = answer["key"]
    assert (answer["tenant"], answer["label"], answer["signals"]) == ("acme", "rotated", "logs")
    assert answer["rotated"] == keys.key_id(old) and answer["expires"] is None
    assert abs(answer["rotated_expires"] - answer["created"] - 7 * 86400) <= 5
    until(lambda: push(system, bearer(new)) == 200, 20, "the new key")
    assert push(system, bearer(old)) == 200  # both
    assert push(system, bearer(new), "/v1/traces") == 403  # the same restrictions
    until(lambda: "still in use" in (listed(system, old)["note"] or ""), 30, "the use of the old key")
    assert listed(system, old)["successor"] == keys.key_id(new)
    again = system.cli("key", "rotate", old, check=False)
    assert again.returncode == 1 and "was rotated before" in again.stderr

    # Nobody uses another rotated key: another router's file says that it was counted for hours.
    idle = system.issue_key("acme", "--label", "idle")
    system.cli("key", "rotate", keys.key_id(idle), "--overlap", "1h")
    assert "not seen in use" in listed(system, idle)["note"]
    hours = backdate(system, idle, 3 * 3600 + 60)
    now = int(time.time())
    (system.folder / "state" / "key-usage" / "elsewhere.0.usage").write_text(
        f"router=elsewhere.0 since={hours} written={now} every=600 running=1\n"
        f"id={keys.key_id(idle)} last={hours + 10} traces=0 metrics=0 logs=4 refused=0 last_refused=0\n")
    row = listed(system, idle)
    assert row["note"] == "safe to revoke: unused for 3 h" and row["uses_logs"] == 4
    assert "still in use" in listed(system, old)["note"]


def backdate(system, key, seconds):
    """Makes the key look that old; returns when it was made."""
    path = system.folder / "keys.d" / "acme.keys"
    made = int(time.time()) - seconds
    rows = [line if keys.key_id(key) not in line.split(" ")[0] else
            " ".join(f"created={made}" if f.startswith("created=") else f for f in line.split(" "))
            for line in path.read_text().splitlines()]
    fresh = path.with_suffix(".new")
    fresh.touch(0o600)
    fresh.write_text("\n".join(rows) + "\n")
    fresh.rename(path)
    return made


def test_an_expired_overlap_ends_the_old_key(system):
    old = system.issue_key("acme")
    until(lambda: push(system, bearer(old)) == 200, 20, "the old key")
    new = json.loads(system.cli("key", "rotate", old, "--overlap", "0s", "--json").stdout)["key"]
    until(lambda: push(system, bearer(old)) == 401, 20, "the end of the old key")
    until(lambda: push(system, bearer(new)) == 200, 20, "the new key")
    assert listed(system, old)["state"] == "expired"
