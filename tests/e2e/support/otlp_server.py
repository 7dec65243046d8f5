"""A far side for OTLP senders that says what a test tells it to: gRPC by grpcio, HTTP/1.1 by
Python's own server. It keeps every request it read, decoded by the opentelemetry-proto package."""

import gzip
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from .otlp_build import REQUESTS, RESPONSES

_REJECTED = {
    "logs": "rejected_log_records",
    "traces": "rejected_spans",
    "metrics": "rejected_data_points",
}
_GRPC_PATHS = {
    f"/opentelemetry.proto.collector.{package}.v1.{service}Service/Export": signal
    for signal, package, service in [
        ("logs", "logs", "Logs"),
        ("traces", "trace", "Trace"),
        ("metrics", "metrics", "Metrics"),
    ]
}


@dataclass(frozen=True)
class Answer:
    """code is the HTTP or the gRPC status; lost: the connection ends without an answer."""

    code: int = None  # None: success
    delay: int = None  # seconds
    in_details: bool = True  # RetryInfo in grpc-status-details-bin, else in its own trailer
    rejected: int = 0
    lost: bool = False


@dataclass(frozen=True)
class Request:
    signal: str
    message: object
    headers: dict


class OtlpServer:
    """answers are used up in order; after the last one everything is taken."""

    def __init__(self, protocol, answers=(), tls=None):
        self.requests = []
        self._answers = list(answers)
        self._lock = threading.Lock()
        self._stop = None
        start = self._start_grpc if protocol == "grpc" else self._start_http
        self.endpoint = start(tls)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends it at once, whatever is in flight; twice is fine."""
        if self._stop:
            self._stop()
        self._stop = None

    def taken(self, signal, body, headers):
        """Keeps the request and returns the answer to it."""
        message = REQUESTS[signal].FromString(body)
        with self._lock:
            self.requests.append(Request(signal, message, headers))
            return self._answers.pop(0) if self._answers else Answer()

    @staticmethod
    def response(signal, answer):
        message = RESPONSES[signal]()
        if answer.rejected:
            setattr(message.partial_success, _REJECTED[signal], answer.rejected)
            message.partial_success.error_message = "these were bad"
        return message.SerializeToString()

    def _start_grpc(self, tls):
        server = grpc.server(ThreadPoolExecutor(8))
        server.add_generic_rpc_handlers([_GrpcHandler(self)])
        if tls:
            pair = tls.key.read_bytes(), tls.certificate.read_bytes()
            port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
        else:
            port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self._stop = lambda: server.stop(None).wait()
        return f"{'https' if tls else 'http'}://127.0.0.1:{port}"

    def _start_http(self, tls):
        assert not tls, "HTTP over TLS is tested against the router"
        owner = self

        class Handler(_HttpHandler):
            server_of_test = owner

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()

        def stop():
            server.shutdown()
            server.server_close()

        self._stop = stop
        return f"http://127.0.0.1:{server.server_address[1]}"


class _GrpcHandler(grpc.GenericRpcHandler):
    def __init__(self, owner):
        self._owner = owner

    def service(self, details):
        signal = _GRPC_PATHS.get(details.method)
        if signal is None:
            return None
        return grpc.unary_unary_rpc_method_handler(
            lambda body, context: self._export(signal, body, context)
        )

    def _export(self, signal, body, context):
        headers = {k: v for k, v in context.invocation_metadata()}
        headers["time_remaining"] = context.time_remaining()
        answer = self._owner.taken(signal, body, headers)
        if answer.code is None:
            return self._owner.response(signal, answer)
        context.set_trailing_metadata(_retry_info(answer))
        code = next(c for c in grpc.StatusCode if c.value[0] == answer.code)
        context.abort(code, "told to")


def _retry_info(answer):
    if answer.delay is None:
        return ()
    info = RetryInfo(retry_delay=Duration(seconds=answer.delay))
    if not answer.in_details:
        return (("google.rpc.retryinfo-bin", info.SerializeToString()),)
    detail = Any()
    detail.Pack(info)
    status = Status(code=answer.code, message="told to", details=[detail])
    return (("grpc-status-details-bin", status.SerializeToString()),)


class _HttpHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of_test = None

    def do_POST(self):
        owner = self.server_of_test
        signal = self.path.rpartition("/")[2]
        body = self._body()
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        answer = owner.taken(signal, body, {k.lower(): v for k, v in self.headers.items()})
        if answer.lost:
            self.close_connection = True
            return
        code = answer.code or 200
        text = owner.response(signal, answer) if code == 200 else Status(
            message="told to"
        ).SerializeToString()
        self.send_response(code)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(text)))
        if answer.delay is not None:
            self.send_header("Retry-After", str(answer.delay))
        self.end_headers()
        self.wfile.write(text)

    def _body(self):
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers["content-length"]))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, *_):
        pass
