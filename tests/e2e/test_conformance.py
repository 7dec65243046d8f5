"""Rules of the conformance table that no other file has: HTTP/2 frame by frame, odd metadata, what the payload may
hold. One router for all of them."""

import contextlib
import json
import os
import re
import socket
import ssl
import struct
import subprocess

import pytest

from support import otlp_build as build
from support import raw_http2 as h2
from support.raw_http2 import RawHttp2, frame, literal
from support.system import System
from support.wait import until
from support.wire import GRPC_PATHS, PROTOBUF, Http1, Http2, bearer, http1, http2, request, warm_up
from support.wire import frame as message

GRPC = "application/grpc"
LOGS = build.logs_request([build.log("hello")]).SerializeToString()


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    system = System(tmp_path_factory.mktemp("conformance"), brokers=kafka.bootstrap, tenants=("acme", "beta"),
                    extra={"kafka": 'prefix = "conformance";', "router": 'max_header_bytes = "8KiB";'})
    system.up()
    warm_up(system, "acme")
    yield system
    system.end()


@pytest.fixture
def raw(system):
    with RawHttp2(system.port, system.ca) as c:
        c.key = system.keys["acme"]
        yield c


def key(system, tenant="acme"):
    return {"content-type": PROTOBUF, **bearer(system.keys[tenant])}


# ---- TLS


def s_client(system, ca, typed, *options):
    """What openssl's own client tells of a connection."""
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{system.port}", "-servername", "localhost", "-CAfile", ca,
            "-verify_return_error", *options]
    done = subprocess.run([str(a) for a in argv], input=typed.encode(), capture_output=True, timeout=60)
    return (done.stdout + done.stderr).decode(errors="replace")


@pytest.mark.parametrize("name", [None, "unknown.example.com"])
def test_the_default_certificate(system, name):
    """R9"""
    context = ssl.create_default_context(cafile=str(system.ca))
    context.check_hostname = False
    with socket.create_connection(("127.0.0.1", system.port), 20) as plain, \
            context.wrap_socket(plain, server_hostname=name) as tls:
        assert ("DNS", "localhost") in tls.getpeercert()["subjectAltName"]


def test_tls_1_2(system, tmp_path):
    """R6: the suite that every client of HTTP/2 has, on P-256, with a certificate of RSA; no compression, no
    renegotiation. The certificate changes under the running router, and back."""
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
        " -keyout server.key -out server.pem".split(), cwd=tmp_path, check=True, capture_output=True)
    folder, names = system.folder / "certs", ("server.key", "server.pem")
    before = {n: (folder / n).read_bytes() for n in names}
    options = ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-curves", "P-256", "-alpn", "h2"]

    def replace(files):
        for name, data in files.items():
            (tmp_path / "new").write_bytes(data)
            os.replace(tmp_path / "new", folder / name)

    def tell(ca):
        return s_client(system, ca, "Q\n", *options)

    try:
        replace({n: (tmp_path / n).read_bytes() for n in names})
        until(lambda: "Cipher is ECDHE-RSA-AES128-GCM-SHA256" in tell(tmp_path / "server.pem"), 30, "the new certificate")
        told = s_client(system, tmp_path / "server.pem", "R\n", *options)
        assert "ALPN protocol: h2" in told and "Compression: NONE" in told and "Server Temp Key: ECDH, prime256v1" in told
        assert "error" in told.partition("RENEGOTIATING")[2]
    finally:
        replace(before)
    until(lambda: "Verify return code: 0 (ok)" in s_client(system, system.ca, "Q\n"), 30, "the former certificate")


# ---- frames


def test_settings(raw):
    """R39: SETTINGS is the server's first frame, and each of ours is acknowledged. R46: 100 streams or more."""
    raw.send(h2.settings(INITIAL_WINDOW=70_000))
    first, *_ = seen = [next(raw.frames())]
    assert (first.kind, first.flags) == (h2.SETTINGS, 0)
    values = dict(struct.unpack(">HI", first.payload[i:i + 6]) for i in range(0, len(first.payload), 6))
    assert values[h2.MAX_STREAMS] >= 100
    for f in raw.frames():
        seen.append(f)
        if sum((f.kind, f.flags) == (h2.SETTINGS, h2.ACK) for f in seen) == 2:
            break
    else:
        raise AssertionError(f"no second acknowledgement: {seen}")


@pytest.mark.sanitize
def test_http2_without_alpn(system):
    """R4: the preface tells."""
    with RawHttp2(system.port, system.ca, protocols=()) as c:
        assert c.sock.selected_alpn_protocol() is None
        assert c.status(c.ask(key=system.keys["acme"], body=LOGS)) == 200


