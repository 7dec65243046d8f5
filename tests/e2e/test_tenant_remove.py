"""`tenant remove`: what it takes away, what it waits for, and that it can be cut off."""

import pytest

from support import otlp_build, wire
from support.kafka import Client
from support.system import System
from support.wait import until
from test_topics import Home, on_terminal

QUICK = 'consumer = [ "session.timeout.ms=6000" ];'  # until Kafka forgets a static member


def groups(client):
    return {g.group_id for g in client.admin.list_consumer_groups(request_timeout=30).result().valid}


def left(home, tenant):
    """What Kafka and the folders still have of the tenant."""
    mine = {t for t in home.topics() if t.startswith(f"{home.prefix}.{tenant}.")}
    mine |= {g for g in groups(home.client) if g == f"tenantry.{home.prefix}.{tenant}"}
    return mine | {p.name for folder in ("tenants.d", "keys.d") for p in (home.folder / folder).glob(f"{tenant}.*")}


@pytest.fixture
def home(kafka, tmp_path, unique):
    made = Home(tmp_path / "home", kafka, unique)
    made.conf.write_text(made.conf.read_text().replace("prefix", f"{QUICK} prefix"))
    yield made
    if made.topics():
        made.clean()


class Running(System):
    """A system whose Kafka is looked into like a Home's."""

    def __init__(self, folder, kafka, prefix):
        super().__init__(folder, kafka.bootstrap, extra={"kafka": f'prefix = "{prefix}"; {QUICK}'})
        self.prefix, self.client = prefix, Client(kafka.bootstrap)

    topics = Home.topics


@pytest.mark.timeout(600)
def test_under_a_running_up_nothing_is_left(kafka, tmp_path, unique):
    system = Running(tmp_path / "system", kafka, unique)
    system.up()
    try:
        for tenant in ("acme", "beta"):
            system.send(tenant, "logs", 300)
        assert left(system, "acme")
        done = system.cli("tenant", "remove", "acme", "--yes", timeout=400)
        assert "Tenant acme is removed: nothing of it is left in Kafka (4 topics and 1 group deleted now)" in done.stdout
        assert left(system, "acme") == set()
        assert system.count("acme") == 300  # drained, and the database stays
        assert len(left(system, "beta")) == 7
        body = otlp_build.logs_request([otlp_build.log("x")]).SerializeToString()
        answer = wire.http1(system, body=body, headers={"content-type": "application/x-protobuf",
                                                        **wire.bearer(system.keys["acme"])})
        assert answer.status == 401
        system.send("beta", "logs", 100)
        until(lambda: system.count("beta") == 400, 60, "the other tenant's rows")
        assert left(system, "acme") == set()
        again = system.cli("tenant", "remove", "acme", "--yes", check=False)
        assert again.returncode == 1 and 'there is no tenant "acme"' in again.stderr
        system.add_tenant("acme")  # a name may come back; its new topics begin at 0
        until(lambda: system.send("acme", "logs", 50, check=False).returncode == 0, 60, "the tenant that came back")
        until(lambda: system.count("acme") >= 350, 60, "its rows")
        system.end()
    finally:
        system.down()


def test_what_is_not_written_holds_it_up(home):
    """Nobody writes them: no worker runs."""
    home.tenant("acme")
    home.run("apply")
    record = otlp_build.logs_request([otlp_build.log("x")]).SerializeToString()
    home.client.produce(home.topic("acme", "logs"), record)
    refused = home.run("tenant", "remove", "acme", "--yes", code=1)
    assert "1 record of acme is not written yet, and no worker runs" in refused.stderr
    assert {p.name for p in (home.folder / "tenants.d").iterdir()} == {"acme.conf", "acme.suspended"}
    assert len(home.topics()) == 4
    home.run("tenant", "remove", "acme", "--yes", "--discard")
    assert left(home, "acme") == set()


def test_it_asks(home):
    home.tenant("acme")
    home.run("apply")
    refused = home.run("tenant", "remove", "acme", "--discard", code=1)
    assert "0 dead letters" in refused.stderr and "There is no terminal to ask on: nothing was changed" in refused.stderr
    assert on_terminal(home, "no", "tenant", "remove", "acme", "--discard") == 1
    assert len(left(home, "acme")) == 5
    assert on_terminal(home, "yes", "tenant", "remove", "acme", "--discard") == 0
    assert left(home, "acme") == set()


@pytest.mark.parametrize("point", ["remove-file-aside", "remove-topics-gone"])
def test_cut_off_it_goes_on(home, point):
    home.tenant("acme")
    home.run("apply")
    database = home.folder / "state/databases/acme.db"
    database.parent.mkdir(parents=True)
    database.touch()
    args = ("tenant", "remove", "acme", "--yes", "--discard", "--delete-database")
    home.run(*args, code=-9, env={"TENANTRY_FAULT": f"{point}:1"})
    assert (home.folder / "tenants.d/acme.removing").exists() and database.exists()
    assert "Tenant acme is removed" in home.run(*args).stdout
    assert left(home, "acme") == set() and not database.exists()


def test_while_a_worker_still_has_it(home, tenantry):
    """One that was started by hand, which no supervisor ends."""
    home.tenant("acme")
    home.run("apply")
    worker = tenantry("consumer", "acme", "--config", home.conf)
    until(lambda: f"tenantry.{home.prefix}.acme" in groups(home.client), 60, "its group")
    args = ("tenant", "remove", "acme", "--yes", "--discard")
    refused = home.run(*args, "--wait", "1s", code=1)
    assert "still has tenant acme" in refused.stderr and len(home.topics()) == 4
    worker.terminate()
    home.run(*args)
    assert left(home, "acme") == set()
