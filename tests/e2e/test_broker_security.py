"""A broker that denies by default: each role has a login of its own, and the broker refuses a worker the topics
of other tenants."""

import json
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from support.kafka import Client
from support.proc import child_pids
from support.secure import SUPER, login, password, start_secure
from support.system import System
from support.wait import until

TENANTS = ("acme", "beta")
USERS = ("router", "admin", *TENANTS)
SIGNALS = ("traces", "metrics", "logs")


def needed(tenants=TENANTS, name=lambda user: user):
    """What docs/operations.md says that each role needs, as (principal, resource, name, pattern, operation)."""
    rows = {(f"User:{name('admin')}", "topic", "otlp.", "prefixed", op)
            for op in ("Create", "Read", "Alter", "AlterConfigs", "Delete")}  # fmt: skip
    rows |= {(f"User:{name('admin')}", "group", "tenantry.", "prefixed", op) for op in ("Describe", "Delete")}
    for t in tenants:
        for signal in SIGNALS:
            rows.add((f"User:{name('router')}", "topic", f"otlp.{t}.{signal}", "literal", "Write"))
            rows.add((f"User:{name(t)}", "topic", f"otlp.{t}.{signal}", "literal", "Read"))
        rows.add((f"User:{name(t)}", "topic", f"otlp.{t}.dlq", "literal", "Write"))
        rows.add((f"User:{name(t)}", "group", f"tenantry.{t}", "literal", "Read"))
    return rows


def allow(broker, rows):
    operations = {"AlterConfigs": AclOperation.ALTER_CONFIGS}
    acls = [
        AclBinding(
            ResourceType[resource.upper()], name, ResourcePatternType[pattern.upper()], principal, "*",
            operations.get(op) or AclOperation[op.upper()], AclPermissionType.ALLOW,
        )
        for principal, resource, name, pattern, op in rows
    ]  # fmt: skip
    for future in broker.admin.create_acls(acls).values():
        future.result(30)


def map_of(broker, **more):
    """The group kafka.client, for all roles."""
    given = {"security_protocol": "sasl_ssl", "sasl_mechanism": "PLAIN", "ssl_ca_location": broker.ca, **more}
    return " ".join(f'{k} = "{v}";' for k, v in given.items())


def by_password(broker, user):
    return f'user = "{user}"; password_file = "{broker.folder}/{user}.password";'


def write_tenant(system, tenant, login_text, more=""):
    path = system.folder / "tenants.d" / f"{tenant}.conf"
    path.write_text(f'tenant: {{ id = "{tenant}"; kafka: {{ {login_text} }}; {more} }};\n')


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with start_secure(tmp_path_factory.mktemp("broker"), (*USERS, "dora", "erna", "fred"), ("router", "admin", "carol")) as made:
        allow(made, needed((*TENANTS, "dora", "fred")) | needed(("carol",), lambda name: f"CN={name}"))
        yield made


@pytest.fixture(scope="module")
def system(broker, tmp_path_factory):
    text = f"client: {{ {map_of(broker)} }}; consumer: {{ session_timeout_ms = 6000; }}; " + " ".join(
        f"{role}: {{ {by_password(broker, role)} }};" for role in ("router", "admin")
    )
    made = System(tmp_path_factory.mktemp("system"), broker.bootstrap, TENANTS, {"kafka": text})
    for tenant in TENANTS:
        write_tenant(made, tenant, by_password(broker, tenant))
    made.up()
    yield made
    made.end()


def test_everything_works_with_the_rights_of_the_table(system, broker):
    """Topics are made, requests stored, rows and a dead letter written, and every command sees its part."""
    for tenant in TENANTS:
        for signal in SIGNALS:
            system.send(tenant, signal, 20)
    for tenant in TENANTS:
        until(lambda: system.count(tenant) == 60, 60, lambda: f"rows of {tenant}: {system.count(tenant)}")
    broker.produce("otlp.acme.logs", b"\xff\xff")
    until(lambda: "malformed" in system.cli("dlq", "list", "acme").stdout, 60, "the dead letter")
    assert "malformed" in system.cli("dlq", "show", "acme").stdout
    until(lambda: system.cli("ledger", check=False).returncode == 0, 60, "balanced books")
    assert all(t["lag_records"] == 0 for t in json.loads(system.cli("status", "--json").stdout)["tenants"])
    system.cli("check")


