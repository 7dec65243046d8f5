"""A real Kafka of several brokers, each a process that a test may kill, pause and start again by number.
Controllers are processes of their own, so that the quorum stands when two of three brokers are dead."""

import atexit
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .kafka import Client
from .kafka_node import PLAIN, Node, new_cluster_id
from .ports import free_port

_FIRST_CONTROLLER = 101  # node ids of brokers are 1, 2, 3 …

# Acked is what two of three have. Short times, so that a test sees leaders move soon: a dead broker is
# noticed after its session, one that is cut off from the leader leaves the in-sync replicas after the lag.
_EVERY_NODE = """
node.id={id}
controller.quorum.voters={voters}
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=1000
replica.lag.time.max.ms=5000
default.replication.factor={copies}
min.insync.replicas={least}
offsets.topic.replication.factor={copies}
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={least}
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={least}
"""
_CONTROLLER = "process.roles=controller\nlisteners=CONTROLLER://{host}:{port}\nlistener.security.protocol.map=CONTROLLER:PLAINTEXT\n"
_BROKER = "process.roles=broker\n"


class Cluster(Client):
    """`brokers` brokers and `controllers` controllers on free ports, their data in a temporary folder.
    places: {node name: (host, argv prefix)} for nodes that live in a network of their own."""

    def __init__(self, brokers=3, controllers=1, listener=PLAIN, heap="256m", places=None, start=True):
        self._places = places or {}
        self.dir = Path(tempfile.mkdtemp(prefix="tenantry-cluster-"))
        atexit.register(self.stop)
        self.id = new_cluster_id()
        seats = [(_FIRST_CONTROLLER + n, *self._seat(f"controller{n + 1}")) for n in range(controllers)]
        common = {
            "voters": ",".join(f"{id}@{host}:{port}" for id, _, host, port, _ in seats),
            "copies": min(3, brokers), "least": min(2, brokers),
        }  # fmt: skip
        self.controllers, self.brokers, self.addresses = [], {}, {}
        for id, name, host, port, prefix in seats:
            text = _EVERY_NODE.format(id=id, **common) + _CONTROLLER.format(host=host, port=port)
            self.controllers.append(Node(self.dir / name, name, "128m", text, prefix))
        for id in range(1, brokers + 1):
            name, host, port, prefix = self._seat(f"broker{id}")
            text = _EVERY_NODE.format(id=id, **common) + _BROKER + listener.properties(host, port)
            self.brokers[id] = Node(self.dir / name, name, heap, text, prefix)
            self.addresses[id] = f"{host}:{port}"
        super().__init__(",".join(self.addresses.values()), listener.client)
        if start:
            try:
                self.start()
            except BaseException:
                self.stop()
                raise

    def _seat(self, name):
        host, prefix = self._places.get(name, ("127.0.0.1", ()))
        return name, host, free_port(), prefix

    @property
    def nodes(self):
        return [*self.controllers, *self.brokers.values()]

    def start(self, timeout=240):
        """Starts what isn't running, and waits until all serve."""
        fresh = [n for n in self.nodes if not n.alive]
        with ThreadPoolExecutor() as pool:  # a new one's storage is formatted first
            list(pool.map(lambda node: node.start(self.id), fresh))
        for node in fresh:
            node.wait_ready(timeout)

    def start_broker(self, id, wait=True):
        self.brokers[id].start(self.id)
        if wait:
            self.brokers[id].wait_ready()

    def kill9(self, id):
        self.brokers[id].kill9()

    def pause(self, id):
        self.brokers[id].pause()

    def resume(self, id):
        self.brokers[id].resume()

    def create_topic(self, topic, partitions=1, config=None, replication=3, assignment=None):
        super().create_topic(topic, partitions, config, min(replication, len(self.brokers)), assignment)

    def leaders(self, topic):
        """{partition: broker id}, -1 without a leader."""
        parts = self.admin.list_topics(topic, timeout=30).topics[topic].partitions
        return {p: meta.leader for p, meta in parts.items()}

    def in_sync(self, topic):
        """{partition: ids of the brokers that have all of it}"""
        parts = self.admin.list_topics(topic, timeout=30).topics[topic].partitions
        return {p: sorted(meta.isrs) for p, meta in parts.items()}

    def all_in_sync(self):
        """Whether no partition of any topic lacks a replica."""
        topics = self.admin.list_topics(timeout=30).topics.values()
        return all(set(p.isrs) == set(p.replicas) for t in topics for p in t.partitions.values())

    def coordinator(self, group):
        """The broker that the group's members talk to."""
        told = self.admin.describe_consumer_groups([group], request_timeout=30)[group].result(40)
        return told.coordinator.id

    def stop(self):
        """Ends all in any state and removes their folder."""
        self.forget()
        for node in self.nodes:
            node.kill9()
        shutil.rmtree(self.dir, ignore_errors=True)
        atexit.unregister(self.stop)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
