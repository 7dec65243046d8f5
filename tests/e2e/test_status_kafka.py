"""`tenantry status --kafka`: brokers and partitions in trouble, on a cluster that has some; and at nobody."""

import json
import socket
import time

import pytest

from support.cluster import Cluster
from support.ports import free_port
from support.proc import run_tenantry
from support.wait import until


@pytest.fixture(scope="module")
def pair():
    """Two brokers; a topic may live on one of them alone."""
    with Cluster(brokers=2) as cluster:
        yield cluster


def folder(path, brokers, tenants):
    (path / "tenants.d").mkdir()
    (path / "tenantry.conf").write_text(f'kafka: {{ brokers = "{brokers}"; }};\n')
    for tenant in tenants:
        (path / "tenants.d" / f"{tenant}.conf").write_text(f'tenant: {{ id = "{tenant}"; }};\n')
    return path / "tenantry.conf"


def test_a_broker_that_is_down(pair, unique, tmp_path):
    """Its topics have no leader, what has a copy elsewhere is under-replicated, the rest is well; text says what to do."""
    conf = folder(tmp_path, pair.bootstrap, [unique])
    topic = {what: f"otlp.{unique}.{what}" for what in ("traces", "metrics", "logs", "dlq")}
    pair.create_topic(topic["traces"], assignment=[[1], [2]])
    pair.create_topic(topic["metrics"], assignment=[[1, 2]])
    pair.create_topic(topic["logs"], assignment=[[1]])
    pair.create_topic(f"other-{unique}", assignment=[[2]])

    def ask():
        return json.loads(run_tenantry("--config", conf, "status", "--kafka", "--json").stdout)

    told = until(lambda: (a := ask())["trouble"] and len(a["trouble"]) == 1 and a, 60, "a cluster that is well")
    assert [b["id"] for b in told["brokers"]] == [1, 2] and told["brokers_gone"] == []
    assert told["trouble"][0]["topic"] == topic["dlq"] and told["trouble"][0]["missing"]
    assert told["tenants"] == {"topics": 3, "partitions": 4, "leaderless": 0, "under_replicated": 0}
    assert told["missing_topics"] == 1 and told["controller"] in (1, 2)
    pair.kill9(2)
    try:
        told = until(lambda: (a := ask())["brokers_gone"] == [2] and a["tenants"]["leaderless"] == 1 and a, 60, ask)
        assert [b["id"] for b in told["brokers"]] == [1]
        by_topic = {t["topic"]: t for t in told["trouble"]}
        assert set(by_topic) == {topic["traces"], topic["metrics"], topic["dlq"]}
        assert by_topic[topic["traces"]]["partitions"] == [
            {"partition": 1, "leader": None, "replicas": 1, "in_sync": by_topic[topic["traces"]]["partitions"][0]["in_sync"]}]
        assert by_topic[topic["metrics"]]["partitions"] == [{"partition": 0, "leader": 1, "replicas": 2, "in_sync": 1}]
        assert told["others"]["leaderless"] >= 1
        text = run_tenantry("--config", conf, "status", "--kafka").stdout
        for line in ("down", "start a broker that holds it", "fewer copies", "missing: its senders get 503"):
            assert line in text, text
        assert topic["logs"] not in text and f"other-{unique}" not in text
    finally:
        pair.start_broker(2)


@pytest.mark.parametrize("kind", ["nobody", "silent"])
def test_a_kafka_that_does_not_answer(kind, tmp_path):
    """Nobody listens, or somebody who takes connections and says nothing: an answer in bounded time."""
    with socket.socket() as silent:
        port = free_port()
        if kind == "silent":
            silent.bind(("127.0.0.1", port))
            silent.listen(16)
        conf = folder(tmp_path, f"127.0.0.1:{port}", ["acme"])
        for args in (["--kafka"], []):
            begun = time.monotonic()
            done = run_tenantry("--config", conf, "status", *args, check=False, timeout=120)
            assert done.returncode == 1
            assert "does not answer" in done.stdout + done.stderr, done
            assert time.monotonic() - begun < 60
        told = json.loads(run_tenantry("--config", conf, "status", "--kafka", "--json", check=False).stdout)
        assert told["reachable"] is False and f"127.0.0.1:{port}" in told["problem"]
