"""Kafka away, clients away, and the router's own end: nothing that was told success is lost, everybody
else is told the truth in time."""

import contextlib
import re
import signal
import ssl
import threading
import time

import pytest

from support import otlp_build as build
from support.attempts import judge, read_journals, stored
from support.kafka import Kafka
from support.sdk import PROTOCOLS, Sdk
from support.system import System
from support.wait import once_within, until
from support.wire import (
    GRPC_PATHS,
    PROTOBUF,
    Channel,
    Http1,
    Http2,
    bearer,
    frame,
    grpc_call,
    http1,
    http2,
    request,
    retry_delay,
    warm_up,
)

ANSWER_TIMEOUT = 1.5


@pytest.fixture(scope="module")
def broker():
    with Kafka() as kafka:
        yield kafka


@pytest.fixture(scope="module")
def system(broker, tmp_path_factory):
    system = System(tmp_path_factory.mktemp("gone"), brokers=broker.bootstrap,
                    extra={"router": 'answer_timeout = "1500ms";'})
    system.up()
    until(lambda: push(system).status == 200, 30, "the topics")
    yield system
    system.end()


LOGS = build.logs_request([build.log("hello")]).SerializeToString()


def fields(system):
    return {"Content-Type": PROTOBUF, **bearer(system.keys["acme"])}


def push(system):
    return http1(system, body=LOGS, headers=fields(system))


def counted(system, outcome, tenant="acme"):
    """Requests of that outcome so far."""
    for line in system.http("/metrics")[1].splitlines():
        if line.startswith("tenantry_requests_total") and f'outcome="{outcome}"' in line \
                and f'tenant="{tenant}"' in line:
            return int(float(line.split()[-1]))
    return 0


def held(system):
    """Bytes of bodies that the router holds."""
    return float(re.search(r"^tenantry_buffered_bytes (\S+)$", system.http("/metrics")[1], re.M)[1])


def test_broker_killed_and_back(system, broker):
    """R95: 503 / 14 within the answer timeout, not ready meanwhile; then all by itself good again."""
    before, told = counted(system, "kafka_down"), []
    broker.kill9()

    def refused():
        answer = push(system)
        assert answer.status == 503  # R127, R207
        assert answer.rpc_status.code == 14
        assert answer.rpc_status.message == "Kafka did not confirm in time, try again"
        assert answer.get("retry-after") == "1" and retry_delay(answer.rpc_status) == 1
        told.append(answer)

    once_within(ANSWER_TIMEOUT + 0.7, refused, "the answer of an HTTP request")
    call = grpc_call(system, "logs", LOGS, bearer(system.keys["acme"]))
    assert (call.code, call.retry_delay) == (14, 1)
    assert counted(system, "kafka_down") == before + len(told) + 1
    until(lambda: system.http("/readyz")[0] == 503, 10, "readiness off")
    assert system.http("/healthz")[0] == 200
    broker.start()
    start = time.monotonic()
    until(lambda: push(system).status == 200, 15, "success after the broker came back")
    print(f"success {time.monotonic() - start:.1f} s after the broker was back")
    until(lambda: system.http("/readyz")[0] == 200, 10, "readiness")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_sdk_retries_until_kafka_answers_again(system, broker, protocol):
    """It tries six times, a second apart as it is told; Kafka takes longer to start than that on a busy
    machine, so it is stopped here, not killed."""
    rows = system.count("acme")
    accepted = counted(system, "accepted")
    sdk = Sdk(system.endpoint, protocol, "gzip", system.ca, bearer(system.keys["acme"]), timeout=60)
    broker.pause()
    try:
        sdk.logger_provider.get_logger("patient").emit(body="patient")
        flush = threading.Thread(target=sdk.logger_provider.force_flush, args=(60_000,))
        flush.start()
        until(lambda: sdk.attempts, 15, "a first refusal")
    finally:
        broker.resume()
    with sdk:
        flush.join(60)
        first, *_, last = [a.status for a in sdk.attempts]
    assert (first, last) == (("UNAVAILABLE", "OK") if protocol == "grpc" else ("503", "200"))
    until(lambda: system.count("acme") >= rows + 1, 30, "the row")
    assert counted(system, "accepted") == accepted + 1


