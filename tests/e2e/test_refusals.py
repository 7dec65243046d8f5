"""Done when 3: every refusal with its exact status and body, over HTTP/1.1, HTTP/2 and gRPC, by the
requirements of the conformance checklist (R...)."""

import contextlib
import gzip
import math
import time
from dataclasses import dataclass, field

import h2.exceptions
import pytest

from support import keys
from support import otlp_build as build
from support.sdk import PROTOCOLS, Sdk
from support.system import System
from support.wait import once_within, until
from support.wire import (
    GRPC_PATHS,
    PROTOBUF,
    Answer,
    Channel,
    Http1,
    Http2,
    bad_fields,
    bearer,
    curl,
    finished,
    frame,
    grpc_call,
    http1,
    http2,
    request,
    retry_delay,
    warm_up,
)

KIB = 1024
MAX_BODY, MAX_DECOMPRESSED = 128 * KIB, 256 * KIB

# The texts a sender sees, told a second time.
BAD_KEY = "missing or invalid ingestion key"
NO_JSON = ("the body is not a valid traces request: expected an object at byte 1,"
           " in ExportTraceServiceRequest")  # fmt: skip
NO_TYPE = ("Content-Type must be application/x-protobuf or application/json,"
           " or application/grpc for gRPC")  # fmt: skip
NO_PATH = "unknown path: OTLP/HTTP is served at /v1/traces, /v1/metrics and /v1/logs"
NO_METHOD = "unknown gRPC service or method"
NO_CODING = "unsupported compression: supported are "  # one of these, by protocol
HTTP_CODINGS = "identity, gzip, zstd, deflate, zlib, snappy, x-snappy-framed, lz4"
GRPC_CODINGS = "identity,gzip,zstd,deflate,snappy"
TOO_LARGE = "the body is larger than this server accepts"
TOO_LARGE_INSIDE = "the decompressed body is larger than this server accepts"
NOT_GZIP = "the body cannot be decompressed"


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    system = System(
        tmp_path_factory.mktemp("refusals"), brokers=kafka.bootstrap,
        tenants=("acme", "gone", "slow"),
        extra={
            "kafka": 'prefix = "refusals";',
            "router": 'answer_timeout = "30s"; max_body = "128KiB"; max_decompressed = "256KiB"; body_timeout = "60s";'
                      ' header_timeout = "60s"; handshake_timeout = "60s"; max_header_bytes = "8KiB";',
        },
    )  # fmt: skip
    slow = system.folder / "tenants.d" / "slow.conf"
    slow.write_text('tenant: { id = "slow"; limits = { requests = "1/s"; wait = "0s"; }; };\n')
    system.cli("tenant", "suspend", "gone")
    system.keys |= {
        "traces only": keys.write_key(system, "acme", signals="traces"),
        "expired": keys.write_key(system, "acme", expires=int(time.time()) - 5),
        "revoked": keys.write_key(system, "acme", revoked=int(time.time()) - 5),
        "unknown": keys.new_key(),
        "malformed": "tnt_short_key",
        "typo": keys.with_typo(system.keys["acme"]),
    }
    # The public part of a real key with the secret of another.
    real, other = system.keys["acme"], keys.new_key()
    guess = real[:13] + other[13:41]
    system.keys["wrong secret"] = guess + keys.checksum(guess)
    system.up()
    warm_up(system, "acme")
    yield system
    system.end()


LOGS = build.logs_request([build.log("hello")]).SerializeToString()


def logs_of(size):
    """A logs request of exactly so many bytes."""
    def sized(n):
        return build.logs_request([build.log("x" * n)], res=build.resource(service=None),
                                  sc=build.scope("", "")).SerializeToString()

    body = sized(size - 200)
    for n in range(size - 200, size + 1):
        if len(body) == size:
            return body
        body = sized(n + size - len(body))
    raise AssertionError(f"no request of {size} bytes")


# ---- refusals that the headers and the body decide: one row, three protocols


@dataclass
class Row:
    name: str
    rules: str  # what it proves
    http: int
    grpc: int
    text: str
    key: str = "acme"  # in system.keys; None: no key
    path: str = "/v1/logs"  # also decides the signal over gRPC
    body: bytes = LOGS
    coding: str = None  # Content-Encoding, grpc-encoding
    headers: dict = field(default_factory=dict)
    answer: dict = field(default_factory=dict)  # headers of the HTTP answer
    field: str = None  # named by a BadRequest detail

    def __str__(self):
        return self.name


