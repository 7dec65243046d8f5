"""What an operator changes takes effect in the running router, without a restart and without hurting
anybody: keys, tenants, files that are wrong, certificates."""

import re
import shutil
import signal
import time

import pytest

from support import otlp_build as build
from support.proc import command_line, exists
from support.system import System
from support.wait import once_within, until
from support.wire import PROTOBUF, Http1, bearer, grpc_call, request


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    system = System(tmp_path_factory.mktemp("reload"), brokers=kafka.bootstrap,
                    extra={"kafka": 'prefix = "reload";'})
    system.up()
    for tenant in system.keys:
        until(lambda: push(system, system.keys[tenant]).status == 200, 30, f"the topics of {tenant}")
    yield system
    system.end()


def push(system, key, text="hello", connection=None):
    body = build.logs_request([build.log(text)]).SerializeToString()
    sent = request(body=body, headers={"Content-Type": PROTOBUF, **bearer(key)})
    if connection is not None:
        connection.send(sent)
        return connection.read()
    with Http1(system) as c:
        c.send(sent)
        return c.read()


def within(seconds, check, what):
    """Waits for the change and says how long it took: more than the seconds on a busy machine."""
    start = time.monotonic()
    until(check, seconds, what)
    print(f"{what}: {time.monotonic() - start:.2f} s")


def tenant_file(system, tenant):
    return system.folder / "tenants.d" / f"{tenant}.conf"


def test_a_new_key_works_and_a_revoked_one_not_within_a_second(system):
    keys = []

    def issue():
        keys.append(system.issue_key("acme", "--label", "short-lived"))

    def told(status, connection=None):
        until(lambda: push(system, keys[-1], connection=connection).status == status, 30, f"{status} for the key")

    once_within(1, lambda: told(200), "a new key works", before=issue)
    with Http1(system) as c:  # an open connection notices too
        def revoke():
            issue()
            told(200, c)
            system.cli("key", "revoke", keys[-1].split("_")[1])

        once_within(1, lambda: told(401, c), "a revoked key does not", before=revoke)
    assert grpc_call(system, "logs", b"", bearer(keys[-1])).code == 16
    assert push(system, system.keys["acme"]).status == 200


def test_suspend_and_resume_within_a_second(system):
    key = system.keys["beta"]
    with Http1(system) as c:
        def told(status):
            until(lambda: push(system, key, connection=c).status == status, 30, f"{status} for the tenant")

        def suspend():
            system.cli("tenant", "resume", "beta", check=False)
            told(200)
            system.cli("tenant", "suspend", "beta")

        def resume():
            system.cli("tenant", "suspend", "beta", check=False)
            told(403)
            system.cli("tenant", "resume", "beta")

        once_within(1, lambda: told(403), "suspended", before=suspend)
        answer = push(system, key, connection=c)
        assert answer.rpc_status.message == "this tenant is suspended"
        assert grpc_call(system, "logs", b"", bearer(key)).code == 7
        assert push(system, system.keys["acme"]).status == 200
        once_within(1, lambda: told(200), "resumed", before=resume)


def test_changed_limits_apply(system):
    path = tenant_file(system, "beta")
    before = path.read_text()
    body = build.logs_request([build.log("hello")]).SerializeToString()
    sent = request(body=body, headers={"Content-Type": PROTOBUF, **bearer(system.keys["beta"])})

    def statuses():
        """Of requests that come at once, however busy the machine is."""
        with Http1(system) as c:
            c.send(sent * 8)
            return {c.read().status for _ in range(8)}

    path.write_text('tenant: { id = "beta"; limits = { requests = "1/s"; wait = "0s"; }; };\n')
    within(3, lambda: 429 in statuses(), "a new limit")
    path.write_text(before)
    within(3, lambda: statuses() == {200}, "the limit gone")


def worker(system, tenant):
    pid = system.child(f"consumer {tenant}")
    return pid if pid and "consumer" in command_line(pid) else None


def test_a_tenant_dropped_in_gets_topics_and_a_worker_and_loses_them(system, kafka, unique):
    """The issue's 5 s, counted from the file to the first row's way."""
    tenant = unique
    key = None
    path = tenant_file(system, tenant)
    fresh = path.with_suffix(".new")
    fresh.write_text(f'tenant: {{ id = "{tenant}"; topics = {{ partitions = 1; }}; }};\n')
    assert worker(system, tenant) is None
    fresh.rename(path)
    within(5, lambda: {f"reload.{tenant}.{s}" for s in ("traces", "metrics", "logs", "dlq")}
           <= set(kafka.topics()), "topics")
    within(5, lambda: worker(system, tenant), "a worker")
    key = system.issue_key(tenant)
    within(5, lambda: push(system, key, "first").status == 200, "an accepted request")
    within(10, lambda: system.count(tenant) >= 1, "its rows")
    pid = worker(system, tenant)
    rows = system.count(tenant)
    accepted = 0
    while push(system, key, "last").status == 200 and accepted < 20:
        accepted += 1
    path.unlink()
    within(5, lambda: push(system, key).status == 401, "the key of a tenant that is gone")
    within(10, lambda: not exists(pid), "the worker's end")
    assert system.count(tenant) >= rows + accepted  # it drained first
    assert worker(system, "acme") and worker(system, "beta")
    assert f"reload.{tenant}.logs" in kafka.topics()  # data is not thrown away by a missing file


