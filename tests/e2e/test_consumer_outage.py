"""The database is away: nothing is lost, the process stays the same, its memory flat and its lag honest, and the
other tenant's rows keep arriving (done-when 5)."""

import os
import random
import shutil
import tempfile
import threading
import time
from pathlib import Path

import pytest

from support.proc import tenantry_bin
from support.wait import until
from support.workers import NOBODY, Site

MIB = 1 << 20
MEMORY = 64 * MIB
# Beside consumer.memory: program, libraries, thread stacks, the SQLite page cache, what malloc holds back.
REST = 32 * MIB


@pytest.fixture
def outage(kafka):
    """A site of a user for whom files can be read-only: for root none is. So not in pytest's private folder."""
    with tempfile.TemporaryDirectory(prefix="tenantry-outage-") as folder:
        Path(folder).chmod(0o755)
        site = Site(Path(folder) / "site", kafka, extra={
            "consumer": 'memory = "64MiB";', "record": 'max_items = 10000; max_bytes = "2MB";',
        })
        site.start_as = {}
        if os.geteuid() == 0:
            site.start_as = {"user": NOBODY, "binary": shutil.copy(tenantry_bin(), folder)}
            (site.folder / "state").mkdir()
            for path in (site.folder, *site.folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        yield site
        site.stop()


class Load(threading.Thread):
    """Small records to a tenant, about ten a second, until stopped."""

    def __init__(self, tenant, fill=""):
        super().__init__(daemon=True)
        self.tenant, self.fill, self.ended = tenant, fill, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.1):
            self.tenant.send(1, fill=self.fill)

    def stop(self):
        self.ended.set()
        self.join(30)


class Watch:
    """Looks at a worker again and again: its memory, and its lag beside that of an independent client."""

    def __init__(self, tenant, worker):
        self.tenant, self.worker, self.rss = tenant, worker, []

    def look(self):
        self.rss.append(self.worker.rss())
        return self.rss[-1]

    def oldest_unwritten(self):
        """When it was made, from record timestamps by a client of its own, and the offsets in the database."""
        done = dict(
            self.tenant.sql(
                "SELECT kafka_partition, next FROM tenantry_progress JOIN tenantry_source USING (source)"
                " WHERE topic = ?", self.tenant.topic()
            )
        )  # fmt: skip
        first = [
            self.tenant.site.client.timestamp_at(self.tenant.topic(), p, offset) for p, offset in done.items()
        ]
        return min(ms / 1000 for ms in first if ms is not None)


def read_only(tenant):
    """As on a file system that is mounted read-only. A copy: the worker has the file open for writing."""
    path = tenant.database
    path.parent.rename(path.parent.with_name("away"))
    shutil.copytree(path.parent.with_name("away"), path.parent)
    for file in (*path.parent.iterdir(), path.parent):
        file.chmod(0o555 if file.is_dir() else 0o444)


def writable(tenant):
    """The same folder again."""
    path = tenant.database
    shutil.rmtree(path.parent)
    path.parent.with_name("away").rename(path.parent)


def outage_of(site, unique, locked, seconds, fill=""):
    sick, well = site.tenant(unique), site.tenant(unique + "b")
    worker = sick.start(**site.start_as)
    other = well.start(**site.start_as)
    loads = [Load(sick, fill), Load(well)]
    try:
        for tenant in (sick, well):
            until(lambda: tenant.count() > 0, 30, "first rows")
        watch = Watch(sick, worker)
        with locked(sick):
            endure(watch, well, seconds / 2)
        read_only(sick)
        try:
            until(lambda: "READONLY" in sick.status()["reason"], 30, lambda: f"refused writes: {sick.status()}")
            endure(watch, well, seconds / 2)
        finally:
            writable(sick)
    finally:
        for load in loads:
            load.stop()
    for tenant in (sick, well):
        tenant.wait_exact()
        assert tenant.books() == []
    until(lambda: sick.lag_records() == 0 and sick.state() == "running", 30, "a worker that is up to date")
    assert worker.alive and other.alive
    return watch