BEARER = {"www-authenticate": "Bearer"}
ROWS = [
    Row("no key", "R130 R200 R284", 401, 16, BAD_KEY, key=None, answer=BEARER),
    *[Row(f"{key} key", "R130 R200 R284", 401, 16, BAD_KEY, key=key, answer=BEARER)
      for key in ("unknown", "malformed", "typo", "expired", "revoked", "wrong secret")],
    Row("two different keys", "R283", 401, 16, BAD_KEY, headers={"x-api-key": keys.new_key()},
        answer=BEARER),
    Row("another scheme", "R284", 401, 16, BAD_KEY, key=None,
        headers={"authorization": "Basic dXNlcjpwYXNz"}, answer=BEARER),
    Row("suspended tenant", "R284", 403, 7, "this tenant is suspended", key="gone"),
    Row("signal not allowed", "R284", 403, 7, "this key may not send this signal",
        key="traces only"),
    Row("bad key before bad body", "R285", 401, 16, BAD_KEY, key="unknown", body=b"\xff" * 9,
        coding="gzip", answer=BEARER),
    Row("malformed protobuf", "R118 R123 R178 R227", 400, 3, None, body=b"\x0a\xff\x01x"),
    Row("field number 0", "R123 R178 R227", 400, 3, None, body=b"\x00\x01"),
    Row("length beyond its message", "R124 R179 R227", 400, 3, None,
        body=b"\x0a\x04\x12\x0a\x0a\x02", field="ResourceLogs.scope_logs"),
    Row("not gzip", "R85 R172", 400, 13, NOT_GZIP, body=LOGS, coding="gzip"),
    Row("gzip cut off", "R85 R172", 400, 13, NOT_GZIP, body=gzip.compress(LOGS)[:-1], coding="gzip"),
    Row("gzip with a wrong checksum", "R85 R172", 400, 13, NOT_GZIP, coding="gzip",
        body=gzip.compress(LOGS)[:-8] + b"\0" * 4 + gzip.compress(LOGS)[-4:]),
    Row("garbage behind gzip", "R85 R172", 400, 13, NOT_GZIP, coding="gzip",
        body=gzip.compress(LOGS) + b"garbage"),
    Row("body over the limit", "R86 R87 R89 R90 R91 R173 R174 R176 R177", 413, 8, TOO_LARGE,
        body=logs_of(MAX_BODY + 1)),
    Row("gzip bomb", "R86 R87 R92 R173 R174", 413, 8, TOO_LARGE_INSIDE, coding="gzip",
        body=gzip.compress(bytes(64 * KIB * KIB), 9)),
    Row("one byte over the decompressed limit", "R90 R173", 413, 8, TOO_LARGE_INSIDE, coding="gzip",
        body=gzip.compress(logs_of(MAX_DECOMPRESSED + 1))),
    Row("unsupported coding", "R84 R170", 415, 12, NO_CODING, coding="br",
        answer={"accept-encoding": HTTP_CODINGS}),
    Row("two codings", "R83 R84 R170", 415, 12, NO_CODING, coding="gzip, zstd",
        answer={"accept-encoding": HTTP_CODINGS}),
]


def http_headers(system, row):
    headers = {"content-type": PROTOBUF, **row.headers}
    if row.key is not None:
        headers |= bearer(system.keys[row.key])
    if row.coding is not None:
        headers["content-encoding"] = row.coding
    return headers


def check_text(row, status, codings):
    if row.text is not None:
        assert status.message == row.text + (codings if row.text == NO_CODING else "")
    else:
        assert status.message.startswith("the body is not a valid logs request: ")
        assert " at byte " in status.message
    if row.field:
        assert bad_fields(status) == [row.field]


@pytest.mark.sanitize
@pytest.mark.parametrize("send", [http1, http2], ids=["http1", "http2"])
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_refused_over_http(system, row, send):
    """R15: alike over both versions."""
    answer = send(system, path=row.path, body=row.body, headers=http_headers(system, row))
    assert answer.status == row.http
    assert answer.get("content-type") == PROTOBUF  # R98, R118: that of the request
    assert answer.rpc_status.code == row.grpc  # R121
    check_text(row, answer.rpc_status, HTTP_CODINGS)
    expected = {"www-authenticate": None, "accept-encoding": None, "retry-after": None,
                "allow": None, **row.answer}  # fmt: skip
    assert {n: answer.get(n) for n in expected} == expected  # R62, R84, R130, R209
    assert answer.get("date")  # R35
    assert retry_delay(answer.rpc_status) is None


@pytest.mark.sanitize
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_refused_over_grpc(system, row):
    """By HTTP/2 frames, so that also what grpcio would not send is sent. R184: always HTTP 200."""
    headers = {"content-type": "application/grpc", "te": "trailers", **row.headers}
    if row.key is not None:
        headers |= bearer(system.keys[row.key])
    if row.coding is not None:
        headers["grpc-encoding"] = row.coding
    body = frame(row.body, flag=1 if row.coding else 0)
    answer = http2(system, path=GRPC_PATHS["logs"], body=body, headers=headers)
    assert not answer.trailers and answer.body == b""  # R188: Trailers-Only
    call = answer.grpc
    assert call.code == row.grpc
    check_text(row, call.rpc_status, GRPC_CODINGS)
    assert call.retry_delay is None  # R174, R203
    accepts = answer.get("grpc-accept-encoding")  # R170, R171
    assert (accepts and set(accepts.replace(" ", "").split(","))) == (
        set(GRPC_CODINGS.split(",")) if row.grpc == 12 else None)
    # The same by a real gRPC library, where it can say it.
    if row.coding is None:
        again = grpc_call(system, "logs", row.body, {n: v for n, v in headers.items()
                                                     if n not in ("content-type", "te")})
        assert (again.code, again.message) == (call.code, call.message)
        assert again.rpc_status == call.rpc_status


# ---- path, method, media type


@dataclass
class Route:
    name: str
    rules: str
    http: int
    code: int
    text: str
    method: str = "POST"
    path: str = "/v1/traces"
    type: str = PROTOBUF
    json: bool = False  # the Status comes as JSON (R119)
    answer: dict = field(default_factory=dict)

    def __str__(self):
        return self.name


