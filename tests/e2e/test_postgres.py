"""A real PostgreSQL behind the workers: value for value what was sent, exactly once, whatever dies."""

import json
import os
import random
import re
import signal
import time

import pytest

from support import otlp_build as build
from support.database import assert_rows
from support.load import GRPC, Load, assert_exactly_once, settle
from support.postgres import Postgres, PostgresSystem
from support.wait import until
from support.wire import PROTOBUF, Http1, bearer, request, warm_up

DAY_NS = 86_400 * 10**9


@pytest.fixture(scope="module")
def server():
    with Postgres() as server:
        yield server


@pytest.fixture(scope="module")
def system(kafka, server, tmp_path_factory):
    system = PostgresSystem(tmp_path_factory.mktemp("postgres"), server, brokers=kafka.bootstrap,
                            extra={"kafka": 'prefix = "pg";', "router": 'answer_timeout = "30s";'})
    system.up()
    system.sent = {tenant: warm_up(system, tenant) for tenant in ("acme", "beta")}
    yield system
    system.end()


def push(system, tenant, signal, message):
    with Http1(system) as c:
        c.send(request(path=f"/v1/{signal}", body=message.SerializeToString(),
                       headers={"Content-Type": PROTOBUF, **bearer(system.keys[tenant])}))
        assert c.read().status == 200
    system.sent[tenant].append(message)


def test_values(system):
    """All that OTLP can say, of every table, beside another tenant's."""
    for signal, message in build.unusual_requests("acme").items():
        push(system, "acme", signal, message)
    assert_rows(system, "acme", system.sent["acme"])
    assert_rows(system, "beta", system.sent["beta"])


def logs(*names, at=None):
    return build.logs_request([build.log(name, time_unix_nano=at or time.time_ns()) for name in names])


def worker(system, tenant):
    """What `tenantry status` tells of the tenant."""
    told = json.loads(system.cli("status", "--json", check=False).stdout)
    return next(t for t in told["tenants"] if t["tenant"] == tenant)["consumer"]


def partition_names(system, tenant):
    return [name for (name,) in system.sql(
        tenant, "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'otel_logs'::regclass")]


def partitions(system, tenant):
    """{name: rows}; not while some are dropped."""
    return {name: system.sql(tenant, f"SELECT count(*) FROM {name}")[0][0] for name in partition_names(system, tenant)}


