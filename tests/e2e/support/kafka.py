"""A real single-node Kafka (KRaft) for tests, and an independent client to look into any Kafka."""

import atexit
import base64
import os
import shutil
import signal
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
)

from .ports import free_ports
from .proc import Process
from .wait import until

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

# The settings a single small node needs. The cleaner's memory: or it won't start in a small heap.
# The session timeout: after kill -9 the controller refuses the new broker until the old one's
# session is over, 9 s by default.
_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
message.max.bytes=10485760
replica.fetch.max.bytes=10485760
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
"""

# What a broker says about a partition it is just about to lead.
_NOT_YET = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
}


@dataclass(frozen=True)
class Record:
    topic: str
    partition: int
    offset: int
    timestamp: int  # ms, None when the record has none
    key: bytes
    value: bytes
    headers: list  # of (name, bytes), in order

    def header(self, name):
        """The value of the last header of that name, None without one (as Kafka's lastHeader)."""
        return next((v for k, v in reversed(self.headers) if k == name), None)


class Client:
    """Looks into a Kafka and writes to it by confluent-kafka: not our code."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self._admin = None

    @property
    def admin(self):
        if self._admin is None:
            # Its own reconnect messages would only clutter the test's output.
            self._admin = AdminClient(
                {"bootstrap.servers": self.bootstrap, "reconnect.backoff.max.ms": 500},
                logger=_Silent(),
            )
        return self._admin

    def forget(self):
        """Drops the connection: another cluster may answer at the same address next."""
        self._admin = None

    def cluster_id(self):
        return self.admin.describe_cluster(request_timeout=30).result().cluster_id

    def topics(self):
        return sorted(self.admin.list_topics(timeout=30).topics)

    def create_topic(self, topic, partitions=1, config=None):
        """Returns when every partition answers."""
        new = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=config or {})
        self.admin.create_topics([new])[topic].result(30)

        def answers():
            """A partition is in the metadata before its leader knows of it."""
            try:
                return len(self.end_offsets(topic)) == partitions
            except KafkaException as e:
                if e.args[0].code() not in _NOT_YET:
                    raise
                return False

        until(answers, 30, f"answers of all {partitions} partitions of {topic}")

    def delete_topic(self, topic):
        """Returns when the topic is gone from the metadata, so that it can be made again."""
        self.admin.delete_topics([topic])[topic].result(30)
        until(lambda: topic not in self.topics(), 30, f"{topic} gone from the metadata")

    def alter_topic(self, topic, config):
        """Sets options of a topic."""
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in config.items()
        ]
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
        self.admin.incremental_alter_configs([resource])[resource].result(30)

    def partitions(self, topic):
        meta = self.admin.list_topics(topic, timeout=30).topics[topic]
        if meta.error is not None:
            raise KafkaException(meta.error)
        return sorted(meta.partitions)

    def end_offsets(self, topic):
        """{partition: offset of the next record}"""
        return self._offsets(topic, OffsetSpec.latest())

    def start_offsets(self, topic):
        """{partition: offset of the first record still there}"""
        return self._offsets(topic, OffsetSpec.earliest())

    def _offsets(self, topic, spec):
        asked = {TopicPartition(topic, p): spec for p in self.partitions(topic)}
        answers = self.admin.list_offsets(asked, request_timeout=30)
        return {tp.partition: future.result().offset for tp, future in answers.items()}

    def delete_records(self, topic, before):
        """Deletes the records below {partition: offset}, as retention does."""
        asked = [TopicPartition(topic, p, offset) for p, offset in before.items()]
        for future in self.admin.delete_records(asked).values():
            future.result(30)

    def produce(self, topic, value, key=None, headers=None, partition=None, timestamp=None):
        """Writes one raw record, returns (partition, offset) once it is confirmed."""
        return self.produce_all(topic, [value], key, headers, partition, timestamp)[0]

    def produce_all(self, topic, values, key=None, headers=None, partition=None, timestamp=None):
        """Writes the values in order, returns [(partition, offset)] once all are confirmed."""
        where = [None] * len(values)
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                # In order like an idempotent producer, but without its half second to start.
                "max.in.flight": 1,
                "message.max.bytes": 10_000_000,
                "message.timeout.ms": 30_000,
            },
            logger=_Silent(),
        )
        extra = {}
        if partition is not None:
            extra["partition"] = partition
        if timestamp is not None:
            extra["timestamp"] = timestamp

        def reporter(i):
            def done(error, message):
                where[i] = error or (message.partition(), message.offset())

            return done

        for i, value in enumerate(values):
            while True:
                try:
                    producer.produce(
                        topic, value, key, headers=headers, on_delivery=reporter(i), **extra
                    )
                    break
                except BufferError:  # its queue is full: let some of it be confirmed
                    producer.poll(0.1)
        producer.flush(60)
        for answer in where:
            if not isinstance(answer, tuple):
                raise KafkaException(answer or KafkaError(KafkaError._MSG_TIMED_OUT))
        return where

    def transaction(self, topic, values, headers=None, partition=-1, commit=True):
        """Writes the values in one transaction, which is committed or aborted."""
        producer = Producer(
            {"bootstrap.servers": self.bootstrap, "transactional.id": f"test-{uuid.uuid4()}"},
            logger=_Silent(),
        )
        producer.init_transactions(60)
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value, headers=headers, partition=partition)
        producer.flush(60)  # an aborted one reaches the log, too
        (producer.commit_transaction if commit else producer.abort_transaction)(60)

    def records(self, topic, committed=True, timeout=60):
        """All records of the topic up to its present end, ordered by partition and offset.

        committed: without those of open and aborted transactions.
        """
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"test-look-{uuid.uuid4()}",  # never joined: partitions are assigned
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,  # at the end it says so at once
                "isolation.level": "read_committed" if committed else "read_uncommitted",
            },
            logger=_Silent(),
        )
        found = []
        try:
            open_ends = set(self.partitions(topic))
            consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in open_ends])

            def read():
                for message in consumer.consume(1000, timeout=0.05):
                    error = message.error()
                    if error is None:
                        found.append(_record(message))
                    elif error.code() == KafkaError._PARTITION_EOF:
                        open_ends.discard(message.partition())
                    else:
                        raise KafkaException(error)
                return not open_ends

            until(read, timeout, f"the end of every partition of {topic}")
        finally:
            consumer.close()
        return sorted(found, key=lambda r: (r.partition, r.offset))

    def timestamp_at(self, topic, partition, offset):
        """Of the record at this offset (ms); None when there is none yet."""
        if offset >= self.end_offsets(topic)[partition]:
            return None
        consumer = Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": f"test-look-{uuid.uuid4()}"}, logger=_Silent()
        )
        try:
            consumer.assign([TopicPartition(topic, partition, offset)])
            message = until(lambda: consumer.poll(0.05), 30, f"record {offset} of {topic}")
            return _record(message).timestamp
        finally:
            consumer.close()

    def group_offsets(self, group):
        """{(topic, partition): committed offset}, {} for a group nobody has heard of."""
        asked = [ConsumerGroupTopicPartitions(group)]
        answer = self.admin.list_consumer_group_offsets(asked, request_timeout=30)[group]
        return {
            (tp.topic, tp.partition): tp.offset
            for tp in answer.result().topic_partitions
            if tp.offset >= 0
        }


class Kafka(Client):
    """A broker of our own on free ports, its data in a temporary folder."""

    def __init__(self, heap="512m", start=True):
        self.port, self._controller_port = free_ports(2)
        super().__init__(f"127.0.0.1:{self.port}")
        self._heap = heap
        self.dir = Path(tempfile.mkdtemp(prefix="tenantry-kafka-"))
        self.process = None
        atexit.register(self.stop)
        self._new_id()
        (self.dir / "tmp").mkdir()  # Java unpacks libraries there and leaves them when it is killed
        (self.dir / "log4j2.properties").write_text(_LOG4J)
        (self.dir / "server.properties").write_text(
            _PROPERTIES.format(
                broker=self.port, controller=self._controller_port, data=self.dir / "data"
            )
        )
        if start:
            try:
                self.start()
            except BaseException:
                self.stop()
                raise

    @property
    def log(self):
        return self.dir / "broker.log"

    @property
    def alive(self):
        return self.process is not None and self.process.alive

    def start(self, timeout=180):
        """Starts it, also again on the same data and ports, and waits until it serves."""
        if self.alive:
            raise RuntimeError("this Kafka is running already")
        if not (self.dir / "data" / "meta.properties").exists():
            self._format()
        self.process = Process(
            self._java("kafka.Kafka", self.dir / "server.properties"), self.log, name="kafka"
        )
        self.process.wait_log(r"Kafka Server started", timeout)

    def kill9(self):
        self._ended(self.process.kill9)

    def shutdown(self, timeout=90):
        """An orderly end; the data stays for start()."""
        self._ended(lambda: self.process.terminate(timeout))

    def pause(self):
        """Stops it from answering without ending it, until resume()."""
        self.process.signal(signal.SIGSTOP)

    def resume(self):
        self.process.signal(signal.SIGCONT)

    def wipe(self):
        """Ends it and throws everything away: start() then is another, empty cluster."""
        if self.alive:
            self.kill9()
        shutil.rmtree(self.dir / "data", ignore_errors=True)
        self._new_id()

    def stop(self):
        """Ends it in any state and removes its folder."""
        if self.process is not None:
            self._ended(self.process.kill9)  # nothing of its data is wanted any more
        shutil.rmtree(self.dir, ignore_errors=True)
        atexit.unregister(self.stop)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _ended(self, end):
        self.forget()
        end()
        self.process.stop()  # off the list of running programs

    def _new_id(self):
        """22 characters of base64, none of them '-' first: the tool would read an option."""
        while True:
            self.id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            if not self.id.startswith("-"):
                return

    def _format(self):
        tool = Process(
            self._java(
                "kafka.tools.StorageTool", "format", "-t", self.id,
                "-c", self.dir / "server.properties",
            ),
            self.dir / "format.log",
            name="kafka format",
        )  # fmt: skip
        try:
            if tool.wait_exit(180) != 0:
                raise RuntimeError(f"Kafka's storage can't be formatted:\n{tool.tail()}")
        finally:
            tool.stop()

    def _java(self, main, *args):
        return [
            "java", f"-Xmx{self._heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-Xshare:auto", f"-Djava.io.tmpdir={self.dir / 'tmp'}", f"-Dlog4j2.configurationFile={self.dir / 'log4j2.properties'}",
            "-cp", f"{home() / 'libs'}/*", main, *map(str, args),
        ]  # fmt: skip


def home():
    """The folder tools/kafka/fetch fills."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(cache) / "tenantry" / f"kafka-{VERSION}"
    if not (path / "libs").is_dir():
        raise RuntimeError(f"there is no Kafka in {path}: run tools/kafka/fetch")
    return path


def _record(message):
    kind, ms = message.timestamp()
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        None if kind == TIMESTAMP_NOT_AVAILABLE else ms,
        message.key(),
        message.value(),
        message.headers() or [],
    )


class _Silent:
    """A logger for clients of servers that a test kills on purpose."""

    def log(self, *args, **kwargs):
        pass