def test_a_tenant_lives_and_goes_by_the_rights_of_the_table(system, broker):
    """Topics changed by plan and apply, and all of it taken away again, with the admin's login."""
    system.add_tenant("fred", "--partitions", "1")
    write_tenant(system, "fred", by_password(broker, "fred"), "topics: { partitions = 2; retention = \"7h\"; };")
    until(lambda: "otlp.fred.dlq" in broker.topics(), 60, "topics of fred")
    system.cli("apply", "fred", "--yes")
    assert system.cli("plan", "fred").returncode == 0
    assert len(broker.partitions("otlp.fred.logs")) == 2
    system.send("fred", "logs", 10)
    until(lambda: system.count("fred") == 10, 60, "rows of fred")
    system.cli("tenant", "remove", "fred", "--yes")
    assert [t for t in broker.topics() if "fred" in t] == []


def printed(system, *tenants):
    rows = json.loads(system.cli("plan", "--acls", "--json", *tenants).stdout)
    assert len(rows) == len({tuple(r.values()) for r in rows})
    return {(r["principal"], r["resource"], r["name"], r["pattern"], r["operation"]) for r in rows}


def test_plan_prints_the_table_and_apply_sets_it(system, broker, tmp_path):
    """What is printed is exactly what everything works with; apply makes it on the brokers, once."""
    assert printed(system) == needed()
    assert printed(system, "beta") == {r for r in needed() if ".beta" in r[2]}
    text = system.cli("plan", "--acls", "beta").stdout
    assert "--allow-principal 'User:beta' --operation Read --topic 'otlp.beta.logs'\n" in text

    told = system.cli("apply", "--acls", check=False)
    assert told.returncode == 1 and "super user" in told.stderr  # its login may not set ACLs

    other = System(tmp_path / "other", broker.bootstrap, ["erna"], {
        "kafka": f"client: {{ {map_of(broker)} }}; admin: {{ {by_password(broker, SUPER)} }};"
                 f" router: {{ {by_password(broker, 'router')} }};"})  # fmt: skip
    write_tenant(other, "erna", by_password(broker, "erna"))
    assert "8 ACLs set, 0 were there." in other.cli("apply", "--acls", "erna").stdout
    assert json.loads(other.cli("apply", "--acls", "erna", "--json").stdout) == {"made": 0, "there": 8}
    other.up()
    other.send("erna", "logs", 10)
    until(lambda: other.count("erna") == 10, 60, "rows of erna")
    other.end()


def refused(act):
    with pytest.raises(KafkaException) as raised:
        act()
    return raised.value.args[0].code()


def read(broker, user, topic):
    """What the topic's own ACL says, without joining a group: of the topic, then of its records."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, **login(broker.folder, user),
                         "group.id": "tenantry." + user, "enable.partition.eof": True})  # fmt: skip

    def answer():
        message = consumer.poll(0.2)
        if message is None or message.error() is None or message.error().code() == KafkaError._PARTITION_EOF:
            return message
        if message.error().code() != KafkaError.GROUP_AUTHORIZATION_FAILED:  # it is asked for all the same
            raise KafkaException(message.error())

    try:
        Client(broker.bootstrap, login(broker.folder, user)).partitions(topic)
        consumer.assign([TopicPartition(topic, 0, 0)])
        until(lambda: answer() is not None, 60, f"an answer about {topic}")
    finally:
        consumer.close()


def test_a_worker_has_its_own_topics_alone(system, broker):
    """With acme's password the broker gives nothing of beta's, and of acme's no more than the worker needs."""
    acme, router = (Client(broker.bootstrap, login(broker.folder, u)) for u in ("acme", "router"))
    no_topic, no_group = KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED
    read(broker, "acme", "otlp.acme.logs")
    for topic in ("otlp.beta.logs", "otlp.beta.dlq"):
        assert refused(lambda: read(broker, "acme", topic)) == no_topic
    for topic in ("otlp.beta.logs", "otlp.beta.dlq", "otlp.acme.logs"):
        assert refused(lambda: acme.produce(topic, b"x")) == no_topic
    acme.group_offsets("tenantry.acme")
    assert refused(lambda: acme.group_offsets("tenantry.beta")) == no_group
    assert [t for t in acme.topics() if "beta" in t] == []
    assert refused(lambda: router.produce("otlp.acme.dlq", b"x")) == no_topic
    assert refused(lambda: read(broker, "router", "otlp.acme.logs")) == no_topic