def day(ns):
    return time.strftime("%Y%m%d", time.gmtime(ns // 10**9))


def test_a_partition_for_each_day(system):
    """Made when rows need them; what no partition is made for stands in the default one, until there is one."""
    now = time.time_ns()
    ago = now - 3 * DAY_NS
    far, never = now + 200 * DAY_NS, 1
    for at in (now, ago, far, never):
        push(system, "beta", "logs", logs(f"at {at}", at=at))
    assert_rows(system, "beta", system.sent["beta"])
    found = partitions(system, "beta")
    assert found[f"otel_logs_{day(ago)}"] == 1 and found["otel_logs_default"] == 2
    assert f"otel_logs_{day(far)}" not in found and f"otel_logs_{day(now)}" in found
    # A day whose rows stand in the default partition gets one of its own after all.
    old = f"otel_logs_{day(ago)}"
    for statement in (f"ALTER TABLE otel_logs DETACH PARTITION {old}", f"INSERT INTO otel_logs SELECT * FROM {old}",
                      f"DROP TABLE {old}"):
        system.sql("beta", statement)
    assert partitions(system, "beta")["otel_logs_default"] == 3
    restart_worker(system, "beta")
    push(system, "beta", "logs", logs("another", at=ago))
    assert_rows(system, "beta", system.sent["beta"])
    found = partitions(system, "beta")
    assert found[old] == 2 and found["otel_logs_default"] == 2


def restart_worker(system, tenant):
    """In order: an option of its file changed."""
    pid, path = system.child(f"consumer {tenant}"), system.folder / "tenants.d" / f"{tenant}.conf"
    text = path.read_text()
    path.write_text(text[:text.rindex("};")] + "  retry: { attempts = 3; };\n};\n")
    until(lambda: system.child(f"consumer {tenant}") not in (None, pid), 60, "another worker")


def test_days_past_the_ttl_are_dropped(system):
    system.add_tenant("gamma", "--database-ttl", "2d")
    system.sent["gamma"] = warm_up(system, "gamma", timeout=60)
    assert_rows(system, "gamma", system.sent["gamma"])
    for statement in ("CREATE TABLE otel_logs_20200101 PARTITION OF otel_logs FOR VALUES FROM ('20200101') TO ('20200102')",
                      "ALTER TABLE otel_logs_20200101 OWNER TO gamma",
                      "INSERT INTO otel_logs (\"Timestamp\", \"Body\") VALUES ('2020-01-01', 'old'), ('2019-01-01', 'older')"):
        system.sql("gamma", statement)
    restart_worker(system, "gamma")
    push(system, "gamma", "logs", logs("after the restart"))
    until(lambda: "otel_logs_20200101" not in partition_names(system, "gamma"), 60, "the old day gone")
    until(lambda: partitions(system, "gamma")["otel_logs_default"] == 0, 60, "what is older gone")
    assert_rows(system, "gamma", system.sent["gamma"])
    removed = system.cli("tenant", "remove", "gamma", "--yes", "--delete-database")
    assert "schema public is deleted" in removed.stdout
    assert system.sql("gamma", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [[0]]


def test_poison_is_cut_out(system):
    """The record that a rule of the table refuses becomes a dead letter; those beside it are written."""
    system.sql("acme", "ALTER TABLE otel_logs ADD CONSTRAINT no_poison CHECK (\"Body\" <> 'poison')")
    try:
        for i in range(5):
            push(system, "acme", "logs", logs(f"before {i}"))
        bad = logs("poison", "its neighbour in the record")
        push(system, "acme", "logs", bad)
        system.sent["acme"].remove(bad)
        for i in range(5):
            push(system, "acme", "logs", logs(f"after {i}"))
        assert_rows(system, "acme", system.sent["acme"], timeout=60)
        until(lambda: "23514" in system.cli("dlq", "list", "acme").stdout, 60, "the dead letter")
        assert "no_poison" in system.cli("dlq", "show", "acme").stdout
    finally:
        system.sql("acme", "ALTER TABLE otel_logs DROP CONSTRAINT no_poison")
    until(lambda: system.cli("ledger", "acme", "--recount", check=False).returncode == 0, 60, "a balanced ledger")


def test_a_changed_password_parks_the_tenant_until_its_file_has_it(system, server):
    server.query("ALTER ROLE acme PASSWORD 'another'")
    server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'acme'")
    push(system, "acme", "logs", logs("while it is parked"))
    until(lambda: worker(system, "acme")["state"] == "parked", 60, lambda: worker(system, "acme"))
    assert "password authentication failed" in worker(system, "acme")["reason"]
    (system.folder / "acme.password").write_text("another\n")
    assert_rows(system, "acme", system.sent["acme"], timeout=60)
    checked = system.cli("check", check=False)
    assert "database of tenant acme" in checked.stdout and "postgresql://127.0.0.1" in checked.stdout


def test_a_tenant_in_anothers_schema_is_refused(system, server):
    """Before it writes a row there: by its own name, whatever the addresses look like."""
    server.query("ALTER ROLE beta SUPERUSER")
    as_beta = ("--database-name", "beta", "--database-user", "beta")
    with pytest.raises(AssertionError, match=r'delta\.conf:[0-9]+: tenant\.database\.url: .* is the database of .*beta\.conf too'):
        system.add_tenant("delta", *as_beta)
    server.query("DROP DATABASE delta")
    server.query("DROP ROLE delta")
    system.add_tenant("delta", *as_beta, "--database-url", server.url.replace("127.0.0.1", "localhost"))
    (system.folder / "delta.password").write_text("secret-beta\n")
    system.process.wait_log("tenant=delta .*holds the tables of tenant beta", 60)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("faults", [4, pytest.param(40, marks=pytest.mark.long)])
def test_exactly_once_whatever_dies(kafka, tmp_path, unique, faults):
    """kill -9 of worker, server and supervisor, and a server that is stopped for longer than database.timeout."""
    rng = random.Random()
    with Postgres() as server:
        system = PostgresSystem(tmp_path / "system", server, kafka.bootstrap, extra={"kafka": f'prefix = "{unique}";'},
                                timeout="2s")
        system.up()
        load = Load(system, tmp_path, rate=500, ways=[GRPC])
        try:
            for n in range(faults):
                mark = load.size() + rng.randrange(2000, 40000)
                until(lambda: load.size() > mark, 90, "load between faults")
                strike(system, server, n)
            until(lambda: system.http("/readyz")[0] == 200, 60, "readiness after the last fault")
        finally:
            load.stop()
        try:
            assert_exactly_once(settle(load), at_least=500)
            for tenant in system.keys:
                out = system.cli("ledger", tenant, "--recount", check=False)
                assert out.returncode == 0, out.stdout + out.stderr
        finally:
            system.down()


def strike(system, server, n):
    what = ["worker", "server", "hang", "up"][n % 4]
    if what == "worker":
        until(lambda: system.child("consumer acme"), 60, "a worker to kill")
        os.kill(system.child("consumer acme"), signal.SIGKILL)
    elif what == "server":
        server.kill9()
        server.start()
    elif what == "hang":
        server.pause()
        until(lambda: "no answer within database.timeout" in system.process.output(), 60, "the hang noticed")
        server.resume()
    else:
        system.process.kill9()
        system.up(ready=False)
