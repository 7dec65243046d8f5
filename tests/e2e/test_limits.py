"""Done when 6: a tenant far over its limit is slowed, then told to come back at the time its bucket
knows; its neighbour notices nothing (R201-R213, DESIGN §4)."""

import contextlib
import json
import math
import re
import threading
import time

import pytest

from support import otlp_build as build
from support.system import System
from support.wait import until
from support.wire import PROTOBUF, Channel, Http1, Http2, Http2, bearer, finished, request, retry_delay

KB = 1000


def limits(text):
    return "limits = { " + text + " };"


TENANTS = {
    # A burst is never below what one record may hold, 64 KiB here.
    "bytes": limits('rate = "50KB/s"; burst = "100KB"; wait = "300ms";'),
    "items": limits('items = "1k/s"; wait = "300ms";'),
    "requests": limits('requests = "20/s"; wait = "300ms";'),
    "signal": limits('wait = "0s"; logs = { requests = "1/s"; };'),
    "nowait": limits('requests = "1/s"; wait = "0s";'),
    "cap": limits('in_flight = "64KiB";'),
    "slow": limits('in_flight = "10MB"; wait = "1m";'),
    "free": "",
}


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    system = System(
        tmp_path_factory.mktemp("limits"), brokers=kafka.bootstrap, tenants=TENANTS,
        extra={"kafka": 'prefix = "limits";', "router": 'answer_timeout = "30s"; max_decompressed = "64KiB";', "record": 'max_bytes = "64KiB";'},
    )  # fmt: skip
    for tenant, text in TENANTS.items():
        path = system.folder / "tenants.d" / f"{tenant}.conf"
        path.write_text(f'tenant: {{ id = "{tenant}"; {text} topics = {{ partitions = 1; }}; }};\n')
    system.up()
    # The topics of all are there before anything is measured.
    for tenant in TENANTS:
        until(lambda: push(system, tenant) in (200, 429), 30, f"the topics of {tenant}")
    yield system
    system.end()


def fields(system, tenant):
    return {"Content-Type": PROTOBUF, **bearer(system.keys[tenant])}


def logs(items=1, size=10):
    return build.logs_request([build.log("x" * size) for _ in range(items)]).SerializeToString()


def push(system, tenant, body=None):
    with Http1(system) as c:
        c.send(request(body=body or logs(), headers=fields(system, tenant)))
        return c.read().status


def counter(system, name, tenant, **labels):
    """Sum over the series of that name and tenant (and labels)."""
    wanted = {"tenant": tenant, **labels}
    total = 0
    for line in system.http("/metrics")[1].splitlines():
        match = re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line)
        if match and match[1] == name:
            told = dict(re.findall(r'(\w+)="([^"]*)"', match[2]))
            if wanted.items() <= told.items():
                total += float(match[3])
    return total


class Offer:
    """Requests of one tenant at a rate, whether answered or not, over gRPC and over HTTP."""

    def __init__(self, system, tenant, body, per_second):
        self.system, self.tenant, self.body = system, tenant, body
        self.answers = []  # (status or code, seconds it took, delay told or None, Retry-After or None)
        self.failures = []
        self.done = threading.Event()
        # One connection has one HTTP/1.1 request under way, so it takes several.
        connections = 8
        work = [(self._grpc, per_second / 2)] + connections * [(self._http, per_second / 2 / connections)]
        self.threads = [threading.Thread(target=self._run, args=w, daemon=True) for w in work]

    def start(self):
        for t in self.threads:
            t.start()

    def finish(self):
        self.done.set()
        for t in self.threads:
            t.join(30)
        assert not self.failures, self.failures
        return self.answers

    def _run(self, work, per_second):
        try:
            work(per_second)
        except BaseException as e:
            self.failures.append(e)

    def _turns(self, per_second):
        due = time.monotonic()
        while not self.done.wait(max(0, due - time.monotonic())):
            due += 1 / per_second
            yield time.monotonic()

    def _http(self, per_second):
        with Http1(self.system) as c:
            for start in self._turns(per_second):
                c.send(request(body=self.body, headers=fields(self.system, self.tenant)))
                a = c.read()
                delay = retry_delay(a.rpc_status) if a.status != 200 else None
                after = a.get("retry-after")
                self.answers.append((a.status, time.monotonic() - start, delay, after))

    def _grpc(self, per_second):
        with Channel(self.system) as channel:
            calls = []
            for start in self._turns(per_second):
                call = channel.start("logs", self.body, bearer(self.system.keys[self.tenant]))
                ended = []
                call.add_done_callback(lambda _, e=ended: e.append(time.monotonic()))
                calls.append((call, start, ended))
            for call, start, ended in calls:
                a = finished(call)
                until(lambda: ended, 5, "the end of a call")
                self.answers.append((a.code, ended[0] - start, a.retry_delay, None))


