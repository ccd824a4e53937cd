"""handoff, the C program: what it gives, what it exits with, and when it becomes the cold program instead."""

import asyncio
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import let_others_in
from tests.handoffs import ROOT, build, close_all, serving
from tests.servers import free_port, listens, running, wait_until

COLD, COLD_SHIM = 3, 4
"""What the scripts in the place of qsmtpd and qqshim exit with."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("programs")
    build(place)
    let_others_in(place)
    return place


class World:
    """The programs, the place of a service, and a client's connection."""

    def __init__(self, programs: Path, path: Path) -> None:
        self.programs = programs
        self.path = path
        self.ours, self.theirs = socket.socketpair()
        self.seen: list[tuple[bytes, dict[bytes, bytes], list[int]]] = []
        (programs / "cold").write_text("")

    def environment(self, **more: str) -> dict[str, str]:
        return {"QSMTPD_SERVICE": str(self.path), "TCPREMOTEIP": "192.0.2.1", **more}

    def session(self, program: str = "handoff", **more: str) -> int:
        """Start it as tcpserver does; returns its exit code."""
        return subprocess.run([self.programs / program], stdin=self.theirs, stdout=self.theirs, stderr=subprocess.DEVNULL,
                              env=self.environment(**more), check=False, timeout=30).returncode

    def cold(self) -> list[str]:
        """Which programs it became, with how many arguments."""
        return (self.programs / "cold").read_text().split("\n")[:-1]

    async def handler(self, kind: bytes, variables: dict[bytes, bytes], fds: dict[int, int]) -> int:
        self.seen.append((kind, variables, sorted(fds)))
        os.write(fds[0], b"220 warm\r\n")
        close_all(fds)
        return 5


@pytest.fixture
def world(built: Path, tmp_path: Path) -> Iterator[World]:
    made = World(built, tmp_path / "frontline/service")
    made.path.parent.mkdir(mode=0o700)
    yield made
    made.ours.close()
    made.theirs.close()


def test_a_session(world: World) -> None:
    """The service has the connection and the environment; the exit code is its own."""
    with serving(world.path, world.handler):
        assert world.session(RELAYCLIENT="", TCPREMOTEHOST="odd\udcff\nname") == 5

    assert world.ours.recv(100) == b"220 warm\r\n"
    (kind, variables, numbers), = world.seen
    assert (kind, numbers) == (b"s", [0])
    assert (variables[b"RELAYCLIENT"], variables[b"TCPREMOTEHOST"]) == (b"", b"odd\xff\nname")
    assert world.cold() == []


def test_the_connection_is_the_services_alone(world: World) -> None:
    """When it closes it, it is closed: handoff, which still waits, does not keep it open."""
    goes_on = threading.Event()

    async def close_and_wait(_kind: bytes, _variables: dict[bytes, bytes], fds: dict[int, int]) -> int:
        close_all(fds)
        while not goes_on.is_set():
            await asyncio.sleep(0.01)
        return 0

    with serving(world.path, close_and_wait), subprocess.Popen(
            [world.programs / "handoff"], stdin=world.theirs, stdout=world.theirs, env=world.environment()) as process:
        world.theirs.close()
        world.ours.settimeout(10)
        assert world.ours.recv(100) == b""
        assert process.poll() is None
        goes_on.set()
        assert process.wait(10) == 0


@pytest.mark.parametrize("code", [0, 1, 31, 82, 255])
def test_exit_codes_come_through(world: World, code: int) -> None:
    async def answer(_kind: bytes, _variables: dict[bytes, bytes], fds: dict[int, int]) -> int:
        close_all(fds)
        return code

    with serving(world.path, answer):
        assert world.session() == code


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_comes_through(world: World, number: int) -> None:
    """A program that was killed looks so: "qq crashed"."""
    async def answer(_kind: bytes, _variables: dict[bytes, bytes], fds: dict[int, int]) -> int:
        close_all(fds)
        return -number

    with serving(world.path, answer):
        assert queue(world)[0] == -number


