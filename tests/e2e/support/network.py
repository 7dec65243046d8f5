"""Parties in network namespaces of their own, around the one this process lives in, and cuts between any two
of them in one direction: packets of a cut vanish, nobody is told.

A namespace lives as long as a process that sleeps in it, which dies with this one; links and rules die with the
namespaces. So nothing is ever left behind, and nothing outside is touched. This process must have come into a
network namespace of its own by enter()."""

import os
import subprocess
import sys

from .proc import Process
from .wait import until

_INSIDE = "TENANTRY_TEST_NETWORK"
# As root of a namespace of users if that is allowed, else as root.
_WAYS = (["unshare", "--user", "--map-root-user", "--net"], ["unshare", "--net"])
# What is needed of the kernel: links, forwarding, rules that drop.
_TRIAL = (
    "ip link set lo up && ip link add t0 type veth peer name t1 && ip link del t0 && echo 1 > /proc/sys/net/ipv4/ip_forward"
    " && ip rule add from 10.99.0.1 to 10.99.0.2 blackhole pref 100 && unshare --net true"
)


def enter():
    """Runs this program again in a network namespace of its own; returns there. False: that can't be had here."""
    if os.environ.get(_INSIDE):
        return True
    for way in _WAYS:
        if subprocess.run([*way, "sh", "-c", _TRIAL], capture_output=True).returncode == 0:
            os.environ[_INSIDE] = "1"
            sys.stdout.flush()
            os.execvp(way[0], [*way, sys.executable, *sys.orig_argv[1:]])
    return False


class Network:
    """places: {name: (address, what comes before a program so that it runs there)}"""

    def __init__(self, names, folder):
        assert os.environ.get(_INSIDE), "call enter() first"
        _ip("link", "set", "lo", "up")
        with open("/proc/sys/net/ipv4/ip_forward", "w") as f:
            f.write("1")
        self.places, self._holders = {}, []
        for n, name in enumerate(names, 1):
            holder = Process(["unshare", "--net", "sleep", "infinity"], folder / f"network-{name}.log", f"network {name}")
            self._holders.append(holder)
            space = f"/proc/{holder.pid}/ns/net"
            until(lambda: os.readlink(space) != os.readlink("/proc/self/ns/net"), 30, f"the namespace of {name}")
            _ip("link", "add", f"p{n}", "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
            _ip("addr", "add", f"10.77.{n}.1/24", "dev", f"p{n}")
            _ip("link", "set", f"p{n}", "up")
            there = ["nsenter", f"--net={space}", "--"]
            for words in ("link set lo up", f"addr add 10.77.{n}.2/24 dev eth0", "link set eth0 up",
                          f"route add default via 10.77.{n}.1"):  # fmt: skip
                subprocess.run([*there, "ip", *words.split()], check=True)
            self.places[name] = (f"10.77.{n}.2", there)

    def cut(self, a, b):
        """Nothing gets from a to b any more."""
        _ip("rule", "add", *self._rule(a, b))

    def heal(self, a, b):
        _ip("rule", "del", *self._rule(a, b))

    def _rule(self, a, b):
        return ["from", self.places[a][0], "to", self.places[b][0], "blackhole", "pref", "100"]


def _ip(*words):
    subprocess.run(["ip", *words], check=True)
