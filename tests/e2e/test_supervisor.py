"""`tenantry up` and `supervise` as parents: no orphans, one tenant's trouble is its own, tenants come and go."""

import json
import re
import time

import pytest

from support.kafka import Client
from support.proc import child_pids, command_line, exists, start_tenantry
from support.system import System
from support.wait import until


@pytest.fixture
def system(kafka, tmp_path, unique):
    """At the shared Kafka, under a prefix of its own."""
    made = System(tmp_path / "system", brokers=kafka.bootstrap, extra={"kafka": f'prefix = "{unique}";'})
    made.prefix = unique
    yield made
    made.down()


def worker_of(system, tenant):
    return system.child(f"consumer {tenant} ")


def written(system, tenant, count):
    """Sends so many logs and waits for their rows."""
    before = system.count(tenant)
    system.send(tenant, "logs", count)
    until(lambda: system.count(tenant) == before + count, 60, f"{count} rows more than {before} of {tenant}")


def described(system, name):
    """What the supervisor tells of one of its processes."""
    told = json.loads((system.folder / "state" / "run" / "supervisor.json").read_text())
    return next(p for p in told["processes"] if p["name"] == name)


def descendants(pid):
    return [d for child in child_pids(pid) for d in (child, *descendants(child))]


@pytest.mark.sanitize
def test_kill9_leaves_no_orphan(tmp_path):
    """With a Kafka of its own, whose data is there again afterwards."""
    system = System(tmp_path / "system")
    try:
        system.up()
        written(system, "acme", 50)
        family = descendants(system.process.pid)
        assert len(family) == 4, [command_line(p) for p in family]  # Kafka, router, two workers
        ports = (system.folder / "state/kafka/ports").read_text()
        system.process.kill9()
        until(lambda: not any(exists(p) for p in family), 10,
              lambda: f"the end of {[command_line(p) for p in family]}")  # fmt: skip
        system.up()
        assert (system.folder / "state/kafka/ports").read_text() == ports  # others may use it by these
        written(system, "acme", 50)
    finally:
        system.down()


def test_a_stop_ends_all_in_order(system):
    system.up()
    written(system, "acme", 50)
    family = descendants(system.process.pid)
    assert system.process.terminate(60) == 0
    assert not any(exists(p) for p in family)
    ends = re.findall(r'msg="process stopped".* process="?([a-z ]+)"?.* end="([^"]+)"', system.process.output())
    assert ends[0] == ("router", "exit code 0") and {e for _, e in ends} == {"exit code 0"}
    assert not (system.folder / "state" / "run" / "supervisor.json").exists()


def test_a_crash_loop_touches_no_other_tenant(system, kafka):
    """acme's worker dies at each start, with a dead letter in its hands."""
    system.up(env={"TENANTRY_FAULT": "after_dlq_ack:1"})
    for tenant in ("acme", "beta"):
        written(system, tenant, 10)
    well = worker_of(system, "beta")
    Client(kafka.bootstrap).produce(f"{system.prefix}.acme.logs", b"\xff poison")
    until(lambda: described(system, "consumer acme")["restarts"] >= 4, 60,
          lambda: f"a crash loop: {described(system, 'consumer acme')}")  # fmt: skip
    assert described(system, "consumer acme")["last_end"] == "killed by signal 9 (KILL)"
    for _ in range(3):
        written(system, "beta", 10)
    assert worker_of(system, "beta") == well and described(system, "consumer beta")["restarts"] == 0
    assert system.http("/readyz")[0] == 200


def test_a_database_that_cannot_be_parks_its_tenant_alone(system):
    (system.folder / "state" / "databases" / "acme.db").mkdir(parents=True)
    system.up()
    status = system.folder / "state" / "run" / "consumer-acme.json"
    until(lambda: status.exists() and json.loads(status.read_text())["reason"], 30, "a reason")
    assert "acme.db" in json.loads(status.read_text())["reason"]
    written(system, "beta", 10)
    assert described(system, "consumer acme")["restarts"] == 0


