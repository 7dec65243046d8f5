"""What clients send that mean harm, for test_attacks.py, which judges what they are told, and for the table of
tools/attack, which runs them for longer beside a tenant that behaves."""

import functools
import gzip
import re
import socket
import ssl
import struct

import cramjam

from . import otlp_build as build
from . import raw_http2 as h2
from .proc import start_tenantry
from .raw_http2 import RawHttp2, frame
from .system import System

SIGNALS = ("logs", "traces", "metrics")
PROTOBUF = "application/x-protobuf"
GRPC = "application/grpc"
GRPC_PATH = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
LOGS = build.logs_request([build.log("x" * 100) for _ in range(100)]).SerializeToString()


class AttackedFront(System):
    """The router alone, with a tenant `good` that behaves and a tenant `bad` whose key the attackers have.
    `router`: more text of that group."""

    def __init__(self, folder, kafka, name, router="", record="", env=None):
        extra = {"kafka": f'prefix = "{name}";', "router": router, "record": record}
        super().__init__(folder, kafka.bootstrap, (), extra, env)
        self.add_tenant("good")
        self.add_tenant("bad", "--in-flight", "8MiB")
        for tenant in ("good", "bad"):
            for s in SIGNALS:
                kafka.create_topic(f"{name}.{tenant}.{s}", partitions=1)
        self.process = start_tenantry(
            "--config", self.conf, "router", log=self.folder / "router.log", env=self.env, cwd=self.folder
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


# -- TLS and connections


def hello():
    """The first flight of a TLS client."""
    out = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


def junk():
    """What comes instead of a handshake."""
    first = hello()
    found = [b"GET / HTTP/1.0\r\n\r\n", first * 5, first + bytes(200), b"\x16\x03\x01\xff\xff" + bytes(70000)]
    return found + [first[:i] + bytes([first[i] ^ 0x55]) + first[i + 1 :] for i in range(0, len(first), 9)]


def vanish(sock, how):
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif how == "half-closed":
        try:
            sock.shutdown(socket.SHUT_WR)
        except OSError:  # closed from over there
            pass
    sock.close()


def stages(key):
    """Where a client may leave: the bytes sent before a handshake is over, of HTTP/1.1, of HTTP/2."""
    first = hello()
    head = post(f"Authorization: Bearer {key}", f"Content-Type: {PROTOBUF}", f"Content-Length: {len(LOGS)}")
    asked = frame(h2.HEADERS, h2.END_HEADERS, 1, h2.request(key=key))
    whole = asked + frame(h2.DATA, h2.END_STREAM, 1, LOGS)
    return (
        [first[:length] for length in (0, 1, 5, 100, len(first))],
        [b"", head[:30], head, head + LOGS[:9], head + LOGS, (head + LOGS) * 3],
        [b"", CONTINUED, asked, asked + frame(h2.DATA, 0, 1, LOGS[:9]), whole, whole + h2.reset(1)],
    )


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


def flood(name, key):
    """What is sent first; what then, over and over."""
    first, again = FLOODS[name]
    if first is OPEN:
        first = frame(h2.HEADERS, h2.END_HEADERS, 1, h2.request(key=key))
    return first, again * max(1, 40000 // len(again))


# The client reads nothing: what answers these may not pile up.
PROVOKING = {
    "streams above the limit": b"\x82\x87\x84",
    "malformed requests": h2.literal("Upper", "x"),
    "refused requests": REFUSED,
}


def provoking(name, first_stream, n=1000):
    """Requests on n further streams."""
    flags = h2.END_STREAM | h2.END_HEADERS
    return b"".join(frame(h2.HEADERS, flags, first_stream + 2 * i, PROVOKING[name]) for i in range(n))


def rapid_resets(key, first_stream, n=100):
    """Requests on n further streams, each reset at once; without a key they are whole."""
    block, flags = h2.request(key=key), h2.END_HEADERS | (0 if key else h2.END_STREAM)
    streams = range(first_stream, first_stream + 2 * n, 2)
    return b"".join(frame(h2.HEADERS, flags, s, block) + h2.reset(s) for s in streams)


def provoked_resets(key, first_stream, n=100):
    """Requests that we are made to reset."""
    block = h2.request(key=key)
    streams = range(first_stream, first_stream + 2 * n, 2)
    return b"".join(frame(h2.HEADERS, h2.END_HEADERS, s, block) + h2.window_update(s, 0) for s in streams)


# 4,000 bytes that go into the table, and 14,000 references to them.
BOMB_ENTRY = b"\x40" + h2.string("x") + h2.string("y" * 4000)
BOMB_BLOCK = b"\xbe" * 14000

# -- bodies


def gzipped(n):
    return gzip.compress(bytes(n))


@functools.cache
def bombs():
    """gzip bodies, and the status of HTTP they get."""
    return {
        "1000 to 1": (gzipped(32 << 20), 413),
        "that tells a small size": (gzipped(32 << 20)[:-4] + struct.pack("<I", 999_999), 413),
        "in 1000 members": (gzipped(1 << 16) * 1000, 413),
        "of empty members": (gzipped(0) * 2000, 200),
        "nested": (gzip.compress(gzipped(1 << 28)), 400),
    }


BOMBS = ("1000 to 1", "that tells a small size", "in 1000 members", "of empty members", "nested")


@functools.cache
def coded_bombs(size=64 << 20):
    """So many zeros in every content coding: {name: body}."""
    zeros = bytes(size)
    compress = {"gzip": gzip.compress, "deflate": cramjam.zlib.compress, "zstd": cramjam.zstd.compress,
                "snappy": cramjam.snappy.compress, "lz4": cramjam.lz4.compress}  # fmt: skip
    return {name: bytes(c(zeros)) for name, c in compress.items()}


@functools.cache
def rows_bomb(items=100_000):
    """Two bytes for each record, which is a row with all of the resource."""
    resource = build.resource({"fat": "x" * 100_000})
    return build.logs_request([build.logs.LogRecord()] * items, res=resource).SerializeToString()


def grpc_message(body, flag=1, length=None):
    return bytes([flag]) + struct.pack(">I", len(body) if length is None else length) + body


def data_frames(stream, body):
    """The body to its end."""
    pieces = [body[i : i + 16384] for i in range(0, len(body), 16384)]
    flags = [0] * (len(pieces) - 1) + [h2.END_STREAM]
    return [frame(h2.DATA, flag, stream, piece) for flag, piece in zip(flags, pieces)]


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


def credentials(key):
    return f"Authorization: Bearer {key}\r\nContent-Type: {PROTOBUF}"


def with_key(sent, key):
    """The same with a key: "Host: a" and "KEY" are where it goes."""
    fields = credentials(key)
    return sent.replace(b"Host: a", f"{fields}\r\nHost: a".encode(), 1)


# What is sent first ("KEY": where the key goes), then over and over.
ENDLESS_HTTP1 = {
    "no line": (b"", b"x" * 65536),
    "target": (b"POST /", b"x" * 65536),
    "empty lines": (b"", b"\r\n" * 30000),
    "pipelined, no reading": (post(), post() * 1000),
    "body after 401": (post("Content-Length: 90000000"), bytes(65536)),
    "extension": (post("KEY", CHUNKED) + b"1;", b"x" * 65536),
    "trailer": (post("KEY", CHUNKED) + b"0\r\n", b"X: y\r\n" * 9000),
}


def read_all(sock):
    """Until the far side closes; never shorter than that."""
    got = b""
    try:
        while data := sock.recv(65536):
            got += data
    except (ConnectionError, ssl.SSLError):
        pass
    return got
