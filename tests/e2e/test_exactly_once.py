"""Exactly once, whatever dies (promises 1-3). The sender stamps every item; the check counts."""

import os
import random
import signal
import time

import pytest

from support.kafka import Client
from support.load import Load, assert_exactly_once, settle
from support.system import System
from support.wait import until

SEED = int(os.environ.get("TENANTRY_SEED", "0")) or int(time.time())


def kill_one(system, target):
    """kill -9 of a process by role. False when it is not there just now (it is being restarted)."""
    if target == "up":
        system.process.kill9()
        system.up(ready=False)
        return True
    pid = system.child(target)
    if pid is None:
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def assert_balanced(system):
    """The ledgers hold after all of that, row by row."""
    for tenant in system.keys:
        out = system.cli("ledger", tenant, "--recount", check=False)
        assert out.returncode == 0, out.stdout + out.stderr


def kill_loop(tmp_path, kills, rate):
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    system = System(tmp_path / "system")
    system.up()
    load = Load(system, tmp_path, rate)
    hit = {"consumer": 0, "router": 0, "kafka.Kafka": 0, "up": 0}
    try:
        for n in range(kills):
            # Some load between kills, then a random instant within it.
            mark = load.size() + rng.randrange(2000, 60000)
            until(lambda: load.size() > mark, 90, "load between kills")
            target = list(hit)[n % len(hit)]
            until(lambda: kill_one(system, target), 60, f"a {target} to kill")
            hit[target] += 1
        until(lambda: system.http("/readyz")[0] == 200, 60, "readiness after the last kill")
    finally:
        load.stop()
    try:
        print(f"kills: {hit}")
        assert_exactly_once(settle(load), at_least=1000)
        assert_balanced(system)
    finally:
        system.down()


@pytest.mark.timeout(1200)
def test_kill_loop_short(tmp_path):
    kill_loop(tmp_path, kills=8, rate=1000)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_kill_loop_of_40(tmp_path):
    kill_loop(tmp_path, kills=40, rate=1000)


def poison(system, n):
    """A record that can't be decoded, straight into the topic: its worker sends it to the DLQ."""
    Client(system.brokers).produce(f"{system.prefix}.acme.logs", b"\xff poison %d" % n)


def change_keys(system, n):
    system.issue_key("beta", "--label", f"change {n}")


# point, at which passage it strikes, what makes a process pass it if the load does not
CRASH_POINTS = [
    ("after_produce_before_answer", 40, None),
    ("after_decode", 5, None),
    ("inside_transaction", 3, None),
    ("after_commit", 3, None),
    ("after_dlq_ack", 1, poison),
    ("inside_rebalance", 1, None),
    ("between_reload_and_use", 1, change_keys),
    ("between_records", 150, None),
    ("between_reports", 150, None),
]
# Of these two each request becomes several records, of which some are sent, or confirmed, and some are not.
PARTS = {"between_records": "max_items = 6;", "between_reports": "max_items = 6;"}


def crash_loop(tmp_path, kafka, prefix, point, at, stir, hits):
    """`up` with a fault order that all its processes inherit, until the point was hit so often; then
    without, and the check."""
    faults = tmp_path / "faults"
    faults.mkdir()
    system = System(tmp_path / "system", kafka.bootstrap, extra={"kafka": f'prefix = "{prefix}";', "record": PARTS.get(point, "")})
    system.brokers, system.prefix = kafka.bootstrap, prefix
    system.up()
    load = Load(system, tmp_path, rate=500)
    try:
        until(lambda: system.count("acme") > 0, 60, "first rows")
        system.down()
        system.up(env={"TENANTRY_FAULT": f"{point}:{at}", "TENANTRY_FAULT_DIR": str(faults)},
                  ready=False)
        hit = lambda: len(list(faults.glob(f"{point}.*")))
        for n in range(1, hits + 1):
            if stir:
                until(lambda: system.http("/readyz")[0] == 200, 60, "readiness between crashes")
                stir(system, n)
            until(lambda: hit() >= n, 60, lambda: f"{hits} hits of {point}, so far {hit()}")
        system.process.kill9()
        system.up(ready=False)
        mark = load.size() + 5000
        until(lambda: load.size() > mark, 60, "load after the crashes")
        system.wait_ready()
    finally:
        load.stop()
    try:
        assert_exactly_once(settle(load), at_least=200)
        assert_balanced(system)
    finally:
        system.down()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("point,at,stir", CRASH_POINTS)
def test_crash_point_short(tmp_path, kafka, unique, point, at, stir):
    crash_loop(tmp_path, kafka, unique, point, at, stir, hits=3)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("point,at,stir", CRASH_POINTS)
def test_crash_point_20_times(tmp_path, kafka, unique, point, at, stir):
    crash_loop(tmp_path, kafka, unique, point, at, stir, hits=20)
