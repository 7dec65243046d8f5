"""Clients that mean harm. While each attacks, a tenant that behaves has no failure; afterwards nothing of the
attack is left: no connection, no byte held. docs/security.md has the table of all of them."""

import concurrent.futures
import contextlib
import gzip
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

from support import otlp_build as build
from support import raw_http2 as h2
from support.proc import start_tenantry
from support.raw_http2 import RawHttp2, frame
from support.sanitizer import environment, reports
from support.system import System
from support.wait import until

SIGNALS = ("logs", "traces", "metrics")
GRPC = "application/grpc"
GRPC_PATH = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
MOST = 64 << 20  # bytes an attack sends at most
IN_FLIGHT = 8 << 20
LOGS = build.logs_request([build.log("x" * 100) for _ in range(100)]).SerializeToString()


class Front(System):
    """The router alone, with short time limits, and a sender that behaves."""

    def __init__(self, folder, kafka, name):
        router = ('handshake_timeout = "5s"; header_timeout = "3s"; body_timeout = "4s"; drain_timeout = "6s";'
                  ' answer_timeout = "30s"; max_body = "4MiB"; ')  # fmt: skip
        extra = {"kafka": f'prefix = "{name}";', "router": router, "record": 'max_bytes = "1MiB";'}
        self.reports = folder / "sanitizer"
        super().__init__(folder, kafka.bootstrap, (), extra, environment(self.reports))
        self.reports.mkdir()
        self.add_tenant("good")
        self.add_tenant("bad", "--in-flight", "8MiB")
        for tenant in ("good", "bad"):
            for s in SIGNALS:
                kafka.create_topic(f"{name}.{tenant}.{s}", partitions=1)
        self.process = start_tenantry(
            "--config", self.conf, "router", log=folder / "router.log", env=self.env, cwd=folder
        )
        self.wait_ready()

    @property
    def key(self):
        return self.keys["bad"]

    def raw(self, **options):
        return RawHttp2(self.port, self.ca, **options)

    def tls(self, *protocols, **options):
        return h2.tls(self.port, self.ca, protocols, **options)

    def gauge(self, name):
        lines = re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", self.http("/metrics")[1], re.M)
        return sum(float(value) for value in lines)

    def accepted(self):
        """Requests of the tenant that behaves."""
        series = r'^tenantry_requests_total\{(?=.*tenant="good")(?=.*outcome="accepted").*\} (\S+)$'
        return sum(float(value) for value in re.findall(series, self.http("/metrics")[1], re.M))

    def left(self):
        """What connections and requests still hold."""
        names = ("tenantry_connections", "tenantry_buffered_bytes", "tenantry_in_flight_bytes")
        return {name: value for name in names if (value := self.gauge(name))}

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

REFUSED = h2.request()  # without a key: 401
OPEN = "an open stream"  # stands for a request with a key, which goes on
CLOSED = frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, 1, REFUSED)
CONTINUED = frame(h2.HEADERS, 0, 1, REFUSED)

FLOODS = {  # what is sent first, then over and over
    "PING": (b"", frame(h2.PING, payload=b"12345678")),
    "PING ACK": (b"", frame(h2.PING, h2.ACK, payload=b"12345678")),
    "SETTINGS": (b"", h2.settings(INITIAL_WINDOW=70000)),
    "PRIORITY": (b"", b"".join(frame(h2.PRIORITY, 0, i * 2 + 1, b"\0\0\0\0\x10") for i in range(999))),
    "WINDOW_UPDATE": (b"", h2.window_update(0, 1)),
    "RST_STREAM": (CLOSED, h2.reset(1)),
    "unknown frames": (b"", frame(0xFA, payload=bytes(16384))),
    "CONTINUATION": (CONTINUED, frame(h2.CONTINUATION, 0, 1, h2.literal("a", "b"))),
    "empty CONTINUATION": (CONTINUED, frame(h2.CONTINUATION, 0, 1)),
    "empty DATA": (OPEN, frame(h2.DATA, 0, 1)),
    "padding alone": (OPEN, frame(h2.DATA, h2.PADDED, 1, b"\0")),
    "more headers": (OPEN, frame(h2.HEADERS, h2.END_HEADERS, 1, h2.literal("a", "b"))),
    "DATA after the end": (CLOSED, frame(h2.DATA, 0, 1, bytes(100))),
}


