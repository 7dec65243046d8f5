"""One process of a real Kafka (KRaft): its settings, its folder, its life."""

import base64
import os
import shutil
import signal
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from .proc import Process

VERSION = "4.3.1"  # as tools/kafka/pom.xml

# Its start and end, and what goes wrong: a failed test shows this log.
_LOG4J = """
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %m (%c)%n
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
logger.life.name = kafka.server.KafkaRaftServer
logger.life.level = INFO
"""

# What every node is told. The cleaner's memory: or it won't start in a small heap.
_EVERY_NODE = """
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=3
transaction.state.log.num.partitions=3
group.initial.rebalance.delay.ms=0
message.max.bytes=10485760
replica.fetch.max.bytes=10485760
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
"""

# A single small node. The session timeout: after kill -9 the controller refuses the new broker until the old
# one's session is over, 9 s by default.
ONE_NODE = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
"""


@dataclass(frozen=True)
class Listener:
    """How clients and other brokers come in: lines for the brokers' properties, and what a client needs
    (settings of librdkafka)."""

    protocol: str = "PLAINTEXT"
    broker: str = ""
    client: dict = field(default_factory=dict)

    def properties(self, host, port, *others):
        """Of a broker that listens there; `others` are further listeners (a controller's)."""
        mine = f"{self.protocol}://{host}:{port}"
        return (
            f"listeners={','.join([mine, *others])}\n"
            f"advertised.listeners={mine}\n"
            f"inter.broker.listener.name={self.protocol}\n"
            f"listener.security.protocol.map=CONTROLLER:PLAINTEXT,{self.protocol}:{self.protocol}\n{self.broker}\n"
        )


PLAIN = Listener()


class Node:
    """A Kafka process with a folder of its own. `prefix` comes before the program: how it gets into a
    namespace."""

    def __init__(self, folder, name, heap, properties, prefix=()):
        self.dir, self.name, self._heap, self._prefix = Path(folder), name, heap, list(prefix)
        self.process = None
        self._data = self.dir / "data"
        (self.dir / "tmp").mkdir(parents=True)  # Java unpacks libraries there and leaves them when it is killed
        (self.dir / "log4j2.properties").write_text(_LOG4J)
        (self.dir / "server.properties").write_text(_EVERY_NODE.format(data=self._data) + properties)

    @property
    def log(self):
        return self.dir / "broker.log"

    @property
    def alive(self):
        return self.process is not None and self.process.alive

    def start(self, cluster_id):
        """Also again on the same data. Returns at once: wait_ready()."""
        if self.alive:
            raise RuntimeError(f"{self.name} is running already")
        if not (self._data / "meta.properties").exists():
            self._format(cluster_id)
        self.process = Process(
            self._java("kafka.Kafka", self.dir / "server.properties"), self.log, name=self.name
        )

    def wait_ready(self, timeout=180):
        self.process.wait_log(r"Kafka Server started", timeout)

    def kill9(self):
        if self.process is not None:
            self.process.kill9()
            self.process.stop()  # off the list of running programs

    def shutdown(self, timeout=90):
        """An orderly end; the data stays for start()."""
        self.process.terminate(timeout)
        self.process.stop()

    def pause(self):
        """Stops it from answering without ending it, until resume()."""
        self.process.signal(signal.SIGSTOP)

    def resume(self):
        self.process.signal(signal.SIGCONT)

    def wipe(self):
        """Ends it and throws its data away."""
        self.kill9()
        shutil.rmtree(self._data, ignore_errors=True)

    def _format(self, cluster_id):
        tool = Process(
            self._java(
                "kafka.tools.StorageTool", "format", "-t", cluster_id,
                "-c", self.dir / "server.properties",
            ),
            self.dir / "format.log",
            name=f"{self.name} format",
        )  # fmt: skip
        try:
            if tool.wait_exit(180) != 0:
                raise RuntimeError(f"Kafka's storage can't be formatted:\n{tool.tail()}")
        finally:
            tool.stop()

    def _java(self, main, *args):
        return [
            *self._prefix, "java", f"-Xmx{self._heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-Xshare:auto", f"-Djava.io.tmpdir={self.dir / 'tmp'}", f"-Dlog4j2.configurationFile={self.dir / 'log4j2.properties'}",
            "-cp", f"{home() / 'libs'}/*", main, *map(str, args),
        ]  # fmt: skip


def new_cluster_id():
    """22 characters of base64, none of them '-' first: the tool would read an option."""
    while True:
        made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not made.startswith("-"):
            return made


def home():
    """The folder tools/kafka/fetch fills."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(cache) / "tenantry" / f"kafka-{VERSION}"
    if not (path / "libs").is_dir():
        raise RuntimeError(f"there is no Kafka in {path}: run tools/kafka/fetch")
    return path
