"""Real name servers on loopback: nsd with zones, rbldnsd with lists, unbound in front of both; and servers that misbehave."""

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rrset

from tests.servers import free_port, running

SOA = "@ 60 IN SOA ns.test. h.test. 1 60 60 60 60\n@ 60 IN NS ns.test.\n"
"""What a zone of nsd begins with."""

NSD = """
server:
  ip-address: 127.0.0.1
  port: {port}
  username: ""
  chroot: ""
  zonesdir: "{place}"
  pidfile: "{place}/nsd.pid"
  database: ""
  xfrdfile: "{place}/xfrd"
  xfrdir: "{place}"
  zonelistfile: "{place}/list"
  server-count: 1
  rrl-ratelimit: 0
remote-control:
  control-enable: no
"""

UNBOUND = """
server:
  interface: 127.0.0.1
  port: {port}
  username: ""
  chroot: ""
  directory: "{place}"
  pidfile: "{place}/unbound.pid"
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
  num-threads: 1
  do-ip6: no
  edns-buffer-size: 1232
  max-udp-size: 1232
  local-zone: "test." nodefault
"""


def answers(port: int, name: str) -> bool:
    """Whether a server says something about a name; rbldnsd refuses SOA where it has none."""
    try:
        got = dns.query.udp(dns.message.make_query(name, "SOA"), "127.0.0.1", 0.2, port)
    except (OSError, dns.exception.DNSException):
        return False
    return got.rcode() != dns.rcode.SERVFAIL


@contextmanager
def open_directory() -> Iterator[Path]:
    """A new directory that every user may enter: rbldnsd started by root becomes nobody, and reads its lists as such."""
    place = Path(tempfile.mkdtemp(prefix="frontline-dns-"))
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place)


@contextmanager
def nsd(place: Path, zones: Mapping[str, str]) -> Iterator[int]:
    """nsd with zones; the port.

    zones  name: records behind SOA, in the form of a zone file
    """
    port = free_port()
    config = [NSD.format(port=port, place=place)]
    for number, (name, text) in enumerate(zones.items()):
        (place / f"zone{number}").write_text(f"$TTL 60\n$ORIGIN {name}.\n{SOA}{text}")
        config.append(f'zone:\n name: "{name}."\n zonefile: zone{number}\n')
    (place / "nsd.conf").write_text("".join(config))
    first = next(iter(zones))
    with running(["/usr/sbin/nsd", "-d", "-c", place / "nsd.conf"], place / "nsd.log", lambda: answers(port, first)):
        yield port


@contextmanager
def rbldnsd(place: Path, lists: Mapping[str, tuple[str, str]]) -> Iterator[int]:
    """rbldnsd with lists; the port.

    lists  zone: the type of its data (ip4set, ip6trie, dnset, generic), its data
    """
    port = free_port()
    words = []
    for number, (zone, (kind, data)) in enumerate(lists.items()):
        path = place / f"list{number}"
        path.write_text(data)
        path.chmod(0o644)
        words.append(f"{zone}:{kind}:{path}")
    argv = ["/usr/sbin/rbldnsd", "-n", "-e", "-b", f"127.0.0.1/{port}", *(["-u", "nobody"] if os.getuid() == 0 else []), *words]
    first = next(iter(lists))
    with running(argv, place / "rbldnsd.log", lambda: answers(port, first)):
        yield port


def unbound_program(place: Path, zones: Mapping[str, int], port: int) -> list[str | Path]:
    """The command line of an unbound at a port, its configuration written; zones as for unbound()."""
    config = [UNBOUND.format(port=port, place=place)]
    config += [f' local-zone: "{name}." nodefault\n' for name in zones if name.endswith(".arpa")]
    config.append("remote-control:\n control-enable: no\n")
    config += [f'stub-zone:\n name: "{name}."\n stub-addr: 127.0.0.1@{other}\n' for name, other in zones.items()]
    (place / "unbound.conf").write_text("".join(config))
    return ["/usr/sbin/unbound", "-d", "-p", "-c", place / "unbound.conf"]


@contextmanager
def unbound(place: Path, zones: Mapping[str, int]) -> Iterator[int]:
    """unbound, which asks the servers of these zones and nobody else; the port.

    zones  name: port of its server
    """
    port = free_port()
    first = next(iter(zones))
    with running(unbound_program(place, zones, port), place / "unbound.log", lambda: answers(port, first)):
        yield port


@contextmanager
def internet(zones: Mapping[str, str], lists: Mapping[str, tuple[str, str]] = {}) -> Iterator[int]:
    """A resolver for which the zones and the lists are all the DNS there is, with a root that has nothing; the port."""
    with ExitStack() as stack:
        place = stack.enter_context(open_directory())
        zones = {"": "", **zones}
        ports = dict.fromkeys(zones, stack.enter_context(nsd(place, zones)))
        if lists:
            ports.update(dict.fromkeys(lists, stack.enter_context(rbldnsd(place, lists))))
        yield stack.enter_context(unbound(place, ports))


def reply(query: bytes, *records: str, rcode: int = 0, cut: bool = False) -> bytes:
    """A response to a query of ours.

    records  of the name that was asked: "A 192.0.2.1"
    cut      say that it did not fit
    """
    asked = dns.message.from_wire(query)
    answer = dns.message.make_response(asked, recursion_available=True)
    answer.set_rcode(dns.rcode.Rcode(rcode))
    if cut:
        answer.flags |= dns.flags.TC
    for each in records:
        kind, _, value = each.partition(" ")
        answer.answer.append(dns.rrset.from_text(asked.question[0].name, 60, "IN", kind, value))
    return answer.to_wire(max_size=65535)


class FakeServer:
    """A server that answers each query as it is told, by UDP and TCP.

    asked  the queries that came
    """

    def __init__(self, behave: "Callable[[bytes], list[bytes]]", stream: "Callable[[bytes], bytes] | None" = None) -> None:
        """Starts it.

        behave  the datagrams that a query by UDP is answered with
        stream  the bytes that a query by TCP is answered with; None when nobody listens
        """
        self.behave = behave
        self.stream = stream
        self.asked: list[bytes] = []
        self.port = free_port()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        Thread(target=self._datagrams, daemon=True).start()
        self._tcp = socket.socket()
        if stream is not None:
            self._tcp.bind(("127.0.0.1", self.port))
            self._tcp.listen(64)
            Thread(target=self._connections, daemon=True).start()

    def _datagrams(self) -> None:
        while True:
            try:
                query, client = self._udp.recvfrom(65535)
                if not query:
                    return
                self.asked.append(query)
                for answer in self.behave(query):
                    self._udp.sendto(answer, client)
            except OSError:
                return

    def _connections(self) -> None:
        assert self.stream is not None
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            with connection:
                query = connection.recv(65535)[2:]
                connection.sendall(self.stream(query))

    def close(self) -> None:
        for each in (self._udp, self._tcp):
            try:
                each.shutdown(2)
            except OSError:
                pass
            each.close()


@contextmanager
def lying(behave: Callable[[bytes], list[bytes]], stream: Callable[[bytes], bytes] | None = None) -> Iterator[FakeServer]:
    """A FakeServer for the time of a with statement."""
    server = FakeServer(behave, stream)
    try:
        yield server
    finally:
        server.close()