def test_a_broken_tenant_file_is_refused_and_the_old_one_stays(system):
    path = tenant_file(system, "acme")
    before = path.read_text()
    others = worker(system, "beta")
    mine = worker(system, "acme")
    path.write_text('tenant: {\n  id = "acme";\n  limitz = { };\n};\n')
    try:
        system.process.wait_log(r"acme\.conf:3: .*limitz.*limits", 60)  # file, line, did you mean
        assert push(system, system.keys["acme"]).status == 200
        # Others still reload beside it.
        key = system.issue_key("beta")
        within(2, lambda: push(system, key).status == 200, "a key beside the broken file")
        path.write_text('tenant: {\n  id = "acme";\n')
        system.process.wait_log(r"acme\.conf:[0-9]+: .*syntax", 60)
        assert push(system, system.keys["acme"]).status == 200
        assert worker(system, "acme") == mine and worker(system, "beta") == others
    finally:
        path.write_text(before)
    within(3, lambda: push(system, system.keys["acme"]).status == 200, "the file mended")


def test_a_tenant_file_that_is_broken_at_the_start_is_a_503_not_a_401(system):
    """Senders drop what is answered 401: its keys are known, so they are told to come back."""
    path = tenant_file(system, "acme")
    before, key = path.read_text(), system.keys["acme"]
    path.write_text('tenant: {\n  id = "acme";\n  limitz = { };\n};\n')
    try:
        system.down()
        system.up()  # it knows no earlier content
        answer = push(system, key)
        assert answer.status == 503 and 1 <= int(answer.get("retry-after")) <= 5
        assert "configuration cannot be read" in str(answer.body)
        call = grpc_call(system, "logs", b"", bearer(key))
        assert call.code == 14
        typo = key[:-1] + ("A" if key[-1] != "A" else "B")
        assert push(system, typo).status == 401  # who could not prove who it is learns nothing
        checked = system.cli("check", check=False)
        assert checked.returncode == 1 and re.search(r"acme\.conf:3: .*limitz", checked.stdout)
        counted = r'tenantry_requests_total\{tenant="acme",signal="logs",outcome="tenant_unreadable"\} 2'
        assert re.search(counted, system.http("/metrics")[1])
    finally:
        path.write_text(before)
    within(5, lambda: push(system, key).status == 200, "the file mended")


def test_a_key_file_that_is_broken_at_the_start_is_a_503_not_a_401(system):
    """Whose key it is cannot be told: whoever comes with one that is not found elsewhere is to come back."""
    path, key = system.folder / "keys.d" / "acme.keys", system.keys["acme"]
    before = path.read_text()
    path.write_text("id=\n")
    try:
        system.down()
        system.up()
        answer = push(system, key)
        assert answer.status == 503 and 1 <= int(answer.get("retry-after")) <= 5
        assert "keys of this server cannot be read" in str(answer.body)
        assert grpc_call(system, "logs", b"", bearer(key)).code == 14
        assert push(system, system.keys["beta"]).status == 200
        assert push(system, key[:-1] + ("A" if key[-1] != "A" else "B")).status == 401
        checked = system.cli("check", check=False)
        assert checked.returncode == 1 and re.search(r"acme\.keys:1: ", checked.stdout)
        assert 'tenantry_auth_failures_total{reason="unreadable"}' in system.http("/metrics")[1]
    finally:
        path.write_text(before)
    within(5, lambda: push(system, key).status == 200, "the file mended")


def test_a_broken_main_file_is_refused_and_the_old_one_stays(system):
    before = system.conf.read_text()
    try:
        system.conf.write_text(before + "\nrouter: { threads = many; };\n")
        system.process.wait_log(r"tenantry\.conf:[0-9]+", 60)
        assert push(system, system.keys["acme"]).status == 200
    finally:
        system.conf.write_text(before)
    system.conf.write_text(before.replace("threads = 2;", 'threads = 2; max_body = "2KiB";'))
    within(3, lambda: push(system, system.keys["acme"], "x" * 3000).status == 413, "a new ceiling")
    system.conf.write_text(before)
    router = system.child(" router")
    until(lambda: push(system, system.keys["acme"], "x" * 3000).status == 200, 3, "the old ceiling")
    assert router == system.child(" router")


def certificate(system):
    with Http1(system) as c:
        return c.sock.getpeercert(binary_form=True)


def test_certificates_reload(system, tmp_path):
    """New connections get the new one, open ones go on."""
    old = certificate(system)
    system.cli("certs", "dev", "--folder", tmp_path / "next")
    folder = system.folder / "certs"
    with Http1(system) as open_before:
        assert push(system, system.keys["acme"], connection=open_before).status == 200
        for name in ("ca.pem", "server.key", "server.pem"):  # a moment with halves of two pairs
            shutil.copy(tmp_path / "next" / name, folder / f"{name}.new")
            (folder / f"{name}.new").rename(folder / name)

        def is_new():
            try:
                return certificate(system) != old
            except OSError:  # still the old one, which the new CA does not know
                return False

        within(5, is_new, "a new certificate")
        assert push(system, system.keys["acme"], connection=open_before).status == 200
    assert push(system, system.keys["acme"]).status == 200
    # A file that is no certificate is refused; the one in use stays.
    current = certificate(system)
    good = (folder / "server.pem").read_text()
    try:
        (folder / "server.pem").write_text("no certificate\n")
        system.process.wait_log(r"server\.pem", 60)
        assert certificate(system) == current
    finally:
        (folder / "server.pem").write_text(good)


def test_sighup_reads_at_once(system):
    """Besides looking by itself; nothing is restarted by it."""
    pids = {name: system.child(name) for name in (" router", "consumer acme", "consumer beta")}
    assert all(pids.values())
    keys = []

    def issue():
        keys.append(system.issue_key("acme"))
        system.process.signal(signal.SIGHUP)

    once_within(1, lambda: until(lambda: push(system, keys[-1]).status == 200, 30, "a key after SIGHUP"),
                "a key after SIGHUP", before=issue)  # fmt: skip
    assert pids == {name: system.child(name) for name in pids}