@pytest.fixture
def stuck(system, broker):
    """Kafka takes nothing for now, so that requests stay under way."""
    until(lambda: push(system).status == 200, 15, "a broker that answers")
    broker.pause()
    yield
    broker.resume()
    until(lambda: push(system).status == 200, 30, "success after the broker went on")


def test_a_deadline_of_the_caller_is_kept(system, stuck):
    """R147: grpc-status 4 at the call's own deadline, before ours."""
    before, told = counted(system, "deadline"), []
    headers = {"content-type": "application/grpc", "te": "trailers", "grpc-timeout": "300m",
               **bearer(system.keys["acme"])}  # fmt: skip

    def ended():
        start = time.monotonic()
        call = http2(system, path=GRPC_PATHS["logs"], body=frame(LOGS), headers=headers).grpc
        assert (call.code, call.retry_delay) == (4, None)
        assert time.monotonic() - start > 0.25
        told.append(call)

    once_within(1.2, ended, "the end of a call at its deadline")
    assert counted(system, "deadline") == before + len(told)


def test_what_the_end_cuts_off_is_no_success(broker, tenantry, tmp_path):
    """R300: Kafka does not confirm before the router has to end."""
    system = System(tmp_path / "system", brokers=broker.bootstrap, tenants=("acme",),
                    extra={"kafka": 'prefix = "cut";', "router": 'answer_timeout = "60s"; drain_timeout = "2s";'})
    for name in ("logs", "traces", "metrics"):
        broker.create_topic(f"cut.acme.{name}", partitions=1)
    router = tenantry("--config", system.conf, "router", cwd=system.folder)
    router.wait_for(lambda: system.http("/readyz")[0] == 200, 30, "readiness")
    until(lambda: push(system).status == 200, 30, "success")
    broker.pause()
    try:
        with Http1(system) as one, Http2(system) as two:
            one.send(request(body=LOGS, headers=fields(system)))
            call = {"content-type": "application/grpc", "te": "trailers", **bearer(system.keys["acme"])}
            stream = two.start(path=GRPC_PATHS["logs"], headers=call)
            two.data(stream, frame(LOGS))
            until(lambda: held(system) >= 2 * len(LOGS), 20, lambda: f"two bodies: {held(system)} bytes")
            router.signal(signal.SIGTERM)
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                assert one.read().status == 503
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                two.read(stream)
            assert two.resets.get(stream) or two.answers[stream].status == 0 or two.answers[stream].grpc.code == 14
        router.wait_exit(40)
    finally:
        broker.resume()


def test_a_client_that_goes_away_is_counted(system, stuck):
    """R149: what it held is given back. On a busy machine it may leave too late, so again and again."""
    before = counted(system, "client_gone")

    def ended():
        return sum(counted(system, o) for o in ("client_gone", "deadline", "kafka_down"))

    def gone_over_http1():
        seen = ended()
        with Http1(system) as c:
            c.send(request(body=LOGS, headers=fields(system)))
            # Held, or told already that Kafka is away.
            until(lambda: "tenantry_buffered_bytes 0\n" not in system.http("/metrics")[1] or ended() > seen,
                  20, "a held body")  # fmt: skip
        until(lambda: ended() > seen, 20, "its end")
        return counted(system, "client_gone") > before

    until(gone_over_http1, 60, "a client gone over HTTP/1.1")

    def gone_over_grpc():
        """grpcio resets the stream at its deadline; ours may come first, or both before it is connected."""
        seen = ended()
        with Channel(system) as channel:
            channel.call("logs", LOGS, bearer("nonsense"))  # connected
            assert channel.call("logs", LOGS, bearer(system.keys["acme"]), timeout=0.3).code == 4
        return ended() > seen

    until(gone_over_grpc, 60, "the call that was given up")


def test_memory_and_caps_are_free_after_an_outage(system, broker):
    until(lambda: push(system).status == 200, 15, "a broker that answers")
    for nothing in ("tenantry_buffered_bytes 0\n", 'tenantry_in_flight_bytes{tenant="acme"} 0\n'):
        until(lambda: nothing in system.http("/metrics")[1], 10, nothing)
    # What Kafka may have although we said no is counted, not hidden (DESIGN §4 Deadlines).
    assert re.search(r"^tenantry_possible_duplicates_total\{.*\} [1-9]", system.http("/metrics")[1], re.M)


# ---- the router's own end


