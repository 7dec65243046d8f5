"""Clients that mean harm. While each attacks, a tenant that behaves has no failure; afterwards nothing of the
attack is left: no connection, no byte held. docs/security.md has the table of all of them."""

import concurrent.futures
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import struct
import threading
import time

import pytest

from support import raw_http2 as h2
from support.attacks import (
    BOMB_BLOCK, BOMB_ENTRY, BOMBS, CLOSED, ENDLESS_HTTP1, FLOODS, GRPC, GRPC_PATH, LOGS, PROTOBUF, PROVOKING,
    SMUGGLED, AttackedFront, bombs, credentials, data_frames, flood, grpc_message, hello, junk, post,
    provoked_resets, provoking, rapid_resets, read_all, stages, vanish, with_key,
)  # fmt: skip
from support.proc import start_tenantry
from support.raw_http2 import frame
from support.sanitizer import environment, reports
from support.wait import until

MOST = 64 << 20  # bytes an attack sends at most
IN_FLIGHT = 8 << 20


class Front(AttackedFront):
    """With short time limits, and watched by the sanitizers of its build."""

    def __init__(self, folder, kafka, name):
        self.reports = folder / "sanitizer"
        router = ('handshake_timeout = "5s"; header_timeout = "3s"; body_timeout = "4s"; drain_timeout = "6s";'
                  ' answer_timeout = "30s"; max_body = "4MiB"; max_decompressed = "1MiB"; ')  # fmt: skip
        self.reports.mkdir(parents=True)
        super().__init__(folder, kafka, name, router, 'max_bytes = "1MiB";', environment(self.reports))

    def end(self):
        code = self.process.terminate(60)
        assert reports(self.reports) == {}
        assert code == 0


class Neighbour:
    """The sender that behaves. Some of it was accepted before and some is after whatever happens."""

    def __init__(self, front, log):
        self.front, before = front, front.accepted()
        args = front.send_args("good", "all", 0)
        del args[args.index("--count") : args.index("--count") + 2]
        more = ["--duration", "1h", "--rate", "500/s", "--batch", "20", "--no-retry", "--timeout", "60s", "--json"]
        self.process = start_tenantry(*args, *more, log=log, env=front.env)
        until(lambda: front.accepted() > before, 60, "the sender that behaves")

    def end(self):
        """It has sent all the while, and everything was acked."""
        before = self.front.accepted()
        self.process.wait_for(lambda: self.front.accepted() > before, 60, "further requests")
        self.process.signal(signal.SIGINT)
        self.process.wait_exit(90)
        said = self.process.output()
        self.process.stop()
        summary = json.loads(said[said.index("{") :])
        assert summary["all_acked"] and summary["requests"] > 0, summary


@pytest.fixture(scope="module")
def front(kafka, tmp_path_factory):
    front = Front(tmp_path_factory.mktemp("attacks"), kafka, "attacks")
    yield front
    front.end()


@pytest.fixture(autouse=True)
def peace(front, tmp_path):
    """What holds for every attack."""
    neighbour = Neighbour(front, tmp_path / "neighbour.log")
    yield
    try:
        neighbour.end()
    finally:
        neighbour.process.stop()
    until(lambda: not front.left(), 20, lambda: f"nothing held any more: {front.left()}")
    assert front.process.alive


# -- HTTP/2

@pytest.mark.sanitize
@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_cut(front, name):
    """R53, R54"""
    first, again = flood(name, front.key)
    with front.raw(first=first, timeout=30) as c:
        most = MOST * (3 if name == "unknown frames" else 1)  # they may bring 64 MiB
        assert c.flood(again, most, seconds=60) < most
        # None: it came behind our writing. 0: on a slow machine a connection without a request was closed first.
        assert c.goaway() in (h2.CALM, h2.STREAM_CLOSED, None, 0)


@pytest.mark.sanitize
@pytest.mark.parametrize("name", PROVOKING)
def test_frames_for_a_client_that_reads_nothing_do_not_pile_up(front, name):
    with front.raw(receive_buffer=4096, timeout=10) as c:
        sent = 0
        with pytest.raises(OSError):
            while sent < MOST:
                block = provoking(name, c.next_streams(1000))
                c.send(block)
                sent += len(block)
        assert sent < MOST