def offer(system, tenant, body, per_second, enough):
    """The tenant's flood, and a neighbour beside it, until it is enough."""
    flood, free = Offer(system, tenant, body, per_second), Offer(system, "free", logs(), 40)
    start = time.monotonic()
    flood.start()
    free.start()
    until(lambda: flood.failures or free.failures or enough(flood.answers, free.answers), 60,
          lambda: f"{len(flood.answers)} and {len(free.answers)} answers are enough")
    found = flood.finish()
    return found, time.monotonic() - start, free.finish()


def was_refused(answer):
    return answer[0] not in (200, 0)


@pytest.mark.parametrize(
    "tenant,body,unit,rate,burst",
    [
        ("bytes", logs(1, 4900), 5 * KB, 50 * KB, 100 * KB),
        ("items", logs(100), 100, 1000, 2000),
        ("requests", logs(), 1, 20, 40),
    ],
    ids=["bytes", "items", "requests"],
)
def test_twenty_times_the_limit(system, tenant, body, unit, rate, burst):
    """What gets through is the limit; the rest is slowed, then refused with the bucket's own delay. How
    close to the limit it comes: test_limits_long.py, and in virtual time tests/tenancy/test_limit_line.c."""
    before = counter(system, "tenantry_requests_waited_total", tenant)

    def enough(flood, free):
        http = [a for a in flood if was_refused(a) and a[0] == 429]
        return (len(http) > 50 and len(free) > 20
                and counter(system, "tenantry_requests_total", tenant, outcome=f"over_{tenant}") > 100
                and counter(system, "tenantry_requests_waited_total", tenant) > before)

    found, took, neighbour = offer(system, tenant, body, 20 * rate / unit, enough)
    passed = [a for a in found if not was_refused(a)]
    refused = [a for a in found if was_refused(a)]
    size = len(body) if tenant == "bytes" else unit
    print(f"{tenant}: {len(found)} offered in {took:.1f} s, {len(passed)} passed, {len(refused)} refused")
    # Not more than burst and rate allow; the last ones may be those that wait.
    assert burst <= len(passed) * size + size and len(passed) * size <= burst + rate * (took + 0.3) + size
    # Refused with a delay, the same in both places (R207-R212).
    assert {a[0] for a in refused} == {429, 14}
    for _, _, delay, after in refused:
        assert 1 <= delay <= 5
        assert after is None or int(after) == math.ceil(delay)
    # The neighbour: no refusal, R213.
    assert {a[0] for a in neighbour} == {200, 0}
    slowest = sorted(a[1] for a in neighbour)
    print(f"neighbour: median {slowest[len(slowest) // 2] * 1e3:.0f} ms,"
          f" slowest {slowest[-1] * 1e3:.0f} ms of {len(neighbour)}")


def test_the_delay_is_that_of_the_bucket(system):
    """A debt of three seconds is told as three, not as the default (R210, R212)."""
    # 64 KiB of record at 50 KB/s: the bucket of 100 KB is empty after a few of them.
    body = logs(6, 10_000)
    with Http1(system) as c:
        delays = []  # of refusals one after the other
        for _ in range(100):
            c.send(request(body=body, headers=fields(system, "bytes")))
            answer = c.read()
            if answer.status != 429:
                delays = []
                continue
            delays.append(retry_delay(answer.rpc_status))
            assert answer.get("retry-after") == str(math.ceil(delays[-1]))
            if len(delays) == 2:
                break
        assert len(delays) == 2
    told = re.search(r"\(50KB/s for all signals\): .*; come back in ([0-9.]+) s", answer.rpc_status.message)
    assert abs(float(told[1]) - delays[-1]) < 0.06
    # The same bucket a moment later: it has refilled a little, so the delay is no longer than before.
    assert delays[1] <= delays[0]


def test_after_the_delay_it_works(system):
    with Http1(system) as c:
        def send():
            c.send(request(body=logs(), headers=fields(system, "nowait")))
            return c.read()

        answer = next(a for a in iter(send, None) if a.status == 429)
        told = time.monotonic()
        until(lambda: time.monotonic() - told >= retry_delay(answer.rpc_status), 6, "the delay told")
        assert send().status == 200


