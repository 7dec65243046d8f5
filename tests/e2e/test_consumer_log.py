"""The log changes under the worker (DESIGN §5): topics made anew, another cluster, records that expired."""

import re
import shutil
import signal
from pathlib import Path

import pytest
from confluent_kafka import KafkaException

from support.proc import run_tenantry
from support.wait import until

NEW_LOG = "reading it from its start as a new generation"
LOST = "records expired in Kafka before they were written"
NO_RECORD = "offsets without a record"

# How many records the new log holds when the old one was written up to offset 20: fewer; just as many as
# the old one but for one, so that the record to compare with never comes; as many; more.
SIZES = [3, 19, 20, 60]


def events(process, text):
    return [line for line in process.output().splitlines() if text in line]


def write_twenty(tenant):
    worker = tenant.start()
    tenant.send(20, partition=0)
    tenant.wait_exact()
    return worker


@pytest.mark.parametrize("size", SIZES)
def test_topic_made_anew_under_a_running_worker(site, unique, size):
    tenant = site.tenant(unique)
    worker = write_twenty(tenant)
    tenant.recreate(size)
    tenant.wait_exact()
    tenant.send(2, partition=0)
    tenant.send(2, partition=1)
    tenant.wait_exact()
    assert len(events(worker, NEW_LOG)) == 1
    assert worker.alive
    assert tenant.books() == []


@pytest.mark.parametrize("size", SIZES)
def test_topic_made_anew_under_a_stopped_worker(site, unique, size):
    tenant = site.tenant(unique)
    assert write_twenty(tenant).terminate(60) == 0
    tenant.recreate(size)
    worker = tenant.start()
    tenant.wait_exact()
    tenant.send(2, partition=0)
    tenant.send(2, partition=1)
    tenant.wait_exact()
    assert len(events(worker, NEW_LOG)) == 1
    assert tenant.books() == []


def test_topic_made_anew_twice_and_after_kill9(site, unique):
    tenant = site.tenant(unique)
    worker = write_twenty(tenant)
    for _ in range(2):
        worker.kill9()
        tenant.recreate(7)
        worker = tenant.start()
        tenant.wait_exact()
    assert [g for _, g in tenant.generations()] == [3]


def test_topic_made_anew_while_the_database_is_locked(site, unique, locked):
    """Nothing is fetched then, so nobody sees the topic go."""
    tenant = site.tenant(unique)
    worker = write_twenty(tenant)
    with locked(tenant):
        tenant.send(1, partition=0)
        until(lambda: tenant.state() == "retrying", 30, "a worker that waits for its database")
        tenant.recreate(60)
    tenant.sent.subtract({})  # what was in the worker's hands is written, too
    tenant.wait_exact()
    assert len(events(worker, NEW_LOG)) == 1


def test_another_topic_goes_on_while_one_is_gone(site, unique):
    tenant = site.tenant(unique)
    worker = write_twenty(tenant)
    site.client.delete_topic(tenant.topic("traces"))
    for _ in range(5):
        tenant.send(40)
        tenant.wait_exact(30)
    site.client.create_topic(tenant.topic("traces"), 2)
    tenant.send(40)
    tenant.wait_exact(30)
    assert worker.alive


def replace_cluster(kafka, tenant):
    kafka.wipe()
    kafka.start()
    tenant.site.client.forget()
    tenant.make_topics()


def test_cluster_replaced(own_site, own_kafka, unique):
    tenant = own_site.tenant(unique)
    first = write_twenty(tenant)
    replace_cluster(own_kafka, tenant)
    tenant.send(60, partition=0)  # more than the old one held
    tenant.wait_exact()
    assert len(tenant.generations()) == 2
    first.terminate(60)
    replace_cluster(own_kafka, tenant)
    second = tenant.start()
    tenant.send(60, partition=0)
    tenant.wait_exact()
    assert len(tenant.generations()) == 3
    assert events(first, "the brokers are gone") and second.alive
    assert tenant.books() == []


