"""Content codings (R71-R92, R166-R172): bodies made by other libraries arrive; damage and bombs don't."""

import gzip
import zlib

import cramjam
import pytest

from support import otlp_build as build
from support.system import System
from support.wait import until
from support.wire import GRPC_PATHS, PROTOBUF, bearer, frame, http1, http2

MAX_DECOMPRESSED = 1 << 20


def raw_deflate(body):
    c = zlib.compressobj(wbits=-15)
    return c.compress(body) + c.flush()


def bytes_of(compress):
    return lambda body: bytes(compress(body))


zstd = bytes_of(cramjam.zstd.compress)
snappy_block = bytes_of(cramjam.snappy.compress_raw)
snappy_stream = bytes_of(cramjam.snappy.compress)
lz4 = bytes_of(cramjam.lz4.compress)

HTTP = [
    ("gzip", "R72", gzip.compress),
    ("x-gzip", "R74", gzip.compress),
    ("zstd", "R76", zstd),
    ("deflate", "R77", zlib.compress),
    ("deflate", "R78", raw_deflate),
    ("zlib", "R79", zlib.compress),
    ("snappy", "R80 block", snappy_block),
    ("snappy", "R80 stream", snappy_stream),
    ("x-snappy-framed", "R81", snappy_stream),
    ("lz4", "R82", lz4),
]
GRPC = [
    ("gzip", "R166", gzip.compress),
    ("zstd", "R167", zstd),
    ("snappy", "R168", snappy_stream),
    ("deflate", "R169", zlib.compress),
]


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    it = System(
        tmp_path_factory.mktemp("codings"), brokers=kafka.bootstrap, tenants=("acme",),
        extra={"router": f'max_decompressed = "{MAX_DECOMPRESSED}"; answer_timeout = "30s";'},
    )
    it.up()
    yield it
    it.down()


def send_http(system, coding, body, send=http1):
    headers = {"content-type": PROTOBUF, "content-encoding": coding} | bearer(system.keys["acme"])
    return send(system, path="/v1/logs", body=body, headers=headers)


def send_grpc(system, coding, body):
    headers = {"content-type": "application/grpc", "te": "trailers", "grpc-encoding": coding}
    return http2(system, path=GRPC_PATHS["logs"], body=frame(body, flag=1),
                 headers=headers | bearer(system.keys["acme"]))


def logs_of(size, text="x"):
    """A request of exactly so many bytes."""
    fill = size
    while True:
        body = build.logs_request([build.log(text * fill)]).SerializeToString()
        if len(body) <= size:
            assert len(body) == size
            return body
        fill -= max(1, (len(body) - size) // len(text))


def bodies(system):
    return {row["Body"] for row in system.rows("acme", "otel_logs")}


def ids(rows):
    return [f"{name} {rule}" for name, rule, _ in rows]


@pytest.mark.parametrize("coding, rule, compress", HTTP, ids=ids(HTTP))
@pytest.mark.parametrize("send", [http1, http2], ids=["http1", "http2"])
def test_accepted_over_http(system, send, coding, rule, compress):
    text = f"{send.__name__} {coding} {rule}" + " and much more" * 9000  # beyond a chunk of 64 KiB
    body = compress(build.logs_request([build.log(text)]).SerializeToString())
    assert send_http(system, coding, body, send).status == 200
    until(lambda: text in bodies(system), 30, "the record")


@pytest.mark.parametrize("coding, rule, compress", GRPC, ids=ids(GRPC))
def test_accepted_over_grpc(system, coding, rule, compress):
    text = f"grpc {coding} {rule}" + " and much more" * 9000
    body = compress(build.logs_request([build.log(text)]).SerializeToString())
    assert send_grpc(system, coding, body).grpc.code == 0
    until(lambda: text in bodies(system), 30, "the record")


@pytest.mark.parametrize("coding, rule, compress", HTTP, ids=ids(HTTP))
def test_R90_exactly_the_limit_over_http(system, coding, rule, compress):
    assert send_http(system, coding, compress(logs_of(MAX_DECOMPRESSED))).status == 200
    assert send_http(system, coding, compress(logs_of(MAX_DECOMPRESSED + 1))).status == 413


@pytest.mark.parametrize("coding, rule, compress", GRPC, ids=ids(GRPC))
def test_R173_R174_exactly_the_limit_over_grpc(system, coding, rule, compress):
    assert send_grpc(system, coding, compress(logs_of(MAX_DECOMPRESSED))).grpc.code == 0
    assert send_grpc(system, coding, compress(logs_of(MAX_DECOMPRESSED + 1))).grpc.code == 8


def test_R92_bombs(system):
    bomb = bytes(64 << 20)
    for coding, rule, compress in HTTP:
        body = compress(bomb)
        assert send_http(system, coding, body).status == 413, (coding, rule)
    for coding, rule, compress in GRPC:
        assert send_grpc(system, coding, compress(bomb)).grpc.code == 8, (coding, rule)
    assert system.http("/readyz")[0] == 200


def test_R85_R172_cut_off(system):
    body = build.logs_request([build.log("cut")]).SerializeToString()
    for coding, rule, compress in HTTP:
        assert send_http(system, coding, compress(body)[:-3]).status == 400, (coding, rule)
        assert send_http(system, coding, body).status == 400, (coding, rule)  # not compressed
    for coding, rule, compress in GRPC:
        assert send_grpc(system, coding, compress(body)[:-3]).grpc.code == 13, (coding, rule)
        assert send_grpc(system, coding, body).grpc.code == 13, (coding, rule)


def test_R168_a_raw_snappy_block_is_not_for_grpc(system):
    body = build.logs_request([build.log("block")]).SerializeToString()
    assert send_grpc(system, "snappy", snappy_block(body)).grpc.code == 13


@pytest.mark.parametrize("coding", ["br", "compress", "gzip, zstd", "zstdd"])
def test_R83_R84_unsupported_over_http(system, coding):
    answer = send_http(system, coding, b"")
    assert answer.status == 415
    offered = answer.get("accept-encoding")
    assert set(offered.split(", ")) == {"identity"} | {name for name, _, _ in HTTP} - {"x-gzip"}
    assert offered in answer.rpc_status.message


@pytest.mark.parametrize("coding", ["br", "lz4", "zlib", "x-snappy-framed"])
def test_R170_R171_unsupported_over_grpc(system, coding):
    answer = send_grpc(system, coding, b"x")
    assert answer.grpc.code == 12
    offered = answer.get("grpc-accept-encoding")
    assert set(offered.split(",")) == {"identity"} | {name for name, _, _ in GRPC}
    assert offered in answer.grpc.message
