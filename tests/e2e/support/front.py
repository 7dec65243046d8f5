"""The router's listeners alone: no broker is there, so nothing can be delivered; handshakes, connections and
what is answered from the headers need none."""

import http.client
import json
import re
import socket
import ssl
from pathlib import Path

from .ports import free_ports
from .proc import run_tenantry, start_tenantry
from .wait import until
from .wire import PROTOBUF, bearer

NO_BROKER = "127.0.0.1:1"


class Front:
    """`router`: text of that group, besides listeners; `listen`: the listener's own options."""

    def __init__(self, folder, router="", listen="", tenants=("acme",), brokers=NO_BROKER):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, self.admin_port = free_ports(2)
        self.brokers = brokers
        self.conf = self.folder / "tenantry.conf"
        self.write_conf(router, listen)
        run_tenantry("certs", "dev", "--folder", self.folder / "certs")
        self.keys = {t: self.add_tenant(t) for t in tenants}
        self.process = start_tenantry("--config", self.conf, "router", log=self.folder / "router.log")
        until(lambda: self.http("/healthz")[0] == 200 or not self.process.alive, 30, "the router")

    def write_conf(self, router="", listen=""):
        address = f'{{ address = "127.0.0.1:{self.port}"; {listen} }}'
        self.conf.write_text(
            f'kafka: {{ brokers = "{self.brokers}"; }};\n'
            f'router: {{ listen = ( {address} ); threads = 2; answer_timeout = "300ms";'
            f' admin = "127.0.0.1:{self.admin_port}"; {router} }};\n')  # fmt: skip

    def cli(self, *args):
        return run_tenantry("--config", self.conf, *args)

    def add_tenant(self, tenant):
        self.cli("tenant", "add", tenant)
        return json.loads(self.cli("key", "issue", tenant, "--json").stdout)["key"]

    def http(self, path):
        c = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=5)
        try:
            c.request("GET", path)
            answer = c.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            c.close()

    def metric(self, name, **labels):
        """The sum over the series with these labels."""
        total = 0.0
        for series, value in re.findall(rf"^{name}(\{{.*\}})? (\S+)$", self.http("/metrics")[1], re.M):
            if all(f'{k}="{v}"' in series for k, v in labels.items()):
                total += float(value)
        return total

    @property
    def ca(self):
        return self.folder / "certs" / "ca.pem"

    def connect(self, first=b"", source=None, timeout=20):
        """A TCP connection on which these bytes were sent."""
        raw = socket.create_connection(("127.0.0.1", self.port), timeout, source and (source, 0))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.sendall(first)
        return raw

    def tls(self, first=b"", alpn=("http/1.1",), name="localhost", ca=None, identity=None, verify=True, **options):
        context = ssl.create_default_context(cafile=str(ca or self.ca))
        if not verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if identity:
            context.load_cert_chain(*map(str, identity))
        raw = self.connect(first, **options)
        try:
            return context.wrap_socket(raw, server_hostname=name)
        except BaseException:
            raw.close()
            raise

    def end(self):
        assert self.process.terminate() == 0


def head(path="/v1/logs", key=None, method="POST", extra=()):
    """A request without a body; with a key it is an empty export, which is accepted without Kafka."""
    fields = {"Host": "localhost", "Content-Type": PROTOBUF, "Content-Length": "0", **(bearer(key) if key else {})}
    lines = [f"{method} {path} HTTP/1.1", *(f"{n}: {v}" for n, v in [*fields.items(), *extra])]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def exchange(sock, **options):
    """Status, fields by lower-case name and body of the answer."""
    sock.sendall(head(**options))
    text = b""
    while b"\r\n\r\n" not in text:
        data = sock.recv(65536)
        assert data, text
        text += data
    first, body = text.split(b"\r\n\r\n", 1)
    first, *lines = first.decode().split("\r\n")
    fields = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
    assert len(fields) == len(lines), lines
    while len(body) < int(fields.get("content-length", 0)):
        body += sock.recv(65536)
    return int(first.split()[1]), fields, body


def ask(sock, **options):
    """Status of the answer; None when the connection ended instead."""
    try:
        sock.sendall(head(**options))
        text = b""
        while b"\r\n\r\n" not in text:
            data = sock.recv(65536)
            if not data:
                return None
            text += data
    except (ConnectionError, ssl.SSLError):
        return None
    return int(text.split(b" ", 2)[1])