@pytest.mark.parametrize("key", [None, "bad"], ids=["without key", "with key"])
def test_rapid_reset_is_cut(front, key):
    with front.raw(timeout=10) as c:
        with pytest.raises(OSError):
            for _ in range(5000):
                c.send(rapid_resets(front.keys.get(key), c.next_streams(100)))


def test_resets_that_we_are_made_to_send_are_cut(front):
    with front.raw(timeout=10) as c:
        with pytest.raises(OSError):
            for _ in range(5000):
                c.send(provoked_resets(front.key, c.next_streams(100)))


@pytest.mark.sanitize
def test_header_bombs_are_cut(front):
    """4,000 bytes in the table, referred to 14,000 times by each request."""
    with front.raw(timeout=10) as c:
        c.ask(block=h2.request(key=front.key) + BOMB_ENTRY, end=False)
        with pytest.raises(OSError):
            while c.stream < 2000:
                c.ask(block=h2.request(key=front.key) + BOMB_BLOCK, end=False)


@pytest.mark.sanitize
def test_windows_that_open_and_close(front):
    """A of the study on libh2o: a write blocked by a window that is zero, then opens (it aborted libh2o's own)."""
    with front.raw(first=h2.settings(INITIAL_WINDOW=0), timeout=30) as c:
        for i in range(90):  # all stay open: their bodies fit into no window
            stream = c.ask()
            c.send(
                h2.window_update(stream, 1) + h2.settings(INITIAL_WINDOW=i % 7)
                + h2.settings(INITIAL_WINDOW=0) + h2.window_update(stream, 5)
            )  # fmt: skip
            c.send(h2.settings(INITIAL_WINDOW=65535) + h2.settings(INITIAL_WINDOW=0))
            assert c.status(stream) == 401


def test_windows_beyond_their_end(front):
    with front.raw(timeout=30) as c:
        stream = c.ask(key=front.key, end=False)
        c.send(h2.window_update(stream, 0x7FFFFFFF))
        assert c.status(stream) == ("reset", h2.FLOW_CONTROL_ERROR)
        c.send(h2.window_update(0, 0x7FFFFFFF))
        assert c.goaway() == h2.FLOW_CONTROL_ERROR


def test_answers_that_are_not_taken_are_given_up(front):
    with front.raw(first=h2.settings(INITIAL_WINDOW=0), timeout=60) as c:
        streams = {c.ask() for _ in range(100)}
        while streams:
            got = c.wait(lambda f: f.kind == h2.RST_STREAM)
            streams.remove(got.stream)


@pytest.mark.sanitize
def test_many_large_bodies_stay_within_the_tenants_share(front):
    """Each stream is told 429 at the cap, or reset when its body took too long: which, is a matter of the machine."""
    piece = frame(h2.DATA, 0, 0, bytes(16000))
    with front.raw(first=h2.window_update(0, 1 << 24), timeout=60) as c:
        streams = [c.ask(key=front.key, end=False) for _ in range(100)]
        for _ in range(10):  # less than a stream's window, in all twice the share
            c.send(b"".join(piece[:5] + struct.pack(">I", s) + piece[9:] for s in streams))
            assert front.gauge("tenantry_buffered_bytes") <= 1.1 * IN_FLIGHT
        open_streams, refused = set(streams), 0
        while open_streams:
            f = c.wait(lambda f: f.kind in (h2.HEADERS, h2.RST_STREAM))
            open_streams.discard(f.stream)
            refused += f.kind == h2.HEADERS
        assert refused > 0
    until(lambda: front.gauge("tenantry_buffered_bytes") <= IN_FLIGHT / 10, 10, "the bytes given back")


# -- bodies


@pytest.mark.parametrize("kind", [PROTOBUF, GRPC])
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(front, name, kind):
    body, status = bombs()[name]
    coding = [("grpc-encoding" if kind == GRPC else "content-encoding", "gzip")]
    if kind == GRPC:
        body, status = grpc_message(body), 200
    with front.raw(timeout=60) as c:
        stream = c.ask(key=front.key, kind=kind, path=GRPC_PATH if kind == GRPC else "/v1/logs",
                       extra=coding, end=False)  # fmt: skip
        for piece in data_frames(stream, body):
            c.send(piece)
        assert c.status(stream) == status