ALLOW = {"allow": "POST"}
ROUTES = [
    Route("unknown path", "R60", 404, 12, NO_PATH, path="/v1/spans"),
    Route("root", "R59 R60", 404, 12, NO_PATH, path="/"),
    Route("slash at the end", "R59", 404, 12, NO_PATH, path="/v1/traces/"),
    Route("other case", "R59", 404, 12, NO_PATH, path="/V1/traces"),
    Route("dots", "R59", 404, 12, NO_PATH, path="/x/../v1/traces"),
    Route("escaped", "R59", 404, 12, NO_PATH, path="/v1%2Ftraces"),
    Route("profiles", "R274", 404, 12, NO_PATH, path="/v1development/profiles"),
    Route("unknown path without a type", "R119", 404, 12, NO_PATH, path="/", type=None, json=True),
    Route("GET", "R61 R62", 405, 13, "only POST is allowed here", "GET", answer=ALLOW),
    Route("GET like a browser", "R61 R62 R119", 405, 13, "only POST is allowed here", "GET",
          type=None, json=True, answer=ALLOW),
    Route("HEAD", "R61 R62 R63", 405, 13, None, "HEAD", answer=ALLOW),
    Route("PUT", "R61 R62", 405, 13, "only POST is allowed here", "PUT", answer=ALLOW),
    Route("OPTIONS", "R289", 405, 13, "only POST is allowed here", "OPTIONS",
          answer={**ALLOW, "access-control-allow-origin": None}),
    Route("protobuf as JSON", "R65 R118", 400, 3, NO_JSON, type="application/json", json=True),
    Route("JSON with a charset", "R66", 400, 3, NO_JSON, type="Application/JSON; charset=utf-8",
          json=True),
    Route("no type", "R67 R119", 415, 12, NO_TYPE, type=None, json=True),
    Route("unknown type", "R67 R119", 415, 12, NO_TYPE, type="text/plain", json=True),
    Route("a form, as curl has it", "R67", 415, 12, NO_TYPE, json=True,
          type="application/x-www-form-urlencoded"),
    Route("malformed type", "R67", 415, 12, NO_TYPE, type="application", json=True),
    Route("an alias", "R69", 415, 12, NO_TYPE, type="application/protobuf", json=True),
    Route("gRPC-Web", "R68", 415, 12, NO_TYPE, type="application/grpc-web+proto", json=True),
    Route("not quite gRPC", "R68", 415, 12, NO_TYPE, type="application/grpcfoo", json=True),
    Route("a gRPC path without its type", "R141", 415, 12, NO_TYPE, path=GRPC_PATHS["traces"]),
]  # fmt: skip


@pytest.mark.parametrize("send", [http1, http2], ids=["http1", "http2"])
@pytest.mark.parametrize("row", ROUTES, ids=str)
def test_path_method_and_type(system, row, send):
    headers = {**bearer(system.keys["acme"]), **({"content-type": row.type} if row.type else {})}
    answer = send(system, row.method, row.path, LOGS if row.method != "GET" else b"", headers)
    assert answer.status == row.http
    assert {n: answer.get(n) for n in row.answer} == row.answer
    assert answer.get("content-type") == ("application/json" if row.json else PROTOBUF)
    if row.method == "HEAD":
        assert answer.body == b""
        return
    assert (answer.rpc_status.code, answer.rpc_status.message) == (row.code, row.text)


GRPC_ROUTES = [
    ("unknown service", "R135", "/x.Y/Export", 12, NO_METHOD),
    ("unknown method", "R135", "/opentelemetry.proto.collector.trace.v1.TraceService/Exprt", 12,
     NO_METHOD),
    ("other case", "R134", GRPC_PATHS["logs"].lower(), 12, NO_METHOD),
    ("an HTTP path", "R136", "/v1/traces", 12, NO_METHOD),
    ("profiles", "R274", "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/"
     "Export", 12, NO_METHOD),
    ("health changes", "R305", "/grpc.health.v1.Health/Watch", 12, NO_METHOD),
    ("reflection", "R305", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", 12,
     NO_METHOD),
]


@pytest.mark.parametrize("name,rules,path,code,text", GRPC_ROUTES, ids=[r[0] for r in GRPC_ROUTES])
def test_grpc_path(system, name, rules, path, code, text):
    answer = grpc_call(system, path, LOGS, bearer(system.keys["acme"]))
    assert (answer.code, answer.message) == (code, text)
    assert answer.rpc_status.message == text


# name, rules, headers, body, code, part of the text
GRPC_FRAMES = [
    ("no message", "R161", {}, b"", 12, "a unary call carries exactly one message"),
    ("two messages", "R161", {}, frame(LOGS) * 2, 12, "a unary call carries exactly one message"),
    ("cut in the prefix", "R162", {}, frame(LOGS)[:3], 13, "malformed gRPC message frame"),
    ("cut in the message", "R162", {}, frame(LOGS)[:-1], 13, "malformed gRPC message frame"),
    ("flag 2", "R163", {}, frame(LOGS, flag=2), 13, "malformed gRPC message frame"),
    ("compressed without a coding", "R164", {}, frame(gzip.compress(LOGS), flag=1), 13,
     "the message is flagged as compressed but grpc-encoding names no coding"),
    ("compressed as identity", "R164", {"grpc-encoding": "identity"}, frame(LOGS, flag=1), 13,
     "the message is flagged as compressed but grpc-encoding names no coding"),
    ("announced too large", "R177", {}, frame(LOGS, length=MAX_BODY + 1), 8, TOO_LARGE),
    ("announced far too large", "R177", {}, frame(LOGS, length=2**32 - 1), 8, TOO_LARGE),
    ("JSON inside gRPC", "R140", {"content-type": "application/grpc+json"}, frame(b"{}"), 12,
     NO_TYPE),
    ("malformed timeout", "R146", {"grpc-timeout": "1x"}, frame(LOGS), 13, "malformed grpc-timeout"),
    ("timeout without digits", "R146", {"grpc-timeout": "S"}, frame(LOGS), 13,
     "malformed grpc-timeout"),
    ("timeout of nine digits", "R144 R146", {"grpc-timeout": "123456789n"}, frame(LOGS), 13,
     "malformed grpc-timeout"),
    ("no time left", "R148", {"grpc-timeout": "0n"}, frame(LOGS), 4,
     "the deadline of the call has passed"),
]


