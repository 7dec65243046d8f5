"""A worker's life: killed, stopped, doubled. Whatever happens, each record is written exactly once (promise 3)."""

import json
import os
import random
import re
import signal
import time

import pytest

from support.proc import run_tenantry
from support.wait import until
from support.workers import Site

SEED = int(os.environ.get("TENANTRY_SEED", "0")) or int(time.time())
FENCED = "another worker wrote these offsets: nothing was written twice"
# The shortest session that the broker takes: a worker that is gone is replaced soon.
SHORT_SESSION = {"kafka": 'consumer: { session_timeout_ms = "6000"; heartbeat_interval_ms = "500"; };'}


@pytest.fixture
def pair(kafka, tmp_path):
    """A site whose group gives the partitions of a vanished worker to the other soon."""
    site = Site(tmp_path / "pair", kafka, extra=SHORT_SESSION)
    yield site
    site.stop()


def kill_loop(tenant, kills, records):
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    worker = tenant.start()
    for _ in range(kills):
        before = tenant.count()
        tenant.send(records, items=20)
        mark = before + rng.randrange(records * 20)
        until(lambda: tenant.count() >= mark, 60, f"row {mark}")
        worker.kill9()
        worker = tenant.start()
    tenant.wait_exact()
    assert tenant.books() == []
    return worker


@pytest.mark.sanitize
def test_killed_at_random_instants_under_load(site, unique):
    kill_loop(site.tenant(unique), kills=6, records=60)


@pytest.mark.long
def test_killed_50_times(site, unique):
    kill_loop(site.tenant(unique), kills=50, records=300)


