"""What cannot be written goes to the DLQ with its reason; everything else is written, by the same process."""

import collections
import os

import pytest

from support import otlp_build
from support.proc import run_tenantry
from support.wait import until
from support.workers import Site


def dead(tenant):
    return tenant.site.client.records(tenant.dlq)


def reasons(tenant):
    return collections.Counter(
        (r.header("tenantry.error.class").decode(), r.header("tenantry.error.code").decode()) for r in dead(tenant)
    )


def garbage(n):
    return [b"\xff\xff" + os.urandom(20) for _ in range(n)]


@pytest.mark.sanitize
def test_a_thousand_malformed_among_good_ones(site, unique):
    tenant = site.tenant(unique)
    worker = tenant.start()
    poison = garbage(1000)
    for i in range(10):
        tenant.send(20)
        site.client.produce_all(
            tenant.topic(), poison[i * 100 : i * 100 + 100], b"k", tenant.headers(7, request=f"{i:032x}")
        )
    tenant.send(20)
    tenant.wait_exact()
    until(lambda: tenant.progress()["dlq_records"] == 1000, 60, lambda: tenant.progress())
    letters = dead(tenant)
    assert sorted(r.value for r in letters) == sorted(poison)
    assert len({r.header("tenantry.origin") for r in letters}) == 1000
    one = letters[0]
    assert one.key == b"k" and one.header("tenantry.tenant") == unique.encode()
    assert one.header("tenantry.error.class") == b"decode"
    assert one.header("tenantry.error.code") == b"malformed"
    assert one.header("__connect.errors.topic") == tenant.topic().encode()
    assert b"not a valid request" in one.header("__connect.errors.exception.message")
    assert one.header("tenantry.request") is not None and one.header("tenantry.items") == b"7"
    assert worker.alive and tenant.books() == []


def fat_resource(items):
    """The expansion bomb: small on the wire, gigabytes as rows."""
    resource = otlp_build.resource({"fat": "x" * 100_000})
    tiny = otlp_build.logs_request([otlp_build.logs.LogRecord()] * items, res=resource)
    return tiny.SerializeToString()


def empty_items(items):
    """Two bytes each."""
    scope = b"\x12\x00" * items
    inner = b"\x12" + varint(len(scope)) + scope
    return b"\x0a" + varint(len(inner)) + inner


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def test_bombs_are_refused_by_their_size_as_rows(site, unique):
    tenant = site.tenant(unique)
    worker = tenant.start()
    tenant.send(5)
    bombs = [fat_resource(100_000), empty_items(100_001), empty_items(3_000_000)]
    for bomb in bombs:
        site.client.produce(tenant.topic(), bomb)  # without headers: foreign records are checked, too
        tenant.send(5)
    tenant.wait_exact()
    until(lambda: tenant.progress()["dlq_records"] == 3, 60, lambda: tenant.progress())
    assert reasons(tenant) == {("ceiling", "too_many_rows"): 3}
    print(f"peak RSS {worker.peak_rss() >> 20} MiB")
    assert worker.alive and worker.peak_rss() < 256 << 20


def test_a_flood_of_empty_items_below_the_ceiling_is_written(site, unique):
    tenant = site.tenant(unique)
    worker = tenant.start()
    for _ in range(5):
        site.client.produce(tenant.topic(), empty_items(100_000), headers=tenant.headers(100_000))
    until(lambda: tenant.count() == 500_000, 120, lambda: f"all rows, so far {tenant.count()}")
    print(f"peak RSS {worker.peak_rss() >> 20} MiB")
    assert worker.peak_rss() < 256 << 20
    assert tenant.progress()["dlq_records"] == 0 and tenant.books() == []


def field(number, payload):
    return bytes([number << 3 | 2]) + varint(len(payload)) + payload


def exponential_points(n):
    """A record with so many points of the widest kind, each with buckets on both sides."""
    points = field(1, otlp_build.exponential_point().SerializeToString()) * n
    metric = field(1, b"e") + field(10, points)
    return field(1, field(2, field(2, metric)))