def test_kafka_killed_and_frozen(own_site, own_kafka, unique):
    tenant = own_site.tenant(unique)
    worker = write_twenty(tenant)
    for _ in range(2):
        own_kafka.kill9()
        own_kafka.start()
        tenant.send(10)
        tenant.wait_exact()
    own_kafka.pause()
    try:
        assert worker.terminate(60) == 0
    finally:
        own_kafka.resume()
    tenant.start()
    tenant.send(10)
    tenant.wait_exact()
    assert events(worker, NEW_LOG) == []


def test_what_retention_ate_is_counted_and_told(site, unique):
    tenant = site.tenant(unique)
    worker = write_twenty(tenant)
    worker.kill9()
    kept = tenant.sent.copy()
    tenant.send(30, partition=0)
    tenant.sent = kept  # these 30 expire
    site.client.delete_records(tenant.topic(), {0: 50})
    tenant.send(10, partition=0)
    worker = tenant.start()
    tenant.wait_exact()
    until(lambda: tenant.progress()["lost_records"] == 30, 20, lambda: tenant.progress())
    (told,) = events(worker, LOST)
    assert re.search(r"level=error.*from=20 to=50", told)
    until(lambda: tenant.total("lost_records") == 30, 10, "lost records in the status")
    assert tenant.books() == []


def test_offsets_of_transactions_are_not_lost(site, unique):
    """A transaction's end takes an offset of its own, and what it aborts is not for readers."""
    tenant = site.tenant(unique)
    worker = tenant.start()
    tenant.send(2, partition=0)  # offsets 0 and 1
    kept, aborted = tenant.value(5), tenant.value(5)
    tenant.sent.update(kept[1])
    site.client.transaction(tenant.topic(), [kept[0]], tenant.headers(5), partition=0)  # 2, its end 3
    site.client.transaction(tenant.topic(), [aborted[0]] * 3, tenant.headers(5), partition=0,
                            commit=False)  # 4 to 6, its end 7
    tenant.send(2, partition=0)  # 8 and 9
    tenant.wait_exact()
    until(lambda: tenant.progress()["gaps"] == 5, 20, lambda: tenant.progress())
    assert tenant.progress()["lost_records"] == 0
    told = events(worker, NO_RECORD)
    assert [re.search(r"level=info.*from=(\d+) to=(\d+)", line).groups() for line in told] == [("3", "8")]
    assert events(worker, LOST) == [] and tenant.books() == []
    out = run_tenantry("--config", site.conf, "ledger", unique, "--recount", check=False)
    assert out.returncode == 0, out.stdout + out.stderr


def test_a_topic_of_transactions_with_retention(site, unique):
    """A mark after every record; the worker is away while some of it expires; then it is away again."""
    tenant = site.tenant(unique, partitions=1)
    worker = tenant.start()

    def transactions(n):
        made = [tenant.value(2) for _ in range(n)]
        site.client.transactions(tenant.topic(), [v for v, _ in made], tenant.headers(2), partition=0)
        return [name for _, names in made for name in names]

    tenant.sent.update(transactions(20))  # offsets 0 to 39
    tenant.wait_exact()
    worker.kill9()
    transactions(5)  # 40 to 49, which expire
    until(lambda: site.client.end_offsets(tenant.topic()) == {0: 50}, 30, "the last transaction's mark")
    site.client.delete_records(tenant.topic(), {0: 50})
    tenant.sent.update(transactions(20))  # 50 to 89
    tenant.start()
    tenant.wait_exact()
    # the last written record is 38, its end 39: from there to the log's start nobody can tell marks from records
    until(lambda: tenant.progress() == {"records": 40, "items": 80, "dlq_records": 0, "lost_records": 11, "gaps": 38},
          20, lambda: tenant.progress())  # fmt: skip
    assert tenant.books() == []


def test_what_expired_before_the_first_look(site, unique):
    """A tenant whose worker never ran until retention took the first records."""
    tenant = site.tenant(unique)
    for partition in (0, 1):
        tenant.send(30, partition=partition)
    tenant.sent.clear()
    site.client.delete_records(tenant.topic(), {0: 30, 1: 30})
    tenant.send(3, partition=0)
    worker = tenant.start()
    tenant.wait_exact()
    assert (tenant.progress()["lost_records"], tenant.books()) == (30, [])
    (told,) = events(worker, LOST)
    assert re.search(r"from=0 to=30", told)
    out = run_tenantry("--config", site.conf, "ledger", unique, check=False)
    assert out.returncode == 0, out.stdout + out.stderr


