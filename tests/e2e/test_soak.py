"""A whole Tenantry under mixed load, while everything that can happen to it does: nothing acked is lost or
doubled, every process ends as it should, and no sanitizer has anything to say (tools/check runs this with
the programs of the asan and tsan presets)."""

import itertools
import os
import re
import signal
import sqlite3
import ssl
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from support.load import GRPC, HTTP, Load, assert_exactly_once, settle
from support.proc import run_tenantry
from support.rude import RudeClients
from support.system import System
from support.wait import until

WAYS = [GRPC, [*GRPC, "--gzip"], [*HTTP, "--http", "1.1"], [*HTTP, "--http", "2", "--gzip"]]
PATIENCE = 120  # seconds for anything; a sanitizer on a busy machine is slow


class Events:
    """What happens to the system, one thing after the other. Each returns when it has taken effect."""

    def __init__(self, system, load):
        self.system, self.load = system, load
        self._guests = itertools.count(1)

    def all(self):
        return [self.reload, self.keys, self.kill_consumer, self.certificate, self.database_locked,
                self.stop_router, self.suspend, self.tenant_comes_and_goes, self.stop_consumer,
                self.kill_router, self.kafka_restarts]

    def flows(self):
        """Rows of both tenants keep arriving."""
        before = {tenant: self.system.count(tenant) for tenant in ("acme", "beta")}
        for tenant, n in before.items():
            until(lambda: self.system.count(tenant) > n, PATIENCE, f"further rows of {tenant}")

    # -- config

    def reload(self):
        for _ in range(3):
            self._signal("router", signal.SIGHUP)
            self.system.process.signal(signal.SIGHUP)

    def keys(self):
        key = self.system.issue_key("acme")
        until(lambda: self._accepts("acme", key), PATIENCE, "the new key is taken")
        self.system.cli("key", "revoke", key.split("_")[1])
        until(lambda: not self._accepts("acme", key), PATIENCE, "the revoked key is refused")

    def _accepts(self, tenant, key):
        return run_tenantry(
            *self.system.send_args(tenant, "logs", 5, key=key), "--no-retry",
            "--attempts", self.load.journal(tenant), check=False).returncode == 0

    def suspend(self):
        self.system.cli("tenant", "suspend", "flood")
        until(lambda: not self._accepts("flood", None), PATIENCE, "flood is suspended")
        self.system.cli("tenant", "resume", "flood")

    def tenant_comes_and_goes(self):
        guest = f"guest{next(self._guests)}"
        self.system.add_tenant(guest)
        visit = Load(self.system, self.system.folder, 200, [guest], [GRPC])
        try:
            until(lambda: self.system.count(guest) > 0, PATIENCE, f"first rows of {guest}")
        finally:
            visit.stop()
        assert_exactly_once(settle(visit, PATIENCE), at_least=1)
        for file in (f"tenants.d/{guest}.conf", f"keys.d/{guest}.keys"):
            (self.system.folder / file).unlink()
        until(lambda: self.system.child(f"consumer {guest}") is None, PATIENCE, f"the end of {guest}'s worker")

    def certificate(self):
        made = issue_certificate(self.system.folder / "certs")
        until(lambda: self._shown_certificate() == made, PATIENCE, "the new certificate is shown")

    def _shown_certificate(self):
        try:
            return ssl.get_server_certificate(("127.0.0.1", self.system.port), timeout=5)
        except OSError:
            return None

    # -- processes

    def kill_consumer(self):
        self._signal("consumer acme", signal.SIGKILL)

    def stop_consumer(self):
        self._signal("consumer beta", signal.SIGTERM)

    def kill_router(self):
        self._signal("router", signal.SIGKILL)

    def stop_router(self):
        self._signal("router", signal.SIGTERM)

    def kafka_restarts(self):
        self._signal("kafka.Kafka", signal.SIGTERM)

    def _signal(self, child, number):
        """Signals it when it is there, and for a deadly signal waits for its end."""
        pid = until(lambda: self.system.child(f"{child} "), PATIENCE, f"a {child}")
        os.kill(pid, number)
        if number != signal.SIGHUP:
            until(lambda: self.system.child(f"{child} ") != pid, PATIENCE, f"the end of {child} ({pid})")

    # -- database

    def database_locked(self):
        """The other tenant's rows keep arriving meanwhile."""
        with closing(sqlite3.connect(self.system.database("acme"), timeout=PATIENCE)) as db:
            db.execute("BEGIN IMMEDIATE")
            n, mark = self.system.count("beta"), self.load.size()
            until(lambda: self.load.size() > mark + 100_000, PATIENCE, "load while the database is locked")
            until(lambda: self.system.count("beta") > n, PATIENCE, "rows of the other tenant")
            db.rollback()


