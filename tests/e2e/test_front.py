"""The listeners before a request is read: who is behind a balancer."""

import socket
import struct

import pytest

from support.front import Front, ask
from support.wait import until


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """Behind a balancer at 127.0.0.2."""
    front = Front(tmp_path_factory.mktemp("behind"),
                  listen='proxy_protocol = true; trusted = [ "127.0.0.2" ];')
    yield front
    front.end()


V1 = b"PROXY TCP4 203.0.113.9 198.51.100.1 56324 443\r\n"
V2 = (b"\r\n\r\n\0\r\nQUIT\n" + b"\x21\x11" + struct.pack(">H", 12) + socket.inet_aton("203.0.113.9")
      + socket.inet_aton("198.51.100.1") + struct.pack(">HH", 56324, 443))  # fmt: skip
LOCAL = b"\r\n\r\n\0\r\nQUIT\n" + b"\x20\x00\x00\x00"


@pytest.mark.parametrize("header", [V1, V2, LOCAL], ids=["v1", "v2", "v2 local"])
def test_a_balancer_tells_the_client_in_front_of_tls(behind, header):
    with behind.tls(header, source="127.0.0.2") as c:
        assert ask(c) == 401
        assert ask(c, key=behind.keys["acme"]) == 200


def test_a_balancer_that_does_not_is_refused(behind):
    before = behind.metric("tenantry_router_connections_refused_total", reason="proxy_header")
    with pytest.raises(OSError):
        behind.tls(source="127.0.0.2")
    with behind.connect(b"PROXY TCP4 203.0.113.9\r\n", source="127.0.0.2") as c:
        assert c.recv(1) == b""
    until(lambda: behind.metric("tenantry_router_connections_refused_total", reason="proxy_header") == before + 2,
          20, "the refusals counted")  # fmt: skip
    behind.process.wait_log(r"connection refused.*reason=proxy_header client=127\.0\.0\.2")


def test_nobody_else_is_believed(behind):
    with behind.tls() as c:
        assert ask(c) == 401
    with pytest.raises(OSError):
        behind.tls(V1)


def test_a_balancer_may_look_whether_the_port_is_open(behind):
    """Nothing is counted or logged for it."""
    before = behind.metric("tenantry_router_connections_refused_total")
    accepted = behind.metric("tenantry_router_connections_total")
    behind.connect(source="127.0.0.2").close()
    until(lambda: behind.metric("tenantry_router_connections_total") > accepted
          and behind.metric("tenantry_connections") == 0, 20, "the probe's end")  # fmt: skip
    assert behind.metric("tenantry_router_connections_refused_total") == before
