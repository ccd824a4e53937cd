"""A real Postfix in a directory of its own: the next hop of some domains, and the MX of others."""

import os
import re
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.operators.client import greeted
from tests.servers import Service, running, wait_until
from tests.upstreams import Visit

MAIN = """\
compatibility_level = 3.6
queue_directory = {place}/queue
data_directory = {place}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = /dev/stdout
myhostname = mx.postfix.test
mydestination =
local_recipient_maps =
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = inline:{{ {users} }}
virtual_transport = discard
smtpd_recipient_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
inet_protocols = ipv4
"""
MASTER = """\
postlog unix-dgram n - n - 1 postlogd
rewrite unix - - n - - trivial-rewrite
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
discard unix - - n - - discard
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
"""


class Postfix:
    """What it has logged says who came."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def callouts(self) -> int:
        """Sessions so far in which a recipient was named."""
        return len(re.findall(r": disconnect from .* rcpt=", self._service.output()))


@contextmanager
def postfix(places: Sequence[tuple[str, int]], users: Mapping[str, Sequence[str]]) -> Iterator[Postfix]:
    """A server for the time of a with statement.

    places  where it listens
    users   domain: who exists there
    """
    place = Path(tempfile.mkdtemp(prefix="frontline-postfix-"))
    place.chmod(0o755)
    addresses = ", ".join(f"{user}@{domain}=1" for domain, names in users.items() for user in names)
    (place / "main.cf").write_text(MAIN.format(place=place, domains=" ".join(users), users=addresses))
    (place / "master.cf").write_text(MASTER + "".join(f"{ip}:{port} inet n - n - - smtpd\n" for ip, port in places))
    (place / "queue").mkdir()
    (place / "data").mkdir()
    shutil.chown(place / "data", "postfix")
    argv = ["/usr/sbin/postfix", "-c", place, "start-fg"]
    try:
        with running(argv, place / "log", lambda: all(greeted(*each) for each in places)) as service:
            yield Postfix(service)
    finally:
        if (place / "queue/pid/master.pid").exists():
            end(int((place / "queue/pid/master.pid").read_text()))
        shutil.rmtree(place)


def end(master: int) -> None:
    """End Postfix: its master has made a process group of its own, and ends what is in it."""
    os.kill(master, signal.SIGTERM)
    wait_until(lambda: not group(master), what="the end of Postfix")


def group(leader: int) -> list[int]:
    """The processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getpgid(int(entry.name)) == leader:
                found.append(int(entry.name))
        except ProcessLookupError:
            continue
    return found


def slowly(server: tuple[str, int], seconds: float) -> Callable[[Visit], None]:
    """What an upstream() does that is the way to another server, and takes its time before the greeting."""
    def behave(visit: Visit) -> None:
        time.sleep(seconds)
        with socket.create_connection(server, 10) as onward:
            back = threading.Thread(target=pass_on, args=(onward, visit.connection))
            back.start()
            pass_on(visit.connection, onward)
            back.join()
    return behave


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """Until one of them has no more to say."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one of them has gone