@pytest.mark.sanitize
@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_cut(front, name):
    """R53, R54"""
    first, again = FLOODS[name]
    if first is OPEN:
        first = frame(h2.HEADERS, h2.END_HEADERS, 1, h2.request(key=front.key))
    with front.raw(first=first, timeout=30) as c:
        most = MOST * (3 if name == "unknown frames" else 1)  # they may bring 64 MiB
        assert c.flood(again * max(1, 40000 // len(again)), most, seconds=60) < most
        # None: it came behind our writing. 0: on a slow machine a connection without a request was closed first.
        assert c.goaway() in (h2.CALM, h2.STREAM_CLOSED, None, 0)


# The client reads nothing: what answers these may not pile up.
PROVOKING = {
    "streams above the limit": b"\x82\x87\x84",
    "malformed requests": h2.literal("Upper", "x"),
    "refused requests": REFUSED,
}


@pytest.mark.sanitize
@pytest.mark.parametrize("name", PROVOKING)
def test_frames_for_a_client_that_reads_nothing_do_not_pile_up(front, name):
    with front.raw(receive_buffer=4096, timeout=10) as c:
        sent = 0
        with pytest.raises(OSError):
            while sent < MOST:
                block = b"".join(
                    frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, c.next_stream(), PROVOKING[name])
                    for _ in range(1000)
                )
                c.send(block)
                sent += len(block)
        assert sent < MOST


@pytest.mark.parametrize("key", [None, "bad"], ids=["without key", "with key"])
def test_rapid_reset_is_cut(front, key):
    block = h2.request(key=front.keys.get(key))
    flags = h2.END_HEADERS | (0 if key else h2.END_STREAM)
    with front.raw(timeout=10) as c:
        with pytest.raises(OSError):
            for _ in range(5000):
                streams = [c.next_stream() for _ in range(100)]
                c.send(b"".join(frame(h2.HEADERS, flags, s, block) + h2.reset(s) for s in streams))


def test_resets_that_we_are_made_to_send_are_cut(front):
    block = h2.request(key=front.key)
    with front.raw(timeout=10) as c:
        with pytest.raises(OSError):
            for _ in range(5000):
                streams = [c.next_stream() for _ in range(100)]
                c.send(b"".join(frame(h2.HEADERS, h2.END_HEADERS, s, block) + h2.window_update(s, 0) for s in streams))


@pytest.mark.sanitize
def test_header_bombs_are_cut(front):
    """4,000 bytes in the table, referred to 14,000 times by each request."""
    first = h2.request(key=front.key) + b"\x40" + h2.string("x") + h2.string("y" * 4000)
    with front.raw(timeout=10) as c:
        c.ask(block=first, end=False)
        with pytest.raises(OSError):
            while c.stream < 2000:
                c.ask(block=h2.request(key=front.key) + b"\xbe" * 14000, end=False)


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


def gzipped(n):
    return gzip.compress(bytes(n))


BOMBS = {
    "1000 to 1": (gzipped(32 << 20), 413),
    "that tells a small size": (gzipped(32 << 20)[:-4] + struct.pack("<I", 999_999), 413),
    "in 1000 members": (gzipped(1 << 16) * 1000, 413),
    "of empty members": (gzipped(0) * 2000, 200),
    "nested": (gzip.compress(gzipped(1 << 28)), 400),
}


@pytest.mark.parametrize("kind", ["application/x-protobuf", GRPC])
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(front, name, kind):
    body, status = BOMBS[name]
    coding = [("grpc-encoding" if kind == GRPC else "content-encoding", "gzip")]
    if kind == GRPC:
        body, status = b"\1" + struct.pack(">I", len(body)) + body, 200
    with front.raw(timeout=60) as c:
        stream = c.ask(key=front.key, kind=kind, path=GRPC_PATH if kind == GRPC else "/v1/logs",
                       extra=coding, end=False)  # fmt: skip
        pieces = [body[i : i + 16384] for i in range(0, len(body), 16384)]
        for piece in pieces:
            c.send(frame(h2.DATA, h2.END_STREAM if piece is pieces[-1] else 0, stream, piece))
        assert c.status(stream) == status


def test_a_message_of_4_gib_is_refused_by_its_prefix(front):
    with front.raw(timeout=30) as c:
        stream = c.ask(key=front.key, kind=GRPC, path=GRPC_PATH, body=b"\0\xff\xff\xff\xffx", end=False)
        assert c.wait(lambda f: f.kind == h2.HEADERS).flags & h2.END_STREAM
        assert c.wait(lambda f: f.stream == stream).kind == h2.RST_STREAM


def test_a_message_of_one_byte_frames(front):
    body = b"\0" + struct.pack(">I", len(LOGS)) + LOGS
    with front.raw(timeout=30) as c:
        stream = c.ask(key=front.key, kind=GRPC, path=GRPC_PATH, end=False)
        c.send(b"".join(frame(h2.DATA, 0, stream, body[i : i + 1]) for i in range(len(body))))
        c.send(frame(h2.DATA, h2.END_STREAM, stream))
        assert c.wait(lambda f: f.kind == h2.DATA and f.stream == stream) is not None  # an answer with a body: success


# -- HTTP/1.1


def post(*fields, version="1.1", end="\r\n"):
    lines = [f"POST /v1/logs HTTP/{version}", "Host: a", *fields]
    return (end.join(lines) + end * 2).encode("latin1")


CHUNKED = "Transfer-Encoding: chunked"
HIDDEN = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"

# What a proxy in front may read otherwise: the statuses, after which nothing more is taken.
SMUGGLED = [
    (post("Content-Length: 5", CHUNKED) + b"0\r\n\r\n" + HIDDEN.encode(), [200]),
    (post("Content-Length: 5", "Content-Length: 6") + b"12345", [400]),
    (post("Content-Length: +5"), [400]),
    (post("Content-Length: 5\r\n 6"), [400]),
    (post("Content-Length : 5"), [400]),
    (post("Content-Length: 18446744073709551616"), [413]),
    (post("X: a\0b", "Content-Length: 0"), [400]),
    (post("X: a\rContent-Length: 9", "Content-Length: 0"), [400]),
    (post("Content-Length: 0", end="\n"), [400]),
    (post("Content-Length: 0\nX: y"), [400]),
    (post("Transfer-Encoding:\x0bchunked"), [400]),
    (post("Transfer-Encoding: xchunked"), [400]),
    (post("Transfer-Encoding: chunked, identity"), [400]),
    (post("Transfer-Encoding: gzip, chunked"), [501]),
    (post(CHUNKED, CHUNKED), [400]),
    (post(CHUNKED, version="1.0") + b"0\r\n\r\n" + HIDDEN.encode(), [200]),
    (post(CHUNKED) + b"10000000000000000\r\n", [400]),
    (post(CHUNKED) + b"0x0\r\n\r\n", [400]),
    (post(CHUNKED) + b"0;a\n\r\n", [400]),
    (post(CHUNKED) + b"1\r\na\n0\r\n\r\n", [400]),
    (post(CHUNKED) + b"0\r\nX: y\n\r\n", [400]),
]


@pytest.mark.sanitize
def test_nothing_is_smuggled(front):
    credentials = f"Authorization: Bearer {front.key}\r\nContent-Type: application/x-protobuf\r\nHost: a"

    def statuses(sent):
        with front.tls("http/1.1", timeout=60) as sock:
            sock.sendall(sent.replace(b"Host: a", credentials.encode(), 1))
            return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", read_all(sock))]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = pool.map(statuses, [sent for sent, _ in SMUGGLED])
    wrong = [(sent, g) for (sent, wanted), g in zip(SMUGGLED, got) if g != wanted]
    assert wrong == []


def read_all(sock):
    """Until the far side closes; never shorter than that."""
    got = b""
    try:
        while data := sock.recv(65536):
            got += data
    except (ConnectionError, ssl.SSLError):
        pass
    return got


@pytest.mark.sanitize
@pytest.mark.parametrize("first, again", [
    (b"", b"x" * 65536),
    (b"POST /", b"x" * 65536),
    (b"", b"\r\n" * 30000),
    (post(), post() * 1000),
    (post("Content-Length: 90000000"), bytes(65536)),
    (post("KEY", CHUNKED) + b"1;", b"x" * 65536),
    (post("KEY", CHUNKED) + b"0\r\n", b"X: y\r\n" * 9000),
], ids=["no line", "target", "empty lines", "pipelined, no reading", "body after 401", "extension", "trailer"])  # fmt: skip
def test_endless_http1_is_cut(front, first, again):
    credentials = f"Authorization: Bearer {front.key}\r\nContent-Type: application/x-protobuf"
    with front.tls("http/1.1", timeout=5, receive_buffer=4096) as sock:
        with pytest.raises(OSError):  # closed on us, or not read from any more
            sock.sendall(first.replace(b"KEY", credentials.encode()))
            for _ in range(MOST // len(again)):
                sock.sendall(again)


# -- TLS and time


def hello(front):
    """The first flight of a TLS client."""
    out = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


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


def vanish(sock, how):
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif how == "half-closed":
        try:
            sock.shutdown(socket.SHUT_WR)
        except OSError:  # closed from over there
            pass
    sock.close()


@pytest.mark.sanitize
@pytest.mark.parametrize("how", ["closed", "reset", "half-closed"])
def test_clients_that_leave_at_every_stage(front, how):
    first = hello(front)
    for length in (0, 1, 5, 100, len(first)):
        sock = socket.create_connection(("127.0.0.1", front.port), 20)
        sock.sendall(first[:length])
        vanish(sock, how)
    auth = f"Authorization: Bearer {front.key}"
    head = post(auth, "Content-Type: application/x-protobuf", f"Content-Length: {len(LOGS)}")
    for sent in (b"", head[:30], head, head + LOGS[:9], head + LOGS, (head + LOGS) * 3):
        sock = front.tls("http/1.1", timeout=20)
        sock.sendall(sent)
        vanish(sock, how)
    asked = frame(h2.HEADERS, h2.END_HEADERS, 1, h2.request(key=front.key))
    whole = asked + frame(h2.DATA, h2.END_STREAM, 1, LOGS)
    for sent in (b"", CONTINUED, asked, asked + frame(h2.DATA, 0, 1, LOGS[:9]), whole, whole + h2.reset(1)):
        c = front.raw(first=sent, timeout=20)
        vanish(c.sock, how)


@pytest.mark.sanitize
def test_junk_instead_of_a_handshake(front):
    first = hello(front)
    junk = [b"GET / HTTP/1.0\r\n\r\n", first * 5, first + bytes(200), b"\x16\x03\x01\xff\xff" + bytes(70000)]
    junk += [first[:i] + bytes([first[i] ^ 0x55]) + first[i + 1 :] for i in range(0, len(first), 9)]
    for data in junk:
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
        "handshake": (lambda: socket.create_connection(("127.0.0.1", front.port)), hello(front)),
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

    def flood(name):
        first, frames = FLOODS[name]
        with front.raw(first=first, timeout=5) as c:
            c.flood(frames * 500, 1 << 22, 2)

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

    acts = [lambda: flood("PING"), lambda: flood("CONTINUATION"), bodies, held, http1]
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
