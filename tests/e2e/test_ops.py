"""status, ledger, dlq and check: what they say against what an independent client and SQL say."""

import contextlib
import json
import os
import signal
import sqlite3
import time

import pytest

from support import otlp_build as build
from support.proc import run_tenantry
from support.system import System
from support.wait import until

SIGNALS = ("traces", "metrics", "logs")


class Tenant:
    """A tenant with topics of its own, fed with records straight into Kafka as the router makes
    them, and its worker."""

    def __init__(self, kafka, name, folder, tenantry, partitions=2):
        self.kafka, self.name, self.folder, self._start = kafka, name, folder, tenantry
        self.partitions = partitions
        self.database = folder / f"{name}.db"
        self.worker = None
        (folder / "tenants.d").mkdir(exist_ok=True)
        (folder / "tenantry.conf").write_text(
            f'state = "{folder}/state";\n'
            f'kafka: {{ brokers = "{kafka.bootstrap}"; }};\n'
            'router: { admin = "127.0.0.1:1"; listen = ({ address = "127.0.0.1:0"; '
            "insecure = true; }); };\n"
            'consumer: { batch_age = "100ms"; status_interval = "200ms"; };\n'
        )
        self.configure()
        for topic in [*map(self.topic, SIGNALS), self.topic("dlq")]:
            kafka.create_topic(topic, partitions)

    def configure(self, partitions=None):
        (self.folder / "tenants.d" / f"{self.name}.conf").write_text(
            f'tenant: {{ id = "{self.name}"; topics: {{ partitions = '
            f"{partitions or self.partitions}; }}; "
            f'database: {{ path = "{self.database}"; busy_timeout = "200ms"; }}; }};\n'
        )

    def topic(self, name):
        return f"otlp.{self.name}.{name}"

    def start(self):
        self.worker = self._start("--config", self.folder / "tenantry.conf", "consumer", self.name)
        return self.worker

    def put(self, what, request, items=None, partition=0, timestamp=None, headers=True):
        """One record with the headers of the router; items None: as many as it holds."""
        value = request if isinstance(request, bytes) else request.SerializeToString()
        extra = headers and [
            ("tenantry.v", "1"),
            ("tenantry.tenant", self.name),
            ("tenantry.received_ns", str(time.time_ns())),
            ("tenantry.items", str(items if items is not None else count(what, request))),
        ]
        return self.kafka.produce(
            self.topic(what), value, None, extra or None, partition, timestamp
        )

    def logs(self, n, partition=0, **more):
        return self.put("logs", build.logs_request([build.log(f"m{i}") for i in range(n)]),
                        partition=partition, **more)

    def sql(self, text, *values):
        with contextlib.closing(sqlite3.connect(self.database, timeout=10)) as db, db:
            return db.execute(text, values).fetchall()

    def rows(self, table="otel_logs"):
        if not self.database.exists():
            return 0
        try:
            return self.sql(f"SELECT count(*) FROM {table}")[0][0]
        except sqlite3.OperationalError:  # the worker has not made the tables yet
            return 0

    def wait_rows(self, n, table="otel_logs"):
        until(lambda: self.rows(table) == n, 60, lambda: f"{n} rows, {self.rows(table)} are there")

    def committed(self):
        """True when the group's commits are the ends of all topics that were written."""
        group = self.kafka.group_offsets(f"tenantry.{self.name}")
        ends = {
            (self.topic(s), p): end
            for s in SIGNALS
            for p, end in self.kafka.end_offsets(self.topic(s)).items()
            if end > 0
        }
        return ends and all(group.get(place) == end for place, end in ends.items())

    def cli(self, *args, check=False):
        return run_tenantry("--config", self.folder / "tenantry.conf", *args, check=check)

    def json(self, *args, code=0):
        done = self.cli(*args, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def ledger(self, *args, code=0):
        return self.json("ledger", self.name, *args, code=code)[0]

    def status(self):
        return self.json("status", self.name)["tenants"][0]


def count(what, request):
    """Items by the messages themselves."""
    if what == "logs":
        return sum(len(s.log_records) for r in request.resource_logs for s in r.scope_logs)
    if what == "traces":
        return sum(len(s.spans) for r in request.resource_spans for s in r.scope_spans)
    return sum(
        len(getattr(m, m.WhichOneof("data")).data_points)
        for r in request.resource_metrics
        for s in r.scope_metrics
        for m in s.metrics
    )


def bomb(what="logs", items=100_000):
    """A small record that would become gigabytes of rows: each repeats the resource."""
    fat = build.resource({f"attribute.{i}": "x" * 100 for i in range(300)})
    if what == "traces":
        return build.traces_request([build.span("")] * items, res=fat)
    return build.logs_request([build.log("")] * items, res=fat)


@pytest.fixture
def tenant(kafka, unique, tmp_path, tenantry):
    return Tenant(kafka, unique, tmp_path, tenantry)


@pytest.fixture
def written(tenant):
    """30 log records in 6 Kafka records on both partitions, written and committed, and no worker."""
    for n in range(6):
        tenant.logs(5, partition=n % 2)
    tenant.start()
    tenant.wait_rows(30)
    until(tenant.committed, 30, "the commits")
    assert tenant.worker.terminate() == 0
    return tenant


def test_books_of_all_signals(tenant):
    spans = build.traces_request([build.span(f"s{i}") for i in range(7)])
    points = build.metrics_request([build.gauge("g", [build.number(i) for i in range(11)])])
    tenant.logs(5)
    tenant.put("traces", spans, partition=1)
    tenant.put("metrics", points)
    before = tenant.ledger()
    assert before["signals"]["logs"] == {
        "accepted": 5, "in_kafka": 5, "written": 0, "dropped": 0, "dead_lettered": 0,
        "lost_records": 0,
    }  # fmt: skip
    tenant.start()
    tenant.wait_rows(5)
    tenant.wait_rows(7, "otel_traces")
    tenant.wait_rows(11, "otel_metrics_gauge")
    for args in ([], ["--recount"]):
        books = tenant.ledger(*args)
        assert books["balanced"] and books["findings"] == []
        assert {s: books["signals"][s]["written"] for s in SIGNALS} == {
            "logs": 5, "traces": 7, "metrics": 11}  # fmt: skip
        assert books["signals"]["logs"]["in_kafka"] == 0
    assert books["recounted_rows"] == 23
    text = tenant.cli("ledger").stdout
    assert f"{tenant.name}: the books balance" in text


# What is changed in the progress of logs, partition 0, and what the ledger says of it.
CHANGES = [
    ("items = items + 1", "totals tell of"),
    ("items = items - 1, dropped = dropped + 1", "differ from those that were committed"),
    ("records = records + 1", "but first 0 + 4 written"),
    ("lost_records = lost_records + 1", "1 lost records"),
    ("gaps = gaps + 1", "1 offsets without one"),
    ("dlq_records = dlq_records + 1, records = records - 1", "the DLQ holds 0"),
    ("dlq_items = dlq_items + 1", "totals tell of"),
    ("next = next - 1", "the database was set back"),
    ("next = next + 1", "beyond the end of the log"),
    ("next = next + 1, lost_records = lost_records + 1", "beyond the end of the log"),
    ("first = first + 1", "but first 1"),
    ("last_checksum = last_checksum + 1", "is not the one that the database wrote last"),
]


def test_one_figure_changed_by_hand_is_found(written):
    assert written.ledger()["balanced"]
    written.sql("CREATE TABLE as_it_was AS SELECT * FROM tenantry_progress")
    for change, sentence in CHANGES:
        written.sql(
            f"UPDATE tenantry_progress SET {change} WHERE kafka_partition = 0 AND source ="
            " (SELECT source FROM tenantry_source WHERE topic = ?)",
            written.topic("logs"),
        )
        books = written.ledger(code=1)
        assert not books["balanced"]
        assert any(sentence in f for f in books["findings"]), (change, books)
        assert all("logs, partition 0" in f for f in books["findings"]), (change, books)
        written.sql("DELETE FROM tenantry_progress")
        written.sql("INSERT INTO tenantry_progress SELECT * FROM as_it_was")
    assert written.ledger()["balanced"]


def test_totals_changed_before_a_worker_committed_them_are_found_by_recount(written):
    written.sql("UPDATE tenantry_progress SET items = items + 1 WHERE kafka_partition = 0")
    written.logs(5)
    written.start()
    written.wait_rows(35)
    until(written.committed, 30, "the commits")
    assert "totals tell of" in written.ledger("--recount", code=1)["findings"][0]


def test_a_deleted_row_is_found_by_recount_alone(written):
    written.sql("DELETE FROM otel_logs WHERE rowid = (SELECT max(rowid) FROM otel_logs)")
    assert written.ledger()["balanced"]
    finding = written.ledger("--recount", code=1)["findings"][0]
    assert "15 items that should be rows, the tables hold 14" in finding


def test_a_doubled_row_is_found_by_recount(written):
    written.sql("INSERT INTO otel_logs SELECT * FROM otel_logs LIMIT 1")
    assert "hold 16 rows" in written.ledger("--recount", code=1)["findings"][0]


def test_a_removed_database_is_found(written):
    for file in written.folder.glob(f"{written.name}.db*"):
        file.unlink()
    books = written.ledger(code=1)
    assert "it was removed or replaced" in books["findings"][0]


def test_an_unreadable_database_is_no_finding(written):
    for file in written.folder.glob(f"{written.name}.db*"):
        file.unlink()
    written.database.write_text("this is no database" * 100)
    assert "database" in written.ledger(code=2)["error"]


def test_records_that_expired_after_they_were_written_balance(written):
    written.kafka.delete_records(written.topic("logs"), {0: 2})
    assert written.ledger("--recount")["balanced"]
    assert written.ledger("--recount")["recounted_rows"] == 20


def test_books_balance_at_every_moment_of_a_busy_worker(tenant):
    """Facts are gathered while they move: a finding here would be a false alarm."""
    batch = [build.logs_request([build.log(f"m{n}")] * 3).SerializeToString() for n in range(200)]
    batch += [b"\xff"] * 2
    headers = [("tenantry.items", "3")]
    tenant.start()
    for turn in range(12):
        for partition in (0, 1):
            tenant.kafka.produce_all(
                tenant.topic("logs"), batch, headers=headers, partition=partition
            )
        books = tenant.ledger("--recount")
        assert books["balanced"], books
    tenant.wait_rows(12 * 2 * 600)
    until(tenant.committed, 30, "the commits")
    assert tenant.ledger("--recount")["signals"]["logs"]["dead_lettered"] == 12 * 2 * 2 * 3


def independent_lag(tenant, next_offsets):
    """How many records wait and when the oldest of them was made, from Kafka alone by another
    client. next_offsets: {(topic, partition): next}"""
    waiting = [
        r.timestamp / 1000
        for what in SIGNALS
        for r in tenant.kafka.records(tenant.topic(what))
        if r.offset >= next_offsets.get((r.topic, r.partition), 0)
    ]
    return len(waiting), min(waiting, default=None)


def next_in_database(tenant):
    return {
        (topic, partition): next_offset
        for topic, partition, next_offset in tenant.sql(
            "SELECT topic, kafka_partition, next FROM tenantry_progress JOIN tenantry_source"
            " USING (source)"
        )
    }


def assert_lag(tenant, next_offsets):
    """The lag told is within 2 s of the age that the oldest record had while it was asked for."""
    records, made = independent_lag(tenant, next_offsets)
    asked = time.time()
    found = tenant.status()
    answered = time.time()
    assert found["lag_records"] == records
    assert asked - made - 2 < found["lag_seconds"] < answered - made + 2
    return found


@pytest.mark.sanitize
def test_lag_while_the_database_is_locked(tenant):
    tenant.logs(5)
    tenant.start()
    tenant.wait_rows(5)
    lock = sqlite3.connect(tenant.database, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    for n in range(4):
        tenant.logs(3, partition=n % 2)
        tenant.put("traces", build.traces_request([build.span()]))
    until(lambda: tenant.status()["consumer"]["state"] == "retrying", 30, "the worker retries")
    for _ in range(3):
        found = assert_lag(tenant, next_in_database(tenant))
        assert found["lag_records"] == 8
        time.sleep(1)
    assert "lock" in found["consumer"]["reason"]
    lock.execute("ROLLBACK")
    lock.close()
    tenant.wait_rows(17)
    until(lambda: tenant.status()["lag_records"] == 0, 30, "no lag")
    assert tenant.status()["lag_seconds"] == 0


def test_lag_without_a_worker_and_with_old_records(tenant):
    an_hour_ago = int((time.time() - 3600) * 1000)
    tenant.logs(1, timestamp=an_hour_ago, partition=1)
    tenant.logs(1)
    found = assert_lag(tenant, {})
    assert found["lag_records"] == 2
    assert found["lag_seconds"] >= 3600
    assert {u["next_said_by"] for u in found["partitions"]} == {"start"}
    assert found["consumer"]["state"] == "not running"


def test_lag_when_the_database_cannot_be_read(written):
    for file in written.folder.glob(f"{written.name}.db*"):
        file.unlink()
    written.database.write_text("this is no database" * 100)
    written.logs(2)
    group = written.kafka.group_offsets(f"tenantry.{written.name}")
    found = assert_lag(written, group)
    assert found["lag_records"] == 1
    assert found["written_items"] is None
    assert "commit" in {u["next_said_by"] for u in found["partitions"]}
    text = written.cli("status").stdout
    assert "the database cannot be read" in text


def test_lag_after_the_topic_was_recreated_with_more_records(written):
    written.kafka.delete_topic(written.topic("logs"))
    written.kafka.create_topic(written.topic("logs"), 2)
    for _ in range(5):
        written.logs(1)
    assert_lag(written, {})
    assert "recreated" in written.ledger(code=1)["findings"][0]
    written.start()
    written.wait_rows(35)
    until(written.committed, 30, "the commits")
    assert written.ledger("--recount")["balanced"]


def test_a_worker_that_was_killed_is_shown_as_dead(tenant):
    tenant.start()
    until(lambda: tenant.status()["consumer"]["state"] == "running", 60, "a running worker")
    tenant.worker.kill9()
    found = tenant.status()["consumer"]
    assert found["state"] == "dead"
    assert f"its process {tenant.worker.pid} is gone" in found["reason"]
    text = tenant.cli("status").stdout
    assert "dead" in text and "router not reachable at http://127.0.0.1:1/" in text


def test_status_without_kafka(tenant):
    done = tenant.cli("status", "--brokers", "127.0.0.1:1")
    assert done.returncode == 1
    assert "Kafka at 127.0.0.1:1 does not answer" in done.stdout
    assert tenant.cli("ledger", "--brokers", "127.0.0.1:1").returncode == 2


@pytest.mark.sanitize
def test_dead_letters(tenant):
    tenant.logs(5)
    for n in range(3):
        tenant.put("logs", b"\x0a\x05hello, this is no request", items=2, partition=n % 2)
    tenant.put("logs", bomb())
    tenant.put("traces", bomb("traces"), headers=False)  # a foreign writer's: it tells no items
    tenant.put("traces", b"\xff" * 400, headers=False)
    tenant.logs(5, partition=1)
    tenant.start()
    tenant.wait_rows(10)
    until(lambda: len(tenant.kafka.records(tenant.topic("dlq"))) == 6, 60, "six dead letters")
    until(tenant.committed, 30, "the commits")
    books = tenant.ledger("--recount")
    assert books["signals"]["logs"] == {
        "accepted": 10 + 6 + 100_000, "in_kafka": 0, "written": 10, "dropped": 0,
        "dead_lettered": 6 + 100_000, "lost_records": 0,
    }  # fmt: skip
    assert tenant.status()["dlq_records"] == 6
    groups = {(g["class"], g["code"], g["topic"]): g for g in tenant.json("dlq", "list")}
    malformed = groups["decode", "malformed", tenant.topic("logs")]
    assert (malformed["letters"], malformed["items"]) == (3, 6)
    assert "not a valid request" in malformed["sample"]
    assert abs(malformed["newest"] - time.time()) < 600
    big = groups["ceiling", "too_many_rows", tenant.topic("logs")]
    assert (big["letters"], big["items"]) == (1, 100_000)
    foreign = groups["ceiling", "too_many_rows", tenant.topic("traces")]
    assert (foreign["letters"], foreign["items"]) == (1, 0)
    assert groups["decode", "malformed", tenant.topic("traces")]["letters"] == 1
    assert "malformed" in tenant.cli("dlq", "list", tenant.name).stdout


def test_a_letter_sent_twice_counts_once(tenant):
    tenant.put("logs", b"\xff", items=1)
    tenant.start()
    topic = tenant.topic("dlq")
    until(lambda: tenant.kafka.records(topic), 60, "a dead letter")
    until(tenant.committed, 30, "the commits")
    letter = tenant.kafka.records(topic)[0]
    for partition in (0, 1):
        tenant.kafka.produce(topic, letter.value, letter.key, letter.headers, partition)
    (group,) = tenant.json("dlq", "list")
    assert group["letters"] == 1
    assert len(tenant.json("dlq", "show", tenant.name)) == 1
    assert tenant.ledger()["balanced"]


@pytest.mark.sanitize
def test_show_of_dead_letters(tenant):
    tenant.put("logs", b"\x0a\x05hello, this is no request", items=2)
    tenant.put("logs", bomb(), partition=1)
    tenant.start()
    until(lambda: len(tenant.kafka.records(tenant.topic("dlq"))) == 2, 60, "two dead letters")
    letters = {dict(x["headers"])["tenantry.error.code"]: x
               for x in tenant.json("dlq", "show", tenant.name)}
    bad = letters["malformed"]
    assert dict(bad["headers"])["__connect.errors.topic"] == tenant.topic("logs")
    assert bytes.fromhex(bad["first_bytes"]) == b"\x0a\x05hello, this is no request"
    assert "at byte" in bad["not_decodable"]
    big = letters["too_many_rows"]
    assert big["items"] == 100_000
    assert len(big["rows"]) == 10
    assert len(big["rows"][0]["ResourceAttributes"]) > 300
    (alone,) = tenant.json("dlq", "show", tenant.name, "--rows", "1", "--offset",
                           f"{big['partition']}:{big['offset']}")  # fmt: skip
    assert len(alone["rows"]) == 1
    (first,) = tenant.json("dlq", "show", tenant.name, "--limit", "1")
    assert first in (bad, big)
    text = tenant.cli("dlq", "show", tenant.name).stdout
    assert "0000  0a 05 68 65 6c 6c 6f 2c" in text
    assert "100000 log records, the first of them:" in text
    missing = tenant.cli("dlq", "show", tenant.name, "--offset", "0:99")
    assert missing.returncode == 1 and "holds the offsets" in missing.stderr
    assert tenant.cli("dlq", "show", tenant.name, "--offset", "x").returncode == 2


def test_check(tenant):
    done = tenant.cli("check")
    assert done.returncode == 0, done.stdout
    assert "does not exist yet" in done.stdout  # the database: fine
    assert f"ok: topic {tenant.topic('dlq')}: 2 partitions" in done.stdout
    assert f"cluster {tenant.kafka.cluster_id()}, 1 broker" in done.stdout
    tenant.configure(partitions=3)
    found = {c["what"]: c for c in tenant.json("check", code=1)}
    assert "it has 2 partitions" in found[f"topic {tenant.topic('logs')}"]["detail"]
    tenant.configure()
    tenant.kafka.delete_topic(tenant.topic("logs"))
    done = tenant.cli("check")
    assert done.returncode == 1
    assert f"problem: topic {tenant.topic('logs')}: it does not exist" in done.stdout


def test_check_of_files(tenant):
    (tenant.folder / "tenants.d" / "broken.conf").write_text('tenant: { idd = "broken"; };')
    tenant.database.write_text("this is no database" * 100)
    done = tenant.cli("check", "--brokers", "127.0.0.1:1")
    assert done.returncode == 1
    problems = [line for line in done.stdout.splitlines() if line.startswith("problem: ")]
    assert any("broken.conf:1" in p for p in problems)
    assert any("127.0.0.1:1 does not answer" in p for p in problems)
    assert any(f"database of tenant {tenant.name}" in p for p in problems)
    assert len(problems) == 3


@pytest.mark.sanitize
def test_check_of_certificates(tenant):
    config = tenant.folder / "tenantry.conf"
    config.write_text(f'state = "{tenant.folder}/state";\n'
                      f'kafka: {{ brokers = "{tenant.kafka.bootstrap}"; }};\n')
    done = tenant.cli("check")
    assert done.returncode == 1 and "cannot be opened" in done.stdout
    tenant.cli("certs", "dev", "--folder", tenant.folder / "certs", check=True)
    done = tenant.cli("check")
    assert done.returncode == 0, done.stdout
    assert "DNS:localhost" in done.stdout and "valid until" in done.stdout


def test_several_tenants_and_one_that_does_not_exist(tenant, kafka, tmp_path, tenantry):
    other = Tenant(kafka, tenant.name + "b", tmp_path, tenantry)
    tenant.logs(1)
    other.logs(2, partition=1)
    found = {t["tenant"]: t for t in tenant.json("status")["tenants"]}
    assert {name: t["lag_records"] for name, t in found.items()} == {
        tenant.name: 1, other.name: 1}  # fmt: skip
    assert len(tenant.json("ledger")) == 2
    done = tenant.cli("status", "nobody")
    assert done.returncode == 1 and 'no tenant "nobody"' in done.stderr


def test_a_worker_that_hangs_is_told(tenant):
    tenant.start()
    until(lambda: tenant.status()["consumer"]["state"] == "running", 60, "a running worker")
    os.kill(tenant.worker.pid, signal.SIGSTOP)
    try:
        until(lambda: "told nothing for" in (tenant.status()["consumer"]["reason"] or ""), 40,
              "the silence is told")
    finally:
        os.kill(tenant.worker.pid, signal.SIGCONT)


def test_status_of_a_whole_system(kafka, unique, tmp_path):
    other = unique + "b"
    system = System(tmp_path / "system", brokers=kafka.bootstrap, tenants=(unique, other))
    try:
        system.up()
        system.send(unique, "logs", 40)
        system.send(unique, "traces", 20, protocol="http/protobuf")
        system.cli("tenant", "suspend", unique)
        until(lambda: system.send(unique, "logs", 1, check=False).returncode == 1, 30,
              "refusals of a suspended tenant")

        def of(tenant):
            tenants = json.loads(system.cli("status", "--json").stdout)["tenants"]
            return next(t for t in tenants if t["tenant"] == tenant)

        until(lambda: of(unique)["lag_records"] == 0, 30, "everything is written")
        found = of(unique)
        assert found["suspended"]
        assert found["written_items"] == found["accepted_items"] >= 60
        assert found["written_traces"] == 20
        assert found["refused"]["suspended"]["requests"] >= 1
        assert found["consumer"]["state"] == "running"
        assert found["consumer"]["restarts"] == 0
        assert of(other)["accepted_items"] in (0, None)
        os.kill(system.child(f"consumer {unique} "), signal.SIGKILL)
        until(lambda: of(unique)["consumer"]["restarts"] == 1, 30, "the restart is counted")
        text = system.cli("status").stdout
        assert f"{unique}: suspended" in text and "not reachable" not in text
        assert system.cli("check").returncode == 0
        assert system.cli("ledger").returncode == 0
    finally:
        system.down()
