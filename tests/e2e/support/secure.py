"""A broker that lets nobody in without a login and allows nothing that no ACL allows: users with passwords
over TLS (SASL_SSL) on one port, client certificates (SSL) on another."""

from dataclasses import dataclass, field

from .certificates import make_ca, make_client
from .kafka import Kafka
from .kafka_node import Listener
from .ports import free_port

SUPER = "root"  # may do everything; the tests look with it

_BROKER = """
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
username="{root}" password="{password}" {users};
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker-both.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
listener.name.ssl.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:{root};User:ANONYMOUS
"""  # anonymous: the controller's own listener, plaintext on loopback; clients have none such


def password(user):
    return f"{user}-password"


@dataclass(frozen=True)
class SecureListener(Listener):
    """Of both kinds."""

    tls_port: int = 0
    folder: object = None
    users: tuple = field(default_factory=tuple)

    def properties(self, host, port, *others):
        tls = f"SSL://{host}:{self.tls_port}"
        known = " ".join(f'user_{u}="{password(u)}"' for u in (SUPER, *self.users))
        return (
            f"listeners={','.join([f'SASL_SSL://{host}:{port}', tls, *others])}\n"
            f"advertised.listeners=SASL_SSL://{host}:{port},{tls}\n"
            "inter.broker.listener.name=SASL_SSL\n"
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL\n"
            + _BROKER.format(root=SUPER, password=password(SUPER), users=known, folder=self.folder)
        )


def start_secure(folder, users=(), certificates=()):
    """The broker, for which each of `users` has a password and each of `certificates` a file and a key in the
    folder. What it has besides a Kafka: `tls_bootstrap`, `ca`, `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    make_ca(folder, "ca")
    make_ca(folder, "stranger")
    certificate, key = make_client(folder, "broker", "DNS:localhost,IP:127.0.0.1")
    (folder / "broker-both.pem").write_text(key.read_text() + certificate.read_text())
    for name in certificates:
        make_client(folder, name)
    for user in (SUPER, *users):
        (folder / f"{user}.password").write_text(password(user) + "\n")
    listener = SecureListener(
        client=login(folder, SUPER), tls_port=free_port(), folder=folder, users=tuple(users)
    )
    broker = Kafka(listener=listener)
    broker.folder, broker.ca = folder, folder / "ca.pem"
    broker.tls_bootstrap = f"127.0.0.1:{listener.tls_port}"
    return broker


def login(folder, user):
    """Settings of librdkafka for a user."""
    return {
        "security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "ssl.ca.location": str(folder / "ca.pem"),
        "sasl.username": user, "sasl.password": password(user),
    }  # fmt: skip