def test_a_tenant_comes_and_goes(system, kafka):
    system.up()
    written(system, "acme", 10)
    router, beta = system.child("router"), worker_of(system, "beta")
    begun = time.monotonic()
    system.add_tenant("gamma")
    until(lambda: worker_of(system, "gamma"), 5, "a worker of the new tenant")
    assert f"{system.prefix}.gamma.logs" in Client(kafka.bootstrap).topics()
    print(f"a worker after {time.monotonic() - begun:.1f} s")
    written(system, "gamma", 100)
    (system.folder / "tenants.d" / "gamma.conf").unlink()
    until(lambda: not worker_of(system, "gamma"), 20, "the end of the removed tenant's worker")
    system.process.wait_log(r'msg="process stopped".*consumer gamma.*end="exit code 0"')
    assert (system.child("router"), worker_of(system, "beta")) == (router, beta)
    assert Client(kafka.bootstrap).group_offsets(f"tenantry.{system.prefix}.gamma")


def test_a_removed_tenants_worker_writes_what_it_holds(system):
    system.up()
    written(system, "acme", 10)
    system.send("acme", "logs", 2000)
    (system.folder / "tenants.d" / "acme.conf").unlink()
    until(lambda: not worker_of(system, "acme"), 20, "the end of the removed tenant's worker")
    (system.folder / "tenants.d" / "acme.conf").write_text('tenant: { id = "acme"; };\n')
    until(lambda: system.count("acme") == 2010, 30, lambda: f"2010 rows, so far {system.count('acme')}")


def test_a_changed_tenant_restarts_its_worker_alone(system):
    system.up()
    for tenant in ("acme", "beta"):
        until(lambda: worker_of(system, tenant), 30, f"the worker of {tenant}")
    before = {tenant: worker_of(system, tenant) for tenant in ("acme", "beta")}
    file = system.folder / "tenants.d" / "acme.conf"
    file.write_text(file.read_text().replace("tenant:", "# changed\ntenant:").replace("};", 'retry: { attempts = 9; }; };', 1))
    until(lambda: worker_of(system, "acme") not in (None, before["acme"]), 20, "another worker of acme")
    assert worker_of(system, "beta") == before["beta"]
    written(system, "acme", 10)


def test_a_second_one_on_the_same_state_is_refused(system):
    system.up()
    second = start_tenantry("--config", system.conf, "up", log=system.folder / "second.log", cwd=system.folder)
    assert second.wait_exit(60) == 1
    assert f"another tenantry runs with the state folder {system.folder}/state" in second.output()
    assert system.http("/readyz")[0] == 200


def test_a_deleted_topic_is_made_anew(system, kafka):
    """Within seconds, loudly; senders get 503 meanwhile and others nothing at all."""
    system.up()
    client = Client(kafka.bootstrap)
    for tenant in ("acme", "beta"):
        written(system, tenant, 20)
    well = worker_of(system, "beta")
    topics = [f"{system.prefix}.acme.{kind}" for kind in ("logs", "dlq")]
    for topic in topics:
        client.admin.delete_topics([topic])[topic].result(30)
    system.process.wait_log(rf"level=error .*topic was deleted and is made anew.* tenant=acme .*{system.prefix}", 60)
    until(lambda: set(topics) <= set(client.topics()), 60, "both topics")
    until(lambda: system.send("acme", "logs", 10, check=False).returncode == 0, 60, "records taken again")
    until(lambda: system.count("acme") >= 30, 60, "rows of the new topic")
    written(system, "beta", 5)
    assert worker_of(system, "beta") == well


def test_supervise_alone_tells_of_wrong_files(system):
    """As the router does in `up`: at the start, and when a file changes."""
    folder = system.folder / "tenants.d"
    (folder / "broken.conf").write_text('tenant: {\n  id = "broken";\n  limitz = { };\n};\n')
    log = system.folder / "supervise.log"
    system.process = start_tenantry("--config", system.conf, "supervise", log=log, cwd=system.folder)
    told = r'level=error .*msg="configuration notice" program=supervisor .*{}\.conf:3: .*limitz'
    system.process.wait_log(told.format("broken"), 30)
    until(lambda: worker_of(system, "acme"), 30, "the worker of a tenant whose file is right")
    assert worker_of(system, "broken") is None
    text = (folder / "beta.conf").read_text()
    (folder / "beta.conf").write_text('tenant: {\n  id = "beta";\n  limitz = { };\n};\n')
    system.process.wait_log(told.format("beta"), 30)
    (folder / "beta.conf").write_text(text)


def test_supervise_alone_needs_brokers(tmp_path):
    system = System(tmp_path / "system")
    out = system.cli("supervise", check=False)
    assert out.returncode != 0 and "kafka.brokers is not set" in out.stderr