def test_ping(raw):
    """R40: with its 8 bytes, and without a stream. R41: ahead of the answers that were asked for before."""
    raw.send(frame(h2.PING, payload=b"no stream"[:8]))
    assert raw.wait(lambda f: f.kind == h2.PING and f.flags & h2.ACK).payload == b"no strea"
    asked = b""
    for _ in range(40):  # one TLS record: read, and answered, in one go
        asked += frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, raw.next_stream(), h2.request(path="/nowhere"))
    raw.send(asked + frame(h2.PING, payload=b"12345678"))
    seen = []
    for f in raw.frames():
        seen += ["ack"] if f.kind == h2.PING and f.flags & h2.ACK else ["answer"] if f.kind == h2.HEADERS else []
        if seen.count("answer") == 40:
            break
    assert seen[0] == "ack"


def unknown_settings():
    return frame(h2.SETTINGS, payload=struct.pack(">HIHI", 0xFEED, 7, 0x0, 1))


PADDING = bytes([200])


@pytest.mark.sanitize
@pytest.mark.parametrize("name", ["unknown frame", "unknown frame of a stream", "unknown setting", "PRIORITY",
                                  "padded", "padding of 255", "with a priority"])
def test_what_has_to_be_taken(raw, name):
    """R42: and the request goes on as ever."""
    head = h2.request(key=raw.key)
    s = raw.next_stream()
    plain = frame(h2.HEADERS, h2.END_HEADERS, s, head) + frame(h2.DATA, h2.END_STREAM, s, LOGS)
    raw.send({
        "unknown frame": frame(0xBE, 0xFF, 0, b"x" * 100) + plain,
        "unknown frame of a stream": frame(h2.HEADERS, h2.END_HEADERS, s, head) + frame(0xBE, 0xFF, s, b"x")
        + frame(h2.DATA, h2.END_STREAM, s, LOGS),
        "unknown setting": unknown_settings() + plain,
        "PRIORITY": frame(h2.PRIORITY, 0, s, struct.pack(">IB", 0, 10)) + plain
        + frame(h2.PRIORITY, 0, s + 20, struct.pack(">IB", s, 10)),
        "padded": frame(h2.HEADERS, h2.END_HEADERS | h2.PADDED, s, b"\x05" + head + bytes(5))
        + frame(h2.DATA, h2.END_STREAM | h2.PADDED, s, b"\x07" + LOGS + bytes(7)),
        "padding of 255": frame(h2.HEADERS, h2.END_HEADERS | h2.PADDED, s, b"\xff" + head + bytes(255))
        + b"".join(frame(h2.DATA, h2.PADDED, s, b"\xff" + LOGS[i:i + 1] + bytes(255)) for i in range(len(LOGS)))
        + frame(h2.DATA, h2.END_STREAM, s),
        "with a priority": frame(h2.HEADERS, h2.END_HEADERS | 0x20, s, struct.pack(">IB", 0, 200) + head)
        + frame(h2.DATA, h2.END_STREAM, s, LOGS),
    }[name])  # fmt: skip
    assert raw.status(s) == 200


@pytest.mark.sanitize
def test_the_largest_frames_and_split_headers(raw):
    """R43"""
    body = build.logs_request([build.log("x" * 40_000)]).SerializeToString()
    head, s = h2.request(key=raw.key, extra=[("x-long", "y" * 6000)]), raw.next_stream()
    pieces = [head[i:i + 1000] for i in range(0, len(head), 1000)]
    raw.send(frame(h2.HEADERS, 0, s, pieces[0])
             + b"".join(frame(h2.CONTINUATION, 0, s, p) for p in pieces[1:-1])
             + frame(h2.CONTINUATION, h2.END_HEADERS, s, pieces[-1]))
    for i in range(0, len(body), 16_384):
        last = i + 16_384 >= len(body)
        raw.send(frame(h2.DATA, h2.END_STREAM if last else 0, s, body[i:i + 16_384]))
    assert raw.status(s) == 200