@pytest.mark.timeout(1200)
def test_sigterm_under_load_loses_nothing(kafka, tenantry, tmp_path):
    """Router and workers as programs of their own: the router drains and exits 0; every acked item is
    in the database, once."""
    system = System(tmp_path / "system", brokers=kafka.bootstrap, extra={"kafka": 'prefix = "term";'})

    def start(*args):
        return tenantry("--config", system.conf, *args, cwd=system.folder)

    workers, router = start("supervise"), start("router")
    router.wait_for(lambda: system.http("/readyz")[0] == 200, 30, "readiness")
    senders, journals = [], {}
    for tenant in system.keys:
        warm_up(system, tenant)
        for protocol in ("grpc", "http/protobuf"):
            journal = tmp_path / f"{tenant}-{protocol[:4]}.jsonl"
            journals.setdefault(tenant, []).append(journal)
            args = system.send_args(tenant, "all", 0, protocol)
            del args[args.index("--count"):args.index("--count") + 2]
            senders.append(tenantry(
                *args, "--duration", "1h", "--rate", "1000/s", "--batch", "20",
                "--retry-for", "20s", "--attempts", journal, name=f"send {tenant} {protocol}"))

    def acked(journal):
        return journal.exists() and journal.read_text().count('"acked"')

    def more(router, n):
        """Waits until each sender was told success n times more."""
        before = {j: acked(j) for js in journals.values() for j in js}
        router.wait_for(lambda: all(acked(j) >= at + n for j, at in before.items()), 60,
                        f"{n} more acked requests of each sender")

    def all_read(tenant):
        """The worker is at the end of every partition."""
        at = {(r["topic"], r["kafka_partition"]): r["next"] for r in system.sql(
            tenant, "SELECT topic, kafka_partition, next FROM tenantry_progress JOIN tenantry_source USING (source)")}
        topics = [f"term.{tenant}.{signal}" for signal in ("traces", "metrics", "logs")]
        return all(at.get((t, p), 0) >= end for t in topics for p, end in kafka.end_offsets(t).items())

    more(router, 30)
    begin = time.monotonic()
    assert router.terminate(60) == 0
    print(f"the router ended within {time.monotonic() - begin:.1f} s")
    again = start("router")
    more(again, 30)
    for sender in senders:
        sender.signal(signal.SIGINT)
    for sender in senders:
        sender.wait_exit(60)
    for tenant, paths in journals.items():
        attempts = read_journals(*paths)

        def verdict():
            return judge(attempts, stored(system, tenant))

        # However long that takes: then it is in no table, or it never will be.
        workers.wait_for(lambda: verdict().missing == 0 or all_read(tenant), 120, f"all records of {tenant}")
        assert verdict().missing == 0, verdict()
        v = verdict()
        print(f"{tenant}: {v}")
        assert v.acked_items >= 2 * 2 * 30 * 20
        assert (v.double, v.stray) == (0, 0)
    # While the router ended, nobody was told anything that a sender must not retry.
    final = [line for js in journals.values() for j in js for line in j.read_text().splitlines()
             if '"refused"' in line and '"status":503' not in line and '"grpc_status":14' not in line]
    assert not final, final[:3]
    assert again.terminate(60) == 0
    assert workers.terminate(60) == 0


def test_drain_ends_connections_in_order(kafka, tmp_path):
    """Requests under way are answered, then connections end."""
    system = System(tmp_path / "system", brokers=kafka.bootstrap, tenants=("acme",),
                    extra={"kafka": 'prefix = "drain";', "router": 'drain_delay = "1s";'})
    system.up()
    try:
        until(lambda: push(system).status == 200, 30, "the topics")
        with Http1(system) as idle, Http1(system) as busy:
            for c in (idle, busy):
                c.send(request(body=LOGS, headers=fields(system)))
                assert c.read().status == 200
            busy.send(request(headers={**fields(system), "Content-Length": str(len(LOGS))}), LOGS[:5])
            system.process.signal(signal.SIGTERM)
            until(lambda: system.http("/readyz")[0] != 200, 5, "readiness off")
            busy.send(LOGS[5:])
            answer = busy.read()
            # Begun before: finished.
            assert answer.status == 200
            assert idle.closed() and busy.closed()
        assert system.process.wait_exit(60) == 0
        until(lambda: system.http("/healthz")[0] == 0, 5, "the admin listener's end")
    finally:
        system.down()
