"""`plan` and `apply`: tenants' topics as the config says, looked at and changed by an independent client."""

import json
import os
import pty
import subprocess

import pytest
from confluent_kafka.admin import ConfigResource

from support.kafka import Client
from support.proc import run_tenantry, tenantry_bin
from support.wait import until

SIGNALS = ("traces", "metrics", "logs")


class Home:
    """A folder with a config and tenants' files, a topic prefix of its own, no processes."""

    def __init__(self, folder, kafka, prefix):
        self.folder, self.prefix, self.client = folder, prefix, Client(kafka.bootstrap)
        (folder / "tenants.d").mkdir(parents=True)
        self.conf = folder / "tenantry.conf"
        self.conf.write_text(f'kafka: {{ brokers = "{kafka.bootstrap}"; prefix = "{prefix}"; }};\n')

    def tenant(self, name, topics=""):
        (self.folder / "tenants.d" / f"{name}.conf").write_text(
            f'tenant: {{ id = "{name}"; topics: {{ {topics} }}; }};\n')

    def run(self, *args, code=0, env=None):
        done = run_tenantry("--config", self.conf, *args, check=False, env=env)
        assert done.returncode == code, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def plan(self, *args):
        """What differs: {topic: {property: (now, wanted, care)}}, and the whole answer."""
        done = run_tenantry("--config", self.conf, "plan", "--json", *args, check=False)
        answer = json.loads(done.stdout)
        differs = {t["topic"]: {c["property"]: (c["now"], c["wanted"], c["care"]) for c in t["changes"]}
                   for t in answer["topics"] if t["changes"]}
        nothing = not differs and not answer["missing"] and not answer["problems"]
        assert done.returncode == (0 if nothing else 2), done
        return differs, answer

    def topic(self, tenant, kind):
        return f"{self.prefix}.{tenant}.{kind}"

    def topics(self):
        return [t for t in self.client.topics() if t.startswith(f"{self.prefix}.")]

    def config(self, topic):
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        entries = self.client.admin.describe_configs([resource])[resource].result(30)
        return {name: entry.value for name, entry in entries.items()}

    def clean(self):
        for future in self.client.admin.delete_topics(self.topics()).values():
            future.result(60)


@pytest.fixture
def home(kafka, tmp_path, unique):
    made = Home(tmp_path / "home", kafka, unique)
    yield made
    if made.topics():
        made.clean()


def from_nothing(home, tenants):
    """Killed after the first of its requests, `apply` makes the rest when it is run again."""
    for i in range(tenants):
        home.tenant(f"t{i}", "partitions = 3;" if i == 0 else "")
    names = {home.topic(f"t{i}", kind) for i in range(tenants) for kind in (*SIGNALS, "dlq")}
    assert home.plan()[1]["missing"] == len(names)
    killed = home.run("apply", code=-9, env={"TENANTRY_FAULT": "topics-made:1"})
    assert "it is made: partitions 2" in killed.stdout
    at_first = set(until(home.topics, 30, "the topics of the first request"))
    assert at_first < names
    done = home.run("apply")
    assert f"{len(names) - len(at_first)} topics made, 0 changes made." in done.stdout
    assert set(home.topics()) == names
    assert len(home.client.partitions(home.topic("t0", "logs"))) == 3
    assert len(home.client.partitions(home.topic("t1", "dlq"))) == 2
    return names


def assert_unchanged_by_another_apply(home, names):
    before = {name: home.config(name) for name in sorted(names)[:8]}
    assert f"Nothing to do: {len(names)} topics of {len(names) // 4} tenants" in home.run("apply").stdout
    assert "Nothing to do" in home.run("plan").stdout
    assert {name: home.config(name) for name in before} == before


def test_from_nothing_with_a_kill(home):
    names = from_nothing(home, 26)  # one request holds the topics of 25
    logs, dlq = home.config(home.topic("t1", "logs")), home.config(home.topic("t1", "dlq"))
    assert (logs["retention.ms"], dlq["retention.ms"]) == (str(6 * 3600_000), str(7 * 24 * 3600_000))
    assert 10_000_000 < int(logs["max.message.bytes"]) < int(dlq["max.message.bytes"]) < 12_000_000
    assert {logs["cleanup.policy"], dlq["cleanup.policy"]} == {"delete"}
    assert (logs["min.insync.replicas"], logs["compression.type"]) == ("1", "producer")
    assert_unchanged_by_another_apply(home, names)


@pytest.mark.long
def test_from_nothing_for_fifty_tenants(home):
    assert_unchanged_by_another_apply(home, from_nothing(home, 50))


