"""config/alerts.rules.yml: what it names is there, and each alert is seen to fire on a real system that was
brought into its state, by Prometheus' own engine; on one that is well none does."""

import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest

from support import prometheus
from support.cluster import Cluster
from support.metrics import parse, select, total
from support.ports import free_port
from support.system import System
from support.wait import until
from support.workers import Site

SHOWN = {
    "nobody answers": {"TenantryDown"},
    "kafka is dead": {"TenantryKafkaUnreachable", "TenantrySendersAreTurnedAway", "TenantryClusterUnreachable"},
    "kafka is slow": {"TenantryAcksAreSlow", "TenantryPossibleDuplicates"},
    "senders": {"TenantryTenantIsThrottled", "TenantryKeysAreGuessed", "TenantryConnectionsRefused"},
    "files": {"TenantryConfigRefused", "TenantryCertificateRefused"},
    "certificate": {"TenantryCertificateExpires", "TenantryCertificateExpiresNow"},
    "parked": {"TenantryTenantParked", "TenantryPartitionParked", "TenantryDeadLetters"},
    "locked": {"TenantryDatabaseRefusesWrites", "TenantryLag", "TenantryRetentionHalfSpent", "TenantryRetentionNearlySpent"},
    "late": {"TenantryWrittenLate"},
    "lost": {"TenantryRecordsLost"},
    "books": {"TenantryBooksDoNotBalance", "TenantryTopicsMissing"},
    "processes": {"TenantryProcessDown", "TenantryProcessRestarts"},
    "brokers": {"TenantryPartitionsWithoutLeader", "TenantryPartitionsUnderReplicated", "TenantryBrokerDown"},
    "edited": {"TenantryDiskFillsUp", "TenantryMetricSeriesRefused"},
}


@pytest.fixture
def make(tmp_path, unique):
    """A system that runs at this Kafka."""
    made = []

    def make(kafka, backoff="300ms", **extra):
        system = System(tmp_path / f"system{len(made)}", brokers=kafka.bootstrap, extra={
            "kafka": f'prefix = "{unique}";',
            "supervisor": 'lag_interval = "200ms"; ledger_interval = "1s";', **extra})
        system.prefix = unique
        system.conf.write_text(system.conf.read_text().replace('backoff_max = "300ms"', f'backoff_max = "{backoff}"'))
        made.append(system)
        system.up()
        until(lambda: total(page(system), "tenantry_cluster_reachable") == 1, 60, "a look at Kafka")
        return system

    yield make
    for system in made:
        system.down()


def page(system):
    return until(lambda: system.http("/metrics")[1], 60, "the metrics")


def fires(state, before, after):
    """The alerts of this state fire, with a summary whose gaps are filled."""
    fired = prometheus.alerts(prometheus.going_on(before, after))
    missing = SHOWN[state] - {a["alert"] for a in fired}
    assert not missing, f"{missing} do not fire, but {fired}\n{after}"
    for alert in fired:
        assert len(alert["summary"]) > 40 and not re.search(r"\{\{|<no value>", alert["summary"]), alert
    return fired


def put(system, kafka, tenant, value=None, partition=0, timestamp=None, **headers):
    """One record straight into Kafka, as a router makes it."""
    given = {"v": "1", "tenant": tenant, "key": "k", "received_ns": time.time_ns(), "items": 1, **headers}
    if value is None:
        from support import otlp_build as build

        value = build.logs_request([build.log("x")]).SerializeToString()
    kafka.produce(f"{system.prefix}.{tenant}.logs", value, None,
                  [(f"tenantry.{k}", str(v).encode()) for k, v in given.items()], partition, timestamp)


def test_every_alert_is_shown_to_fire():
    """By a test below."""
    assert set().union(*SHOWN.values()) == prometheus.names()