@pytest.mark.sanitize
@pytest.mark.parametrize("row", GRPC_FRAMES, ids=[r[0] for r in GRPC_FRAMES])
def test_grpc_frames_and_deadlines(system, row):
    _, _, headers, body, code, text = row
    fields = {"content-type": "application/grpc", "te": "trailers", **headers}
    answer = http2(system, path=GRPC_PATHS["logs"], body=body,
                   headers=fields | bearer(system.keys["acme"]))
    assert (answer.grpc.code, answer.grpc.message) == (code, text)
    assert answer.grpc.rpc_status.code == code and answer.grpc.retry_delay is None


def test_grpc_needs_post_and_http2(system):
    fields = {"content-type": "application/grpc", "te": "trailers", **bearer(system.keys["acme"])}
    answer = http2(system, "PUT", GRPC_PATHS["logs"], frame(LOGS), fields)
    assert (answer.status, answer.get("grpc-status")) == (405, "13")  # R137
    answer = http1(system, path=GRPC_PATHS["logs"], body=frame(LOGS), headers=fields)
    assert answer.status == 505  # R16
    assert answer.rpc_status.message == "gRPC needs HTTP/2"


# ---- what is not refused

# name, rules, headers; body
ACCEPTED = [
    ("parameters of the type", "R66 R98", {"content-type": "Application/X-Protobuf; a=b"}, LOGS),
    ("empty coding", "R75", {"content-encoding": ""}, LOGS),
    ("identity", "R75", {"content-encoding": "identity"}, LOGS),
    ("x-gzip", "R74", {"content-encoding": "x-gzip"}, gzip.compress(LOGS)),
    ("GZIP", "R74", {"content-encoding": "GZIP"}, gzip.compress(LOGS)),
    ("two members", "R73", {"content-encoding": "gzip"},
     gzip.compress(LOGS[:9]) + gzip.compress(LOGS[9:])),
    ("accepts JSON alone", "R70", {"accept": "application/json"}, LOGS),
    ("accepts gzip", "R116", {"accept-encoding": "gzip"}, LOGS),
    ("accepts no gzip", "R115", {"accept-encoding": "gzip;q=0, identity"}, LOGS),
    ("accepts other codings", "R116", {"accept-encoding": "br, zstd, deflate, *"}, LOGS),
    ("no data", "R93 R100", {}, b""),
    ("empty envelopes", "R102", {}, b"\x0a\x00"),
    ("exactly the limit", "R90", {}, logs_of(MAX_BODY)),
    ("exactly the decompressed limit", "R90", {"content-encoding": "gzip"},
     gzip.compress(logs_of(MAX_DECOMPRESSED))),
    ("key with %20", "R282", {"authorization": "Bearer%20{key}"}, LOGS),
    ("lower-case scheme", "R279", {"AUTHORIZATION": "bearer {key}"}, LOGS),
    ("the same key twice", "R283", {"x-api-key": "{key}"}, LOGS),
    ("unknown fields", "R214", {}, LOGS + b"\xf8\x3f\x01" + b"\xfb\x3f\x08\x01\xfc\x3f"),
    ("invalid UTF-8", "R231", {},
     build.logs_request([build.log("NOTUTF8")]).SerializeToString().replace(b"NOTUTF8", b"\xff" * 7)),
]


@pytest.mark.parametrize("send", [http1, http2], ids=["http1", "http2"])
@pytest.mark.parametrize("row", ACCEPTED, ids=[r[0] for r in ACCEPTED])
def test_accepted_over_http(system, row, send):
    """R15"""
    _, _, headers, body = row
    key = system.keys["acme"]
    fields = {"content-type": PROTOBUF, **{n: v.format(key=key) for n, v in headers.items()}}
    if "authorization" not in {n.lower() for n in fields}:
        fields |= bearer(key)
    answer = send(system, path="/v1/logs?query=left&out", body=body, headers=fields)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.get("content-type") == PROTOBUF
    assert answer.get("content-encoding") is None