def test_a_signal_has_its_own_limit(system):
    """logs alone are limited to 1/s, two at once; traces are not."""
    span = build.traces_request([build.span()]).SerializeToString()
    with Http1(system) as c:
        def send(path, body):
            c.send(request(path=path, body=body, headers=fields(system, "signal")))
            return c.read()

        refused = next(answer for answer in (send("/v1/logs", logs()) for _ in range(100)) if answer.status != 200)
        assert (refused.status, "1/s for logs" in refused.rpc_status.message) == (429, True)
        assert {send("/v1/traces", span).status for _ in range(20)} == {200}


def test_on_one_connection(system):
    """R213: the requests of a tenant that is refused stand between those of another."""
    with Http2(system) as c:
        streams = []
        for i in range(100):
            tenant = "free" if i % 5 == 0 else "nowait"
            streams.append((tenant, c.start(headers=fields(system, tenant))))
            c.data(streams[-1][1], logs())
        told = {(tenant, c.read(stream).status) for tenant, stream in streams}
    assert ("nowait", 429) in told
    assert {status for tenant, status in told if tenant == "free"} == {200}


def test_bytes_in_flight_are_capped(system):
    """Bodies on their way count; what would go above the cap is told to come back, and the cap is free
    again when they are gone."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(Http1(system)) for _ in range(2)]
        for c in held:
            c.send(request(headers={**fields(system, "cap"), "Content-Length": "60000"}), bytes(30_000))
        until(lambda: counter(system, "tenantry_in_flight_bytes", "cap") == 60_000, 10,
              lambda: f"60000 bytes in flight: {counter(system, 'tenantry_in_flight_bytes', 'cap')}")
        with Http1(system) as c:
            c.send(request(body=logs(1, 8000), headers=fields(system, "cap")))
            answer = c.read()
            assert answer.status == 429
            assert answer.rpc_status.code == 14
            assert re.fullmatch(r"too many bytes of this tenant are under way: \d+, and its limit is 64KiB", answer.rpc_status.message)
            assert 1 <= retry_delay(answer.rpc_status) <= 5 and answer.get("retry-after")
            assert push(system, "free") == 200
    until(lambda: counter(system, "tenantry_in_flight_bytes", "cap") == 0, 10, "an empty cap")
    assert push(system, "cap", logs(1, 8000)) == 200
    # Alone it may be larger than the cap, or it could never pass.
    assert push(system, "cap", logs(1, 64_000)) == 200
    until(lambda: counter(system, "tenantry_requests_total", "cap", outcome="client_gone") == 2, 20,
          "both that left counted")


@pytest.mark.parametrize("http,others,first", [(1, 9_950_000, 100_000), (2, 9_700_000, 1_040_000)])
def test_over_the_cap_it_is_slowed_by_flow_control(system, http, others, first):
    """What goes above the cap is not refused but told to wait: over HTTP/2 the stream's window stays shut while
    that lasts, and opens when the bytes of others are gone. R45."""
    def count(name):
        return counter(system, name, "slow")

    # Too large for a record, which is told when all of it has come.
    waited, body = count("tenantry_requests_waited_total"), bytes(first + 100_000)
    own = {**fields(system, "slow"), "Content-Length": str(len(body))}
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(Http1(system))
        other.send(request(headers={**fields(system, "slow"), "Content-Length": "10000000"}), bytes(others))
        until(lambda: count("tenantry_in_flight_bytes") == others, 20, "the others' bytes")
        if http == 1:
            c = stack.enter_context(Http1(system))
            c.send(request(headers=own), body[:first])
        else:
            c = stack.enter_context(Http2(system))
            stream = c.start(headers=own)
            c.data(stream, body[:first], end=False)
        until(lambda: count("tenantry_requests_waited_total") > waited, 20, "it is held back")
        if http == 2:
            until(lambda: count("tenantry_in_flight_bytes") == others + first, 20, "all of it has come")
            c.h2.ping(b"are you?")  # is answered behind all that was sent before
            c._flush()
            c.until(lambda: c.pongs)
            shut = c.h2.local_flow_control_window(stream)
            assert shut < first / 2
        other.close()
        if http == 1:
            c.send(body[first:])
            assert c.read().status == 413
        else:
            c.until(lambda: c.h2.local_flow_control_window(stream) > first / 2)
            c.data(stream, body[first:])
            assert c.read(stream).status == 413
    until(lambda: count("tenantry_in_flight_bytes") == 0, 20, "an empty cap")


def test_nothing_is_held_afterwards(system):
    """Every byte and request that was counted in is counted out."""
    def flat():
        status = json.loads(system.http("/api/status")[1])
        assert status
        return all(counter(system, "tenantry_in_flight_bytes", t) == 0 for t in TENANTS)

    until(flat, 10, "no bytes in flight")
    assert re.search(r"^tenantry_buffered_bytes 0$", system.http("/metrics")[1], re.M)