def test_metrics_and_labels_of_the_rules_are_there(make, kafka):
    """Each label that a rule names is one of its metric's, at a system that has seen a little of everything."""
    system = make(kafka)
    for tenant in system.keys:
        system.send(tenant, "logs", 10)
    system.send("acme", "logs", 1, "--no-retry", "--key", "tnt_AAAAAAAA_" + "x" * 30, check=False)
    until(lambda: total(page(system), "tenantry_consumer_written_records_total") >= 2, 60, "what was sent")
    until(lambda: select(page(system), "tenantry_ledger_findings"), 60, "a check of the books")
    have = {}
    for name, labels, _ in parse(page(system)):
        have.setdefault(name, set()).update(labels)
    rare = {"tenantry_possible_duplicates_total", "tenantry_router_connections_refused_total"}
    exprs = re.findall(r"^ +expr: (>-\n(?:  +.*\n)+?(?= +(?:for|labels):)|.*\n)", prometheus.RULES.read_text(), re.M)
    assert len(exprs) == len(prometheus.names())
    for expr in exprs:
        used = set(re.findall(r"tenantry_\w+", expr))
        assert used or "up{" in expr
        assert used - rare <= set(have), used - rare - set(have)
        known = set().union(*(have.get(n, set()) for n in used), {"instance", "job", "le"})
        for inside in re.findall(r"(?:by|on) \(([\w, ]+)\)", expr):
            names = set(inside.replace(" ", "").split(","))
            assert used & rare or names <= known, (expr, names - known)
        for name, selector in re.findall(r"(tenantry_\w+)\{([^}]*)\}", expr):
            wanted = set(re.findall(r"(\w+)[=!]", selector))
            assert name in rare or wanted <= have[name], (expr, wanted)


@pytest.mark.long
def test_a_system_that_is_well(make, kafka):
    """Under load nothing fires; when nobody answers, one does. What cannot be provoked is edited in its page."""
    system = make(kafka)
    before = page(system)
    for tenant in system.keys:
        system.send(tenant, "logs", 500)
        until(lambda t=tenant: system.count(t) == 500, 60, "the rows")

    def caught_up():
        """The last look saw all that was sent, and it written."""
        text = page(system)
        done = [total(text, f"tenantry_{what}_records_total") for what in ("produced", "consumed")]
        return text if done == [10, 10] and total(text, "tenantry_cluster_missing_topics") == 0 else None

    after = until(caught_up, 60, "a look that finds all written")
    slow = {"TenantryAcksAreSlow", "TenantryWrittenLate"}  # as the machine may be
    assert {a["alert"] for a in prometheus.alerts(prometheus.going_on(before, after))} <= slow
    fires("nobody answers", before, None)
    edited = re.sub(r"^(tenantry_state_free_bytes\S*) \S+$", r"\1 5e9", after, flags=re.M)
    edited = re.sub(r"^(tenantry_state_disk_bytes\S*) \S+$", r"\1 100e9", edited, flags=re.M)
    edited = re.sub(r"^(tenantry_metric_series_refused_total) 0$", r"\1 1", edited, flags=re.M)
    fires("edited", before, edited)


@pytest.mark.long
def test_kafka_slow_and_dead(make, own_kafka):
    system = make(own_kafka)
    system.send("acme", "logs", 10)
    before = page(system)
    own_kafka.pause()
    sender = threading.Thread(target=system.send, args=("acme", "logs", 10, "--no-retry"), kwargs={"check": False})
    sender.start()
    sender.join()  # the router gives up before Kafka goes on
    own_kafka.resume()
    until(lambda: total(page(system), "tenantry_possible_duplicates_total", tenant="acme") > 0, 60, "possible duplicates")
    fires("kafka is slow", before, page(system))
    system.wait_ready()
    before = page(system)
    own_kafka.kill9()
    until(lambda: select(page(system), "tenantry_kafka_up") == [0], 60, "Kafka is noticed to be away")
    until(lambda: select(page(system), "tenantry_cluster_reachable") == [0], 60, "by the supervisor, too")
    system.send("acme", "logs", 10, "--no-retry", check=False)
    fires("kafka is dead", before, page(system))