GRPC_ACCEPTED = [
    ("plain", "R142 R180 R181", {}, frame(LOGS)),
    ("accepts gzip", "R192 R193", {"grpc-accept-encoding": "gzip, deflate"}, frame(LOGS)),
    ("empty message", "R160 R183", {}, frame(b"")),
    ("+proto", "R138", {"content-type": "application/grpc+proto"}, frame(LOGS)),
    ("parameters", "R139", {"content-type": "application/grpc; a=b"}, frame(LOGS)),
    ("without te", "R143", {"te": None}, frame(LOGS)),
    ("gzip", "R166", {"grpc-encoding": "gzip"}, frame(gzip.compress(LOGS), flag=1)),
    ("flag 0 with gzip", "R165", {"grpc-encoding": "gzip"}, frame(LOGS)),
    ("flag 0 with an unknown coding", "R165", {"grpc-encoding": "br"}, frame(LOGS)),
    ("exactly the limit", "R90 R173", {}, frame(logs_of(MAX_BODY))),
    ("long deadline", "R144", {"grpc-timeout": "99999999H"}, frame(LOGS)),
    ("invalid base64 nobody reads", "R151", {"x-trace-bin": "%%%"}, frame(LOGS)),
    ("unknown grpc fields", "R154", {"grpc-previous-rpc-attempts": "2", "grpc-trace-bin": "AAAA"},
     frame(LOGS)),
    ("obs-text in metadata", "R153", {"x-name": "gr\xfc\xdfe"}, frame(LOGS)),
]


@pytest.mark.parametrize("row", GRPC_ACCEPTED, ids=[r[0] for r in GRPC_ACCEPTED])
def test_accepted_over_grpc(system, row):
    _, _, headers, body = row
    fields = {"content-type": "application/grpc", "te": "trailers", **headers}
    answer = http2(system, path=GRPC_PATHS["logs"], body=body,
                   headers=fields | bearer(system.keys["acme"]))
    assert answer.status == 200 and answer.get("content-type") == "application/grpc"
    assert answer.body == frame(b"")
    assert answer.trailers == [("grpc-status", "0")]


# ---- over the limit


AT_ONCE = 8  # the tenant `slow` may send two requests at once, then one a second


def slow_headers(system):
    return {"content-type": PROTOBUF, **bearer(system.keys["slow"])}


def all_http1(system):
    """So many requests in one piece, which no busy machine can spread over seconds; their answers."""
    with Http1(system) as c:
        c.send(*[request(body=b"", headers=slow_headers(system))] * AT_ONCE)
        return [c.read() for _ in range(AT_ONCE)]


def all_http2(system):
    with Http2(system) as c:
        streams = [c.start(headers=slow_headers(system), end=True) for _ in range(AT_ONCE)]
        return [c.read(stream) for stream in streams]


def use_up(system):
    assert 429 in {answer.status for answer in all_http1(system)}


@pytest.mark.parametrize("send", [all_http1, all_http2], ids=["http1", "http2"])
def test_over_the_limit_over_http(system, send):
    answers = send(system)
    assert {answer.status for answer in answers} <= {200, 429}
    answer = next(answer for answer in answers if answer.status == 429)  # R207
    assert answer.rpc_status.code == 14
    assert answer.rpc_status.message.startswith(
        "the tenant's limit of requests per second is reached (1/s for all signals)")
    assert 1 <= retry_delay(answer.rpc_status) <= 5  # R208-R212
    assert answer.get("retry-after") == str(math.ceil(retry_delay(answer.rpc_status)))


def test_over_the_limit_over_grpc(system):
    with Channel(system) as channel:
        calls = [channel.start("logs", b"", bearer(system.keys["slow"])) for _ in range(AT_ONCE)]
        answers = [finished(call) for call in calls]
    assert {answer.code for answer in answers} <= {0, 14}
    answer = next(answer for answer in answers if answer.code == 14)
    assert 1 <= answer.retry_delay <= 5  # R201-R206
    assert answer.message.startswith("the tenant's limit of requests per second is reached")


# ---- the SDK does what it should


def export_once(system, protocol, key, **options):
    """One log record through the real exporter; what came of each request."""
    with Sdk(system.endpoint, protocol, "gzip", system.ca, bearer(key), **options) as sdk:
        sdk.logger_provider.get_logger("one").emit(body="one")
        sdk.logger_provider.force_flush(30_000)
    return [a.status for a in sdk.attempts if a.signal == "logs"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "key,http,code",
    [("unknown", "401", "UNAUTHENTICATED"), ("gone", "403", "PERMISSION_DENIED"),
     ("traces only", "403", "PERMISSION_DENIED")],
)  # fmt: skip
def test_sdk_drops_what_can_never_work(system, protocol, key, http, code):
    expected = code if protocol == "grpc" else http
    assert export_once(system, protocol, system.keys[key]) == [expected]


