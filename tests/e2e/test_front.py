"""The listeners before a request is read: who is behind a balancer, TLS as other programs see it."""

import contextlib
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading

import pytest

from support import raw_http2 as h2
from support.attacks import post, provoking, rapid_resets
from support.front import Front, ask
from support.raw_http2 import RawHttp2
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


# -- how much one address may hold


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Few connections for each client; the balancer at 127.0.0.2 names them."""
    front = Front(
        tmp_path_factory.mktemp("small"),
        router="max_connections_per_address = 3; max_handshakes_per_address = 2; max_handshakes = 4;"
               ' handshake_timeout = "1m"; max_connections = 50;',
        listen='proxy_protocol = true; trusted = [ "127.0.0.2" ];')  # fmt: skip
    yield front
    front.end()


def v1(client):
    kind = "TCP6" if ":" in client else "TCP4"
    other = "2001:db8::99" if ":" in client else "198.51.100.1"
    return f"PROXY {kind} {client} {other} 56324 443\r\n".encode()


def refused(front, reason):
    return front.metric("tenantry_router_connections_refused_total", reason=reason)


def open_as(front, client):
    """A connection with an answer, None when it was refused."""
    try:
        c = front.tls(v1(client), source="127.0.0.2")
    except OSError:
        return None
    return c if ask(c) == 401 else None


def test_connections_of_one_address_are_limited(small):
    before = refused(small, "address_connections")
    first = [open_as(small, "203.0.113.5") for _ in range(3)]
    assert all(first)
    assert open_as(small, "203.0.113.5") is None
    assert refused(small, "address_connections") == before + 1
    small.process.wait_log(r"connection refused.*reason=address_connections client=203\.0\.113\.5")
    # Others are not touched; of IPv6 a /64 is one.
    others = [open_as(small, f"203.0.113.{n}") for n in range(6, 10)]
    subnet = [open_as(small, f"2001:db8::{n}") for n in range(1, 5)]
    assert all(others) and [c is not None for c in subnet] == [True, True, True, False]
    first[0].close()
    again = []
    until(lambda: again.append(open_as(small, "203.0.113.5")) or again[-1], 20, "a place again")
    for c in [*first, *others, *subnet, *again]:
        if c:
            c.close()
    until(lambda: small.metric("tenantry_connections") == 0, 20, "all gone")


def test_handshakes_at_once_are_limited(small):
    before = refused(small, "address_handshakes"), refused(small, "handshakes")
    with contextlib.ExitStack() as held:
        for client, n in (("203.0.113.20", 2), ("203.0.113.21", 2)):
            for _ in range(n):
                held.enter_context(small.connect(v1(client), source="127.0.0.2"))
        until(lambda: small.metric("tenantry_connections") == 4, 20, "handshakes that do not go on")
        with small.connect(v1("203.0.113.20"), source="127.0.0.2") as c:
            assert c.recv(1) == b""
        with small.connect(v1("203.0.113.22"), source="127.0.0.2") as c:
            assert c.recv(1) == b""
    assert (refused(small, "address_handshakes"), refused(small, "handshakes")) == (before[0] + 1, before[1] + 1)
    until(lambda: small.metric("tenantry_connections") == 0, 20, "all gone")
    c = open_as(small, "203.0.113.22")
    assert c
    c.close()


def test_new_connections_of_one_address_are_limited(tmp_path):
    """1 a second, 2 at once: of many that come as fast as they can some are refused, and another address is not."""
    front = Front(tmp_path, router='new_connections_per_address = "1/s";')
    for _ in range(100):
        for _ in range(20):
            front.connect().close()
        if refused(front, "address_rate"):
            break
    assert refused(front, "address_rate") > 0
    with front.tls(source="127.0.0.2") as c:
        assert ask(c) == 401
    front.end()


# -- what a connection may do


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    front = Front(tmp_path_factory.mktemp("strict"),
                  router='http2_control_frames = "10/s"; http2_abandoned_requests = "5/s"; header_timeout = "200ms";'
                         ' handshake_timeout = "500ms"; http2_ignored_bytes = "64KiB/s"; max_header_bytes = "1KiB";')  # fmt: skip
    yield front
    front.end()


OPEN = h2.frame(h2.HEADERS, 0, 1, h2.request())  # without its end
FLOODS = {
    "control_frames": (b"", h2.frame(h2.PING, payload=b"12345678")),
    "ignored_bytes": (b"", h2.frame(0xFA, payload=bytes(16384))),
    "header_bytes": (OPEN, h2.frame(h2.CONTINUATION, 0, 1, h2.literal("a", "b" * 1000))),
}


@pytest.mark.parametrize("reason", FLOODS)
def test_what_cuts_a_connection_is_counted_by_reason(strict, reason):
    """R53, at limits that are options."""
    before = strict.metric("tenantry_router_http2_cut_total", reason=reason)
    first, again = FLOODS[reason]
    with RawHttp2(strict.port, strict.ca, first=first) as c:
        assert c.flood(again * 20, 64 << 20, seconds=60) < 64 << 20
        assert c.goaway() in (h2.CALM, None)  # None: it came behind our writing
    until(lambda: strict.metric("tenantry_router_http2_cut_total", reason=reason) == before + 1, 20, "it counted")


def test_abandoned_requests_cut_a_connection(strict):
    """R53: requests that wait for their bodies, each reset by its client."""
    before = strict.metric("tenantry_router_http2_cut_total", reason="abandoned_requests")
    with RawHttp2(strict.port, strict.ca) as c:
        with pytest.raises(OSError):
            for _ in range(10_000):
                c.send(rapid_resets(strict.keys["acme"], c.next_streams(20), 20))
    until(lambda: strict.metric("tenantry_router_http2_cut_total", reason="abandoned_requests") == before + 1,
          20, "it counted")  # fmt: skip


def test_frames_that_wait_to_be_sent_cut_a_connection(tmp_path):
    """R53: each malformed request makes us send a reset; the client takes none of them."""
    front = Front(tmp_path, router='http2_control_frames = "1M/s"; max_streams = 1; body_timeout = "10m";')
    with RawHttp2(front.port, front.ca, receive_buffer=4096) as c:
        with pytest.raises(OSError):
            for _ in range(10_000):
                c.send(provoking("malformed requests", c.next_streams(1000)))
    until(lambda: front.metric("tenantry_router_http2_cut_total", reason="queued_frames") == 1, 20, "it counted")
    front.end()


def test_answers_that_nobody_reads_close_a_connection(tmp_path):
    front = Front(tmp_path, router='body_timeout = "500ms";')
    with front.tls(timeout=0.5) as c:
        with contextlib.suppress(OSError):  # at some time it can't send any more
            for _ in range(10_000):
                c.sendall(post() * 1000)
        until(lambda: front.metric("tenantry_router_connections_closed_total", reason="unread_answers") == 1,
              60, "it counted")  # fmt: skip
    front.end()


def test_slow_headers_are_counted(strict):
    before = strict.metric("tenantry_router_connections_closed_total", reason="slow_headers")
    with strict.tls() as c:
        c.sendall(b"POST /v1")
        assert c.recv(1) == b""
    with RawHttp2(strict.port, strict.ca, first=OPEN) as c:
        assert c.goaway() == 0
    until(lambda: strict.metric("tenantry_router_connections_closed_total", reason="slow_headers") == before + 2,
          20, "both counted")  # fmt: skip


# -- how long connections live


def test_R296_R297_r298_idle_age_and_keepalive(tmp_path):
    """Of HTTP/2, frame by frame: GOAWAY twice, the second after our answer to the PING between them."""
    front = Front(tmp_path, router='idle_timeout = "1s"; keepalive_interval = "100ms"; keepalive_timeout = "30s";')
    with RawHttp2(front.port, front.ca, timeout=30) as c:
        assert c.status(c.ask()) == 401
        told = []
        for f in c.frames():
            if f.kind == h2.PING and not f.flags & h2.ACK:
                c.send(h2.frame(h2.PING, h2.ACK, payload=f.payload))
            if f.kind == h2.GOAWAY:
                told.append((int.from_bytes(f.payload[:4], "big"), int.from_bytes(f.payload[4:8], "big")))
        assert told == [(2**31 - 1, 0), (1, 0)]
    front.end()


def test_a_dead_peer_is_noticed(tmp_path):
    front = Front(tmp_path, router='keepalive_interval = "100ms"; keepalive_timeout = "100ms";')
    with RawHttp2(front.port, front.ca, timeout=30) as c:
        assert c.status(c.ask()) == 401
        assert c.goaway() == 0  # R54
    until(lambda: front.metric("tenantry_router_http2_cut_total", reason="keepalive") == 1, 20, "it counted")
    front.end()


# -- TLS


def make_certificate(folder, name, *kind):
    """A self-signed one and its key, by OpenSSL's own program."""
    pem, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
                    f"subjectAltName=DNS:{name}", *(kind or ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]),
                    "-keyout", key, "-out", pem], check=True, capture_output=True, timeout=60)  # fmt: skip
    return pem, key


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """A default certificate and two more."""
    folder = tmp_path_factory.mktemp("names")
    made = [make_certificate(folder, "other.test"), make_certificate(folder, "localhost", "-newkey", "rsa:2048")]
    more = ", ".join(f'{{ certificate = "{pem}"; private_key = "{key}"; }}' for pem, key in made)
    front = Front(folder, router=f"certificates = ( {more} );")
    yield front
    front.end()