def openssl(folder, *args):
    subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)


def make_ca(folder):
    """Instead of that of `certs dev`, whose key is thrown away: senders know one CA all the time."""
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=soak CA")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")


def issue_certificate(folder):
    """Replaces the server's certificate and key, and returns the certificate."""
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "new.key", "-out", "new.csr", "-subj", "/CN=localhost")
    openssl(folder, "x509", "-req", "-in", "new.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "1", "-extfile", "names", "-out", "new.pem")
    made = (folder / "new.pem").read_text()
    os.replace(folder / "new.key", folder / "server.key")
    os.replace(folder / "new.pem", folder / "server.pem")
    return made


def ends(log):
    """(process, how it ended), of all that ended."""
    return re.findall(r'msg="process (?:ended|stopped).*? process="?(\w+)[^"=]*"? end="([^"]+)"', log)


def allowed(process, end):
    """kill -9 was ours; java ends with 128 + 15 after SIGTERM."""
    return end in ("exit code 0", "killed by signal 9 (KILL)") or (process, end) == ("kafka", "exit code 143")


# A worker whose Kafka client does not come to its end while Kafka is away (librdkafka 2.0) leaves the rest to
# the process after it.
TAKEN_OVER = "the Kafka client does not end"


def disorderly(log):
    """The ends that nobody wanted."""
    found = [e for e in ends(log) if not allowed(*e)]
    for _ in range(log.count(TAKEN_OVER)):
        if ("consumer", "exit code 1") in found:
            found.remove(("consumer", "exit code 1"))
    return found


def memory(system, child):
    """What its process holds and held at most; None while it is being restarted."""
    try:
        status = Path(f"/proc/{system.child(child)}/status").read_text()
    except OSError:
        return None
    found = [re.search(rf"{field}:\s+(\d+)", status) for field in ("VmRSS", "VmHWM")]
    return None if None in found else " MiB, largest ".join(str(int(f[1]) // 1024) for f in found) + " MiB"


def soak(folder, seconds):
    system = System(folder / "system")
    make_ca(system.folder / "certs")
    issue_certificate(system.folder / "certs")
    system.add_tenant("flood", "--items", "200/s", "--requests", "5/s")
    system.up()
    load = Load(system, folder, 100, ways=WAYS)
    load.start("flood", GRPC, 2000)
    load.start("flood", HTTP, 2000)
    rude = RudeClients(system, system.keys["acme"])
    events = Events(system, load)
    happened = 0
    begin = time.monotonic()
    try:
        for event in itertools.cycle(events.all()):
            if happened >= len(events.all()) and time.monotonic() > begin + seconds:
                break
            events.flows()
            event()
            happened += 1
            print(f"{time.monotonic() - begin:.0f} s: {event.__name__}", flush=True)
        events.flows()
    finally:
        rude.stop()
        codes = load.stop()
    assert set(codes) <= {0, 1}, f"senders ended with {codes}"
    assert_exactly_once(settle(load, PATIENCE), at_least=500)
    for tenant in load.journals:
        told = system.cli("ledger", tenant, check=False)
        assert told.returncode == 0, told.stdout + told.stderr
    for child in ("router ", "consumer acme ", "consumer beta ", "consumer flood "):
        told = until(lambda: memory(system, child), PATIENCE, f"a {child}")
        print(f"memory of {child}: {told}")
    assert system.down(PATIENCE) == 0
    log = system.process.output()
    print(f"{happened} events, {rude.acts} rude acts, {len(ends(log))} ends of processes,"
          f" {log.count(TAKEN_OVER)} clients left behind")
    assert disorderly(log) == []
    assert "killing it" not in log


@pytest.mark.sanitize
@pytest.mark.timeout(1200)
def test_soak_short(tmp_path):
    """Each event once."""
    soak(tmp_path, 0)


@pytest.mark.sanitize
@pytest.mark.long
@pytest.mark.timeout(1200)
def test_soak_300_seconds(tmp_path):
    soak(tmp_path, 300)