def test_sdk_drops_what_is_too_large(system):
    with Sdk(system.endpoint, "http/protobuf", "none", system.ca, bearer(system.keys["acme"])) as sdk:
        sdk.logger_provider.get_logger("large").emit(body="x" * MAX_BODY)
        sdk.logger_provider.force_flush(30_000)
    assert [a.status for a in sdk.attempts if a.signal == "logs"] == ["413"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sdk_retries_over_the_limit_and_succeeds(system, protocol):
    refused, ok = ("UNAVAILABLE", "OK") if protocol == "grpc" else ("429", "200")

    def refused_first():
        """Not when the machine takes a second from one to the other."""
        use_up(system)
        *before, last = export_once(system, protocol, system.keys["slow"])
        assert last == ok and set(before) <= {refused}
        return before

    until(refused_first, 60, "an export that was refused first")


# ---- HTTP/2, frame by frame


@pytest.fixture
def frames(system):
    with Http2(system) as c:
        c.key = {"content-type": PROTOBUF, **bearer(system.keys["acme"])}
        c.grpc = {"content-type": "application/grpc", "te": "trailers", **bearer(system.keys["acme"])}
        yield c


def test_one_connection_serves_everything_at_once(system, frames):
    """R14, R290, R278: gRPC and HTTP, good and refused, of several tenants; each by its own rules."""
    streams = []
    for _ in range(10):
        streams += [
            (frames.start(path=GRPC_PATHS["logs"], headers=frames.grpc), frame(LOGS), 200),
            (frames.start(headers=frames.key), LOGS, 200),
            (frames.start(headers=frames.key | {"content-type": "text/plain"}), LOGS, 415),
            (frames.start(headers=frames.key | bearer(system.keys["gone"])), LOGS, 403),
            (frames.start(headers=frames.key | bearer(system.keys["unknown"])), LOGS, 401),
            (frames.start(headers=frames.key), LOGS + b"\xff", 400),
        ]
    for stream, body, _ in reversed(streams):  # bodies in another order than the headers
        frames.data(stream, body)
    assert [frames.read(stream).status for stream, _, _ in streams] == [s for _, _, s in streams]
    assert all(frames.answers[s].grpc.code == 0 for s, _, _ in streams[::6])


@pytest.mark.sanitize
def test_messages_in_single_bytes(frames):
    """R158, R159: boundaries of DATA frames mean nothing, and the end may come in an empty one."""
    stream = frames.start(path=GRPC_PATHS["logs"], headers=frames.grpc)
    for byte in frame(LOGS):
        frames.data(stream, bytes([byte]), end=False)
    frames.data(stream, b"", end=True)
    assert frames.read(stream).grpc.code == 0


def test_an_early_end_is_told_at_once_and_the_rest_is_not_wanted(frames):
    """R51, R177: the answer does not wait for the body; then RST_STREAM(NO_ERROR)."""
    stream = frames.start(path=GRPC_PATHS["logs"], headers=frames.grpc)
    frames.data(stream, frame(b"", length=MAX_BODY + 1), end=False)
    assert frames.read(stream).grpc.code == 8
    other = frames.start(headers=frames.key | {"authorization": "Bearer nothing"})
    assert frames.read(other).status == 401
    frames.until(lambda: stream in frames.resets and other in frames.resets)
    assert {frames.resets[stream], frames.resets[other]} == {0}
    last = frames.start(headers=frames.key)
    frames.data(last, LOGS)
    assert frames.read(last).status == 200


@pytest.mark.parametrize(
    "headers",
    [{"X-Upper": "1"}, {"connection": "close"}, {"transfer-encoding": "chunked"}, {"te": "gzip"},
     {"content-length": "5"}],
    ids=lambda h: next(iter(h)),
)  # fmt: skip
def test_malformed_requests_are_reset(system, frames, headers):
    """R48: 400 or PROTOCOL_ERROR, for the stream alone."""
    stream = frames.h2.get_next_available_stream_id()
    fields = [(":method", "POST"), (":scheme", "https"), (":authority", "a"), (":path", "/v1/logs")]
    frames.h2.send_headers(stream, [(n.encode(), v.encode()) for n, v in
                                    fields + list({**frames.key, **headers}.items())])
    frames.answers[stream] = Answer(0)
    with contextlib.suppress(h2.exceptions.ProtocolError):
        frames.data(stream, LOGS)
    frames._flush()
    answer = frames.read(stream)
    assert answer.status == 400 or frames.resets[stream] == 1
    good = frames.start(headers=frames.key)
    frames.data(good, LOGS)
    assert frames.read(good).status == 200


def test_curl_over_http2(system):
    """A client of the street."""
    key = bearer(system.keys["acme"])
    answer = curl(system, "/v1/logs", LOGS, {"content-type": PROTOBUF, **key})
    assert (answer.status, answer.body) == (200, b"")
    answer = curl(system, "/v1/logs", LOGS, key)  # R67: a form, says curl by itself
    assert (answer.status, answer.rpc_status.message) == (415, NO_TYPE)
    answer = curl(system, "/v1/logs", LOGS * 1000, {"content-type": PROTOBUF, **bearer("x")})
    assert (answer.status, answer.rpc_status.message) == (401, BAD_KEY)


# ---- HTTP/1.1, byte by byte


@pytest.fixture
def wire(system):
    with Http1(system) as c:
        c.key = {"Content-Type": PROTOBUF, **bearer(system.keys["acme"])}
        yield c


@pytest.mark.sanitize
def test_pipelined_requests_are_answered_in_order(system, wire):
    """R19, R33: the ones that are answered at once wait for those that Kafka has to confirm."""
    unknown = {**wire.key, **bearer(system.keys["unknown"])}
    wire.send(
        request(body=LOGS, headers=wire.key), request(body=LOGS, headers=unknown),
        request(method="GET", path="/v1/logs"), request(body=LOGS, headers=wire.key),
        request(path="/nowhere", body=b"x" * 100), request(body=LOGS, headers=wire.key),
    )  # fmt: skip
    assert [wire.read().status for _ in range(6)] == [200, 401, 405, 200, 404, 200]


def test_bytes_one_by_one(wire):
    for byte in request(body=LOGS, headers=wire.key):
        wire.send(bytes([byte]))
    assert wire.read().status == 200


def chunks(*pieces, extension="", trailer=""):
    text = b"".join(b"%x%s\r\n%s\r\n" % (len(p), extension.encode(), p) for p in pieces)
    return text + b"0" + extension.encode() + b"\r\n" + trailer.encode() + b"\r\n"


CHUNKED = {"Transfer-Encoding": "chunked"}


@pytest.mark.sanitize
def test_chunked_bodies(wire):
    """R20, R22; the connection goes on behind each (R19)."""
    for body in (
        chunks(LOGS), chunks(*[bytes([b]) for b in LOGS]), chunks(LOGS, extension=";a=b;c"),
        chunks(LOGS, trailer="X-Sum: 1\r\nMore: 2\r\n"),
    ):  # fmt: skip
        wire.send(request(body=body, headers=wire.key | CHUNKED, length=False))
        assert wire.read().status == 200
    packed = gzip.compress(LOGS)
    gzipped = wire.key | CHUNKED | {"Content-Encoding": "gzip"}
    wire.send(request(body=chunks(packed[:7], packed[7:]), headers=gzipped))
    assert wire.read().status == 200
    wire.send(request(body=chunks(LOGS + b"\xff"), headers=wire.key | CHUNKED))
    assert wire.read().status == 400
    wire.send(request(body=LOGS, headers=wire.key))
    assert wire.read().status == 200


def test_chunked_body_over_the_limit(wire):
    """R87: without a length in front the ceiling is met on the way."""
    wire.send(request(body=chunks(bytes(100 * KIB), bytes(100 * KIB)), headers=wire.key | CHUNKED))
    assert wire.read().status == 413


def test_no_length_is_no_body(wire):
    """R21, R93"""
    wire.send(request(headers=wire.key, length=False))
    assert wire.read().status == 200
    wire.send(request(body=LOGS, headers=wire.key))
    assert wire.read().status == 200


# name, rules, headers, status
MALFORMED = [
    ("length that is none", "R24", {"Content-Length": "five"}, 400),
    ("negative length", "R24", {"Content-Length": "-1"}, 400),
    ("signed length", "R24", {"Content-Length": "+5"}, 400),
    ("empty length", "R24", {"Content-Length": ""}, 400),
    ("two lengths in one", "R24", {"Content-Length": "5, 6"}, 400),
    ("coding that is not chunked", "R24", {"Transfer-Encoding": "gzip"}, 400),
    ("chunked, but not last", "R24", {"Transfer-Encoding": "chunked, gzip"}, 400),
    ("unknown coding", "R25", {"Transfer-Encoding": "gzip, chunked"}, 501),
    ("no host", "R26", {"Host": None}, 400),
    ("malformed host", "R26", {"Host": "a b"}, 400),
    ("white space before the colon", "R28", {"X-Odd ": "1"}, 400),
    ("other expectation", "R32", {"Expect": "200-ok"}, 417),
    ("header section too large", "R36", {"X-Long": "x" * 9000}, 431),
    ("length too large", "R91", {"Content-Length": str(8 * MAX_BODY)}, 413),
    ("length beyond any", "R91", {"Content-Length": "9" * 30}, 413),
]


@pytest.mark.parametrize("row", MALFORMED, ids=[r[0] for r in MALFORMED])
def test_malformed_heads(wire, row):
    _, _, headers, status = row
    wire.send(request(headers=wire.key | headers, length=False))
    answer = wire.read()
    assert answer.status == status
    assert answer.rpc_status.message
    assert answer.get("connection") == "close"


def test_malformed_heads_end_the_connection(system):
    """Where the next request would begin is not known. All at once: each is read on for a second, so
    that the client gets its answer (R38)."""
    key = {"Content-Type": PROTOBUF, **bearer(system.keys["acme"])}
    start = "POST /v1/logs HTTP/1.1\r\nHost: a\r\n"
    raw = [
        start + "Host: other\r\n\r\n",  # R26
        start + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n",  # R24
        request(path="/" + "x" * 20_000),  # R36
        "hello\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n", "POST /v1/logs\r\n\r\n", "\x16\x03\x01" * 20 + "\r\n\r\n",
    ]  # fmt: skip
    expected = [400, 400, 414, 400, 400, 400, 400] + [row[3] for row in MALFORMED]
    raw += [request(headers=key | row[2], length=False) for row in MALFORMED]
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(Http1(system)) for _ in raw]
        for c, text in zip(opened, raw):
            c.send(text)
        assert [c.read().status for c in opened] == expected
        assert all(c.closed(timeout=60) for c in opened)


