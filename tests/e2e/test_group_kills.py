"""Three processes of one tenant under load, killed and added and taken away: exactly once holds, and how long a
partition stands still is told (time from its last write before to its first after)."""

import contextlib
import json
import os
import random
import re
import signal
import sqlite3
import threading
import time

import pytest

from support.load import Load, assert_exactly_once, settle
from support.proc import child_pids, command_line
from support.system import System
from support.wait import until

SEED = int(os.environ.get("TENANTRY_SEED", "0")) or int(time.time())
PARTITIONS = 6


class Watch(threading.Thread):
    """When the offset of each partition moved, seen in the database itself."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.moves, self.over = path, {}, threading.Event()

    def run(self):
        last = {}
        with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=20)) as db:
            while not self.over.wait(0.02):
                now = time.monotonic()
                try:
                    rows = db.execute("SELECT source, kafka_partition, next FROM tenantry_progress").fetchall()
                except sqlite3.OperationalError:  # the log of the database is being recovered after a kill
                    continue
                for source, partition, offset in rows:
                    if last.get((source, partition)) != offset:
                        last[source, partition] = offset
                        self.moves.setdefault((source, partition), []).append(now)

    def moved_since(self, when):
        """How many partitions did."""
        return sum(moves[-1] > when for moves in list(self.moves.values()))

    def stop(self):
        self.over.set()
        self.join(30)

    def pauses(self, when):
        """{partition: seconds} of the longest stand that began within 1 s of `when`, or was under way."""
        found = {}
        for unit, moves in self.moves.items():
            stands = [b - a for a, b in zip(moves, moves[1:]) if a <= when + 1 and b >= when]
            if stands:
                found[unit] = max(stands)
        return found


def configure(system, processes):
    (system.folder / "tenants.d" / "acme.conf").write_text(
        f'tenant: {{ id = "acme"; topics: {{ partitions = {PARTITIONS}; }};'
        f" consumer: {{ processes = {processes}; }}; }};\n"
    )


def workers(system):
    """{instance: pid}"""
    found = {}
    for pid in child_pids(system.process.pid):
        named = re.search(r" consumer acme .*--instance (\S+)", command_line(pid))
        if named:
            found[named[1]] = pid
    return found


def held_by(system, instance):
    """(source, partition) of the units that the worker told last."""
    name = "consumer-acme.json" if instance == "main" else f"consumer-acme@{instance}.json"
    try:
        told = json.loads((system.folder / "state" / "run" / name).read_text())
    except FileNotFoundError:  # it has only just started
        return set()
    return {(u["source"], u["partition"]) for u in told["units"]}


def line(kind, pauses):
    """Sorted, with the usual figures."""
    s = sorted(pauses)
    at = lambda q: s[min(len(s) - 1, int(q * len(s)))]
    return f"{kind}: {len(s)} pauses, p50 {at(0.5):.2f} s, p99 {at(0.99):.2f} s, longest {s[-1]:.2f} s"


def all_go_on(watch, when):
    until(lambda: watch.moved_since(when) == 3 * PARTITIONS, 90,
          lambda: f"all partitions to go on, {watch.moved_since(when)} did")  # fmt: skip


def kind_of(event, own):
    if event == "nothing":
        return "as usual"
    if event == "kill":
        return "of a killed worker" if own else "of the others at a kill"
    return f"by a change to {event} processes"


def kills_and_changes(tmp_path, kafka, prefix, events, every, rate):
    """events: 'kill', a number of processes to change to, or 'nothing', to know what is usual."""
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    system = System(tmp_path / "system", kafka.bootstrap, ("acme",), extra={"kafka": f'prefix = "{prefix}";'})
    configure(system, 3)
    system.up()
    load = Load(system, tmp_path, rate, tenants=("acme",))
    watch, processes = None, 3
    pauses = {}
    try:
        until(lambda: system.count("acme") > 0, 60, "first rows")
        watch = Watch(system.database("acme"))
        watch.start()
        for event in events:
            until(lambda: len(workers(system)) == processes, 60, f"{processes} workers")
            all_go_on(watch, time.monotonic())
            when = time.monotonic()
            own = set()
            if event == "kill":
                victim, pid = rng.choice(sorted(workers(system).items()))
                own = held_by(system, victim)
                os.kill(pid, signal.SIGKILL)
            elif event != "nothing":
                processes = event
                configure(system, processes)
            until(lambda: time.monotonic() >= when + every, every + 30, "time to pass")
            all_go_on(watch, when + every)
            for unit, pause in watch.pauses(when).items():
                pauses.setdefault(kind_of(event, unit in own), []).append(pause)
    finally:
        load.stop()
        if watch:
            watch.stop()
    try:
        for kind in sorted(pauses):
            print(line(kind, pauses[kind]))
        assert_exactly_once(settle(load), at_least=500)
        out = system.cli("ledger", "acme", "--recount", check=False)
        assert out.returncode == 0, out.stdout + out.stderr
    finally:
        system.down()


@pytest.mark.timeout(600)
def test_killed_and_changed_short(tmp_path, kafka, unique):
    kills_and_changes(tmp_path, kafka, unique, ["kill", 2, "kill", 3], every=1, rate=600)


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_one_of_three_killed_every_15_s_for_5_minutes(tmp_path, kafka, unique):
    kills_and_changes(tmp_path, kafka, unique, ["nothing"] * 2 + ["kill"] * 20, every=15, rate=2000)


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_processes_changed_ten_times_under_load(tmp_path, kafka, unique):
    kills_and_changes(tmp_path, kafka, unique, [2, 3, 1, 3, 2, 1, 2, 3, 2, 3], every=12, rate=2000)
