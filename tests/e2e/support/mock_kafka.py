"""The mock cluster of librdkafka in a process of its own (tests/mock_kafka.c): errors on demand."""

import subprocess
from pathlib import Path

from .proc import tenantry_bin

NOT_ENOUGH_REPLICAS = 19


class MockKafka:
    """One broker, until close()."""

    def __init__(self):
        # It ends when its input does: with us at the latest.
        self._process = subprocess.Popen([Path(tenantry_bin()).parent / "tests" / "mock_kafka"], text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
        self.bootstrap = self._process.stdout.readline().strip()
        assert self.bootstrap, "no mock cluster"

    def _do(self, *words):
        print(*words, file=self._process.stdin, flush=True)
        assert self._process.stdout.readline() == "ok\n", words

    def create_topic(self, topic, partitions=1):
        self._do("topic", topic, partitions)

    def set_leader(self, topic, broker, partition=0):
        """None: no leader."""
        self._do("leader", topic, partition, -1 if broker is None else broker)

    def fail_produce(self, count, error):
        """The next produce requests, whosever they are."""
        self._do("fail", count, error)

    def close(self):
        self._process.stdin.close()
        self._process.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
