"""HTTP/2 by hand: frames as bytes over TLS, for what no client library would send.

The peer's HPACK table is set to 0 bytes, so that a header block can be read without state; of an answer
only :status is decoded.
"""

import socket
import ssl
import struct
import time
from collections import namedtuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, ACK = 0x1, 0x4, 0x8, 0x1
HEADER_TABLE_SIZE, MAX_STREAMS, INITIAL_WINDOW = 1, 3, 4
NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, REFUSED_STREAM, CANCEL, CALM = 0, 1, 3, 5, 7, 8, 11

Frame = namedtuple("Frame", "kind flags stream payload")


# -- frames to send


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(**values):
    """settings(INITIAL_WINDOW=0)"""
    pairs = [struct.pack(">HI", globals()[name], value) for name, value in values.items()]
    return frame(SETTINGS, payload=b"".join(pairs))


def window_update(stream, step):
    return frame(WINDOW_UPDATE, stream=stream, payload=struct.pack(">I", step))


def reset(stream, code=CANCEL):
    return frame(RST_STREAM, stream=stream, payload=struct.pack(">I", code))


def string(text):
    """HPACK string, not Huffman-coded."""
    data = text if isinstance(text, bytes) else text.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, out = len(data) - 127, [127]
    while rest >= 128:
        out.append(128 | rest & 127)
        rest >>= 7
    return bytes(out + [rest]) + data


def literal(name, value):
    """A header that is not indexed."""
    return b"\0" + string(name) + string(value)


def request(path="/v1/logs", kind="application/x-protobuf", key=None, method="POST", extra=()):
    """The header block of a request."""
    fields = [(":method", method), (":scheme", "https"), (":path", path), (":authority", "localhost")]
    if kind:
        fields.append(("content-type", kind))
    if kind == "application/grpc":
        fields.append(("te", "trailers"))
    if key:
        fields.append(("authorization", f"Bearer {key}"))
    return b"".join(literal(n, v) for n, v in [*fields, *extra])


# -- what came back

# Huffman codes of the digits (RFC 7541, appendix B).
_DIGITS = {**{f"{n:05b}": str(n) for n in range(3)}, **{f"{n + 22:06b}": str(n) for n in range(3, 10)}}
_STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}


def status_of(block):
    """:status, the first field of an answer; None in trailers."""
    while block[0] & 0xE0 == 0x20:  # a change of the table's size
        block = block[1:]
    if block[0] & 0x80:
        return _STATUS.get(block[0] & 0x7F)
    if block[0] & 0x3F not in _STATUS and block[0] & 0x0F not in _STATUS:
        return None
    length, value = block[1] & 0x7F, block[2:]
    if not block[1] & 0x80:
        return int(value[:length])
    bits, text = "".join(f"{b:08b}" for b in value[:length]), ""
    while len(text) < 3:
        size = 5 if bits[:5] in _DIGITS else 6
        text, bits = text + _DIGITS[bits[:size]], bits[size:]
    return int(text)


def tls(port, ca, protocols=("h2",), timeout=20, version=None, receive_buffer=None):
    """A TLS connection to the router; without protocols no ALPN is sent."""
    context = ssl.create_default_context(cafile=str(ca))
    if version:
        context.minimum_version = context.maximum_version = version
    if protocols:
        context.set_alpn_protocols(list(protocols))
    raw = socket.socket()
    if receive_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.settimeout(60)
    raw.connect(("127.0.0.1", port))
    sock = context.wrap_socket(raw, server_hostname="localhost")
    sock.settimeout(timeout)
    return sock


class RawHttp2:
    """One connection: preface and SETTINGS are sent, the rest is the test's."""

    def __init__(self, port, ca, first=None, timeout=20, **options):
        self.sock = tls(port, ca, timeout=timeout, **options)
        self.stream = -1
        self._input = b""
        self.send(PREFACE + settings(HEADER_TABLE_SIZE=0) + (first or b""))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def flood(self, data, most, seconds):
        """Sends `data` over and over, until it was cut off, `most` bytes went out or the time is over; tells the
        bytes."""
        sent, end = 0, time.monotonic() + seconds
        try:
            while sent < most and time.monotonic() < end:
                self.sock.sendall(data)
                sent += len(data)
        except OSError:
            pass
        return sent

    def next_stream(self):
        return self.next_streams(1)

    def next_streams(self, n):
        """The first of n further ones."""
        first = self.stream + 2
        self.stream += 2 * n
        return first

    def ask(self, block=None, body=None, end=True, **options):
        """Sends a request; body None: END_STREAM in the headers. The stream's number."""
        stream = self.next_stream()
        flags = END_HEADERS | (END_STREAM if body is None and end else 0)
        data = frame(HEADERS, flags, stream, block or request(**options))
        if body is not None:
            data += frame(DATA, END_STREAM if end else 0, stream, body)
        self.send(data)
        return stream

    def frames(self):
        """What the peer sends, until it closes or says nothing for the time limit (then TimeoutError)."""
        while True:
            while len(self._input) >= 9:
                size = int.from_bytes(self._input[:3], "big")
                if len(self._input) < 9 + size:
                    break
                kind, flags, stream = struct.unpack(">BBI", self._input[3:9])
                payload, self._input = self._input[9 : 9 + size], self._input[9 + size :]
                yield Frame(kind, flags, stream, payload)
            try:
                data = self.sock.recv(65536)
            except (ConnectionError, ssl.SSLError) as e:
                if isinstance(e, ssl.SSLWantReadError):
                    raise
                return
            if not data:
                return
            self._input += data

    def wait(self, what):
        """The first frame for which what(frame) is true; None when the connection ended before."""
        return next((f for f in self.frames() if what(f)), None)

    def status(self, stream):
        """:status of the answer, ("reset", code), or None when the connection ended."""
        f = self.wait(lambda f: f.stream == stream and f.kind in (HEADERS, RST_STREAM))
        if f is None:
            return None
        return status_of(f.payload) if f.kind == HEADERS else ("reset", int.from_bytes(f.payload, "big"))

    def goaway(self):
        """The code of the last GOAWAY before the connection ends; None without one."""
        codes = [int.from_bytes(f.payload[4:8], "big") for f in self.frames() if f.kind == GOAWAY]
        return codes[-1] if codes else None