@pytest.mark.long
def test_senders_and_files(make, kafka):
    system = make(kafka, router="max_connections = 30;")
    other = make(kafka)  # whose keys nobody knows here
    system.add_tenant("slow")
    (system.folder / "tenants.d" / "slow.conf").write_text(
        'tenant: { id = "slow"; limits: { requests = "1/s"; wait = "0ms"; }; };\n')
    system.send("acme", "logs", 10)

    def refused():
        system.send("slow", "logs", 50, "--batch", "1", "--no-retry", check=False)
        return total(page(system), "tenantry_requests_total", tenant="slow", outcome="over_requests") > 20

    before = page(system)
    until(refused, 60, "refusals")
    subprocess.run([os.environ["TENANTRY_BIN"], *system.send_args("acme", "logs", 400, key=other.keys["acme"]),
                    "--batch", "1", "--no-retry"], check=False, capture_output=True, timeout=120)
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(socket.create_connection(("127.0.0.1", system.port)))
        refused = "tenantry_router_connections_refused_total"
        until(lambda: total(page(system), refused, reason="connections") > 0, 60, "refused connections")
    after = page(system)
    assert total(after, "tenantry_auth_failures_total", reason="unknown") > 75
    fires("senders", before, after)
    before = page(system)
    (system.folder / "tenants.d" / "slow.conf").write_text("tenant: { nonsense\n")
    certificate = system.folder / "certs" / "server.pem"
    good = certificate.read_text()
    certificate.write_text("nonsense\n")
    until(lambda: total(page(system), "tenantry_config_refused") and total(page(system), "tenantry_certificate_refused"),
          60, "both refusals")
    fires("files", before, page(system))
    certificate.write_text(good)
    until(lambda: total(page(system), "tenantry_certificate_refused") == 0, 60, "the good one")
    key = system.folder / "certs" / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    soon = time.time() + 2 * 86400
    until(lambda: 0 < total(page(system), "tenantry_certificate_expires_seconds") < soon, 60, "the short one")
    fires("certificate", before, page(system))


@pytest.mark.long
def test_databases_and_records(make, kafka):
    system = make(kafka)
    for tenant in system.keys:
        system.send(tenant, "logs", 10)
        until(lambda t=tenant: system.count(t) == 10, 60, "the rows")
    before = page(system)
    with contextlib.closing(sqlite3.connect(system.database("acme"), timeout=60)) as db:
        db.isolation_level = None
        db.execute("BEGIN EXCLUSIVE")
        put(system, kafka, "acme", timestamp=int((time.time() - 5.5 * 3600) * 1000))
        until(lambda: total(page(system), "tenantry_lag_retention_ratio", tenant="acme") > 0.8
              and total(page(system), "tenantry_consumer_state", tenant="acme", state="retrying") == 1, 60, "an old lag")
        fires("locked", before, page(system))
        db.execute("ROLLBACK")
    until(lambda: total(page(system), "tenantry_lag_records", tenant="acme") == 0, 60, "all is written")
    before = page(system)
    put(system, kafka, "acme", received_ns=time.time_ns() - 200 * 10**9)
    late = "tenantry_consumer_written_latency_seconds_bucket"
    slow = total(before, late, tenant="acme", le="+Inf") - total(before, late, tenant="acme", le="60")
    until(lambda: total(page(system), late, tenant="acme", le="+Inf") - total(page(system), late, tenant="acme", le="60")
          > slow, 60, "the late one")  # fmt: skip
    fires("late", before, page(system))
    before = page(system)
    worker = system.child("consumer acme ")
    os.kill(worker, signal.SIGKILL)  # and the records that come meanwhile expire before the next one reads
    with contextlib.closing(sqlite3.connect(system.database("acme"), timeout=60)) as db:
        db.isolation_level = None
        db.execute("BEGIN EXCLUSIVE")
        topic = f"{system.prefix}.acme.logs"
        for _ in range(3):
            put(system, kafka, "acme", partition=1)
        kafka.delete_records(topic, {1: kafka.end_offsets(topic)[1]})
        put(system, kafka, "acme", partition=1)
        db.execute("ROLLBACK")
    until(lambda: total(page(system), "tenantry_consumer_lost_records_total", tenant="acme") > 0, 60, "lost records")
    fires("lost", before, page(system))
    before = page(system)
    put(system, kafka, "beta", value=b"\xff\xff\xff", partition=0)
    put(system, kafka, "beta", v=99, partition=1)
    until(lambda: total(page(system), "tenantry_consumer_dead_letters_total", tenant="beta") > 0
          and total(page(system), "tenantry_consumer_parked", tenant="beta") == 1, 60, "a dead letter, a parked partition")
    until(lambda: total(page(system), "tenantry_consumer_state", tenant="beta", state="parked") == 1, 60, "its state")
    fires("parked", before, page(system))


