"""The three-broker fixture itself, and what tenants have of three brokers."""

import json
import os
import signal
import subprocess
import sys

import pytest

from support import proc
from support.system import System
from support.wait import until

# Who leads and follows, per partition. The last broker is the one that dies.
PLACED = {
    "calm": ([[1, 2], [2, 1]], {}),
    "steady": ([[2, 1], [1, 2]], {}),
    "leaderless": ([[3], [3]], {"min.insync.replicas": "1"}),
    "thin": ([[1, 2, 3], [2, 1, 3]], {"min.insync.replicas": "3"}),
}
GOOD, BAD = ("calm", "steady"), ("leaderless", "thin")


def test_two_of_three_brokers_may_die(own_cluster, unique):
    """The leader's death moves the lead and loses nothing; below min.insync nothing is acked; the brokers come
    back by number."""
    cluster = own_cluster
    cluster.create_topic(unique)
    until(lambda: len(cluster.in_sync(unique)[0]) == 3, 60, "three replicas")
    cluster.produce(unique, b"one")
    first = cluster.leaders(unique)[0]
    cluster.kill9(first)
    until(lambda: cluster.leaders(unique)[0] not in (first, -1), 60, "another leader")
    cluster.produce(unique, b"two")
    second = cluster.leaders(unique)[0]
    cluster.kill9(second)
    assert not cluster.brokers[second].alive
    cluster.start_broker(first)
    cluster.start_broker(second)
    until(cluster.all_in_sync, 120, "all replicas")
    cluster.produce(unique, b"three")
    assert [r.value for r in cluster.records(unique)] == [b"one", b"two", b"three"]
    pids = [n.process.pid for n in cluster.nodes]
    cluster.stop()
    assert not any(proc.exists(p) for p in pids) and not cluster.dir.exists()


def test_a_cluster_dies_with_its_harness():
    code = (
        "from support.cluster import Cluster\n"
        "c = Cluster(brokers=1)\n"
        "print(c.dir, *(n.process.pid for n in c.nodes), flush=True); input()"
    )
    harness = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    folder, *pids = harness.stdout.readline().split()
    assert len(pids) == 2 and all(proc.exists(int(p)) for p in pids)
    os.kill(harness.pid, signal.SIGKILL)
    harness.wait()
    until(lambda: not any(proc.exists(int(p)) for p in pids), 30, f"the end of {pids}")
    subprocess.run(["rm", "-rf", folder], check=True)


def sender(system, tenant, folder, name, *args):
    return proc.start_tenantry(*system.send_args(tenant, "logs"), "--rate", "400/s", "--batch", "20", "--timeout", "60s",
                               "--json", *args, log=folder / f"{name}-{tenant}.json", name=f"{name} {tenant}")  # fmt: skip


def told(process):
    process.wait_exit(240)
    return json.loads(process.output().splitlines()[-1])


@pytest.mark.long
def test_a_tenant_without_a_leader_is_alone_with_it(own_cluster, tmp_path):
    """Promise 4: the topic of one tenant loses its leader, another sends to one with too few replicas in sync, while
    two others send: every single request of those is acked, without being repeated."""
    for tenant, (assignment, config) in PLACED.items():
        own_cluster.create_topic(f"otlp.{tenant}.logs", config=config, assignment=assignment)
    system = System(tmp_path / "system", own_cluster.bootstrap, tenants=tuple(PLACED),
                    extra={"router": 'answer_timeout = "15s";'})  # fmt: skip
    system.up()
    try:
        for tenant in PLACED:
            system.send(tenant, "logs", 100)
        before = {t: sender(system, t, tmp_path, "before", "--no-retry", "--duration", "10s") for t in GOOD}
        before = {t: told(s) for t, s in before.items()}
        during = {t: sender(system, t, tmp_path, "during", "--no-retry", "--duration", "1h") for t in GOOD}
        rows = {t: system.count(t) for t in GOOD}
        until(lambda: all(system.count(t) > rows[t] for t in GOOD), 60, "rows of those who go on")
        own_cluster.kill9(3)
        topics = [f"otlp.{t}.logs" for t in BAD]
        until(lambda: set(own_cluster.leaders(topics[0]).values()) == {-1}, 60, "no leader")
        until(lambda: all(s == [1, 2] for s in own_cluster.in_sync(topics[1]).values()), 60, "too few in sync")
        hurt = {t: sender(system, t, tmp_path, "hurt", "--retry-for", "20s", "--duration", "20s") for t in BAD}
        hurt = {t: told(s) for t, s in hurt.items()}
        for s in during.values():
            s.signal(signal.SIGINT)
        during = {t: told(s) for t, s in during.items()}
    finally:
        system.down()
    for t in GOOD:
        print(f"{t}: {during[t]['requests']} requests, p99 {during[t]['latency_ms']['p99']} ms,"
              f" before {before[t]['latency_ms']['p99']} ms")  # fmt: skip
        assert before[t]["all_acked"] and during[t]["all_acked"], during[t]
        assert during[t]["requests"] > 100
    for t in BAD:
        print(f"{t}: {hurt[t]['refused']}")
        assert hurt[t]["acked"] < hurt[t]["items"]
        assert {r.get("grpc_status") for r in hurt[t]["refused"]} <= {14, None}, hurt[t]["refused"]
