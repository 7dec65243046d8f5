"""Several worker processes of one tenant: they share its partitions, hand them over, and each record is written
once by one of them (promises 2 and 3)."""

import json
import re
import time

import pytest

from support.proc import child_pids, command_line
from support.system import System
from support.wait import until
from support.workers import Site


@pytest.fixture
def system(kafka, tmp_path, unique):
    """At the shared Kafka, under a prefix of its own, with one tenant."""
    made = System(tmp_path / "system", kafka.bootstrap, ("acme",), extra={"kafka": f'prefix = "{unique}";'})
    made.prefix = unique
    yield made
    made.down()


def configure(system, processes, partitions=6):
    (system.folder / "tenants.d" / "acme.conf").write_text(
        f'tenant: {{ id = "acme"; topics: {{ partitions = {partitions}; }};'
        f" consumer: {{ processes = {processes}; }}; }};\n"
    )


def workers(system):
    """{instance: pid} of the processes."""
    found = {}
    for pid in child_pids(system.process.pid):
        named = re.search(r" consumer acme .*--instance (\S+)", command_line(pid))
        if named:
            found[named[1]] = pid
    return found


def units(system):
    """{(topic, partition): instance} as the workers tell; None while two claim one."""
    found = {}
    for file in (system.folder / "state" / "run").glob("consumer-acme*.json"):
        told = json.loads(file.read_text())
        for u in told["units"]:
            if (u["topic"], u["partition"]) in found:
                return None
            found[u["topic"], u["partition"]] = told["instance"]
    return found


def wait_shared(system, instances, partitions=18):
    """Each of the workers has partitions, and all are dealt."""
    until(lambda: len(now := units(system) or {}) == partitions and set(now.values()) == set(instances), 60,
          lambda: f"{partitions} partitions among {instances}: {units(system)}")  # fmt: skip


def written(system, count):
    before = system.count("acme")
    system.send("acme", "all", count)
    until(lambda: system.count("acme") >= before + count, 60, f"{count} more rows, now {system.count('acme')}")


def test_processes_follow_the_config(system):
    """More and fewer of them while it runs, without a restart of those that stay; status sums up."""
    configure(system, 1)
    system.up()
    wait_shared(system, ["main"])
    main = workers(system)["main"]
    configure(system, 3)
    until(lambda: set(workers(system)) == {"main", "2", "3"}, 30, lambda: f"three: {workers(system)}")
    wait_shared(system, ["main", "2", "3"])
    assert workers(system)["main"] == main
    written(system, 300)
    configure(system, 2)
    until(lambda: set(workers(system)) == {"main", "2"}, 30, lambda: f"two: {workers(system)}")
    wait_shared(system, ["main", "2"])
    assert workers(system)["main"] == main
    written(system, 300)
    told = json.loads(system.cli("status", "acme", "--json").stdout)["tenants"][0]
    assert [w["instance"] for w in told["consumer"]["workers"]] == ["main", "2"]
    assert (told["written_items"], told["lag_records"], told["consumer"]["restarts"]) == (system.count("acme"), 0, 0)
    assert "the books balance" in system.cli("ledger", "acme", "--recount").stdout


# -- workers at a Kafka, without router and supervisor

# A rebalance is heard of soon. The session stays long: a slow machine may take seconds to restart a worker.
QUICK = {"kafka": 'consumer: { session_timeout_ms = "60000"; heartbeat_interval_ms = "500"; };'}
NAMES = ("one", "two", "three")
GIVEN, TAKEN = "partitions are assigned", "partitions were taken back"


@pytest.fixture
def site(kafka, tmp_path):
    made = Site(tmp_path / "site", kafka, extra=QUICK)
    yield made
    made.stop()


def start_three(tenant):
    """Workers that have shared the partitions."""
    running = {name: tenant.start(name) for name in NAMES}
    until(lambda: owners(tenant, running).keys() == set(range(tenant.partitions)), 60,
          lambda: f"all partitions dealt: {owners(tenant, running)}")  # fmt: skip
    until(lambda: set(owners(tenant, running).values()) == set(NAMES), 60,
          lambda: f"partitions for each: {owners(tenant, running)}")  # fmt: skip
    return running


def owners(tenant, running):
    """{partition of the logs: instance} of the workers that run, as they told last."""
    found = {}
    for name, process in running.items():
        try:
            told = json.loads((tenant.site.folder / f"state/run/consumer-{tenant.name}@{name}.json").read_text())
        except FileNotFoundError:
            continue
        if told["pid"] == process.pid:
            found.update({u["partition"]: name for u in told["units"] if u["topic"] == tenant.topic()})
    return found


def count_log(process, text):
    return process.output().count(text)


def send_to_all(tenant, records=1):
    for partition in range(tenant.partitions):
        tenant.send(records, partition=partition)


def test_a_restart_disturbs_no_other_worker(site, unique):
    """Each of them in turn, the group's leader too: it takes up its own partitions, nobody else's are taken back."""
    tenant = site.tenant(unique, partitions=6)
    running = start_three(tenant)
    send_to_all(tenant)
    tenant.wait_exact()
    dealt = owners(tenant, running)
    before = {name: count_log(process, TAKEN) for name, process in running.items()}
    for name in NAMES:
        running[name].kill9()
        running[name] = tenant.start(name)
        before[name] = 0
        running[name].wait_log(GIVEN + r".* partitions=[1-9]", 30)
        send_to_all(tenant)
        tenant.wait_exact()
        time.sleep(1)  # what a rebalance would need to show
        assert {n: count_log(p, TAKEN) for n, p in running.items()} == before
    until(lambda: owners(tenant, running) == dealt, 30, lambda: f"the same deal: {dealt} {owners(tenant, running)}")
    assert tenant.books() == []


@pytest.mark.parametrize("restarted", [False, True])
def test_new_partitions_are_read_soon(site, unique, restarted):
    """From 2 to 6, also when the member that leads the group is a new process that does not know it."""
    tenant = site.tenant(unique, partitions=2)
    running = {name: tenant.start(name) for name in NAMES[:2]}
    until(lambda: set(owners(tenant, running).values()) == set(running), 60, "a partition for each")
    send_to_all(tenant)
    tenant.wait_exact()
    for name in running if restarted else ():
        running[name].kill9()
        running[name] = tenant.start(name)
        send_to_all(tenant)
        tenant.wait_exact()
    site.client.raise_partitions(tenant.topic(), 6)
    begun = time.monotonic()
    tenant.partitions = 6
    send_to_all(tenant, 5)
    tenant.wait_exact(60)
    print(f"records of new partitions stood in the database after {time.monotonic() - begun:.1f} s")
    firsts = tenant.sql(
        "SELECT kafka_partition, first FROM tenantry_progress JOIN tenantry_source USING (source)"
        " WHERE topic = ? ORDER BY 1", tenant.topic())  # fmt: skip
    assert firsts == [(n, 0) for n in range(6)]
    assert tenant.books() == []