def test_the_largest_record_of_the_widest_rows_is_written(site, unique):
    """What the router accepts by default fits a worker of the default memory, also when several come in a row."""
    tenant = site.tenant(unique)
    worker = tenant.start()
    value = exponential_points(100_000)
    assert len(value) < 10_000_000
    for _ in range(3):
        site.client.produce(tenant.topic("metrics"), value, headers=tenant.headers(100_000), partition=0)
    until(lambda: tenant.count() == 300_000, 240, lambda: f"all rows, so far {tenant.count()}; {tenant.progress()}")
    print(f"{len(value)} bytes a record, peak RSS {worker.peak_rss() >> 20} MiB")
    assert tenant.progress()["dlq_records"] == 0 and worker.alive and tenant.books() == []
    assert worker.peak_rss() < 420 << 20  # consumer.memory, and what the process is besides


def test_foreign_records_are_written_and_wrong_tenants_not(site, unique):
    tenant = site.tenant(unique)
    tenant.start()
    foreign, names = tenant.value(5)
    site.client.produce(tenant.topic(), foreign, headers=[("other", b"thing"), ("tenantry.items", b"nonsense")])
    tenant.sent.update(names)
    stranger, _ = tenant.value(5)
    site.client.produce(tenant.topic(), stranger, headers=tenant.headers(5, tenant="somebody"))
    tenant.send(5)
    tenant.wait_exact()
    until(lambda: tenant.progress()["dlq_records"] == 1, 30, lambda: tenant.progress())
    (letter,) = dead(tenant)
    assert letter.header("tenantry.error.code") == b"wrong_tenant"
    assert letter.header("tenantry.tenant") == b"somebody"


def test_a_newer_contract_parks_its_partition_alone(site, unique):
    tenant = site.tenant(unique)
    worker = tenant.start()
    tenant.send(3, partition=0)
    value, names = tenant.value(5)
    site.client.produce(tenant.topic(), value, headers=tenant.headers(5, v=2), partition=0)
    kept = tenant.sent.copy()
    tenant.send(3, partition=0)  # behind it: waits
    tenant.sent = kept
    tenant.send(3, partition=1)
    tenant.wait_exact()
    until(lambda: tenant.state() == "parked", 20, lambda: tenant.status())
    assert "upgrade this worker" in tenant.status()["reason"]
    until(lambda: tenant.lag_records() == 4, 20, lambda: f"4 records behind: {tenant.status()}")
    before = tenant.lag_seconds()
    until(lambda: tenant.lag_seconds() > before, 20, "lag that grows")
    assert "a record of a newer contract version stands in the topic" in worker.output()
    assert dead(tenant) == []
    tenant.send(3, partition=1)
    tenant.wait_exact()


def test_rows_that_the_database_refuses(site, unique):
    """A rule of the tenant's own, that few break: their records are tried retry.attempts times, the others are written."""
    tenant = site.tenant(unique, text='retry: { attempts = 3; backoff_max = "100ms"; };')
    worker = tenant.start()
    tenant.send(1)
    tenant.wait_exact()
    tenant.change(
        "CREATE TRIGGER no_bad BEFORE INSERT ON otel_logs WHEN NEW.Body = 'bad'"
        " BEGIN SELECT RAISE(ABORT, 'no bad bodies'); END"
    )
    bad = otlp_build.logs_request([otlp_build.log("bad")]).SerializeToString()
    for _ in range(3):
        tenant.send(5)
        site.client.produce(tenant.topic(), bad, headers=tenant.headers(1))
    tenant.send(5)
    tenant.wait_exact()
    until(lambda: tenant.progress()["dlq_records"] == 3, 30, lambda: tenant.progress())
    assert reasons(tenant) == {("data", "SQLITE_CONSTRAINT"): 3}
    assert {r.header("tenantry.attempts") for r in dead(tenant)} == {b"3"}
    assert worker.alive and tenant.books() == []


NO_BAD = (
    "CREATE TRIGGER no_bad BEFORE INSERT ON otel_logs WHEN NEW.Body LIKE 'bad%'"
    " BEGIN SELECT RAISE(ABORT, 'no bad bodies'); END"
)


