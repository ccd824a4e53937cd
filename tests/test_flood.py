"""Good mail while others flood: thousands who connect and wait, and fifty who guess names all the time.

A34: connections that say nothing are held for little, and let go when their time is over.  A37: one network gets no more than
its part.  A111: guessed names are refused in the session.
"""

import asyncio
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import flood
from tests.conftest import QmailHome
from tests.servers import Service, free_port, listens, running, wait_until

SOFT = ("sh", "-c", 'ulimit -S -n 1024; exec "$@"', "sh")
"""The limit on descriptors that most start with, below a higher one: who needs more has to see to it."""
ROOM = 11_000
HANDED = 200


@pytest.fixture
def home(qmail_home: QmailHome, installation: Path) -> QmailHome:
    """Its mail goes into a spool of holdq: durable before 250."""
    qmail_home.write("rcpthosts", "bench.test")
    qmail_home.write("addresses", "\n".join(["good@bench.test", *(f"user{number}@bench.test" for number in range(1000))]))
    for words in (["validusers", "--no-qmail", "--list", qmail_home.control / "addresses"], ["holdq", "init", "--one-uid"]):
        command = [installation / "bin" / words[0], *words[1:]]
        subprocess.run(command, env=environment(qmail_home), check=True, capture_output=True)
    return qmail_home


def environment(home: QmailHome, **more: str) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "QMAILHOME": str(home.path), "HOLDQ": str(home.path / "spool"),
            "QMAILQUEUE": "/nonexistent/holdq-queue", "BRTLIMIT": "0", **more}


def enough(limit: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= ROOM


@pytest.fixture
def room() -> Iterator[None]:
    """For 10,000 sockets of ours: root may have more than the limit that he finds, others no more than that."""
    before = soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not enough(soft):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (ROOM, hard if enough(hard) else ROOM))
        except ValueError:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def listening(
        installation: Path, home: QmailHome, *words: str, workers: int = 2, **more: str) -> Iterator[tuple[Service, int]]:
    port = free_port()
    options = ["-HRl", "mx.bench.test", "--workers", str(workers), *words]
    argv = [*SOFT, installation / "bin/qsmtpd-listen", *options, "127.0.0.1", str(port)]
    with running(argv, home.path / "log", lambda: listens(port), env=environment(home, **more)) as service:
        wait_until(lambda: len(at_work(service)) == workers, what="the workers")
        yield service, port


@contextmanager
def handing_over(installation: Path, home: QmailHome) -> Iterator[tuple[Service, int]]:
    """tcpserver, handoff, and the service to which it gives the connections; this one, and tcpserver's port."""
    place = home.path / "service"
    place.mkdir(mode=0o700)
    more = {"QSMTPD_SERVICE": str(place / "socket")}
    port = free_port()
    options = ["-HRl", "mx.bench.test", "-c", "500", "-b", "500"]
    argv = ["tcpserver", *options, "127.0.0.1", str(port), installation / "bin/handoff"]
    with (listening(installation, home, **more) as (service, _),
          running(argv, home.path / "tcpserver.log", lambda: listens(port), env=environment(home, **more))):
        yield service, port
        assert "session " not in (home.path / "tcpserver.log").read_text(), "the cold program had to help out"


def at_work(service: Service) -> list[psutil.Process]:
    return psutil.Process(service.pid).children()


def stored(home: QmailHome) -> int:
    """How many messages there are in the spool."""
    return sum(path.is_file() for path in (home.path / "spool/incoming").iterdir())