@pytest.mark.sanitize
def test_a_stream_too_many(system, raw):
    """R47: it alone is refused; those before it are served."""
    settings = next(raw.frames())
    values = dict(struct.unpack(">HI", settings.payload[i:i + 6]) for i in range(0, len(settings.payload), 6))
    raw.send(frame(h2.SETTINGS, h2.ACK))
    streams = [raw.ask(key=raw.key, end=False) for _ in range(values[h2.MAX_STREAMS])]
    over = raw.ask(key=raw.key, end=False)
    assert raw.status(over) in (("reset", h2.REFUSED_STREAM), ("reset", h2.PROTOCOL_ERROR))
    for s in streams:
        raw.send(frame(h2.DATA, h2.END_STREAM, s, LOGS))
    seen = {}
    for f in raw.frames():
        if f.kind in (h2.HEADERS, h2.RST_STREAM):
            seen.setdefault(f.stream, h2.status_of(f.payload) if f.kind == h2.HEADERS else "reset")
        if seen.keys() >= set(streams):
            break
    assert {seen[s] for s in streams} == {200}
    again = raw.ask(key=raw.key, body=LOGS)
    assert raw.status(again) == 200


@pytest.mark.sanitize
@pytest.mark.parametrize("extra, status", [
    ([(":authority", "other")], ("reset", h2.PROTOCOL_ERROR)),
    ([("host", "one"), ("host", "two")], ("reset", h2.PROTOCOL_ERROR)),
    ([("host", "another.example")], 200),
], ids=["two authorities", "two hosts", "host beside :authority"])
def test_authority_and_host(raw, extra, status):
    """R49"""
    head = h2.request(key=raw.key)
    first = literal(*extra[0]) if extra[0][0].startswith(":") else b""
    rest = b"".join(literal(*e) for e in extra if not e[0].startswith(":"))
    s = raw.ask(block=first + head + rest, body=LOGS)
    assert raw.status(s) == status
    assert raw.status(raw.ask(key=raw.key, body=LOGS)) == 200


def test_too_many_pings(raw):
    """R295: the text that gRPC clients look for. R53."""
    told = None
    raw.sock.settimeout(3)
    while told is None:  # a burst of 1000 is not yet abuse; a slow machine may need a second one
        raw.send(frame(h2.PING, payload=b"12345678") * 1300)
        with contextlib.suppress(TimeoutError):
            told = raw.wait(lambda f: f.kind == h2.GOAWAY)
    assert told.payload[4:] == struct.pack(">I", h2.CALM) + b"too_many_pings"


# ---- metadata


