"""What Kafka says about one tenant's topics is told to that tenant alone, as what it is; one whose records
Kafka does not take moves aside and comes back by itself (DESIGN §4 Isolation)."""

import contextlib
import json
import random
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import otlp_build as build
from support.mock_kafka import NOT_ENOUGH_REPLICAS, MockKafka
from support.proc import start_tenantry
from support.system import System
from support.wait import until
from support.wire import PROTOBUF, bearer, grpc_call, http1, retry_delay

LOGS = build.logs_request([build.log("hello")]).SerializeToString()
BIG = build.logs_request([build.log(random.Random(1).randbytes(50_000).hex())]).SerializeToString()

# What is wrong with the tenant's topic; the answer; what the log advises.
TROUBLES = {
    "missing": (None, "topic_missing", 503, 14, "make missing topics"),
    "narrow": ({"max.message.bytes": "500"}, "record_too_large", 413, 8, "raise max.message.bytes"),
    "keyed": ({"cleanup.policy": "compact"}, "not_permitted", 503, 14, "broker's log"),
}


@contextlib.contextmanager
def running(folder, brokers, tenants, prefix, settings=""):
    """The router alone; the topics are the test's."""
    system = System(folder, brokers=brokers, tenants=tenants,
                    extra={"kafka": f'prefix = "{prefix}";', "router": settings})  # fmt: skip
    system.process = start_tenantry("--config", system.conf, "router", log=folder / "router.log",
                                    name="router", cwd=folder)  # fmt: skip
    until(lambda: system.http("/readyz")[0] == 200, 60, "readiness of the router")
    yield system
    assert system.process.terminate(60) == 0


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    kafka.create_topic("iso.well.logs")
    for tenant, (config, *_) in TROUBLES.items():
        if config is not None:
            kafka.create_topic(f"iso.{tenant}.logs", config=config)
    folder = tmp_path_factory.mktemp("isolation")
    with running(folder, kafka.bootstrap, ("well", *TROUBLES), "iso") as system:
        until(lambda: push(system, "well").status == 200, 30, "the first success")
        yield system


def push(system, tenant, body=LOGS):
    return http1(system, body=body, headers={"Content-Type": PROTOBUF, **bearer(system.keys[tenant])})


def metric(system, name, **labels):
    """The sum of the series of that name with these labels; None without one."""
    found = []
    for line in system.http("/metrics")[1].splitlines():
        match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if match and match[1] == name and labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', match[2] or "")).items():
            found.append(float(match[3]))
    return sum(found) if found else None


def lines(system, message, tenant):
    return [x for x in system.process.output().splitlines() if f'msg="{message}' in x and f"tenant={tenant} " in x + " "]


@pytest.mark.parametrize("tenant", TROUBLES)
def test_each_error_has_its_answer(system, tenant):
    """R126, R127: status over HTTP and gRPC, counter, log line with tenant, topic and advice."""
    _, outcome, status, code, advice = TROUBLES[tenant]
    answer = push(system, tenant, BIG)
    assert (answer.status, answer.rpc_status.code) == (status, code), answer
    assert (retry_delay(answer.rpc_status) is not None) == (status == 503)
    call = grpc_call(system, "logs", BIG, bearer(system.keys[tenant]))
    assert call.code == code
    assert metric(system, "tenantry_requests_total", tenant=tenant, outcome=outcome) == 2
    (line, *_) = until(lambda: lines(system, "Kafka did not take a record", tenant), 20, "the log line")
    assert f"topic=iso.{tenant}.logs" in line and advice in line, line
    assert push(system, "well").status == 200


@contextlib.contextmanager
def mock_kafka(tenants):
    with MockKafka() as mock:
        for tenant in tenants:  # before somebody asks for them, which would make them with more partitions
            mock.create_topic(f"mock.{tenant}.logs")
        yield mock


def answers(system, tenant, stop):
    """Pushes until told to stop; the answers."""
    found = []
    while not stop.is_set():
        found.append(push(system, tenant, BIG))
        stop.wait(0.05)
    return found


def test_it_moves_aside_and_comes_back(tmp_path):
    """A topic without a leader: its tenant is told to wait, at once and by 429 / 14 (R207); its neighbour's
    requests all succeed; told in log, metric and status; well again by itself."""
    tenants = ("stuck", "well")
    with mock_kafka(tenants) as mock, running(tmp_path, mock.bootstrap, tenants, "mock",
                                              'answer_timeout = "6s";') as system:  # fmt: skip
        for tenant in tenants:
            until(lambda: push(system, tenant).status == 200, 30, "the first success")
        mock.set_leader("mock.stuck.logs", None)
        stop = threading.Event()
        with ThreadPoolExecutor(8) as pool:
            senders = [pool.submit(answers, system, "stuck", stop) for _ in range(6)]
            neighbour = pool.submit(answers, system, "well", stop)
            try:
                until(lambda: metric(system, "tenantry_produce_slow_lane", tenant="stuck") == 1, 60, "the metric")
                until(lambda: metric(system, "tenantry_requests_total", tenant="stuck", outcome="stalled"), 60, "429")
                until(lambda: metric(system, "tenantry_requests_total", tenant="stuck", outcome="kafka_down"), 60, "503")
                status = json.loads(system.cli("status", "stuck", "--json", check=False, timeout=300).stdout)
                assert status["tenants"][0]["stalled_s"] > 0
                text = system.cli("status", "stuck", check=False, timeout=300).stdout
                assert "Kafka has not taken its records for" in text
            finally:
                stop.set()
            told = [answer for sender in senders for answer in sender.result(60)]
            assert {answer.status for answer in neighbour.result(60)} == {200}
        assert {answer.rpc_status.code for answer in told} == {14}
        waits = {retry_delay(a.rpc_status) for a in told if a.status == 429}
        assert waits == {3}
        assert metric(system, "tenantry_produce_slow_lane", tenant="well") is None
        assert len(lines(system, "Kafka does not take a tenant's records", "stuck")) == 1
        mock.set_leader("mock.stuck.logs", 1)

        def back():
            push(system, "stuck")
            return metric(system, "tenantry_produce_slow_lane", tenant="stuck") == 0

        until(back, 60, "the way back")
        assert push(system, "stuck").status == 200
        assert len(lines(system, "Kafka takes the tenant's records again", "stuck")) == 1


def test_too_few_replicas(tmp_path):
    """The broker's own word is enough: 503 / 14 (R127), and the slow lane."""
    with mock_kafka(["acme"]) as mock, running(tmp_path, mock.bootstrap, ["acme"], "mock") as system:
        until(lambda: push(system, "acme").status == 200, 30, "the first success")
        mock.fail_produce(1, NOT_ENOUGH_REPLICAS)
        answer = push(system, "acme")
        assert (answer.status, answer.rpc_status.code, retry_delay(answer.rpc_status)) == (503, 14, 1)
        assert metric(system, "tenantry_requests_total", tenant="acme", outcome="too_few_replicas") == 1
        assert metric(system, "tenantry_produce_slow_lane", tenant="acme") == 1
        (line,) = lines(system, "Kafka did not take a record", "acme")
        assert "NOT_ENOUGH_REPLICAS" in line and "lower min.insync.replicas of the topic" in line
        assert push(system, "acme").status == 200