def test_a_length_told_twice_alike_is_one(wire):
    wire.send("POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n")
    assert wire.read().status == 415


def test_length_and_coding_together(wire):
    """R23: served, and nothing more is taken from this connection."""
    wire.send(request(body=chunks(LOGS), headers=wire.key | CHUNKED | {"Content-Length": "5"}),
              request(body=LOGS, headers=wire.key))
    answer = wire.read()
    assert answer.status in (200, 400) and answer.get("connection") == "close"
    assert wire.closed()


@pytest.mark.parametrize("target", ["http://anything.example/v1/logs", "https://[::1]:9/v1/logs?a=b"])
def test_absolute_form(wire, target):
    wire.send(request(path=target, body=LOGS, headers=wire.key))
    assert wire.read().status == 200  # R27


def test_expect_100_continue(system, wire):
    """R29: told to go on before a byte of the body came."""
    wire.send(request(headers=wire.key | {"Expect": "100-continue", "Content-Length": str(len(LOGS))}))
    assert wire.read().status == 100
    wire.send(LOGS)
    assert wire.read().status == 200
    wire.send(request(headers=wire.key | CHUNKED | {"Expect": "100-Continue"}))
    assert wire.read().status == 100
    wire.send(chunks(LOGS))
    assert wire.read().status == 200


