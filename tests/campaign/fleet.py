"""The product as separate processes beside a cluster: a router, a supervisor with a worker per tenant, and second
workers that nobody supervises. Each lives where `places` says (support/network.py), or on this machine."""

import os
import signal

from support.proc import Process, child_pids, command_line, tenantry_bin
from support.system import System
from support.wait import until

HERE = ("127.0.0.1", ())


class Fleet(System):
    def __init__(self, folder, cluster, places, tenants, extra):
        self.places = places
        self.host = places.get("router", HERE)[0]
        self.send_prefix = places.get("client", HERE)[1]
        super().__init__(folder, cluster.bootstrap, tenants, extra)
        self.router = self.supervisor = None
        self.seconds = {}  # tenant: the second worker

    def _start(self, place, name, *args):
        argv = [*self.places.get(place, HERE)[1], tenantry_bin(), "--config", self.conf, *args]
        self.starts += 1
        return Process(argv, self.folder / f"{self.starts}-{name}.log", name, cwd=self.folder)

    def start_router(self):
        self.router = self._start("router", "router", "router")
        until(lambda: self.http("/healthz")[0] == 200 or not self.router.alive, 60, "the router")

    def start_supervisor(self):
        self.supervisor = self._start("workers", "supervise", "supervise")

    def start_second(self, tenant):
        self.seconds[tenant] = self._start("second", f"second-{tenant}", "consumer", tenant, "--instance", "second")

    def revive(self):
        """Second workers that ended by themselves: a supervisor would start them again."""
        for tenant, process in self.seconds.items():
            if not process.alive:
                self.start_second(tenant)

    def signal_worker(self, tenant, number):
        """To the supervised worker; its pid, None when there is none just now."""
        for pid in child_pids(self.supervisor.pid):
            if f"consumer {tenant} " in command_line(pid) + " ":
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    return None
                return pid
        return None

    def end(self):
        for process in [self.router, *self.seconds.values(), self.supervisor]:
            if process is not None and process.alive:
                process.signal(signal.SIGCONT)
                process.terminate(120)