def test_secrets_are_told_nowhere(system):
    """Not by commands, command lines or logs. (The files are named, what they hold is not.)"""
    told = system.cli("config").stdout + "".join(system.cli("tenant", "show", t).stdout for t in TENANTS)
    assert "acme.password" in told
    children = until(lambda: (found := child_pids(system.process.pid)) and len(found) == 3 and found, 60,
                     "router and two workers")  # fmt: skip
    pids = [system.process.pid, *children]
    told += "".join(Path(f"/proc/{p}/cmdline").read_text() for p in pids) + system.process.output()
    assert not [u for u in USERS if password(u) in told]


def by_certificate(broker, name):
    return f'certificate = "{broker.folder}/{name}.pem"; private_key = "{broker.folder}/{name}.key";'


def test_client_certificates_are_logins(broker, tmp_path):
    """No password at all: each role shows a certificate, whose subject the ACLs name."""
    text = f'client: {{ security_protocol = "ssl"; ssl_ca_location = "{broker.ca}"; }}; ' + " ".join(
        f"{role}: {{ {by_certificate(broker, role)} }};" for role in ("router", "admin")
    )
    system = System(tmp_path / "system", broker.tls_bootstrap, ["carol"], {"kafka": text})
    write_tenant(system, "carol", by_certificate(broker, "carol"))
    system.up()
    system.send("carol", "logs", 20)
    until(lambda: system.count("carol") == 20, 60, "rows of carol")
    system.cli("check")
    until(lambda: system.cli("ledger", check=False).returncode == 0, 60, "balanced books")
    system.end()


def test_a_wrong_password_is_told_and_mended_without_a_restart(broker, tmp_path):
    """Readiness is off, log, status and check say why; a corrected file is enough."""
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    for user in ("router", "admin", "dora"):
        (wrong / user).write_text("guess\n")
    roles = " ".join(f'{role}: {{ user = "{role}"; password_file = "{wrong}/{role}"; }};'
                     for role in ("router", "admin"))  # fmt: skip
    system = System(tmp_path / "system", broker.bootstrap, ["dora"],
                    {"kafka": f"client: {{ {map_of(broker, reconnect_backoff_max_ms=500)} }}; {roles}"})  # fmt: skip
    write_tenant(system, "dora", f'user = "dora"; password_file = "{wrong}/dora";')
    system.up(ready=False)
    system.process.wait_log("Invalid username or password", 60)
    for command in ("status", "check"):
        told = system.cli(command, check=False).stdout
        assert "Invalid username or password: compare user and password_file of kafka.admin" in told
    (wrong / "admin").write_text(password("admin"))
    system.process.wait_log("process=router", 60)  # topics can be made now
    assert system.http("/readyz")[0] != 200
    (wrong / "router").write_text(password("router"))
    system.wait_ready()
    system.send("dora", "logs", 10)
    assert system.count("dora") == 0
    until(lambda: "password_file of kafka in the tenant's file" in system.cli("status").stdout, 60, "the reason in status")
    (wrong / "dora").write_text(password("dora"))
    until(lambda: system.count("dora") == 10, 60, "rows of dora")
    assert "a changed Kafka password is in use" in system.process.output()
    system.end()


def test_check_says_what_to_do(broker, tmp_path):
    """What keeps it out is told in a sentence: SCRAM that this librdkafka cannot, a CA that is not the brokers',
    a protocol that is not the port's."""
    broker.admin.alter_user_scram_credentials([UserScramCredentialUpsertion(
        "admin", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), password("admin").encode())
    ])["admin"].result(30)  # fmt: skip
    system = System(tmp_path / "system", broker.bootstrap, ["acme"])

    def check(**client):
        system.write_conf(broker.bootstrap, {"kafka": f"client: {{ {map_of(broker, **client)} }};"
                                                      f" admin: {{ {by_password(broker, 'admin')} }};"})  # fmt: skip
        return system.cli("check", check=False).stdout

    scram = check(sasl_mechanism="SCRAM-SHA-512")
    assert "SCRAM of librdkafka before 2.6.1 never logs in on Kafka 4" in scram or "ok: kafka" in scram
    assert "name the CA of the brokers' certificates" in check(ssl_ca_location=broker.folder / "stranger.pem")
    assert "see that security_protocol in kafka.client" in check(security_protocol="sasl_plaintext")