def test_a_drifted_topic_is_shown_and_mended(home):
    """What Tenantry knows nothing of stays as somebody else has set it."""
    home.tenant("acme")
    home.tenant("beta")
    home.run("apply")
    logs = home.topic("acme", "logs")
    home.client.alter_topic(logs, {"retention.ms": "60000", "max.message.bytes": "1000", "segment.bytes": "20000000",
                                   "cleanup.policy": "compact,delete", "compression.type": "zstd",
                                   "unclean.leader.election.enable": "true", "retention.bytes": "4096"})
    differs = until(lambda: home.plan()[0], 30, "a difference")
    assert differs == {logs: {
        "retention.ms": ("60000", "21600000", "safe"),
        "retention.bytes": ("4096", "-1", "safe"),
        "max.message.bytes": ("1000", "10092544", "safe"),
        "cleanup.policy": ("compact,delete", "delete", "safe"),
        "compression.type": ("zstd", "producer", "safe"),
        "unclean.leader.election.enable": ("true", "false", "safe")}}
    shown = home.run("plan", code=2).stdout
    assert "~ retention.ms 1m -> 6h: records stay longer" in shown and "360 times" in shown
    assert home.plan("beta")[0] == {}
    home.run("apply", "beta")
    assert home.config(logs)["retention.ms"] == "60000"
    assert "0 topics made, 6 changes made." in home.run("apply").stdout
    now = home.config(logs)
    assert (now["retention.ms"], now["segment.bytes"]) == ("21600000", "20000000")
    assert home.plan()[0] == {}


def test_killed_between_partitions_and_settings(home):
    home.tenant("acme")
    home.run("apply")
    home.tenant("acme", 'partitions = 4; retention = "9h";')
    home.run("apply", code=-9, env={"TENANTRY_FAULT": "topics-raised:1"})
    until(lambda: len(home.client.partitions(home.topic("acme", "logs"))) == 4, 30, "new partitions")
    assert home.config(home.topic("acme", "logs"))["retention.ms"] == str(6 * 3600_000)
    assert "0 topics made, 3 changes made." in home.run("apply").stdout
    assert home.config(home.topic("acme", "logs"))["retention.ms"] == str(9 * 3600_000)
    assert home.plan()[0] == {}


def on_terminal(home, answer, *args):
    """Runs it where a person could answer, and gives its exit code."""
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen([tenantry_bin(), "--config", home.conf, *args], stdin=slave, stderr=slave,
                                   stdout=subprocess.DEVNULL)
        os.write(master, answer.encode() + b"\n")
        return process.wait(120)
    finally:
        os.close(slave)
        os.close(master)


def test_what_loses_data_asks(home):
    home.tenant("acme")
    home.run("apply")
    logs = home.topic("acme", "logs")
    home.tenant("acme", 'retention = "1h"; dlq_retention = "10d";')
    refused = home.run("apply", code=1)
    assert "! retention.ms 6h -> 1h: Kafka deletes records older than 1h" in refused.stdout
    assert "3 changes marked with ! may lose data" in refused.stderr and "nothing was changed" in refused.stderr
    assert on_terminal(home, "y", "apply") == 1
    assert home.config(logs)["retention.ms"] == str(6 * 3600_000)
    assert "1 change made. 3 left out by --safe." in home.run("apply", "--safe", code=1).stdout
    assert home.config(home.topic("acme", "dlq"))["retention.ms"] == str(10 * 24 * 3600_000)
    assert on_terminal(home, "yes", "apply") == 0
    assert home.config(logs)["retention.ms"] == str(3600_000)
    home.tenant("acme", 'retention = "30m"; dlq_retention = "10d";')
    home.run("apply", "--yes")
    assert home.config(logs)["retention.ms"] == str(1800_000)


def test_what_cannot_be_made_holds_up_nothing_else(home):
    """Fewer partitions are nothing that Kafka does; three copies need three brokers."""
    home.tenant("acme", "partitions = 3;")
    home.run("apply")
    home.tenant("acme", "partitions = 2;")
    home.tenant("beta", "replication = 3;")
    home.tenant("gamma")
    done = home.run("apply", code=1)
    assert "x partitions 3 -> 2: Kafka cannot take partitions away: set topics.partitions to 3" in done.stdout
    assert "4 topics made, 0 changes made. 4 topics are left" in done.stdout and "4 by hand" in done.stdout
    reason = next(line for line in done.stdout.splitlines() if line.startswith(f"{home.topic('beta', 'logs')}: "))
    assert "too few brokers alive for so many copies" in reason
    assert len(home.client.partitions(home.topic("acme", "logs"))) == 3
    assert home.topic("gamma", "logs") in home.topics() and home.topic("beta", "logs") not in home.topics()


def test_partitions_by_trace_id_stay(home):
    """More of them in place would tear traces apart."""
    home.tenant("acme", 'partition_by = "trace_id";')
    home.run("apply")
    home.tenant("acme", 'partition_by = "trace_id"; partitions = 4;')
    done = home.run("apply", code=1)
    assert "x partitions 2 -> 4: a record's partition follows from its trace id" in done.stdout
    assert "2 changes made. 2 by hand" in done.stdout
    found = {kind: len(home.client.partitions(home.topic("acme", kind))) for kind in (*SIGNALS, "dlq")}
    assert found == {"traces": 2, "logs": 2, "metrics": 4, "dlq": 4}


def test_too_many_replicas_are_told(home):
    home.conf.write_text(home.conf.read_text().replace("prefix", "max_replicas = 5; prefix"))
    home.tenant("acme", "partitions = 6;")
    shown = home.run("plan", code=2).stdout
    assert "1 broker should hold 5 at most" in shown and "Warning: that is more than kafka.max_replicas" in shown


def test_without_kafka_nothing_is_told(home):
    home.tenant("acme")
    done = home.run("plan", "--brokers", "127.0.0.1:1", code=1)
    assert "does not answer" in done.stderr and done.stdout == ""
    assert 'there is no tenant "nobody"' in home.run("apply", "nobody", code=1).stderr