@pytest.mark.long
def test_books_topics_and_processes(make, kafka):
    system = make(kafka, backoff="1h")
    system.send("acme", "logs", 10)
    until(lambda: system.count("acme") == 10, 60, "the rows")
    until(lambda: select(page(system), "tenantry_ledger_findings", tenant="acme"), 60, "a check of the books")
    before = page(system)
    with contextlib.closing(sqlite3.connect(system.database("acme"), timeout=60)) as db, db:
        db.execute("UPDATE tenantry_progress SET records = records + 1")
    until(lambda: total(page(system), "tenantry_ledger_findings", tenant="acme") > 0, 60, "a finding")

    def missing():
        with contextlib.suppress(Exception):  # it is made anew at any moment
            kafka.admin.delete_topics([f"{system.prefix}.beta.dlq"])[f"{system.prefix}.beta.dlq"].result(30)
        text = page(system)
        return text if total(text, "tenantry_cluster_missing_topics") > 0 else None

    fires("books", before, until(missing, 60, "a missing topic"))
    before = page(system)

    def down():
        if worker := system.child("consumer beta "):
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        text = page(system)
        restarts = total(text, "tenantry_process_restarts_total", process="consumer beta")
        return text if restarts > 3 and select(text, "tenantry_process_running", process="consumer beta") == [0] else None

    fires("processes", before, until(down, 240, "a worker that does not run"))


@pytest.mark.long
def test_brokers(tmp_path, unique, tenantry):
    """Of a supervisor alone, at two brokers of which one dies."""
    with Cluster(brokers=2) as pair:
        site = Site(tmp_path / "site", pair)
        port = free_port()
        site.conf.write_text(site.conf.read_text().replace("consumer:", (
            f'supervisor: {{ admin = "127.0.0.1:{port}"; lag_interval = "200ms"; }};\nconsumer:')))
        for what, where in (("traces", [[1]]), ("metrics", [[1, 2]]), ("logs", [[2]]), ("dlq", [[1]])):
            pair.create_topic(f"otlp.{unique}.{what}", assignment=where)
        (site.folder / "tenants.d" / f"{unique}.conf").write_text(f'tenant: {{ id = "{unique}"; }};\n')
        tenantry("--config", site.conf, "supervise")

        def metrics():
            answer = subprocess.run(["curl", "-s", f"http://127.0.0.1:{port}/metrics"], capture_output=True, text=True)
            return answer.stdout

        until(lambda: select(metrics(), "tenantry_cluster_brokers") == [2], 60, "both brokers")
        before = metrics()
        pair.kill9(2)
        until(lambda: select(metrics(), "tenantry_cluster_leaderless_partitions") == [1]
              and select(metrics(), "tenantry_cluster_brokers_gone") == [1], 60, "the trouble")  # fmt: skip
        fires("brokers", before, metrics())
