"""A real single-node Kafka (KRaft) for tests, and an independent client to look into any Kafka. Several
brokers: cluster.py."""

import atexit
import shutil
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
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

from .kafka_node import ONE_NODE, PLAIN, Node, new_cluster_id
from .ports import free_ports
from .wait import until

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
    """Looks into a Kafka and writes to it by confluent-kafka: not our code. `settings`: what it needs to get
    in."""

    def __init__(self, bootstrap, settings=None):
        self.bootstrap = bootstrap
        self.settings = {"bootstrap.servers": bootstrap, **(settings or {})}
        self._admin = None

    @property
    def admin(self):
        if self._admin is None:
            # Its own reconnect messages would only clutter the test's output.
            self._admin = AdminClient(
                {**self.settings, "reconnect.backoff.max.ms": 500},
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

    def create_topic(self, topic, partitions=1, config=None, replication=1, assignment=None):
        """Returns when every partition answers. assignment: the brokers of each partition, instead of
        numbers of partitions and replicas."""
        new = NewTopic(topic, num_partitions=partitions, replication_factor=replication, config=config or {})
        if assignment:
            partitions = len(assignment)
            new = NewTopic(topic, num_partitions=partitions, replica_assignment=assignment, config=config or {})
        self.admin.create_topics([new])[topic].result(30)
        self._wait_answers(topic, partitions)

    def raise_partitions(self, topic, partitions):
        """Returns when every partition answers."""
        self.admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(30)
        self._wait_answers(topic, partitions)

    def _wait_answers(self, topic, partitions):
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
                **self.settings,
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
            {**self.settings, "transactional.id": f"test-{uuid.uuid4()}"},
            logger=_Silent(),
        )
        producer.init_transactions(60)
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value, headers=headers, partition=partition)
        producer.flush(60)  # an aborted one reaches the log, too
        (producer.commit_transaction if commit else producer.abort_transaction)(60)

    def transactions(self, topic, values, headers=None, partition=-1):
        """Writes each value in a transaction of its own: a mark stands behind every record."""
        producer = Producer({**self.settings, "transactional.id": f"test-{uuid.uuid4()}"}, logger=_Silent())
        producer.init_transactions(60)
        for value in values:
            producer.begin_transaction()
            producer.produce(topic, value, headers=headers, partition=partition)
            producer.commit_transaction(60)

    def records(self, topic, committed=True, timeout=60):
        """All records of the topic up to its present end, ordered by partition and offset.

        committed: without those of open and aborted transactions.
        """
        consumer = Consumer(
            {
                **self.settings,
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
            {**self.settings, "group.id": f"test-look-{uuid.uuid4()}"}, logger=_Silent()
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
    """A broker of our own on free ports, its data in a temporary folder. `listener` says how clients
    come in."""

    def __init__(self, heap="512m", start=True, listener=PLAIN):
        self.port, controller_port = free_ports(2)
        super().__init__(f"127.0.0.1:{self.port}", listener.client)
        self.dir = Path(tempfile.mkdtemp(prefix="tenantry-kafka-"))
        atexit.register(self.stop)
        self.id = new_cluster_id()
        self.node = Node(
            self.dir, "kafka", heap,
            ONE_NODE.format(controller=controller_port)
            + listener.properties("127.0.0.1", self.port, f"CONTROLLER://127.0.0.1:{controller_port}"),
        )  # fmt: skip
        if start:
            try:
                self.start()
            except BaseException:
                self.stop()
                raise

    @property
    def log(self):
        return self.node.log

    @property
    def process(self):
        return self.node.process

    @property
    def alive(self):
        return self.node.alive

    def start(self, timeout=180):
        """Starts it, also again on the same data and ports, and waits until it serves."""
        self.node.start(self.id)
        self.node.wait_ready(timeout)

    def kill9(self):
        self.forget()
        self.node.kill9()

    def shutdown(self, timeout=90):
        """An orderly end; the data stays for start()."""
        self.forget()
        self.node.shutdown(timeout)

    def pause(self):
        """Stops it from answering without ending it, until resume()."""
        self.node.pause()

    def resume(self):
        self.node.resume()

    def wipe(self):
        """Ends it and throws everything away: start() then is another, empty cluster."""
        self.forget()
        self.node.wipe()
        self.id = new_cluster_id()

    def stop(self):
        """Ends it in any state and removes its folder."""
        self.forget()
        self.node.kill9()  # nothing of its data is wanted any more
        shutil.rmtree(self.dir, ignore_errors=True)
        atexit.unregister(self.stop)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


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