def test_a_record_that_kafka_holds_twice(site, unique):
    """A leader that moves can leave a record in its partition twice (decision 0030): its rows stand once, also
    when the worker is killed between the copies. The same bytes under another name are another record."""
    tenant = site.tenant(unique, partitions=1)
    value, names = tenant.value(5)
    mine, other = (tenant.headers(5, record=f"00ff.{n}") for n in (1, 2))
    tenant.sent.update(names)
    worker = tenant.start()
    for _ in range(2):
        site.client.produce_all(tenant.topic(), [value, value], None, mine)
    tenant.wait_exact()
    worker.kill9()
    worker = tenant.start()
    site.client.produce(tenant.topic(), value, None, mine)
    site.client.produce(tenant.topic(), value, None, other)
    until(lambda: tenant.progress()["records"] == 6, 60, lambda: f"six records: {tenant.status()}")
    assert tenant.stored() == {name: 2 for name in names}
    assert tenant.books() == []
    told = run_tenantry("--config", site.conf, "ledger", unique, "--recount", "--json", check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert worker.wait_log("Kafka holds a record twice, it is written once")


@pytest.mark.parametrize(
    "point,at",
    [
        ("after_decode", 7),
        ("before_write", 2),
        ("inside_transaction", 2),
        ("after_commit", 2),
        ("inside_rebalance", 1),
    ],
)
def test_dies_at_each_named_point(site, unique, tmp_path, point, at):
    tenant = site.tenant(unique)
    faults = tmp_path / "faults"
    faults.mkdir()
    for n in range(3):
        worker = tenant.start(
            env={"TENANTRY_FAULT": f"{point}:{at}", "TENANTRY_FAULT_DIR": str(faults)}
        )
        for _ in range(at):
            if worker.alive:
                tenant.send(5)
                until(lambda: not worker.alive or tenant.verdict()[0] == 0, 30, "rows, or the end")
        assert worker.wait_exit(60) == -signal.SIGKILL
        assert len(list(faults.iterdir())) == n + 1
    tenant.start()
    tenant.wait_exact()
    assert tenant.books() == []


@pytest.mark.sanitize
def test_a_stop_writes_what_is_held_commits_and_leaves(site, unique):
    tenant = site.tenant(unique)
    worker = tenant.start()
    tenant.send(300, items=20)
    until(lambda: tenant.count() > 0, 30, "first rows")
    assert worker.terminate(60) == 0
    written = {
        (topic, partition): offset
        for topic, partition, offset in tenant.sql(
            "SELECT topic, kafka_partition, next FROM tenantry_progress JOIN tenantry_source USING (source)"
        )
    }
    assert site.client.group_offsets(f"tenantry.{unique}") == written
    assert tenant.status() == {}
    tenant.start()
    tenant.wait_exact()


def test_a_stop_does_not_wait_for_a_database_that_is_away(site, unique, locked):
    tenant = site.tenant(unique)
    worker = tenant.start()
    tenant.send(1)
    tenant.wait_exact()
    with locked(tenant):
        tenant.send(50)
        until(lambda: tenant.state() == "retrying", 30, "a worker that waits for its database")
        assert worker.terminate(18) == 0  # supervisor.stop_timeout is 20 s
    tenant.start()
    tenant.wait_exact()


def test_two_workers_of_one_name(site, unique):
    """The older one is fenced by the group, and says what to do."""
    tenant = site.tenant(unique)
    older = tenant.start("main")
    tenant.send(10)
    tenant.wait_exact()
    newer = tenant.start("main")
    assert older.wait_exit(60) == 1
    assert re.search(r"level=error.*give each its own by --instance", older.output())
    tenant.send(10)
    tenant.wait_exact()
    assert newer.alive


def test_each_worker_of_a_tenant_tells_of_itself(pair, unique):
    """Two share the partitions; neither overwrites the other's status."""
    site, tenant = pair, pair.tenant(unique)
    first, second = tenant.start(), tenant.start("two")
    tenant.send(10, partition=0)
    tenant.send(10, partition=1)
    tenant.wait_exact()

    def shown():
        out = run_tenantry("--config", site.conf, "status", unique, "--json").stdout
        return json.loads(out)["tenants"][0]["consumer"]

    def both_run():
        workers = {w["instance"]: (w["state"], w["pid"]) for w in shown()["workers"]}
        return workers == {"main": ("running", first.pid), "two": ("running", second.pid)}

    until(both_run, 60, lambda: f"two running workers: {shown()}")
    assert shown()["state"] == "running"

    def partitions():
        """Who reports which partition of the logs."""
        found = set()
        for name in (unique, f"{unique}@two"):
            page = (site.folder / f"state/run/consumer-{name}.prom").read_text()
            found |= set(re.findall(
                r'tenantry_consumer_next_offset\{tenant="[^"]+",worker="(\w+)",signal="logs",partition="(\d)"', page))  # fmt: skip
        return found

    until(lambda: partitions() in ({("main", "0"), ("two", "1")}, {("main", "1"), ("two", "0")}), 60,
          lambda: f"one partition each: {partitions()}")  # fmt: skip
    assert second.terminate(30) == 0
    until(lambda: [w["instance"] for w in shown()["workers"]] == ["main"], 30, "the file of the one that stopped gone")
    text = run_tenantry("--config", site.conf, "consumer", unique, "--instance", "a/b", check=False)
    assert text.returncode == 2 and "instance" in text.stderr
    tenant.send(10, partition=0)
    tenant.send(10, partition=1)
    tenant.wait_exact(90)


def stopped_writer(tenant):
    """A worker frozen with a batch in its hands, whose partitions another has taken and written since."""
    frozen = tenant.start(env={"TENANTRY_FAULT": "before_write:2:stop" + tenant.faults})
    tenant.send(1, partition=0)
    tenant.wait_exact()
    tenant.send(20, partition=0)
    until(lambda: "T (stopped)" in status_of(frozen), 30, "the worker to be frozen")
    other = tenant.start()
    tenant.wait_exact()
    return frozen, other


def status_of(process):
    with open(f"/proc/{process.pid}/status") as f:
        return f.read()


def test_a_worker_that_wakes_up_late_writes_nothing_twice(site, unique):
    tenant = site.tenant(unique)
    tenant.faults = ""
    frozen, other = stopped_writer(tenant)
    frozen.signal(signal.SIGCONT)
    frozen.wait_log(FENCED)
    tenant.send(5, partition=0)
    tenant.wait_exact()
    assert other.alive


def test_without_compare_and_set_the_check_finds_what_is_double(site, unique):
    """The check itself can fail: the same story without the guard."""
    tenant = site.tenant(unique)
    tenant.faults = ",no_compare_and_set:1:fail"
    frozen, _ = stopped_writer(tenant)
    frozen.signal(signal.SIGCONT)
    until(lambda: tenant.verdict()[1] == 100, 30, lambda: f"100 rows twice: {tenant.verdict()}")


def wait_split(tenant, workers):
    """Each of the workers has partitions."""
    for worker in workers:
        worker.wait_log(r"partitions are assigned.*partitions=[1-9]", 60)


def test_a_second_worker_shares_the_partitions(pair, unique):
    tenant = pair.tenant(unique, partitions=4)
    workers = {name: tenant.start(name) for name in ("one", "two")}
    wait_split(tenant, workers.values())
    for name in ("one", "two", "one"):
        tenant.send(40)
        workers[name].kill9()
        workers[name] = tenant.start(name)
        tenant.send(40)
        tenant.wait_exact()
    workers["one"].terminate(60)
    tenant.send(40)  # half of them wait until the group notices
    tenant.wait_exact()
    assert tenant.books() == []
