"""What a soak is about: qsmtpd-listen with two workers, name servers, two stores, and a small disk that can be filled."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cdbx

from holdq import layout, recover
from holdq.heldfile import BusyError, HeldFile, OddError
from holdq.store import Store
from tests.conftest import QmailHome
from tests.nameservers import answers, nsd, open_directory, rbldnsd, unbound_program
from tests.servers import Service, free_port, listens, wait_until

from .parcels import Ledger

DISK = 48 << 20
"""Bytes of the disk on which are the spool, the SQLite store, and files of large messages."""
DRAIN = 5
RECORD = 'cat > "$d/message" && cat <&1 > "$d/envelope" && mv "$d" "${d%.part}" || exit 53'
"""The queue program that records."""

RULES = """\
relay                                  accept
dul                                    refuse 554 5.7.1 "{{ip}} is listed by {{lists}}"
sender-nodns | sender-nullmx           refuse 553 5.1.8 "{{reason}}"
spf-fail                               refuse 550 5.7.23 "{{reason}}"
rate > 1000000 & !known-good           refuse 550 5.7.1 "{{reason}}"
grey & !spf-fail                       greylist 0.05
badmailfrom | badrcptto                refuse
too-many-rcpt                          defer 452 4.5.3 "sorry, too many recipients"
bounce-many                            defer 452 4.5.3 "sorry, a bounce has one recipient"
too-many-bad                           close 421 4.7.0 "too many invalid addresses, goodbye"
any                                    header "X-Rules: {number}"
"""
TAGS = "dul dnsbl dul.test\ngrey env GREY\n"
ZONES = {"": "", "far.test": '@ MX 10 mail\nmail A 127.0.0.1\n@ TXT "v=spf1 ip4:127.0.0.0/8 include:other.far.test -all"\n'
                            'other TXT "v=spf1 ip4:192.0.2.0/24 -all"\n'}
LISTS = {"dul.test": ("ip4set", ":127.0.0.2:listed\n127.0.0.2\n127.66.0.0/16\n")}
CONTROL = {
    "rcpthosts": "bench.test", "tags": TAGS, "databytes": "400000", "timeoutsmtpd": "4", "session_timeout": "60",
    "dnstimeout": "1", "storemax": "20000", "badmailfrom": "nobody@far.test", "badrcptto": "badone@bench.test"}
USERS = [b"user%d@bench.test" % number for number in range(100)]


class Site:
    """All of it, while it runs.

    disk    where the small disk is mounted
    rules   the number of the rules that are in force
    collecting  what is in the spool is taken out of it
    """

    def __init__(self, home: QmailHome, installation: Path, disk: Path, stack_directory: Path, ports: dict[str, int]) -> None:
        self.home = home
        self.disk = disk
        self.port = free_port()
        self.rules = 0
        self.collecting = True
        self.spool = layout.Spool(str(disk / "holdq"))
        self.ledger: Ledger
        self._bin = installation / "bin"
        self._place = stack_directory
        self._ports = ports
        self._dns_port, self._redis_port = free_port(), free_port()
        self.sqlite = f"sqlite:{disk}/frontline/store.sqlite"
        self.redis = f"redis://127.0.0.1:{self._redis_port}/0"

    # Control files

    def write(self) -> None:
        """All files, as they should be."""
        for name, text in CONTROL.items():
            self.home.write(name, text)
        self.home.write("dnscacheip", f"127.0.0.1:{self._dns_port}")
        self.home.write("store", self.sqlite)
        self.home.queue_program(RECORD)
        self.new_rules()
        self.write_users()
        self.write_clients()

    def replace(self, name: str, data: bytes) -> None:
        """As careful administrators do it: a new file in the place of the old one."""
        new = self.home.path / f"{name}.new"
        new.write_bytes(data)
        new.rename(self.home.control / name)

    def new_rules(self) -> None:
        """The same rules under another number, which stands in each message."""
        self.rules += 1
        self.replace("rules", RULES.format(number=self.rules).encode())

    def write_users(self) -> None:
        with (self.home.path / "users.new").open("wb") as file:
            maker = cdbx.CDB.make(file)
            for user in USERS:
                maker.add(user, b"")
            maker.commit()
        (self.home.path / "users.new").rename(self.home.control / "validrcptto.cdb")

    @property
    def clients(self) -> Path:
        """tcp.smtp.cdb."""
        return self.home.path / "tcp.smtp.cdb"

    def write_clients(self) -> None:
        program = self.home.path / "bin/qmail-queue"
        rules = f'127.40.:allow,QMAILQUEUE="{program}"\n127.50.:allow,GREY="1"\n127.80.:deny\n:allow\n'
        subprocess.run(["tcprules", self.clients, f"{self.clients}.new"], input=rules.encode(), check=True)

    # Programs

    def environment(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "QMAILHOME": str(self.home.path), "HOLDQ": self.spool.directory,
                "TMPDIR": str(self.disk / "tmp"), "QMAILQUEUE": str(self._bin / "holdq-queue")}

    def lay_out_disk(self) -> None:
        """The directories on the small disk."""
        (self.disk / "tmp").mkdir()
        (self.disk / "frontline").mkdir(mode=0o700)
        subprocess.run([self._bin / "holdq", "init", "--one-uid"], env=self.environment(), check=True, capture_output=True)

    def listener(self, log: int) -> subprocess.Popen[bytes]:
        """qsmtpd-listen, which writes its log into that descriptor."""
        argv = [self._bin / "qsmtpd-listen", "-v", "-p", "-R", "-l", "mx.bench.test", "-x", self.clients, "-c", "500",
                "--per-net", "40", "--workers", "2", "--drain", str(DRAIN), "127.0.0.1", str(self.port)]
        started = subprocess.Popen(
            [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment(),
            start_new_session=True)
        wait_until(lambda: listens(self.port), what="start of the listener")
        return started

    def start_dns(self) -> Service:
        """The resolver, always at the same port."""
        argv = unbound_program(self._place, self._ports, self._dns_port)
        service = Service(argv, self._place / "unbound.log", None, None)
        wait_until(lambda: answers(self._dns_port, "far.test"), what="start of unbound")
        return service

    def start_redis(self) -> Service:
        """The other store, always at the same port."""
        argv = ["redis-server", "--port", self._redis_port, "--bind", "127.0.0.1", "--save", "", "--dir", self._place]
        service = Service([str(word) for word in argv], self._place / "redis.log", None, None)
        wait_until(lambda: listens(self._redis_port), what="start of redis-server")
        return service

    # What has been queued

    def collect(self) -> int:
        """Take what is in the spool, as a runner does, and what the queue program has recorded; how many."""
        return self._collect_spool() + self._collect_recorded()

    def _collect_spool(self) -> int:
        count = 0
        for name in os.listdir(self.spool.incoming) if self.collecting else ():
            if not layout.is_id(name):
                continue
            path = f"{self.spool.incoming}/{name}"
            try:
                with HeldFile(path, lock=True) as held:
                    held.counts()
                    message = b"".join(held.body())
                    self.ledger.take(message, held.sender, [each.address for each in held.recipients()], "spool")
                    os.unlink(path)
                    count += 1
            except (BusyError, FileNotFoundError):
                pass  # its writer has not let go of it
            except OddError as error:
                self.ledger.wrong.append(f"{path}: {error}")
                os.unlink(path)
        return count

    def _collect_recorded(self) -> int:
        count = 0
        for place in self.home.queued.iterdir():
            if place.suffix == ".part":
                continue
            envelope = (place / "envelope").read_bytes()
            if envelope.endswith(b"\0\0"):  # as qmail-queue: otherwise its caller has thought better of it
                sender, *recipients = envelope[:-2].split(b"\0")
                message = (place / "message").read_bytes()
                self.ledger.take(message, sender[1:], [each[1:] for each in recipients], "program")
                count += 1
            shutil.rmtree(place)
        return count

    def sweep(self) -> list[str]:
        """Clear away what the dead have left, as holdq's runner does; what was odd."""
        odd: list[str] = []
        recover.sweep_parts(Store(self.spool), lambda path, why: odd.append(f"{path}: {why}"))
        return odd

    def left_over(self) -> list[str]:
        """Files that nobody needs, where nobody talks."""
        found = [str(path) for path in (self.disk / "tmp").iterdir()]
        for directory in (self.spool.incoming, self.spool.hold, self.spool.dead, self.spool.odd):
            found += [f"{directory}/{name}" for name in os.listdir(directory)]
        return found


@contextmanager
def site(home: QmailHome, installation: Path) -> Iterator[Site]:
    """A site for the time of a with statement; its listener, its resolver and its Redis are not started."""
    disk = home.path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "none", disk], check=True)
    try:
        with (open_directory() as place, nsd(place, ZONES) as zones, rbldnsd(place, LISTS) as lists):
            ports = dict.fromkeys(ZONES, zones) | dict.fromkeys(LISTS, lists)
            made = Site(home, installation, disk, place, ports)
            made.lay_out_disk()
            made.write()
            yield made
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
