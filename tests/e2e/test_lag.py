"""How far a tenant is behind, as metrics tell it: by Kafka alone while database or worker is away; and how
long records took. Compared with what an independent client reads from Kafka."""

import contextlib
import os
import signal
import sqlite3
import time

import pytest

from support.metrics import parse, select, total
from support.system import System
from support.wait import until

QUICK = 'lag_interval = "200ms"; ledger_interval = "1s";'


@pytest.fixture
def system(kafka, tmp_path, unique):
    made = System(tmp_path / "system", brokers=kafka.bootstrap,
                  extra={"kafka": f'prefix = "{unique}";', "supervisor": QUICK})
    made.prefix = unique
    made.up()
    yield made
    made.down()


def page(system):
    return system.http("/metrics")[1]


def metric(system, name, **labels):
    return total(page(system), name, **labels)


def caught_up(system, tenant, records):
    """Everything is committed, as the supervisor sees it."""
    def so():
        text = page(system)
        return (total(text, "tenantry_consumed_records_total", tenant=tenant) == records
                and select(text, "tenantry_lag_seconds", tenant=tenant)
                and total(text, "tenantry_lag_records", tenant=tenant) == 0
                and total(text, "tenantry_lag_seconds", tenant=tenant) == 0)

    until(so, 60, lambda: f"{tenant} caught up with {records} records:\n{page(system)}")


def send(system, tenant, records):
    """So many requests, each a record of 10 items."""
    system.send(tenant, "logs", records * 10, "--batch", "10")


@contextlib.contextmanager
def locked(system, tenant):
    with contextlib.closing(sqlite3.connect(system.database(tenant), timeout=60)) as db:
        db.isolation_level = None
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")


def test_lag_while_the_database_and_the_worker_are_down(system, kafka):
    """Records, bytes and the age of the oldest one, and produced against consumed; another tenant has none."""
    send(system, "acme", 3)
    send(system, "beta", 1)
    caught_up(system, "acme", 3)
    caught_up(system, "beta", 1)
    with locked(system, "acme"):
        send(system, "acme", 5)
        until(lambda: metric(system, "tenantry_lag_records", tenant="acme") == 5, 60, "5 records of lag")
        ages_as_the_oldest_record(system, kafka)
        text = page(system)
        assert total(text, "tenantry_produced_records_total", tenant="acme", signal="logs") == 8
        assert total(text, "tenantry_consumed_records_total", tenant="acme", signal="logs") == 3
        assert total(text, "tenantry_lag_records", tenant="beta") == 0
        sizes = [len(m.value) for m in kafka.records(f"{system.prefix}.acme.logs")]
        told = total(text, "tenantry_lag_bytes", tenant="acme")
        assert 5 * min(sizes) <= told <= 5 * max(sizes), (told, sizes)
        worker = system.child("consumer acme ")
        os.kill(worker, signal.SIGSTOP)
    try:  # its metrics become old, those of the supervisor go on
        before = metric(system, "tenantry_lag_seconds", tenant="acme")
        until(lambda: metric(system, "tenantry_lag_seconds", tenant="acme") > before, 60, "the lag to grow")
        ratio = select(page(system), "tenantry_lag_retention_ratio", tenant="acme", signal="logs")
        assert ratio and 0 < ratio[0] < 0.1, ratio
    finally:
        os.kill(worker, signal.SIGCONT)
    caught_up(system, "acme", 8)


def ages_as_the_oldest_record(system, kafka):
    """tenantry_lag_seconds against the timestamps that another client reads."""
    topic = f"{system.prefix}.acme.logs"
    done = kafka.group_offsets(f"tenantry.{system.prefix}.acme")
    oldest = min(m.timestamp for m in kafka.records(topic) if m.offset >= done.get((topic, m.partition), 0))
    until(lambda: select(page(system), "tenantry_lag_seconds", tenant="acme", signal="logs"), 60, "an age")
    low = time.time() - oldest / 1000 - 60  # the page is as old as the machine is slow
    age = max(select(page(system), "tenantry_lag_seconds", tenant="acme", signal="logs"))
    high = time.time() - oldest / 1000
    assert max(low, 0) <= age <= high + 1, (low, age, high)