def refuse_bad(tenant):
    """The operator adds a rule to the table, and 300 records break it; their rows' names."""
    tenant.send(1, partition=0)
    tenant.send(1, partition=1)
    tenant.wait_exact()
    tenant.change(NO_BAD)
    names = [f"bad-{tenant.name}-{i}" for i in range(300)]
    values = [otlp_build.logs_request([otlp_build.log(n)]).SerializeToString() for n in names]
    tenant.site.client.produce_all(tenant.topic(), values, headers=tenant.headers(1), partition=0)
    return names


def test_a_rule_on_the_table_does_not_drain_the_topic_into_the_dlq(site, unique):
    """DESIGN 6, the circuit breaker: the partition stops, the others go on, and it goes on by itself."""
    tenant = site.tenant(unique, text='retry: { attempts = 2; backoff_max = "100ms"; };')
    worker = tenant.start()
    bad = refuse_bad(tenant)
    until(lambda: tenant.state() == "parked", 60, lambda: tenant.status())
    reason = tenant.status()["reason"]
    assert f"{tenant.topic()}, partition 0" in reason and "retry.max_dead" in reason
    assert "no bad bodies" in reason or "SQLITE_CONSTRAINT" in reason
    tenant.send(5, partition=1)  # not stopped
    tenant.wait_exact()
    until(lambda: tenant.lag_records() > 0, 30, lambda: f"what waits is lag: {tenant.status()}")
    assert len(dead(tenant)) <= 100 and "too many of its records would become dead letters" in worker.output()
    metrics = (site.folder / f"state/run/consumer-{unique}.prom").read_text()
    assert f'tenantry_consumer_parked{{tenant="{unique}",worker="main",signal="logs",partition="0"}} 1' in metrics
    tenant.change("DROP TRIGGER no_bad")
    tenant.sent.update(bad)
    for letter in dead(tenant):  # a few were one by one before there were too many
        tenant.sent.subtract(otlp_build.bodies(letter.value))
    tenant.wait_exact(120)
    until(lambda: tenant.state() == "running", 30, lambda: tenant.status())
    until(lambda: "the partition goes on" in worker.output(), 10, "the log line")
    assert worker.alive and tenant.books() == []


def test_raising_max_dead_lets_them_go_to_the_dlq(site, unique):
    tenant = site.tenant(unique, text='retry: { attempts = 1; max_dead = 0; backoff_max = "100ms"; };')
    worker = tenant.start()
    bad = refuse_bad(tenant)
    until(lambda: tenant.state() == "parked", 60, lambda: tenant.status())
    assert dead(tenant) == [] and tenant.progress()["dlq_records"] == 0
    assert worker.terminate(60) == 0
    tenant.configure("retry: { attempts = 1; max_dead = 1000; };")
    worker = tenant.start()
    until(lambda: tenant.progress()["dlq_records"] == len(bad), 60, lambda: tenant.progress())
    tenant.send(3, partition=0)
    tenant.wait_exact()
    until(lambda: tenant.state() == "running", 30, lambda: tenant.status())
    assert worker.alive and tenant.books() == []


def test_a_crash_after_the_dlqs_ack_counts_each_letter_once(site, unique, tmp_path):
    tenant = site.tenant(unique)
    site.client.produce_all(tenant.topic(), garbage(5), headers=tenant.headers(1), partition=0)
    for _ in range(2):
        assert tenant.start(env={"TENANTRY_FAULT": "after_dlq_ack:1"}).wait_exit(60) == -9
    tenant.start()
    tenant.send(5)
    tenant.wait_exact()
    until(lambda: tenant.progress()["dlq_records"] == 5, 30, lambda: tenant.progress())
    letters = dead(tenant)
    assert len(letters) == 15 and len({r.header("tenantry.origin") for r in letters}) == 5


def small_dlq(tenant, max_bytes):
    """A DLQ that somebody made too small."""
    client = tenant.site.client
    client.delete_topic(tenant.dlq)
    client.create_topic(tenant.dlq, 1, {"max.message.bytes": str(max_bytes)})