class Seen:
    """idle  of those who wait: who could not come, was lost, or could not go on; the rest: what became of the others.

    bytes_each  what a connection that waits takes of the workers
    """

    def __init__(self, service: Service, port: int, idle: int, seconds: float) -> None:
        self.idle: list[Any] = []
        self.workers = at_work(service)
        with flood.harvesters(port, 0.5):
            pass
        before = self._memory()
        flood.run(self._watch(port, idle, seconds, before))

    def _memory(self) -> int:
        return sum(flood.memory(worker.pid) for worker in self.workers)

    async def _watch(self, port: int, idle: int, seconds: float, before: int) -> None:
        async with flood.crowd(port, flood.idle(idle)) as crowd:
            self.idle.append(await crowd.gather())
            self.bytes_each = (self._memory() - before) / idle
            with flood.harvesters(port, seconds) as self.harvest:
                self.mail = await flood.good_mail(port, seconds)
                self.memory = self._memory()
            self.idle += [crowd.lost, await crowd.leave()]

    def judge(self, home: QmailHome, service: Service) -> None:
        """Whatever the speed of the machine is."""
        assert self.idle == [{}, 0, {}]
        assert self.mail.wrong == {}
        assert stored(home) == len(self.mail.seconds) > 0
        assert self.harvest["wrong"] == {}
        assert self.harvest["sessions"] > 0
        assert all(worker.is_running() for worker in self.workers)
        assert "fault " not in service.output()

    def __str__(self) -> str:
        mail = self.mail
        return (f"{len(mail.seconds)} messages: 50% within {mail.percentile(0.5):.3f} s, 99% {mail.percentile(0.99):.3f} s, "
                f"all {max(mail.seconds):.3f} s; {self.harvest['sessions']} harvesters; workers {self.memory / 2**20:.1f} MiB, "
                f"{self.bytes_each:.0f} bytes for each that waits")


def test_good_mail_beside_a_flood(installation: Path, home: QmailHome, room: None) -> None:
    with listening(installation, home, "-c", "2000") as (service, port):
        Seen(service, port, idle=1000, seconds=5).judge(home, service)


def test_good_mail_beside_a_flood_by_handoff(installation: Path, home: QmailHome) -> None:
    with handing_over(installation, home) as (service, port):
        Seen(service, port, idle=HANDED, seconds=5).judge(home, service)


@pytest.mark.soak
def test_good_mail_within_a_second_beside_ten_thousand(
        installation: Path, home: QmailHome, room: None, capsys: pytest.CaptureFixture[str]) -> None:
    with listening(installation, home, "-c", "12000") as (service, port):
        seen = Seen(service, port, idle=10_000, seconds=60)
        with capsys.disabled():
            print(f"\nqsmtpd-listen: {seen}")
        seen.judge(home, service)

    assert seen.mail.percentile(0.99) < 1.0


@pytest.mark.soak
def test_good_mail_within_a_second_by_handoff(installation: Path, home: QmailHome, capsys: pytest.CaptureFixture[str]) -> None:
    with handing_over(installation, home) as (service, port):
        seen = Seen(service, port, idle=HANDED, seconds=60)
        with capsys.disabled():
            print(f"\ntcpserver, handoff: {seen}")
        seen.judge(home, service)

    assert seen.mail.percentile(0.99) < 1.0


def test_who_says_nothing_is_let_go(installation: Path, home: QmailHome) -> None:
    """A34: each hears why, and nothing of him is left."""
    home.write("timeoutsmtpd", "2")

    async def wait(port: int) -> None:
        async with flood.crowd(port, flood.idle(300)) as crowd:
            assert await crowd.gather() == {}
            for _ in range(200):
                await asyncio.sleep(0.1)
                if crowd.lost == 300:
                    break
            assert crowd.lost == 300

    with listening(installation, home, workers=1) as (service, port):
        worker, = at_work(service)
        before = worker.num_fds()
        flood.run(wait(port))
        wait_until(lambda: worker.num_fds() < before + 20, what="the end of all connections")
        log = service.output()

    assert log.count("verdict=timeout") == 300


def test_one_network_gets_no_more_than_its_part(installation: Path, home: QmailHome) -> None:
    """A37: beyond it he hears 421 at once; others are served."""
    async def flood_of_one(port: int) -> None:
        async with flood.crowd(port, [f"127.{flood.IDLE}.0.{number % 250 + 1}" for number in range(400)]) as crowd:
            refused = await crowd.gather()
            mail = await flood.good_mail(port, 1.0)
            assert list(refused.values()) == [300]
            assert crowd.lost == 300
            assert mail.wrong == {}
            assert len(mail.seconds) > 0

    with listening(installation, home, "-c", "1000", "--per-net", "100") as (service, port):
        flood.run(flood_of_one(port))
        log = service.output()

    assert log.count("rule=netblock") == 300
