"""Clients that misbehave: each act is one connection that says something wrong, or leaves too early. What
they are told is for other tests; here the router only has to survive them."""

import gzip
import os
import random
import socket
import ssl
import struct
import threading

from . import otlp_build

GRPC_LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
BODY = otlp_build.logs_request([otlp_build.log("rude") for _ in range(50)]).SerializeToString()
BOMB = gzip.compress(bytes(80 << 20), 1)  # above router.max_decompressed
PATIENCE = 2  # seconds that an act waits for an answer
DATA, HEADERS, RESET, SETTINGS, PING = 0, 1, 3, 4, 6
END_STREAM, END_HEADERS = 1, 4


class Connection:
    def __init__(self, system, alpn):
        raw = socket.create_connection(("127.0.0.1", system.port), PATIENCE)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it changes meanwhile
        context.set_alpn_protocols([alpn])
        self.sock = context.wrap_socket(raw, server_hostname="localhost")

    def send(self, *pieces):
        self.sock.sendall(b"".join(pieces))

    def answer(self):
        """Waits for some of it."""
        self.sock.recv(65536)

    def leave(self, reset):
        """With a TCP reset, or as a process that ends."""
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


# -- HTTP/1.1


def head(key, length=None, path="/v1/logs", *more):
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/x-protobuf",
             f"Authorization: Bearer {key}", *more]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def http1(system, key):
    """Yields one act's bytes after the other, None to wait for an answer."""
    zipped = gzip.compress(BODY)
    coding = "Content-Encoding: gzip"
    yield head(key, len(BODY)), BODY[:100]
    yield head(key, len(BODY)), BODY
    yield head(key, 2 * len(BODY)), BODY
    yield (head(key, len(BODY)) + BODY) * 20, None
    yield head(key, 7), b"\x0a\xff\xff\xff\xff\x0fx", None
    yield head(key, 300), os.urandom(300), None
    yield head(key[:-1] + "x", len(BODY)), BODY, None
    yield head("", len(BODY)), BODY, None
    yield head(key, len(zipped), "/v1/logs", coding), zipped[:20], os.urandom(len(zipped) - 20), None
    yield head(key, len(zipped) // 2, "/v1/logs", coding), zipped[:len(zipped) // 2], None
    yield head(key, len(BOMB), "/v1/logs", coding), BOMB, None
    yield head(key, 1 << 40), BODY, None
    yield head(key, None, "/v1/logs", "Transfer-Encoding: chunked"), b"400\r\n", BODY[:500]
    yield head(key, None, "/v1/logs", "Transfer-Encoding: chunked"), b"xyz\r\n", None
    yield head(key, 0, "/nowhere"), None
    yield b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000, None
    yield os.urandom(500), None


# -- HTTP/2 and gRPC


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def block(path, kind, key):
    fields = {":method": "POST", ":scheme": "https", ":path": path, ":authority": "localhost",
              "content-type": kind, "te": "trailers", "x-api-key": key}
    return b"".join(b"\0" + bytes([len(n)]) + n.encode() + bytes([len(v)]) + v.encode()
                    for n, v in fields.items())


def call(stream, key, body=BODY, cut=None, flag=0):
    """A gRPC call; `cut` leaves its body open after so many bytes."""
    message = bytes([flag]) + struct.pack(">I", len(body)) + body
    return (frame(HEADERS, END_HEADERS, stream, block(GRPC_LOGS, "application/grpc", key))
            + frame(DATA, 0 if cut else END_STREAM, stream, message[:cut]))


def http2(system, key):
    hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0)
    reset = struct.pack(">I", 8)
    streams = range(1, 41, 2)
    yield hello, call(1, key)
    yield hello, call(1, key, cut=100)
    yield hello, call(1, key), frame(RESET, 0, 1, reset), call(3, key), None
    yield hello, *(call(n, key) + frame(RESET, 0, n, reset) for n in streams)
    yield hello, *(call(n, key, cut=50) for n in streams)
    yield hello, *(call(n, key) for n in streams), None
    yield hello, *(call(n, key, body=os.urandom(200)) for n in streams), None
    yield hello, call(1, key, flag=1), call(3, key, flag=9), call(5, "x"), None
    yield hello, frame(HEADERS, END_HEADERS, 1, os.urandom(40)), None
    yield hello, frame(DATA, 0, 7, b"x"), None
    yield hello, *(frame(PING, 0, 0, bytes(8)) for _ in range(2000)), None
    yield hello, *(frame(random.randrange(12), random.randrange(256), random.randrange(9), os.urandom(16))
                   for _ in range(20)), None
    yield b"PRI * HTTP/2.0\r\n\r\nXX", None


# -- before any protocol


def no_tls(system):
    for data in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", os.urandom(100)):
        with socket.create_connection(("127.0.0.1", system.port), PATIENCE) as sock:
            sock.sendall(data)


class RudeClients:
    """Acts one after the other until told to stop. Counts them."""

    def __init__(self, system, key):
        self.acts = 0
        self._system, self._key, self._done = system, key, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._done.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run(self):
        while True:
            for alpn, acts in (("http/1.1", http1), ("h2", http2)):
                for n, pieces in enumerate(acts(self._system, self._key)):
                    if self._done.wait(0.02):  # leaves some of the machine to the others
                        return
                    self._act(alpn, pieces, reset=(n + self.acts) % 2)
            self._attempt(lambda: no_tls(self._system))

    def _act(self, alpn, pieces, reset):
        def act():
            connection = Connection(self._system, alpn)
            try:
                for piece in pieces:
                    connection.answer() if piece is None else connection.send(piece)
            finally:
                connection.leave(reset)

        self._attempt(act)

    def _attempt(self, act):
        self.acts += 1
        try:
            act()
        except OSError:  # refused, closed, reset, or nobody there just now
            pass