def test_a_foreign_record_too_large_for_the_dlq_leaves_its_headers(kafka, tmp_path, unique):
    """It blocks nothing and is told; its bytes stay where they are."""
    site = Site(tmp_path / "site", kafka, extra={"record": 'max_bytes = "1MB";'})
    try:
        tenant = site.tenant(unique)
        small_dlq(tenant, 2_000_000)
        huge = b"\xff\xff" + os.urandom(4_000_000)
        headers = [*tenant.headers(7), ("short", b"kept"), ("long", b"x" * 5000)]
        ((_, offset),) = [site.client.produce(tenant.topic(), huge, b"k", headers, partition=0)]
        fits = b"\xff\xff" + os.urandom(1_500_000)  # foreign too, but the DLQ takes it
        site.client.produce(tenant.topic(), fits, b"k", headers, partition=0)
        worker = tenant.start()
        tenant.send(3, partition=0)
        tenant.wait_exact()
        until(lambda: tenant.progress()["dlq_records"] == 2, 60, lambda: tenant.progress())
        letters = {r.header("__connect.errors.offset"): r for r in dead(tenant)}
        cut, whole = letters[str(offset).encode()], letters[str(offset + 1).encode()]
        assert whole.value == fits and whole.header("tenantry.omitted") is None
        assert not cut.value and cut.header("tenantry.omitted") == str(len(huge)).encode()
        assert cut.key == b"k" and cut.header("short") == b"kept" and cut.header("long") is None
        assert cut.header("tenantry.error.code") == b"malformed" and cut.header("tenantry.items") == b"7"
        assert cut.header("__connect.errors.topic") == tenant.topic().encode()
        assert "too large for the DLQ" in worker.output() and worker.alive and tenant.books() == []
        shown = run_tenantry("--config", site.conf, "dlq", "show", unique).stdout
        assert f"its {len(huge)} bytes did not fit into the DLQ" in shown and f"offset {offset}" in shown
        assert site.client.records(tenant.topic())[0].value == huge  # nothing is gone
    finally:
        site.stop()


def test_a_dlq_too_small_for_our_own_records_is_waited_for(site, unique):
    """What the router may make must fit whole: the partition waits until the topic is mended."""
    tenant = site.tenant(unique)
    small_dlq(tenant, 100_000)
    large = b"\xff\xff" + os.urandom(300_000)  # below record.max_bytes
    site.client.produce(tenant.topic(), large, headers=tenant.headers(1), partition=0)
    worker = tenant.start()
    tenant.send(3, partition=0)
    until(lambda: "raise max.message.bytes" in tenant.status().get("reason", ""), 60, lambda: tenant.status())
    assert tenant.progress()["dlq_records"] == 0 and dead(tenant) == []
    site.client.alter_topic(tenant.dlq, {"max.message.bytes": "1000000"})
    tenant.wait_exact()
    (letter,) = dead(tenant)
    assert letter.value == large and worker.alive and tenant.books() == []


def test_the_dlq_is_missing(site, unique):
    """Its partition stops; nothing is lost; it goes on once the topic exists."""
    tenant = site.tenant(unique)
    site.client.delete_topic(tenant.dlq)
    worker = tenant.start()
    tenant.send(3, partition=0)
    tenant.wait_exact()
    site.client.produce_all(tenant.topic(), garbage(3), headers=tenant.headers(1), partition=0)
    tenant.send(3, partition=0)
    until(lambda: tenant.dlq in tenant.status().get("reason", ""), 60, lambda: f"the reason: {tenant.status()}")
    assert tenant.verdict()[0] == 15 and tenant.progress()["dlq_records"] == 0
    assert worker.terminate(60) == 0
    worker = tenant.start()
    until(lambda: tenant.state() == "retrying", 30, "another try")
    tenant.make_topics(signals=())
    tenant.wait_exact()
    assert tenant.progress()["dlq_records"] == 3 == len(dead(tenant))
    assert worker.alive and tenant.books() == []
