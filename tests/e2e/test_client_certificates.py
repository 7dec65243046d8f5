"""Mutual TLS (R10): the certificate of a client and its key name the same tenant, or nothing is said."""

import re
import subprocess

import pytest

from support.certificates import make_ca, make_client
from support.front import Front, ask
from support.wait import until

URN = "URI:urn:tenantry:tenant:"


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clients")
    make_ca(folder, "ca")
    make_ca(folder, "foreign")
    made = {
        "acme": make_client(folder, "by-urn", URN + "acme"),
        "both": make_client(folder, "by-both", f"DNS:x.example,{URN}acme,{URN}beta"),
        "spiffe": make_client(folder, "by-spiffe", "URI:spiffe://mesh/beta"),
        "cn": make_client(folder, "beta-agent"),
        "nobody": make_client(folder, "nobody", URN + "acmes"),
        "foreign": make_client(folder, "foreign-acme", URN + "acme", ca="foreign"),
        "none": None,
    }
    return folder, made


def start(folder, clients, mode):
    front = Front(folder, tenants=("acme", "beta"),
                  router=f'client_certificates = "{mode}"; client_ca = "{clients[0] / "ca.pem"}";')  # fmt: skip
    return front


@pytest.fixture(scope="module")
def optional(tmp_path_factory, clients):
    front = start(tmp_path_factory.mktemp("optional"), clients, "optional")
    names = 'client_names = [ "URI:spiffe://mesh/beta", "CN:beta-agent" ];'
    (front.folder / "tenants.d" / "beta.conf").write_text(f'tenant: {{ id = "beta"; {names} }};\n')
    front.process.wait_log("configuration reloaded")
    yield front
    front.end()


# Which certificate, whose key: the answer; None = no handshake.
@pytest.mark.parametrize("who, tenant, expected", [
    ("acme", "acme", 200),
    ("acme", "beta", 401),
    ("both", "acme", 200),
    ("both", "beta", 200),
    ("spiffe", "beta", 200),
    ("spiffe", "acme", 401),
    ("cn", "beta", 200),
    ("cn", "acme", 401),
    ("nobody", "acme", 401),
    ("none", "acme", 200),
    ("none", "beta", 401),  # it lists names: a certificate is asked for
    ("foreign", "acme", None),
])  # fmt: skip
def test_R10_certificate_and_key_agree_on_the_tenant(optional, clients, who, tenant, expected):
    before = optional.metric("tenantry_auth_failures_total", reason="certificate")
    try:
        with optional.tls(identity=clients[1][who]) as c:
            assert ask(c, key=optional.keys[tenant]) == expected
    except OSError:
        assert expected is None
    after = optional.metric("tenantry_auth_failures_total", reason="certificate")
    assert after - before == (1 if expected == 401 else 0)


def test_the_certificate_goes_with_a_resumed_session(optional, clients, tmp_path):
    """And not further than its own key's tenant."""
    pem, key = clients[1]["acme"]
    session = tmp_path / "session"

    def s_client(*args, tenant):
        request = (f"POST /v1/logs HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n"
                   f"Content-Type: application/x-protobuf\r\nx-api-key: {optional.keys[tenant]}\r\n\r\n")  # fmt: skip
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{optional.port}", "-ign_eof",
                               *map(str, args)], input=request.encode(), capture_output=True, timeout=60)  # fmt: skip
        return done.stdout.decode(errors="replace")

    s_client("-cert", pem, "-key", key, "-sess_out", session, tenant="acme")
    for tenant, status in (("acme", "200"), ("beta", "401")):
        said = s_client("-sess_in", session, tenant=tenant)  # shows none this time
        assert "Reused, " in said
        assert re.search(rf"HTTP/1\.1 {status} ", said), said


def test_R10_required_means_required(tmp_path, clients):
    front = start(tmp_path, clients, "required")
    with front.tls(identity=clients[1]["acme"]) as c:
        assert ask(c, key=front.keys["acme"]) == 200
    for who in ("none", "foreign"):
        try:
            with front.tls(identity=clients[1][who]) as c:
                assert ask(c, key=front.keys["acme"]) is None
        except OSError:
            pass
    until(lambda: front.metric("tenantry_router_handshakes_failed_total") == 2, 20, "failed handshakes counted")
    # Other CAs by a reload: who was known is not any more, by no session either.
    (tmp_path / "tenantry.conf").write_text(
        (tmp_path / "tenantry.conf").read_text().replace("/ca.pem", "/foreign.pem"))
    front.process.wait_log("certificate renewed")

    def served(who):
        try:
            with front.tls(identity=clients[1][who]) as c:
                return ask(c, key=front.keys["acme"]) == 200
        except OSError:
            return False

    until(lambda: served("foreign") and not served("acme"), 20, "the other CAs")
    front.end()
