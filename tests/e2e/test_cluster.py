"""The three-broker fixture itself, and what tenants have of three brokers."""

import os
import signal
import subprocess
import sys

from support import proc
from support.wait import until


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
