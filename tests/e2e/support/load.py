"""Senders that stamp every item, beside a system to which things happen."""

import signal

from .attempts import judge, read_journals, stored, unacked_double
from .proc import start_tenantry
from .wait import until

GRPC, HTTP = ["--protocol", "grpc"], ["--protocol", "http/protobuf"]


class Load:
    """One sender of all signals to each tenant in each way (arguments of `tenantry send`), until told to
    finish."""

    def __init__(self, system, folder, rate, tenants=("acme", "beta"), ways=(GRPC, HTTP)):
        self.system, self.folder, self.journals, self.senders = system, folder, {}, []
        for tenant in tenants:
            for way in ways:
                self.start(tenant, way, rate)

    def start(self, tenant, way, rate):
        journal = self.journal(tenant)
        name = f"send {journal.stem}"
        self.senders.append(start_tenantry(
            *self.system.send_args(tenant, "all", None), *way, "--duration", "1h", "--rate", f"{rate}/s",
            "--batch", "20", "--retry-for", "20s", "--attempts", journal,
            log=self.folder / f"{name.replace(' ', '-')}.log", name=name, prefix=self.system.send_prefix))

    def journal(self, tenant):
        """A new file for the attempts of a sender, which the verdict counts too."""
        mine = self.journals.setdefault(tenant, [])
        mine.append(self.folder / f"{tenant}-{len(mine)}.jsonl")
        return mine[-1]

    def stop(self):
        """The exit codes of the senders."""
        for sender in self.senders:
            if sender.alive:
                sender.signal(signal.SIGINT)
        return [sender.wait_exit(60) for sender in self.senders]

    def verdict(self, tenant):
        return judge(read_journals(*self.journals[tenant]), stored(self.system, tenant))

    def unacked_double(self, tenant):
        return unacked_double(read_journals(*self.journals[tenant]), stored(self.system, tenant))

    def size(self):
        """Bytes of the journals: grows as long as anything is sent."""
        return sum(j.stat().st_size for js in self.journals.values() for j in js if j.exists())


def settle(load, timeout=90):
    """Waits until nothing acked is missing, then tells each tenant's verdict."""
    for tenant in load.journals:
        until(lambda: load.verdict(tenant).missing == 0, timeout,
              lambda: f"all acked items of {tenant}: {load.verdict(tenant)}")
    return {tenant: load.verdict(tenant) for tenant in load.journals}


def assert_exactly_once(verdicts, at_least):
    for tenant, v in verdicts.items():
        print(f"{tenant}: {v.acked_items} items acked, {v.missing} missing, {v.double} double, {v.stray} stray")
        assert v.acked_items >= at_least, f"{tenant}: too little was acked to prove anything: {v}"
        assert (v.missing, v.double, v.stray) == (0, 0, 0), f"{tenant}: {v}"
