"""More sockets are ready at one time than the event loop takes in one look (256): none is forgotten, none
is taken for another."""

import contextlib
import resource
import signal
import socket
import ssl
from os import kill

import pytest

from support.system import System
from support.wire import tls_context, warm_up

CONNECTIONS = 1600  # so that each of the two loops has several looks' worth


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    system = System(tmp_path_factory.mktemp("many"), brokers=kafka.bootstrap, tenants=("acme",),
                    extra={"kafka": 'prefix = "many";',
                           "router": 'handshake_timeout = "4m"; header_timeout = "4m";'
                                     ' max_handshakes_per_address = 0; new_connections_per_address = "0";'})  # fmt: skip
    system.up()
    warm_up(system, "acme")
    yield system
    system.end()


@pytest.fixture
def files():
    """As many open files as the connections need."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(before[0], CONNECTIONS + 1000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(before[1], wanted)))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Client:
    """A TLS client that says what it is told to, when it is told to."""

    def __init__(self, port, context):
        self.sock = socket.create_connection(("127.0.0.1", port), 60)
        self.to_us, self.from_us = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.to_us, self.from_us, server_hostname="localhost")

    def handshake(self):
        """All of it but for its last message, which waits in from_us."""
        while True:
            try:
                return self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.send()
                self.receive()

    def send(self):
        self.sock.sendall(self.from_us.read())

    def receive(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("closed")
        self.to_us.write(data)

    def read(self, size):
        while True:
            try:
                return self.tls.read(size)
            except ssl.SSLWantReadError:
                self.receive()


def test_handshakes_that_end_together(system, files):
    """The last message of every handshake arrives while the router is held: it finds all of them ready at
    once, and each client gets the server's SETTINGS."""
    context = tls_context(system.ca, ("h2",))
    router = system.child(" router")
    with contextlib.ExitStack() as stack:
        clients = [Client(system.port, context) for _ in range(CONNECTIONS)]
        for c in clients:
            stack.callback(c.sock.close)
            c.handshake()
        kill(router, signal.SIGSTOP)
        try:
            for c in clients:
                c.send()
        finally:
            kill(router, signal.SIGCONT)
        for c in clients:
            assert c.read(9)[3:4] == b"\x04"  # the type of the first frame
        # Each is still there, a good while later than all were ready.
        for c in clients:
            c.tls.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
            c.send()
    assert system.child(" router") == router