def s_client(front, *args, send=b""):
    """What `openssl s_client` says."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{front.port}", *map(str, args)],
                          input=send, capture_output=True, timeout=60)  # fmt: skip
    return (done.stdout + done.stderr).decode(errors="replace")


def subject(front, *args):
    said = s_client(front, *args)
    found = re.search(r"^subject=.*CN = (\S+)", said, re.M)
    return found and found[1]


def test_R8_R9_the_name_selects_the_certificate(names):
    default = subject(names, "-noservername")
    assert default not in (None, "other.test")
    assert subject(names, "-servername", "other.test") == "other.test"
    assert subject(names, "-servername", "unknown.test") == default
    assert subject(names, "-servername", "localhost") == default


REFUSED = "alert handshake failure|no cipher|alert protocol version|no application protocol|unsupported protocol"


@pytest.mark.parametrize("args, expected", [
    (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-groups", "P-256", "-servername", "localhost"],
     r"Cipher is ECDHE-RSA-AES128-GCM-SHA256"),  # R6
    (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES256-SHA:AES128-GCM-SHA256"], REFUSED),  # R7
    (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], REFUSED),  # R5
    (["-tls1_3", "-alpn", "h2,http/1.1"], r"ALPN protocol: h2"),  # R1
    (["-tls1_3", "-alpn", "http/1.1"], r"ALPN protocol: http/1.1"),
    (["-tls1_3"], r"No ALPN negotiated"),  # R3
    (["-tls1_3", "-alpn", "spdy/3"], REFUSED),  # R2
    (["-tls1_2", "-alpn", "h3"], REFUSED),
    (["-tls1_3"], r"Max Early Data: 0|No early data|Early data was not sent"),  # R11
    (["-tls1_2", "-comp"], r"Compression: NONE"),  # R6
    (["-tls1_2"], r"Secure Renegotiation IS supported"),
], ids=lambda v: "_".join(v)[:40] if isinstance(v, list) else "")  # fmt: skip
def test_tls_as_openssl_sees_it(names, args, expected):
    assert re.search(expected, s_client(names, *args)), s_client(names, *args)


def resumed(front, session, *args):
    said = s_client(front, "-sess_in", session, *args, send=b"GET / HTTP/1.1\r\n\r\n")
    return "Reused, " in said


def new_session(front, path, *args):
    # A request keeps s_client reading until the tickets are there: TLS 1.3 sends them after the handshake.
    s_client(front, "-sess_out", path, "-ign_eof", *args, send=b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert path.stat().st_size > 0


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_sessions_resume_on_every_loop_and_never_early(names, tmp_path, version):
    session = tmp_path / "session"
    new_session(names, session, version)
    assert all(resumed(names, session, version) for _ in range(8))  # two loops
    early = tmp_path / "early"
    early.write_bytes(b"POST /v1/logs HTTP/1.1\r\n")
    if version == "-tls1_3":
        assert "Early data was accepted" not in s_client(names, "-sess_in", session, "-early_data", early)  # R11


def test_sessions_outlive_a_restart_with_a_file_of_secrets(tmp_path):
    secrets = tmp_path / "secrets"
    secrets.write_text("ab" * 32 + "\n")
    front = Front(tmp_path / "one", router=f'ticket_secrets = "{secrets}";')
    session = tmp_path / "session"
    new_session(front, session, "-tls1_3")
    front.end()
    front = Front(tmp_path / "two", router=f'ticket_secrets = "{secrets}";')
    assert resumed(front, session, "-tls1_3")
    # A wrong file is refused with a sentence, and what was in use stays.
    secrets.write_text("ab\n")
    front.process.wait_log(r"the new certificate is not used.*secrets:1: a ticket secret")
    assert resumed(front, session, "-tls1_3")
    secrets.write_text("cd" * 32 + "\n")
    front.process.wait_log("certificate renewed")
    until(lambda: not resumed(front, session, "-tls1_3"), 20, "the old secret forgotten")
    front.end()


class Dialer(threading.Thread):
    """Handshakes one after the other, each with a request; what failed is kept."""

    def __init__(self, front, ca):
        super().__init__()
        self.front, self.ca = front, ca
        self.over, self.done, self.failed, self.seen = False, 0, [], set()

    def run(self):
        while not self.over:
            try:
                with self.front.tls(ca=self.ca) as c:
                    self.seen.add(c.getpeercert(binary_form=True))
                    if ask(c) != 401:
                        self.failed.append("no answer")
                self.done += 1
            except OSError as e:
                self.failed.append(repr(e))


def test_certificates_change_under_load_without_a_failed_handshake(tmp_path):
    front = Front(tmp_path / "front")
    pairs, trusted = [], tmp_path / "trusted.pem"
    for i in range(4):
        folder = tmp_path / f"next{i}"
        front.cli("certs", "dev", "--folder", folder)
        pairs.append(folder)
    trusted.write_text("".join((f / "ca.pem").read_text() for f in [front.folder / "certs", *pairs]))
    dialers = [Dialer(front, trusted) for _ in range(3)]
    for d in dialers:
        d.start()
    try:
        for folder in pairs:
            for name in ("server.pem", "server.key"):  # in between the halves do not fit
                fresh = front.folder / "certs" / f"{name}.new"
                shutil.copy(folder / name, fresh)
                os.replace(fresh, front.folder / "certs" / name)
            want = ssl.PEM_cert_to_DER_cert((folder / "server.pem").read_text().split("-----END")[0]
                                            + "-----END CERTIFICATE-----\n")  # fmt: skip
            until(lambda want=want: any(want in d.seen for d in dialers), 30, "a handshake with the new certificate")
        (front.folder / "certs" / "server.pem").write_text("no certificate\n")
        front.process.wait_log(r"the new certificate is not used.*cannot read the certificate .*server\.pem")
        done = sum(d.done for d in dialers)
        until(lambda: sum(d.done for d in dialers) > done + 10, 30, "handshakes with the old certificate")
    finally:
        for d in dialers:
            d.over = True
        for d in dialers:
            d.join()
    assert [f for d in dialers for f in d.failed] == []
    assert front.metric("tenantry_router_handshakes_failed_total") == 0
    front.end()