def test_a_message_of_4_gib_is_refused_by_its_prefix(front):
    with front.raw(timeout=30) as c:
        stream = c.ask(key=front.key, kind=GRPC, path=GRPC_PATH, body=grpc_message(b"x", 0, 0xFFFFFFFF), end=False)
        assert c.wait(lambda f: f.kind == h2.HEADERS).flags & h2.END_STREAM
        assert c.wait(lambda f: f.stream == stream).kind == h2.RST_STREAM


def test_a_message_of_one_byte_frames(front):
    body = grpc_message(LOGS, 0)
    with front.raw(timeout=30) as c:
        stream = c.ask(key=front.key, kind=GRPC, path=GRPC_PATH, end=False)
        c.send(b"".join(frame(h2.DATA, 0, stream, body[i : i + 1]) for i in range(len(body))))
        c.send(frame(h2.DATA, h2.END_STREAM, stream))
        assert c.wait(lambda f: f.kind == h2.DATA and f.stream == stream) is not None  # an answer with a body: success


# -- HTTP/1.1


@pytest.mark.sanitize
def test_nothing_is_smuggled(front):
    def statuses(sent):
        with front.tls("http/1.1", timeout=60) as sock:
            sock.sendall(with_key(sent, front.key))
            return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", read_all(sock))]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = pool.map(statuses, [sent for sent, _ in SMUGGLED])
    wrong = [(sent, g) for (sent, wanted), g in zip(SMUGGLED, got) if g != wanted]
    assert wrong == []