def test_latencies_and_flow(system):
    """Every written record is in the histogram once; counts agree between router, worker and Kafka."""
    send(system, "acme", 7)
    caught_up(system, "acme", 7)
    until(lambda: metric(system, "tenantry_consumer_written_records_total", tenant="acme") == 7, 60, "7 records")
    text = page(system)
    name = "tenantry_consumer_written_latency_seconds"
    assert total(text, name + "_count", tenant="acme", signal="logs") == 7
    assert total(text, name + "_bucket", tenant="acme", signal="logs", le="+Inf") == 7
    buckets = [v for n, have, v in parse(text) if n == name + "_bucket" and have["tenant"] == "acme"]
    assert buckets == sorted(buckets) and len(buckets) == 13
    assert total(text, name + "_sum", tenant="acme") > 0
    assert total(text, "tenantry_consumer_written_rows_total", tenant="acme") == 70
    assert total(text, "tenantry_items_total", tenant="acme", outcome="accepted") == 70
    assert total(text, "tenantry_produce_ack_seconds_count", tenant="acme") == 7
    read = total(text, "tenantry_consumer_read_bytes_total", tenant="acme")
    assert read >= total(text, "tenantry_consumer_written_bytes_total", tenant="acme") > 0
    assert f"# TYPE {name} histogram" in text


def test_cluster_and_books(system):
    """What is one for the whole system: brokers, partitions in trouble, the books, disk, processes."""
    send(system, "acme", 1)
    caught_up(system, "acme", 1)
    until(lambda: select(page(system), "tenantry_ledger_findings", tenant="acme"), 60, "the check of the books")
    text = page(system)
    assert select(text, "tenantry_ledger_findings", tenant="acme") == [0]
    assert select(text, "tenantry_cluster_brokers") == [1]
    for zero in ("leaderless_partitions", "under_replicated_partitions", "missing_topics"):
        assert select(text, f"tenantry_cluster_{zero}") == [0], zero
    assert 0 < total(text, "tenantry_state_free_bytes") <= total(text, "tenantry_state_disk_bytes")
    assert select(text, "tenantry_process_running", process="router") == [1]
    restarts = total(text, "tenantry_process_restarts_total", process="consumer acme")
    os.kill(system.child("consumer acme "), signal.SIGKILL)
    until(lambda: metric(system, "tenantry_process_restarts_total", process="consumer acme") > restarts, 60,
          "the restart")
    # The database says more than Kafka has: the books of this tenant alone do not balance.
    with contextlib.closing(sqlite3.connect(system.database("acme"), timeout=60)) as db, db:
        db.execute("UPDATE tenantry_progress SET records = records + 1")
    until(lambda: metric(system, "tenantry_ledger_findings", tenant="acme") > 0, 60, "a finding")
    assert metric(system, "tenantry_ledger_findings", tenant="beta") == 0


def test_metrics_of_a_removed_tenant_go(kafka, tmp_path, unique):
    """After router.metrics_keep, those of the supervisor and the worker with it; back again, they begin at 0."""
    system = System(tmp_path / "system", brokers=kafka.bootstrap, extra={
        "kafka": f'prefix = "{unique}";', "supervisor": QUICK, "router": 'metrics_keep = "1s";'})  # fmt: skip
    system.up()
    try:
        send(system, "acme", 3)
        caught_up(system, "acme", 3)
        file = system.folder / "tenants.d" / "acme.conf"
        content = file.read_text()
        file.unlink()
        until(lambda: not any(have.get("tenant") == "acme" for _, have, _ in parse(page(system))), 60, "none of acme")
        assert any(have.get("tenant") == "beta" for _, have, _ in parse(page(system)))
        file.write_text(content)
        accepted = {"tenant": "acme", "signal": "logs", "outcome": "accepted"}

        def sent():
            return system.send("acme", "logs", 10, check=False).returncode == 0

        until(sent, 60, "acme to be let in again")
        again = metric(system, "tenantry_requests_total", **accepted)
        assert 1 <= again <= 3, again  # it would be 4 or more, had it gone on from the 3 of before
    finally:
        system.down()