def test_records_deleted_under_a_running_worker(site, unique, locked):
    """While its database is away, so that it has not read them."""
    tenant = site.tenant(unique)
    worker = write_twenty(tenant)
    worker.kill9()
    kept = tenant.sent.copy()
    tenant.send(30, partition=0, fill="x" * 400_000)  # more than a worker fetches ahead
    tenant.sent = kept
    worker = tenant.start(env={"TENANTRY_FAULT": "before_write:1:stop"})
    until(lambda: is_stopped(worker), 30, "a worker that holds the first of them")
    site.client.delete_records(tenant.topic(), {0: 50})
    worker.signal(signal.SIGCONT)
    tenant.send(5, partition=0)
    until(lambda: tenant.verdict()[0] == 0, 60, lambda: f"what is there: {tenant.verdict()}")
    done = tenant.progress()
    assert done["records"] + done["lost_records"] == 55 and done["lost_records"] > 0, done
    assert len(events(worker, LOST)) >= 1
    assert tenant.books() == [] and tenant.verdict()[1] == 0


def is_stopped(process):
    return "T (stopped)" in Path(f"/proc/{process.pid}/status").read_text()


def end_of(client, topic):
    """None while its leader has only just started."""
    try:
        return client.end_offsets(topic)[0]
    except KafkaException:
        return None


def test_a_log_that_was_cut(own_site, own_kafka, unique):
    """As after an unclean election: the log ends before what was written, then grows beyond it again."""
    tenant = own_site.tenant(unique, partitions=1)
    tenant.send(12, partition=0)
    log, aside = own_kafka.dir / "data" / f"{tenant.topic()}-0", own_kafka.dir / "aside"
    own_kafka.shutdown()
    shutil.copytree(log, aside)
    own_kafka.start()
    tenant.send(8, partition=0)
    worker = tenant.start()
    tenant.wait_exact()
    worker.kill9()
    own_kafka.shutdown()
    shutil.rmtree(log)
    shutil.copytree(aside, log)
    for checkpoint in (own_kafka.dir / "data").glob("*-checkpoint"):
        checkpoint.unlink()  # they know of more
    own_kafka.start()
    own_site.client.forget()
    until(lambda: end_of(own_site.client, tenant.topic()) == 12, 60, "the shorter log")
    tenant.send(20, partition=0)
    worker = tenant.start()
    until(lambda: tenant.verdict()[0] == 0, 60, lambda: f"nothing is skipped: {tenant.verdict()}")
    assert len(events(worker, NEW_LOG)) == 1
    assert [g for _, g in tenant.generations()] == [2]
    missing, double, stray = tenant.verdict()
    assert (missing, double, stray) == (0, 12 * 5, 0)  # what the cut log still holds, as the warning tells
    assert tenant.books() == []


def test_all_that_was_written_has_expired(site, unique):
    tenant = site.tenant(unique)
    write_twenty(tenant).kill9()
    site.client.delete_records(tenant.topic(), {0: 20})
    worker = tenant.start()
    tenant.send(5, partition=0)
    tenant.wait_exact()
    assert tenant.progress()["lost_records"] == 0
    assert events(worker, NEW_LOG) == events(worker, LOST) == []


def test_a_topic_made_while_the_worker_was_dead_is_read(site, unique):
    """A static member that comes back gets the partitions it had: the new ones must be asked for."""
    tenant = site.tenant(unique)
    worker = write_twenty(tenant)
    tenant.site.client.delete_topic(tenant.topic())
    until(lambda: len(tenant.status()["units"]) == 4, 30, "the worker to be without the topic")
    worker.kill9()
    tenant.make_topics(("logs",), dlq=False)
    tenant.send(5, partition=0)
    tenant.start()
    tenant.wait_exact(20)