@pytest.mark.parametrize("kind", [PROTOBUF, GRPC], ids=["http", "grpc"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("authority", ["localhost", "collector.example.com:4317", "[::1]:443", "10.0.0.7"])
def test_any_scheme_and_authority(raw, kind, scheme, authority):
    """R156"""
    path = GRPC_PATHS["logs"] if kind == GRPC else "/v1/logs"
    fields = [(":method", "POST"), (":scheme", scheme), (":path", path), (":authority", authority),
              ("content-type", kind), ("te", "trailers"), ("authorization", f"Bearer {raw.key}")]
    s = raw.ask(block=b"".join(literal(n, v) for n, v in fields), body=message(LOGS) if kind == GRPC else LOGS)
    assert raw.status(s) == 200


REPEATED = [  # rules, fields beside the key
    ("a name twice", "R152", [("x-tag", "a"), ("x-tag", "b")]),
    ("a list", "R152", [("x-tag", "a,b")]),
    ("binary twice", "R150 R152", [("x-tag-bin", "AAE"), ("x-tag-bin", "AAE=")]),
    ("a binary list", "R150", [("x-tag-bin", "AAE,AAE=,,")]),
    ("the same key twice", "R152", None),
    ("codings in two fields", "R152", [("grpc-accept-encoding", "gzip"), ("grpc-accept-encoding", "identity")]),
]


@pytest.mark.sanitize
@pytest.mark.parametrize("row", REPEATED, ids=[f"{r[0]} {r[1]}" for r in REPEATED])
def test_repeated_metadata(system, row):
    extra = row[2] or [("authorization", f"Bearer {system.keys['acme']}")]
    fields = [("te", "trailers"), ("content-type", GRPC), ("authorization", f"Bearer {system.keys['acme']}"), *extra]
    with Http2(system) as c:
        stream = c.start(path=GRPC_PATHS["logs"], headers=fields)
        c.data(stream, message(LOGS))
        assert c.read(stream).grpc.code == 0


def test_headers_up_to_the_limit(system):
    """R155: router.max_header_bytes is 8 KiB here."""
    for send in (http1, http2):
        assert send(system, body=LOGS, headers=key(system) | {"x-long": "x" * 7000}).status == 200
        assert send(system, body=LOGS, headers=key(system) | {"x-long": "x" * 9000}).status == 431


# ---- connections


def test_parallel_connections_of_one_client(system):
    """R291, R292: twenty of them under way at once, and the one that does not go on delays none."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(Http1(system)) for _ in range(20)]
        head = request(headers={**key(system), "Content-Length": str(len(LOGS))})
        for c in connections:
            c.send(head, LOGS[:-1])
        for c in connections[1:]:
            c.send(LOGS[-1:])
        assert [c.read().status for c in connections[1:]] == [200] * 19
        connections[0].send(LOGS[-1:])
        assert connections[0].read().status == 200


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_three_protocols_on_one_connection(system, signal):
    """R12, R13, R14: told apart by Content-Type alone."""
    made = {"traces": build.traces_request([build.span()]), "metrics": build.metrics_request([build.gauge()]),
            "logs": build.logs_request([build.log()])}
    body = made[signal].SerializeToString()
    name = {"traces": "resourceSpans", "metrics": "resourceMetrics", "logs": "resourceLogs"}[signal]
    with Http2(system) as c:
        grpc = c.start(path=GRPC_PATHS[signal], headers=key(system) | {"content-type": GRPC, "te": "trailers"})
        protobuf = c.start(path=f"/v1/{signal}", headers=key(system))
        text = c.start(path=f"/v1/{signal}", headers=key(system) | {"content-type": "application/json"})
        c.data(text, json.dumps({name: []}).encode())
        c.data(protobuf, body)
        c.data(grpc, message(body))
        assert c.read(grpc).grpc.code == 0
        assert (c.read(protobuf).status, c.answers[protobuf].body) == (200, b"")
        assert (c.read(text).status, c.answers[text].body) == (200, b"{}")


# ---- payload


def rows(system, body):
    return [r for r in system.rows("acme", "otel_logs") if r["Body"] == body]


def test_the_same_twice_is_two(system):
    """R271"""
    body = build.logs_request([build.log("twice")]).SerializeToString()
    for send in (http1, http2):
        assert send(system, body=body, headers=key(system)).status == 200
    until(lambda: len(rows(system, "twice")) == 2, 30, "both records")


def test_repeated_keys_and_all_flags(system):
    """R263: an attribute's key twice. R265: flag bits without a meaning. Both are stored as ever."""
    log = build.log("odd", {"k": 1}, flags=0xFFFF_FF01)
    log.attributes.append(log.attributes[0])
    resource = build.resource({"r": 1})
    resource.attributes.append(resource.attributes[0])
    link = build.link(flags=0xFFFF_FD01)
    span = build.span("odd", {"k": 1}, flags=0xFFFF_FD01, links=[link])
    span.attributes.append(span.attributes[0])
    for path, made in (("/v1/logs", build.logs_request([log], res=resource)),
                       ("/v1/traces", build.traces_request([span], res=resource))):
        answer = http1(system, path=path, body=made.SerializeToString(), headers=key(system))
        assert (answer.status, answer.body) == (200, b"")
    until(lambda: rows(system, "odd"), 30, "the log record")
    until(lambda: [r for r in system.rows("acme", "otel_traces") if r["SpanName"] == "odd"], 30, "the span")


def test_string_indexes_are_told(system):
    """R262: taken as absent, and a line says so."""
    body = build.logs_request([build.log("IDX", {"indexed": 1})]).SerializeToString()
    text, index = b"\x2a\x05\x0a\x03IDX", b"\x2a\x05\x40\x83\x80\x80\x00"
    assert body.count(text) == 1
    assert http1(system, body=body.replace(text, index), headers=key(system)).status == 200
    until(lambda: [r for r in system.rows("acme", "otel_logs") if "indexed" in r["LogAttributes"]], 30, "the record")
    assert not rows(system, "IDX")
    until(lambda: re.search("string indexes outside of profiles are taken as absent.* tenant=acme signal=logs indexes=1",
                            system.process.output()), 10, "the line")


def test_every_kind_of_value_at_every_place(system):
    """R261: attributes of resource, scope, span, event, link, log record and points, and bodies."""
    kinds = {**build.ALL_KINDS, "empty": None, "list of empty": [None, [], {}]}
    sc, res = build.scope(attrs=kinds), build.resource(kinds)
    span = build.span("kinds", kinds, events=[build.event(attrs=kinds)], links=[build.link(kinds)])
    sent = {
        "traces": build.traces_request([span], res=res, sc=sc),
        "logs": build.logs_request([build.log(kinds, kinds), *(build.log(v) for v in kinds.values())], res=res, sc=sc),
        "metrics": build.metrics_request(build.all_metrics(kinds), res=res, sc=sc),
    }
    for signal, made in sent.items():
        answer = http1(system, path=f"/v1/{signal}", body=made.SerializeToString(), headers=key(system))
        assert (answer.status, answer.body) == (200, b"")