def endure(watch, well, seconds):
    """The time of the outage, with what must hold during it."""
    sick = watch.tenant
    until(lambda: sick.state() in ("retrying", "parked"), 30, lambda: f"the outage: {sick.status()}")
    end = time.monotonic() + seconds
    rows = 0

    def over():
        nonlocal rows
        watch.look()
        rows = well.count()
        return time.monotonic() >= end

    begun = well.count()
    until(over, seconds + 60, "the end of the outage")
    assert rows > begun  # the other tenant's rows keep arriving
    until(lambda: well.count() > rows, 60, "further rows of the other tenant")
    status = sick.status()
    told = max(u.get("lag_seconds", 0) for u in status["units"])
    true = status["written_at_ms"] / 1000 - watch.oldest_unwritten()
    print(f"lag told {told:.1f} s, by another client {true:.1f} s")
    assert abs(told - true) < 2


def test_locked_then_read_only(outage, unique, locked):
    watch = outage_of(outage, unique, locked, 20)
    print(f"largest RSS {max(watch.rss) / MIB:.0f} MiB")
    assert max(watch.rss) <= MEMORY + REST


@pytest.mark.long
@pytest.mark.timeout(600)
def test_locked_then_read_only_for_minutes(outage, unique, locked):
    """A megabyte a second fills what the worker may hold in the first minute; from then on its memory is the same."""
    watch = outage_of(outage, unique, locked, 240, fill="x" * 20_000)
    minute = len(watch.rss) // 4
    first, last = max(watch.rss[:minute]), max(watch.rss[-minute:])
    print(f"RSS: first minute {first / MIB:.0f}, last {last / MIB:.0f}, largest {max(watch.rss) / MIB:.0f} MiB")
    assert max(watch.rss) <= MEMORY + REST and last <= first * 1.05


@pytest.mark.sanitize
def test_a_backlog_larger_than_memory(outage, unique, locked):
    """150 MB of records wait for the database: the worker holds no more of them than it may."""
    tenant = outage.tenant(unique, partitions=4)
    worker = tenant.start(**outage.start_as)
    tenant.send(1)
    tenant.wait_exact()
    noise = random.Random(1).randbytes(60_000).hex()
    with locked(tenant):
        for _ in range(25):
            tenant.send(50, items=1, fill=noise)
        until(lambda: tenant.lag_records() == 1250, 60, lambda: f"1250 records behind: {tenant.status()}")
        rss = worker.rss()
    tenant.wait_exact()
    peak = worker.peak_rss()
    print(f"RSS during the outage {rss / MIB:.0f} MiB, largest {peak / MIB:.0f} MiB")
    if not {"asan", "tsan"} & set(Path(tenantry_bin()).parts):  # these keep freed memory for a while
        assert peak <= MEMORY + REST
    assert worker.alive and tenant.books() == []


def test_database_removed_and_put_back(site, unique):
    tenant = site.tenant(unique)
    worker = tenant.start()
    tenant.send(5)
    tenant.wait_exact()
    folder, away = tenant.database.parent, tenant.database.parent.with_name("away")
    folder.rename(away)
    tenant.send(5)
    until(lambda: tenant.state() == "parked", 30, lambda: tenant.status())
    assert "was removed while it was in use" in tenant.status()["reason"]
    away.rename(folder)
    tenant.wait_exact()
    assert worker.alive


def test_not_a_database(site, unique):
    """A configuration error: parked with a sentence, the data stays in Kafka."""
    tenant = site.tenant(unique)
    tenant.database.parent.mkdir(parents=True)
    tenant.database.write_text("these are somebody's notes " * 100)
    worker = tenant.start()
    tenant.send(5)
    until(lambda: tenant.state() == "parked", 30, lambda: tenant.status())
    assert "file of another kind" in tenant.status()["reason"]
    tenant.database.unlink()
    tenant.wait_exact()
    assert worker.alive
