"""Who comes without a key: browsers that ask before they send, load balancers that ask how we are."""

import grpc
import pytest

from support.front import Front, exchange
from support.wait import until

PAGE = "https://app.example"
ALLOWED = ("access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers")


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    front = Front(tmp_path_factory.mktemp("browsers"),
                  router=f'cors = {{ origins = [ "{PAGE}", "https://*.pages.example" ]; max_age = "5m"; }};')  # fmt: skip
    yield front
    front.end()


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    front = Front(tmp_path_factory.mktemp("closed"))
    yield front
    front.end()


def preflight(front, origin=PAGE, path="/v1/traces"):
    asks = [("Origin", origin), ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization,content-type,x-new")]  # fmt: skip
    with front.tls() as c:
        answer = exchange(c, path=path, method="OPTIONS", extra=asks)
        # The connection is of use: nothing stands behind a 204.
        assert exchange(c, key=front.keys["acme"])[0] == 200
        return answer


@pytest.mark.parametrize("origin", [PAGE, "https://a.pages.example"])
def test_R287_a_preflight_is_answered_without_a_key(front, origin):
    status, fields, body = preflight(front, origin)
    assert (status, body) == (204, b"")
    assert "content-length" not in fields and "content-type" not in fields
    assert [fields[n] for n in ALLOWED] == [origin, "POST", "authorization,content-type,x-new"]
    assert fields["access-control-max-age"] == "300"
    assert fields["vary"] == "Origin"


@pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example.evil", "http://app.example", "null",
                                    "https://pages.example"])  # fmt: skip
def test_R287_other_origins_are_allowed_nothing(front, origin):
    status, fields, _ = preflight(front, origin)
    assert status == 204
    assert not [n for n in fields if n.startswith("access-control-")]


def test_R287_the_rest_of_options(front):
    assert preflight(front, path="/v1/nothing")[0] == 404
    with front.tls() as c:  # no preflight: R62
        status, fields, _ = exchange(c, method="OPTIONS")
        assert (status, fields["allow"]) == (405, "POST, OPTIONS")


def test_R288_answers_can_be_read_by_the_page(front):
    with front.tls() as c:
        for key, expected in ((front.keys["acme"], 200), (None, 401)):
            status, fields, _ = exchange(c, key=key, extra=[("Origin", PAGE)])
            assert status == expected
            assert fields["access-control-allow-origin"] == PAGE
            assert fields["vary"] == "Origin"
            assert fields["access-control-expose-headers"] == "Retry-After"
        fields = exchange(c, extra=[("Origin", "https://evil.example")])[1]
        assert "access-control-allow-origin" not in fields and fields["vary"] == "Origin"


def test_R289_without_origins_browsers_are_not_served(closed):
    with closed.tls() as c:
        status, fields, _ = exchange(c, method="OPTIONS", extra=[("Origin", PAGE),
                                                                 ("Access-Control-Request-Method", "POST")])  # fmt: skip
        assert (status, fields["allow"]) == (405, "POST")
        assert not [n for n in fields if n.startswith("access-control-") or n == "vary"]
        assert not [n for n in exchange(c, extra=[("Origin", PAGE)])[1] if n.startswith("access-control-")]


# -- health


SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
LOGS = b"opentelemetry.proto.collector.logs.v1.LogsService"


def health(front, service=b"", method="Check", message=None):
    """The HealthCheckResponse as bytes, or the code of the call."""
    trusted = grpc.ssl_channel_credentials(front.ca.read_bytes())
    with grpc.secure_channel(f"localhost:{front.port}", trusted) as channel:
        call = channel.unary_unary(f"/grpc.health.v1.Health/{method}")
        if message is None:
            message = bytes([0x0A, len(service)]) + service if service else b""
        try:
            return call(message, timeout=20)
        except grpc.RpcError as e:
            return e.code()


def test_R301_health_is_told_without_a_key(front, kafka, tmp_path):
    assert health(front) == NOT_SERVING  # there is no broker
    assert health(front, LOGS) == NOT_SERVING
    ready = Front(tmp_path, brokers=kafka.bootstrap)
    until(lambda: health(ready) == SERVING, 30, "SERVING")
    assert health(ready, LOGS) == SERVING
    ready.end()


def test_R301_R305_what_is_not_known(front):
    for service in (b"nobody", LOGS + b"x", b"/"):
        assert health(front, service) == grpc.StatusCode.NOT_FOUND
    assert health(front, method="Watch") == grpc.StatusCode.UNIMPLEMENTED
    assert health(front, method="check") == grpc.StatusCode.UNIMPLEMENTED
    assert health(front, message=b"\x0a\x7fshort") == grpc.StatusCode.INVALID_ARGUMENT
    assert health(front, b"x" * 127, message=b"\x12\xff\x7f" + b"x" * 16383) == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_R303_health_turns_before_the_drain(kafka, tmp_path):
    front = Front(tmp_path, router='drain_delay = "2m"; drain_timeout = "3m";', brokers=kafka.bootstrap)
    until(lambda: health(front) == SERVING, 30, "SERVING")
    front.process.signal(15)
    seen = []
    until(lambda: seen.append(health(front)) or seen[-1] != SERVING, 30, "another answer")
    assert seen[-1] == NOT_SERVING, seen
    front.process.kill9()  # it would wait for as long as the slowest machine needs to see this
