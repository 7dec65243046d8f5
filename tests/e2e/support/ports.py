"""Free TCP ports that parallel test runs don't take from each other."""

import errno
import random
import socket
from pathlib import Path

# Below the range the kernel hands out for outgoing connections, so none of those can take one, and above
# the one in which `tenantry up` looks for the ports of its own Kafka.
_LOW = 20000
_HIGH = min(32000, int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]))

# A name in the abstract socket namespace reserves the port: seen by every run on this machine
# (exactly where the ports are shared), held until this process ends, however it ends, and no file.
_held = {}


def free_port():
    """A port on 127.0.0.1 nobody listens on, reserved for this process until it ends."""
    for _ in range(100 * (_HIGH - _LOW)):
        port = random.randrange(_LOW, _HIGH)
        if port in _held:
            continue
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if _bind(name, f"\0tenantry-test-port-{port}") and _is_free(port):
            _held[port] = name
            return port
        name.close()
    raise RuntimeError(f"no free port between {_LOW} and {_HIGH}")


def free_ports(count):
    return [free_port() for _ in range(count)]


def _bind(sock, address):
    try:
        sock.bind(address)
    except OSError as e:
        if e.errno == errno.EADDRINUSE:
            return False
        raise
    return True


def _is_free(port):
    with socket.socket() as probe:
        # As servers do, so that connections of a server that ended don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return _bind(probe, ("127.0.0.1", port))
