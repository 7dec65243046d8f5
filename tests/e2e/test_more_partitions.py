"""A tenant gets more partitions while it sends: nothing is lost or doubled, and they are used soon."""

import json
import time

import pytest
from confluent_kafka import KafkaException

from support.kafka import Client
from support.load import Load, assert_exactly_once, settle
from support.system import System
from support.wait import until


def in_all(client, topic):
    """All of six partitions hold records. A new one is in the metadata before its leader knows of it."""
    try:
        return all(client.end_offsets(topic).get(p) for p in range(6))
    except KafkaException:
        return False


def rows(system, topic):
    """Records that are written, by partition."""
    found = system.sql("acme", """SELECT p.kafka_partition AS partition, p.records AS records FROM tenantry_progress p
                                  JOIN tenantry_source s ON s.source = p.source WHERE s.topic = ?""", topic)
    return {r["partition"]: r["records"] for r in found if r["records"]}


@pytest.mark.timeout(900)
def test_partitions_are_raised_under_load(kafka, tmp_path, unique):
    system = System(tmp_path / "system", kafka.bootstrap, tenants=("acme",),
                    extra={"kafka": f'prefix = "{unique}";'})
    client, logs = Client(kafka.bootstrap), f"{unique}.acme.logs"
    system.up()
    load = Load(system, tmp_path, rate=2000, tenants=("acme",))
    status = system.folder / "state/run/consumer-acme.json"

    def worker():
        try:
            return json.loads(status.read_text())
        except (FileNotFoundError, ValueError):
            return {}

    try:
        until(lambda: system.count("acme") > 500, 120, "the first rows")
        first = worker().get("pid")
        file = system.folder / "tenants.d/acme.conf"
        file.write_text('tenant: { id = "acme"; topics: { partitions = 6; }; };\n')
        # A worker takes up its changed file by a restart; the partitions come afterwards.
        until(lambda: worker().get("pid") not in (None, first) and worker().get("state") == "running", 120, "the worker's restart")
        restarted = worker()["pid"]
        assert "partitions 2 -> 6" in system.cli("plan", check=False).stdout
        system.cli("apply")
        begun = time.monotonic()
        until(lambda: in_all(client, logs), 120, "records in all six partitions")
        produced = time.monotonic() - begun
        until(lambda: len(rows(system, logs)) == 6, 120, lambda: f"rows of all six partitions: {rows(system, logs)}")
        written = time.monotonic() - begun
        print(f"new partitions: first records after {produced:.1f} s, written after {written:.1f} s")
        assert worker()["pid"] == restarted
        load.stop()
        assert_exactly_once(settle(load), at_least=1000)
        assert "Nothing to do" in system.cli("plan").stdout
        assert system.cli("ledger").returncode == 0
        system.end()
    finally:
        system.down()


@pytest.mark.timeout(900)
def test_partitions_grow_by_themselves(kafka, tmp_path, unique):
    """Up to the ceiling, by rate; another tenant's topics and the DLQ stay."""
    system = System(tmp_path / "system", kafka.bootstrap,
                    extra={"kafka": f'prefix = "{unique}";', "supervisor": 'lag_interval = "1s";'})
    (system.folder / "tenants.d/acme.conf").write_text(
        'tenant: { id = "acme"; topics: { grow: { most = 6; rate = "1KB/s"; after = "1s"; pause = "1s"; }; }; };\n')
    client, logs = Client(kafka.bootstrap), f"{unique}.acme.logs"
    system.up()
    load = Load(system, tmp_path, rate=1500)
    try:
        until(lambda: len(client.partitions(logs)) == 6, 120, "six partitions of the logs topic")
        system.process.wait_log(rf'msg="a topic gets more partitions".* topic={logs} .*because=rate')
        until(lambda: in_all(client, logs), 120, "records in all six partitions")
        until(lambda: len(rows(system, logs)) == 6, 120, "rows of all six partitions")
        load.stop()
        assert_exactly_once(settle(load), at_least=500)
        assert len(client.partitions(f"{unique}.acme.dlq")) == len(client.partitions(f"{unique}.beta.logs")) == 2
        assert "Nothing to do" in system.cli("plan").stdout
        system.end()
    finally:
        system.down()
