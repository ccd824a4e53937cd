"""The master and its workers: real processes, which clients tell to die."""

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from tests.conftest import ROOT
from tests.servers import Service, free_port, running, wait_until

STANDIN = (sys.executable, str(ROOT / "tests/standin.py"))


class Site:
    """A running master, and clients for it."""

    def __init__(self, service: Service, port: int) -> None:
        self.service = service
        self.port = port

    def client(self, source: str = "127.0.0.1") -> "Client":
        return Client(self.port, source)

    def workers(self) -> set[int]:
        """The process ids that the master's children have."""
        path = Path(f"/proc/{self.service.pid}/task/{self.service.pid}/children")
        return {int(pid) for pid in path.read_text().split()}

    def of_other_workers(self) -> dict[int, str]:
        """A network for each worker."""
        found: dict[int, str] = {}
        for third in range(64):
            source = f"127.0.{third}.1"
            with self.client(source) as client:
                found.setdefault(client.pid, source)
                client.tell("bye")
        return found


class Client:
    """A connection that was greeted."""

    def __init__(self, port: int, source: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 20, (source, 0))
        self.file = self.socket.makefile("r")
        pid, total, hangups, *self.refused = self.file.readline().split()
        self.pid, self.total, self.hangups = int(pid), int(total), int(hangups)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def tell(self, word: str) -> str:
        """The answer, which for most words is the end."""
        self.socket.sendall(f"{word}\n".encode())
        try:
            return self.file.readline()
        except ConnectionResetError:
            return ""


@contextmanager
def site(tmp_path: Path, *options: str) -> Iterator[Site]:
    port = free_port()
    argv = [*STANDIN, "-v", *options, "127.0.0.1", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    log = tmp_path / "log"
    with running(argv, log, lambda: b"worker number=0" in log.read_bytes(), env=environment) as service:
        yield Site(service, port)


def test_a_worker_that_dies_takes_nobody_else_with_it(tmp_path: Path) -> None:
    """Its networks have its replacement, the others do not notice."""
    with site(tmp_path, "--workers", "3") as here:
        networks = here.of_other_workers()
        assert set(networks) == here.workers()
        (victim, its_network), (bystander, other_network), _ = networks.items()
        with here.client(other_network) as patient:
            with here.client(its_network) as fatal:
                fatal.tell("die")
            with here.client(its_network) as next_one:
                assert next_one.pid not in networks
            assert patient.tell("ids")
            assert patient.pid == bystander
        wait_until(lambda: len(here.workers()) == 3)
        assert len(here.workers() & set(networks)) == 2
        assert re.search(rf"worker number=\d pid={victim} lived=\d+ exit=3\n", here.service.output())


def test_each_network_stays_with_its_place(tmp_path: Path) -> None:
    """A37: also when workers were replaced, one after the other, the limits by network are one worker's to count."""
    with site(tmp_path, "--workers", "3", "--per-net", "2") as here:
        for source in list(here.of_other_workers().values()):
            with here.client(source) as fatal:
                fatal.tell("die")
        for source in here.of_other_workers().values():
            network = source.rpartition(".")[0]
            with here.client(f"{network}.7") as one, here.client(f"{network}.8") as two, here.client(f"{network}.9") as three:
                assert one.pid == two.pid == three.pid
                assert (one.refused, two.refused, three.refused) == ([], [], ["netblock"])


def test_who_waits_at_a_dead_worker_is_served_by_the_next(tmp_path: Path) -> None:
    """The connection was made while nobody was there to take it."""
    with site(tmp_path, "--workers", "1") as here:
        with here.client() as first:
            os.kill(first.pid, signal.SIGSTOP)
            with socket.create_connection(("127.0.0.1", here.port), 20) as waiting:
                os.kill(first.pid, signal.SIGKILL)
                greeting = waiting.makefile("r").readline()
            assert int(greeting.split()[0]) != first.pid
        assert re.search(rf"worker number=0 pid={first.pid} lived=\d+ signal=9\n", here.service.output())


def test_a_worker_that_cannot_live_is_not_started_without_a_pause(tmp_path: Path) -> None:
    """The pauses are twice as long each time: 0.1, 0.2, 0.4, 0.8 seconds."""
    with site(tmp_path, "--workers", "1") as here:
        begin = time.monotonic()
        for _ in range(4):
            with here.client() as fatal:
                fatal.tell("die")
        with here.client() as last:
            assert last.pid in here.workers()
        assert 1.4 < time.monotonic() - begin < 10


def test_what_a_worker_raises_is_in_the_log(tmp_path: Path) -> None:
    with site(tmp_path, "--workers", "1") as here:
        with here.client() as fatal:
            fatal.tell("raise")
        wait_until(lambda: "exit=111" in here.service.output())
        assert "RuntimeError: as I was told" in here.service.output()


def test_connections_of_all_workers_are_counted_together(tmp_path: Path) -> None:
    """And those of a worker that died are not."""
    with site(tmp_path, "--workers", "2", "-c", "3") as here:
        wait_until(lambda: len(here.workers()) == 2)
        one, other = list(here.of_other_workers().values())[:2]
        with here.client(one) as first, here.client(one), here.client(other) as third:
            assert third.total == 3
            with here.client(other) as fourth, here.client(one) as fifth:
                assert (fourth.refused, fifth.refused) == (["limit"], ["limit"])
            first.tell("die")
            wait_until(lambda: "exit=3" in here.service.output())
            with here.client(other) as sixth:
                assert (sixth.refused, sixth.total) == ([], 2)


def test_hup_is_for_all_workers(tmp_path: Path) -> None:
    with site(tmp_path, "--workers", "2") as here:
        networks = here.of_other_workers()
        here.service.process.send_signal(signal.SIGHUP)

        def hangups(source: str) -> int:
            with here.client(source) as client:
                return client.hangups

        wait_until(lambda: [hangups(source) for source in networks.values()] == [1, 1])
        assert here.workers() == set(networks)


def test_term_lets_transactions_come_to_their_end(tmp_path: Path) -> None:
    """Nobody else gets in meanwhile: he is refused at once, and tries another MX."""
    with site(tmp_path, "--workers", "2", "--drain", "20") as here, here.client() as patient:
        here.service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refused(here.port))
        assert here.service.process.poll() is None
        assert patient.tell("ids")
        assert here.service.process.wait(10) == 0
        assert "exit=3" not in here.service.output()


def refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_transaction_has_its_time(tmp_path: Path) -> None:
    with site(tmp_path, "--workers", "1", "--drain", "1") as here, here.client():
        here.service.process.send_signal(signal.SIGTERM)
        assert here.service.process.wait(10) == 0


def test_a_worker_that_does_not_end_is_killed(tmp_path: Path) -> None:
    """No process is left, and the port is free."""
    with site(tmp_path, "--workers", "1", "--drain", "0") as here, here.client() as stubborn:
        stubborn.socket.sendall(b"stay\n")
        wait_until(lambda: ignores_term(stubborn.pid))
        here.service.process.send_signal(signal.SIGTERM)
        assert here.service.process.wait(20) == 0
        assert f"pid={stubborn.pid}" in here.service.output()
        assert "signal=9" in here.service.output()
        assert refused(here.port)


def ignores_term(pid: int) -> bool:
    line = re.search(r"SigIgn:\s+([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text())
    return line is not None and bool(int(line[1], 16) >> signal.SIGTERM - 1 & 1)


def test_workers_end_with_their_master(tmp_path: Path) -> None:
    """However it ended: the next one wants the port."""
    with site(tmp_path, "--workers", "2") as here:
        wait_until(lambda: len(here.workers()) == 2)
        here.service.process.kill()
        here.service.process.wait(10)
        wait_until(lambda: refused(here.port))


@pytest.mark.parametrize(("options", "lines"), [(("-q",), 0), (("-Q",), 1), ((), 4)])
def test_how_much_is_said(tmp_path: Path, options: tuple[str, ...], lines: int) -> None:
    """-q nothing, -Q what went wrong, -v also what did not."""
    port = free_port()
    log = tmp_path / "log"
    argv = [*STANDIN, "-v", *options, "--workers", "1", "127.0.0.1", str(port)]
    with running(argv, log, lambda: not refused(port), env={**os.environ, "PYTHONPATH": str(ROOT)}) as service:
        with Client(port, "127.0.0.1") as fatal:
            fatal.tell("die")
        with Client(port, "127.0.0.1") as last:
            assert last.pid != fatal.pid
        wait_until(lambda: service.output().count("\n") >= lines - 1)
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(10)
        assert service.output().count("\n") == lines