@pytest.mark.sanitize
@pytest.mark.parametrize("name", ENDLESS_HTTP1)
def test_endless_http1_is_cut(front, name):
    first, again = ENDLESS_HTTP1[name]
    with front.tls("http/1.1", timeout=5, receive_buffer=4096) as sock:
        with pytest.raises(OSError):  # closed on us, or not read from any more
            sock.sendall(first.replace(b"KEY", credentials(front.key).encode()))
            for _ in range(MOST // len(again)):
                sock.sendall(again)


# -- TLS and time


@pytest.mark.sanitize
@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_bytes_after_close_notify_are_not_collected(front, protocol):
    sock = front.tls(protocol, timeout=0)
    with sock, socket.socket(fileno=os.dup(sock.fileno())) as raw:
        with contextlib.suppress(ssl.SSLError):  # no answer yet
            sock.unwrap()  # sends close_notify
        raw.settimeout(20)
        record = b"\x17\x03\x03\x40\x00" + bytes(16384)
        with pytest.raises(OSError):
            for _ in range(MOST // len(record)):
                raw.sendall(record)


@pytest.mark.sanitize
@pytest.mark.parametrize("how", ["closed", "reset", "half-closed"])
def test_clients_that_leave_at_every_stage(front, how):
    handshakes, http1, http2 = stages(front.key)
    for sent in handshakes:
        sock = socket.create_connection(("127.0.0.1", front.port), 20)
        sock.sendall(sent)
        vanish(sock, how)
    for sent in http1:
        sock = front.tls("http/1.1", timeout=20)
        sock.sendall(sent)
        vanish(sock, how)
    for sent in http2:
        c = front.raw(first=sent, timeout=20)
        vanish(c.sock, how)


@pytest.mark.sanitize
def test_junk_instead_of_a_handshake(front):
    for data in junk():
        with socket.create_connection(("127.0.0.1", front.port), 20) as sock:
            try:
                sock.sendall(data)
            except ConnectionError:
                pass


def drip(sock, data, seconds=60):
    """Two bytes a second; True when the connection was closed from over there."""
    begin, closed = time.monotonic(), False
    sock.settimeout(0.5)
    for byte in data:
        try:
            sock.send(bytes([byte]))
            if sock.recv(1000) == b"":
                closed = True
                break
        except TimeoutError:
            pass
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            closed = True
            break
        if time.monotonic() - begin > seconds:
            break
    sock.close()
    return closed


def test_slow_clients_are_closed(front):
    auth = f"Authorization: Bearer {front.key}"
    head = post(auth, "Content-Type: application/x-protobuf", "Content-Length: 100000")

    def body():
        sock = front.tls("http/1.1")
        sock.sendall(head)
        return sock

    # How it begins, and what drips for much longer than the limits of Front added up.
    slow = {
        "handshake": (lambda: socket.create_connection(("127.0.0.1", front.port)), hello()),
        "HTTP/1.1 head": (lambda: front.tls("http/1.1"), b"x" * 400),
        "no ALPN": (lambda: front.tls(), h2.PREFACE * 9),
        "preface": (lambda: front.tls("h2"), h2.PREFACE * 9),
        "header block": (lambda: front.raw(first=frame(h2.HEADERS, 0, 1, b"\x82")).sock,
                         frame(h2.CONTINUATION, 0, 1, h2.literal("x", "y" * 300))),
        "HTTP/1.1 body": (body, b"x" * 400),
    }  # fmt: skip
    with concurrent.futures.ThreadPoolExecutor(len(slow)) as pool:
        closed = {name: pool.submit(lambda b=begin, d=data: drip(b(), d)) for name, (begin, data) in slow.items()}
        closed = {name: future.result() for name, future in closed.items()}
    assert [name for name, did in closed.items() if not did] == []


def test_a_slow_body_is_reset(front):
    with front.raw(timeout=30) as c:
        stream = c.ask(key=front.key, end=False)
        begin = time.monotonic()
        c.sock.settimeout(0.1)
        code = None
        while code is None and time.monotonic() - begin < 60:
            c.send(frame(h2.DATA, 0, stream, b"x"))
            try:
                code = c.status(stream)
            except (TimeoutError, ssl.SSLWantReadError):
                pass
        assert code == ("reset", h2.CANCEL)


def test_idle_connections_cost_little(front, count=200, each=200_000):
    """The bound is for the address sanitizer's; docs/security.md has the true figures."""
    before = front.process.rss()
    idle = [front.raw(first=CLOSED) for _ in range(count)]
    try:
        assert [c.status(1) for c in idle] == [401] * count
        assert (front.process.rss() - before) / count < each
    finally:
        for c in idle:
            c.close()


@pytest.mark.long
def test_2000_idle_connections_cost_little(front):
    test_idle_connections_cost_little(front, 1900, 100_000)


# -- reload and the end, in the middle of it


def besiege(front, over):
    """A mix of the above, until told that it is over."""
    def again(act):
        while not over.is_set():
            try:
                act()
            except OSError:
                pass

    def frames(name):
        first, again = flood(name, front.key)
        with front.raw(first=first, timeout=5) as c:
            c.flood(again, 1 << 22, 2)

    def bodies():
        with front.raw(timeout=5) as c:
            for _ in range(50):
                c.ask(key=front.key, body=LOGS)
            c.ask(key=front.key, body=LOGS[:50], end=False)
            c.wait(lambda f: f.kind == h2.DATA)

    def held():
        with front.raw(first=h2.settings(INITIAL_WINDOW=0), timeout=1) as c:
            for _ in range(50):
                c.ask()
            over.wait(0.5)

    def http1():
        with front.tls("http/1.1", timeout=5) as sock:
            sock.sendall(post() * 100)
            sock.recv(10)

    acts = [lambda: frames("PING"), lambda: frames("CONTINUATION"), bodies, held, http1]
    threads = [threading.Thread(target=again, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    return threads


@pytest.mark.sanitize
def test_reload_and_drain_under_attack(kafka, front, tmp_path):
    mine = Front(tmp_path / "front", kafka, "attacks-reload")
    neighbour = Neighbour(mine, tmp_path / "inner.log")
    over = threading.Event()
    threads = besiege(mine, over)
    try:
        for version in range(1, 6):
            mine.cli("tenant", "add", f"more{version}")
            mine.process.signal(signal.SIGHUP)
            until(lambda: mine.gauge("tenantry_tenants") == 2 + version, 10, "the reload")
        neighbour.end()
        mine.end()
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