# R30: what the headers decide is told instead of 100
EXPECTING = [
    (401, {"Authorization": "Bearer nonsense"}, "POST", "/v1/logs"),
    (404, {}, "POST", "/v1/nothing"),
    (405, {}, "PUT", "/v1/logs"),
    (413, {"Content-Length": str(MAX_BODY + 1)}, "POST", "/v1/logs"),
    (415, {"Content-Type": "text/plain"}, "POST", "/v1/logs"),
    (415, {"Content-Encoding": "br"}, "POST", "/v1/logs"),
]


@pytest.mark.parametrize("row", EXPECTING, ids=lambda r: str(r[0]))
def test_expect_is_answered_by_what_the_headers_decide(wire, row):
    status, headers, method, path = row
    fields = {"Content-Length": "1000", "Expect": "100-continue", **headers}
    wire.send(request(method, path, headers=wire.key | fields))
    assert wire.read().status == status


def test_http_1_0(system, wire):
    """R31: no 1xx; the connection ends without keep-alive."""
    wire.send(request(version="HTTP/1.0", body=LOGS,
                      headers=wire.key | {"Expect": "100-continue", "Host": None}))
    assert wire.read().status == 200
    assert wire.closed()
    with Http1(system) as again:
        for _ in range(2):
            again.send(request(version="HTTP/1.0", body=LOGS,
                               headers=wire.key | {"Connection": "keep-alive"}))
            assert again.read().status == 200


def test_connection_close(wire):
    wire.send(request(body=LOGS, headers=wire.key | {"Connection": "close"}))
    assert wire.read().status == 200  # R19
    assert wire.closed()


def test_upgrade_is_ignored(wire):
    """R34"""
    upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"}
    wire.send(request(body=LOGS, headers=wire.key | upgrade))
    assert wire.read().status == 200


def test_an_early_answer_can_be_read(system, wire):
    """R38: whatever the client still sends, the status arrives; a small rest is read over and the
    connection stays."""
    wire.send(request(headers={"Content-Length": str(50 * KIB)}))
    wire.send(bytes(50 * KIB))
    assert wire.read().status == 415
    wire.send(request(body=LOGS, headers=wire.key))
    assert wire.read().status == 200
    with Http1(system) as large:
        large.send(request(headers=wire.key | {"Content-Length": str(8 * KIB * KIB)}))
        large.send(bytes(8 * KIB * KIB))
        answer = large.read()
        assert (answer.status, answer.get("connection")) == (413, "close")
        assert large.closed()


def test_too_large_is_told_before_the_body(wire):
    """R91"""
    wire.send(request(headers=wire.key | {"Content-Length": str(MAX_BODY + 1)}))
    assert wire.read().status == 413


@pytest.fixture
def strict(kafka, tmp_path):
    """With time limits for those who stall."""
    system = System(
        tmp_path / "strict", brokers=kafka.bootstrap, tenants=("acme",),
        extra={
            "kafka": 'prefix = "strict";',
            "router": 'handshake_timeout = "5s"; header_timeout = "3s"; body_timeout = "5s";',
        },
    )  # fmt: skip
    system.up()
    warm_up(system, "acme")
    yield system
    system.end()


@pytest.mark.sanitize
def test_who_stalls_is_cut_off_without_an_answer(strict):
    """R18, R37, R292: and nobody else waits meanwhile."""
    system = strict
    with contextlib.ExitStack() as stack:
        silent, head, body, chunked = [stack.enter_context(Http1(system)) for _ in range(4)]
        key = {"Content-Type": PROTOBUF, **bearer(system.keys["acme"])}
        head.send("POST /v1/logs HTTP/1.1\r\nHost: a\r\n")
        body.send(request(headers=key | {"Content-Length": "100"}), LOGS[:10])
        chunked.send(request(headers=key | CHUNKED), "5\r\nab")

        def served():
            assert http1(system, body=LOGS, headers=key).status == 200

        once_within(1.5, served, "a request beside those who stall")
        for c in (silent, head, body, chunked):
            assert c.closed(timeout=60)
    stalled = 'tenantry_requests_total{tenant="acme",signal="logs",outcome="body_stalled"} 2'
    until(lambda: stalled in system.http("/metrics")[1], 10, stalled)


def test_every_outcome_was_counted(system):
    """Promise 8: the books know what this module did."""
    text = system.http("/metrics")[1]
    for reason in ("no_key", "bad_key", "suspended", "signal_forbidden", "unknown_path",
                   "unknown_method", "not_post", "unsupported_type", "unsupported_coding",
                   "grpc_over_http1", "bad_request", "headers_too_large", "expectation",
                   "unknown_transfer_coding", "bad_timeout", "too_large", "too_large_decompressed",
                   "bad_compression", "bad_grpc_frame", "compressed_without_coding",
                   "message_count", "malformed", "over_requests", "deadline",
                   "accepted"):  # fmt: skip
        assert f'outcome="{reason}"' in text, reason
    for verdict in ("not_a_key", "checksum", "unknown", "secret", "revoked", "expired"):
        assert f'"{verdict}"' in text, verdict
