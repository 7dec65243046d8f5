"""Clients below the SDK, for requests that an SDK never sends: HTTP/1.1 as bytes on a socket, HTTP/2
frame by frame, gRPC by a bare channel. And what came back, decoded with googleapis' own messages."""

import base64
import json
import re
import socket
import ssl
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import h2.config
import h2.connection
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from . import otlp_build
from .wait import until

GRPC_PATHS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
PROTOBUF = "application/x-protobuf"


@dataclass
class Answer:
    """Of HTTP, or of gRPC as HTTP sees it."""

    status: int
    fields: list = field(default_factory=list)  # of (lower-case name, value), trailers too
    body: bytes = b""
    trailers: list = field(default_factory=list)  # those of the fields that came after the body

    def all(self, name):
        return [v for n, v in self.fields if n == name]

    def get(self, name):
        """The only value of that name, None without one."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} {len(values)} times: {values}"
        return values[0] if values else None

    @property
    def rpc_status(self):
        """The Status of a refusal, by the media type it says it has."""
        if self.get("content-type") == PROTOBUF:
            return status_pb2.Status.FromString(self.body)
        assert self.get("content-type") == "application/json", self
        told = json.loads(self.body)
        assert told.keys() <= {"code", "message", "details"}, told
        return status_pb2.Status(code=told["code"], message=told["message"])

    @property
    def grpc(self):
        """The call this answer is, as a GrpcAnswer."""
        assert self.status == 200 and self.get("content-type").startswith("application/grpc"), self
        binary = {n: _base64(v) for n, v in self.fields if n.endswith("-bin")}
        message = re.sub(
            "%([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), self.get("grpc-message") or "")
        return GrpcAnswer(int(self.get("grpc-status")), message, binary, self.body)


@dataclass
class GrpcAnswer:
    code: int
    message: str
    binary: dict  # trailers ending in -bin, decoded
    body: bytes = b""  # the response message (grpcio) or what was framed (HTTP/2)

    @property
    def rpc_status(self):
        """R189: its code is that of the call."""
        status = status_pb2.Status.FromString(self.binary["grpc-status-details-bin"])
        assert (status.code, status.message) == (self.code, self.message)
        return status

    @property
    def retry_delay(self):
        """Seconds; the two places have to say the same (R205). None without."""
        told = retry_delay(self.rpc_status) if self.binary else None
        extra = self.binary.get("google.rpc.retryinfo-bin")
        assert (told is None) == (extra is None), self
        if extra is not None:
            assert error_details_pb2.RetryInfo.FromString(extra).retry_delay.ToNanoseconds() == \
                round(told * 1e9)
        return told


def detail(status, kind):
    """The detail of that message type, None without one."""
    for d in status.details:
        assert isinstance(d, any_pb2.Any)
        if d.Is(kind.DESCRIPTOR):
            assert d.type_url == f"type.googleapis.com/{kind.DESCRIPTOR.full_name}"  # R206
            found = kind()
            d.Unpack(found)
            return found
    return None


def retry_delay(status):
    """Seconds of the RetryInfo in a Status, None without one."""
    info = detail(status, error_details_pb2.RetryInfo)
    return None if info is None else info.retry_delay.ToNanoseconds() / 1e9


def bad_fields(status):
    info = detail(status, error_details_pb2.BadRequest)
    return [] if info is None else [v.field for v in info.field_violations]


def _base64(text):
    assert "=" not in text, "R190: without padding"
    return base64.b64decode(text + "=" * (-len(text) % 4))


# ---- HTTP/1.1 as bytes


def tls_context(ca, alpn=("http/1.1",)):
    context = ssl.create_default_context(cafile=str(ca))
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def connect(system, alpn, timeout=60):
    """A TLS socket, its certificate verified."""
    raw = socket.create_connection((getattr(system, "host", "127.0.0.1"), system.port), timeout)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        return tls_context(system.ca, alpn).wrap_socket(raw, server_hostname="localhost")
    except BaseException:
        raw.close()
        raise


class Http1:
    """One connection. Verifies the certificate; alpn=() offers none."""

    def __init__(self, system, alpn=("http/1.1",), timeout=60):
        self.sock = connect(system, alpn, timeout)
        self._in = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, *pieces):
        self.sock.sendall(b"".join(p.encode() if isinstance(p, str) else p for p in pieces))

    def read(self, head=False):
        """The next answer, interim ones (1xx) too. head: the request was HEAD."""
        while b"\r\n\r\n" not in self._in:
            self._more()
        text, _, self._in = self._in.partition(b"\r\n\r\n")
        first, *lines = text.decode("latin-1").split("\r\n")
        version, status, *_ = first.split(" ", 2)
        assert version == "HTTP/1.1", first
        answer = Answer(int(status))
        for line in lines:
            name, _, value = line.partition(":")
            answer.fields.append((name.lower(), value.strip()))
        assert answer.get("transfer-encoding") is None, "our answers have a length"
        if head or answer.status < 200 or answer.status == 204:
            return answer
        length = int(answer.get("content-length"))
        while len(self._in) < length:
            self._more()
        answer.body, self._in = self._in[:length], self._in[length:]
        return answer

    def closed(self, timeout=60):
        """Waits for the end of the connection; False when more bytes came."""
        self.sock.settimeout(timeout)
        try:
            return not self._in and self.sock.recv(1) == b""
        except ConnectionError:
            return True

    def silent(self, seconds):
        """Nothing comes for this long, and the connection stays."""
        self.sock.settimeout(seconds)
        try:
            self._in += self.sock.recv(1)
            return False
        except TimeoutError:
            return not self._in
        finally:
            self.sock.settimeout(60)

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError(f"closed in the middle of an answer: {self._in!r}")
        self._in += data


def request(method="POST", path="/v1/logs", body=b"", headers=None, version="HTTP/1.1", length=True):
    """An HTTP/1.1 request as bytes. A header of None is left out."""
    fields = {"Host": "localhost", **(headers or {})}
    if length and not {n.lower() for n in fields} & {"content-length", "transfer-encoding"}:
        fields["Content-Length"] = str(len(body))
    lines = [f"{method} {path} {version}"]
    lines += [f"{n}: {v}" for n, v in fields.items() if v is not None]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def http1(system, method="POST", path="/v1/logs", body=b"", headers=None):
    """One request on a connection of its own."""
    with Http1(system) as c:
        c.send(request(method, path, body, headers))
        return c.read(head=method == "HEAD")


# ---- HTTP/2


class Http2:
    """One connection, several requests on it. Takes any header, also wrong ones."""

    def __init__(self, system, timeout=60):
        self.sock = connect(system, ("h2",), timeout)
        assert self.sock.selected_alpn_protocol() == "h2"
        self.authority = f"localhost:{system.port}"
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True, header_encoding=None, validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )  # fmt: skip
        self.h2.initiate_connection()
        self._flush()
        self.answers = {}  # by stream
        self.ended = set()
        self.resets = {}  # stream: code
        self.goaway = None
        self.pongs = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def start(self, method="POST", path="/v1/logs", headers=None, end=False):
        """Sends the headers, a dict or pairs; returns the stream."""
        stream = self.h2.get_next_available_stream_id()
        fields = [(":method", method), (":scheme", "https"), (":authority", self.authority),
                  (":path", path)]
        pairs = headers.items() if isinstance(headers, dict) else headers or ()
        fields += [(n.lower(), v) for n, v in pairs if v is not None]
        self.h2.send_headers(
            stream, [(n.encode(), v.encode("latin-1")) for n, v in fields], end_stream=end)
        self.answers[stream] = Answer(0)
        self._flush()
        return stream

    def data(self, stream, body=b"", end=True):
        """Sends all of it within the windows, or until the answer is complete."""
        while stream not in self.ended:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            piece = body[:room]
            if body and not piece:
                self._events()
                continue
            body = body[len(piece):]
            self.h2.send_data(stream, piece, end_stream=end and not body)
            self._flush()
            if not body:
                return

    def read(self, stream):
        """Waits for the end of the answer."""
        while stream not in self.ended:
            self._events()
        return self.answers[stream]

    def until(self, cond):
        while not cond():
            self._events()

    def _flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def _events(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError(f"closed in the middle of an answer: {self.answers}")
        for event in self.h2.receive_data(data):
            self._take(event)
        self._flush()

    def _take(self, event):
        kind = type(event).__name__
        answer = self.answers.get(getattr(event, "stream_id", None))
        if kind in ("ResponseReceived", "TrailersReceived"):
            fields = [(n.decode(), v.decode("latin-1")) for n, v in event.headers]
            answer.status = int(dict(fields).get(":status", answer.status))
            fields = [f for f in fields if f[0] != ":status"]
            answer.fields += fields
            if kind == "TrailersReceived":
                answer.trailers = fields
        elif kind == "DataReceived":
            answer.body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif kind == "StreamEnded":
            self.ended.add(event.stream_id)
        elif kind == "StreamReset":
            self.resets[event.stream_id] = event.error_code
            self.ended.add(event.stream_id)
        elif kind == "ConnectionTerminated":
            self.goaway = event
        elif kind == "PingAckReceived":
            self.pongs += 1


def http2(system, method="POST", path="/v1/logs", body=b"", headers=None):
    """One request on a connection of its own; for gRPC the body is the framed message."""
    with Http2(system) as c:
        stream = c.start(method, path, headers, end=not body)
        if body:
            c.data(stream, body)
        return c.read(stream)


def curl(system, path, body, headers):
    """An OTLP/HTTP request by curl over HTTP/2: status and body."""
    argv = [
        "curl", "--silent", "--show-error", "--http2", "--noproxy", "*", "--max-time", "60",
        "--cacert", system.ca, "--resolve", f"localhost:{system.port}:127.0.0.1",
        "--write-out", "%{stderr}%{http_version} %{http_code} %{content_type}",
        "--data-binary", "@-", f"{system.endpoint}{path}",
    ]  # fmt: skip
    for name, value in headers.items():
        argv += ["--header", f"{name}: {value}"]
    done = subprocess.run([str(a) for a in argv], input=body, capture_output=True)
    assert done.returncode == 0, done.stderr
    version, status, media_type = done.stderr.decode().split()
    assert version == "2"
    return Answer(int(status), [("content-type", media_type)], done.stdout)


def frame(message, flag=0, length=None):
    """A gRPC message with its prefix (R158)."""
    return struct.pack(">BI", flag, len(message) if length is None else length) + message


# ---- gRPC by a bare channel


class Channel:
    """Sends given bytes as the message of a call."""

    def __init__(self, system, compression="none", options=()):
        self._channel = grpc.secure_channel(
            f"localhost:{system.port}",
            grpc.ssl_channel_credentials(Path(system.ca).read_bytes()),
            options=[("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1), *options],
            compression={"gzip": grpc.Compression.Gzip, "none": grpc.Compression.NoCompression}[
                compression],
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._channel.close()

    def start(self, signal_or_path, message=b"", metadata=None, timeout=60):
        """A call under way, for finished()."""
        path = GRPC_PATHS.get(signal_or_path, signal_or_path)
        call = self._channel.unary_unary(path, lambda m: m, lambda m: m)
        sent = [(n.lower(), v) for n, v in (metadata or {}).items()]
        return call.future(message, timeout=timeout, metadata=sent)

    def call(self, *args, **options):
        return finished(self.start(*args, **options))


def finished(call):
    """Waits for the call's answer."""
    body = call.result() if call.exception() is None else b""
    binary = {n: v for n, v in call.trailing_metadata() or () if n.endswith("-bin")}
    return GrpcAnswer(call.code().value[0], call.details() or "", binary, body)


def grpc_call(system, signal_or_path, message=b"", metadata=None, compression="none", timeout=60):
    """One call on a channel of its own."""
    with Channel(system, compression) as channel:
        return channel.call(signal_or_path, message, metadata, timeout)


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def warm_up(system, tenant, timeout=30):
    """Waits until each of the tenant's topics takes records; returns the messages that it took."""
    taken = []
    headers = {"Content-Type": PROTOBUF, **bearer(system.keys[tenant])}
    for signal, message in {
        "logs": otlp_build.logs_request([otlp_build.log("warm-up")]),
        "traces": otlp_build.traces_request([otlp_build.span("warm-up")]),
        "metrics": otlp_build.metrics_request([otlp_build.gauge("warm-up")]),
    }.items():
        body = message.SerializeToString()

        def accepted():
            answer = http1(system, path=f"/v1/{signal}", body=body, headers=headers)
            assert answer.status in (200, 401, 503), answer  # 401: its file was not read yet
            return answer.status == 200

        until(accepted, timeout, f"{tenant}'s topic for {signal}")
        taken.append(message)
    return taken