def queue(world: World, extra: int = 6, **more: str) -> tuple[int, bytes]:
    """Give a message as a caller does that reads words from a descriptor, 6 as a rule: exit code, words."""
    message, envelope, words = os.pipe(), os.pipe(), os.pipe()
    os.write(message[1], b"Subject: x\n\ny\n")
    os.write(envelope[1], b"Fa@b.c\0Tx@y.z\0\0")
    places = {0: message[0], 1: envelope[0], extra: words[1]}
    pid = os.posix_spawn(world.programs / "handoff-qqshim", ["bin/qqshim"], world.environment(**more), file_actions=[
        (os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in places.items()])
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    for fd in (*message, *envelope, words[1]):
        os.close(fd)
    with open(words[0], "rb") as said:
        return code, said.read()


def test_a_message(world: World) -> None:
    """Message, envelope, and whatever may be the channel for words, under their numbers."""
    got: list[bytes] = []

    async def refuse(kind: bytes, _variables: dict[bytes, bytes], fds: dict[int, int]) -> int:
        got.extend([kind, os.read(fds[0], 100), os.read(fds[1], 100), bytes(sorted(fds))])
        os.write(fds[6], b"Dno")
        close_all(fds)
        return 82

    with serving(world.path, refuse):
        assert queue(world) == (82, b"Dno")
    assert got == [b"q", b"Subject: x\n\ny\n", b"Fa@b.c\0Tx@y.z\0\0", b"\0\1\2\6"]


@pytest.mark.parametrize(("named", "extra", "numbers"), [
    ("57", 57, [0, 1, 2, 57]), ("6", 6, [0, 1, 2, 6]), ("2", 4, [0, 1, 2, 4]), ("-1", 6, [0, 1, 2, 6]), ("99", 6, [0, 1, 2, 6]),
    ("999999999999", 6, [0, 1, 2, 6]), ("x", 6, [0, 1, 2, 6]),
])
def test_error_fd(world: World, named: str, extra: int, numbers: list[int]) -> None:
    """What ERROR_FD names goes too, if it is there."""
    async def answer(_kind: bytes, variables: dict[bytes, bytes], fds: dict[int, int]) -> int:
        world.seen.append((b"", variables, sorted(fds)))
        close_all(fds)
        return 0

    with serving(world.path, answer):
        assert queue(world, extra, ERROR_FD=named)[0] == 0
    assert world.seen[0][2] == numbers
    assert world.seen[0][1][b"ERROR_FD"] == named.encode()


def test_no_service(world: World) -> None:
    """Nobody was ever there, or is there no more: the cold program, once, in the same process, without arguments."""
    assert world.session() == COLD
    world.path.parent.chmod(0o700)
    with serving(world.path, world.handler):
        pass
    assert world.session() == COLD
    assert queue(world)[0] == COLD_SHIM
    assert world.cold() == [f"{world.programs}/qsmtpd 0"] * 2 + [f"{world.programs}/qqshim 0"]


@pytest.mark.parametrize("service", ["", "x" * 200, "/etc/passwd", "/"])
def test_a_service_that_cannot_be(world: World, service: str) -> None:
    """An empty QSMTPD_SERVICE turns it off."""
    assert world.session(QSMTPD_SERVICE=service) == COLD


def test_an_environment_that_does_not_fit(world: World) -> None:
    """All or nothing: without RELAYCLIENT or QMAILQUEUE it would be another session."""
    with serving(world.path, world.handler):
        assert world.session(A="a" * 70_000, B="b" * 50_000) == 5
        assert world.session(A="a" * 70_000, B="b" * 70_000) == COLD


@pytest.mark.parametrize("what", ["pipes", "closed", "file"])
def test_a_session_that_is_no_connection(world: World, tmp_path: Path, what: str) -> None:
    """A75: sslserver gives two pipes; the cold program can work with them."""
    redirection = {"pipes": "| cat", "closed": "<&-", "file": f"<{tmp_path}/x"}[what]
    (tmp_path / "x").touch()
    with serving(world.path, world.handler):
        subprocess.run(["sh", "-c", f"echo | {world.programs}/handoff {redirection}"], check=False, timeout=30,
                       stdout=subprocess.DEVNULL, env=world.environment(PATH="/usr/bin:/bin"))
    assert world.cold() == [f"{world.programs}/qsmtpd 0"]
    assert not world.seen


def test_closed_descriptors_of_a_message(world: World) -> None:
    """A55: without a message or an envelope there is nothing to hand over; without descriptor 2 there is."""
    async def answer(_kind: bytes, _variables: dict[bytes, bytes], fds: dict[int, int]) -> int:
        world.seen.append((b"", {}, sorted(fds)))
        close_all(fds)
        return 0

    with serving(world.path, answer):
        for closed in ("0<&-", "1>&-", "2>&-"):
            subprocess.run(["sh", "-c", f'exec "$0" {closed}', world.programs / "handoff-qqshim"], stdin=subprocess.PIPE,
                           stdout=world.theirs, env=world.environment(), check=False, timeout=30)
    assert len(world.cold()) == 2
    assert [numbers for _, _, numbers in world.seen] == [[0, 1]]


class Raw:
    """A socket in the service's place that does what the test says, with each who comes."""

    def __init__(self, path: Path, answers: list[bytes]) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(5)
        self._answers = answers
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for answer in self._answers:
            connection, _ = self._listener.accept()
            _, fds, _, _ = socket.recv_fds(connection, 200_000, 9)
            for fd in fds:
                os.close(fd)
            connection.sendall(answer)
            connection.close()

    def close(self) -> None:
        self._thread.join(30)
        self._listener.close()


@pytest.mark.parametrize(("answer", "session", "message"), [(b"", COLD, COLD_SHIM), (b"+", 1, 71), (b"+\7", 7, 7)])
def test_a_service_that_dies(world: World, answer: bytes, session: int, message: int) -> None:
    """A75: before ACK the cold program does it; after ACK nobody does it a second time, and the caller comes again."""
    raw = Raw(world.path, [answer] * 2)
    assert world.session() == session
    assert queue(world)[0] == message
    raw.close()
    assert len(world.cold()) == (2 if not answer else 0)


def test_a_service_that_stands_still(world: World) -> None:
    """Ten seconds without ACK: the cold program, and the service cannot begin any more when it wakes up."""
    with serving(world.path, world.handler) as service:
        asleep = threading.Event()

        def sleep() -> None:
            asleep.set()
            time.sleep(11.5)

        service.call(sleep)
        asleep.wait()
        started = time.monotonic()
        assert world.session() == COLD
        assert 9.5 < time.monotonic() - started < 11.4
        time.sleep(2)
    assert not world.seen


@pytest.mark.parametrize("name", ["qsmtpd", "qqshim", "x", "handoff-x"])
def test_under_another_name(built: Path, tmp_path: Path, name: str) -> None:
    """It would become itself, for ever."""
    shutil.copy(built / "handoff", tmp_path / name)

    assert subprocess.run([tmp_path / name], check=False, timeout=10).returncode == 120


def test_no_cold_program(built: Path, tmp_path: Path) -> None:
    for name in ("handoff", "handoff-qqshim"):
        shutil.copy(built / name, tmp_path / name)
        assert subprocess.run([tmp_path / name], env={"QSMTPD_SERVICE": ""}, check=False, timeout=10).returncode == 120


def test_found_by_path_or_by_a_link(world: World, tmp_path: Path) -> None:
    """Neither argv[0] nor the name of a symbolic link decides what it is."""
    link = tmp_path / "qmail-smtpd"
    link.symlink_to(world.programs / "handoff")
    for argv, executable in ((["nonsense"], world.programs / "handoff"), ([str(link)], None)):
        with subprocess.Popen(
                argv, executable=executable, stdin=world.theirs, stdout=world.theirs, env=world.environment()) as process:
            assert process.wait(10) == COLD


IMPOSTER = """
import socket, sys
place = socket.socket(socket.AF_UNIX)
place.bind(sys.argv[1])
place.listen()
print(flush=True)
connection, _ = place.accept()
print(len(connection.recv(100)), flush=True)
"""


@pytest.mark.root
def test_other_users(world: World, tmp_path: Path) -> None:
    """A75: the service of root serves nobody but root; a service of nobody's is none for root."""
    let_others_in(tmp_path)
    with serving(world.path, world.handler):
        world.path.parent.chmod(0o777)
        world.path.chmod(0o666)
        assert world.session() == 5
        with subprocess.Popen([world.programs / "handoff"], stdin=world.theirs, stdout=world.theirs, env=world.environment(),
                              user=65534, group=65534, extra_groups=[]) as stranger:
            assert stranger.wait(10) == COLD
    world.path.unlink()
    with subprocess.Popen(["/usr/bin/python3", "-c", IMPOSTER, world.path], stdout=subprocess.PIPE, user=65534, group=65534,
                          extra_groups=[]) as imposter:
        assert imposter.stdout
        imposter.stdout.readline()
        assert world.session() == COLD
        assert imposter.stdout.read() == b"0\n"


def test_killed(world: World) -> None:
    """Whoever kills handoff ends the session."""
    ended = threading.Event()

    async def patient(_kind: bytes, _variables: dict[bytes, bytes], fds: dict[int, int]) -> int:
        try:
            await asyncio.sleep(60)
        finally:
            close_all(fds)
            ended.set()
        return 0

    with serving(world.path, patient) as service, subprocess.Popen(
            [world.programs / "handoff"], stdin=world.theirs, stdout=world.theirs, env=world.environment()) as process:
        wait_until(lambda: service.handed is not None and bool(service.handed.running))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert ended.wait(10)


def test_under_tcpserver(world: World, tmp_path: Path) -> None:
    """The real one: the client speaks with the service, which knows where he comes from."""
    port = free_port()
    argv = ["tcpserver", "-RHl0", "127.0.0.1", str(port), str(world.programs / "handoff")]
    environment = world.environment(PATH="/usr/bin:/bin")
    with (serving(world.path, world.handler), running(argv, tmp_path / "log", lambda: listens(port), env=environment),
          socket.create_connection(("127.0.0.1", port), 10) as client):
        assert client.recv(100) == b"220 warm\r\n"
        assert client.recv(100) == b""
        here = client.getsockname()[1]
    assert b"%d" % here in [variables[b"TCPREMOTEPORT"] for _, variables, _ in world.seen]


def test_small_and_quick(world: World) -> None:
    """A page of memory or two hundred, and about half a millisecond, most of it the kernel's for exec."""
    with serving(world.path, world.handler):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(100):
            pid = os.posix_spawn(world.programs / "handoff", ["handoff"], world.environment(), file_actions=[
                (os.POSIX_SPAWN_DUP2, world.theirs.fileno(), fd) for fd in (0, 1)])
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert spent / 100 < 0.004


def test_resident_memory(world: World) -> None:
    """At most 1 MiB, while it waits for the result."""
    most: list[int] = []

    async def look(_kind: bytes, _variables: dict[bytes, bytes], fds: dict[int, int]) -> int:
        close_all(fds)
        await asyncio.sleep(0.3)
        return 0

    with serving(world.path, look) as service, subprocess.Popen(
            [world.programs / "handoff"], stdin=world.theirs, stdout=world.theirs, env=world.environment()) as process:
        wait_until(lambda: service.handed is not None and bool(service.handed.running))
        status = Path(f"/proc/{process.pid}/status").read_text()
        most.append(int(status.partition("VmHWM:")[2].split()[0]))
    assert most[0] <= 1024


def test_no_warning_and_one_page() -> None:
    source = ROOT / "qsmtpd/handoff.c"
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror", "-D_FORTIFY_SOURCE=2"]
    subprocess.run(["cc", "-O2", *warnings, "-c", source, "-o", "/dev/null"], check=True)

    assert len(source.read_text().split("\n")) <= 101
    assert "alloc" not in source.read_text()
