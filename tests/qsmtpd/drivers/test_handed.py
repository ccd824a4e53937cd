"""The hand-off's socket: who is listened to, what is taken, and that nothing is begun twice or half."""

import array
import asyncio
import errno
import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsmtpd.drivers import handed
from qsmtpd.drivers.handed import ENVIRONMENT_MAX, HEAD, HandedError, environment, fitting, listening
from tests.handoffs import Service, close_all, serving
from tests.servers import wait_until

Call = tuple[bytes, dict[bytes, bytes], list[int]]


class World:
    """A service that notes its calls and answers 7; and a client's end of its socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.calls: list[Call] = []
        self.service: Service

    async def handler(self, kind: bytes, variables: dict[bytes, bytes], fds: dict[int, int]) -> int:
        self.calls.append((kind, variables, sorted(fds)))
        close_all(fds)
        return 7

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(10)
        try:
            client.connect(str(self.path))
        except OSError:
            client.close()
            raise
        return client

    def say(self, data: bytes, fds: list[int]) -> bytes:
        """What comes back, up to the end."""
        with self.connect() as client:
            try:
                send(client, data, fds)
            except BrokenPipeError:
                pass
            return rest(client)


def send(client: socket.socket, data: bytes, fds: list[int]) -> None:
    client.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])


def rest(client: socket.socket) -> bytes:
    answer = b""
    try:
        while piece := client.recv(100):
            answer += piece
    except ConnectionResetError:
        pass
    return answer


def message(kind: bytes = b"s", numbers: bytes = b"\0", block: bytes = b"A=1\0", version: bytes = b"1") -> bytes:
    return HEAD.pack(version, kind, len(numbers), numbers.ljust(9, b"\0"), len(block)) + block


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "frontline/service")
    with serving(made.path, made.handler, 1.0) as made.service:
        yield made


@pytest.fixture
def connection() -> Iterator[int]:
    one, other = socket.socketpair()
    with one, other:
        yield one.fileno()


def settled(before: set[str]) -> None:
    """As many descriptors are open as before."""
    wait_until(lambda: set(os.listdir("/proc/self/fd")) == before, 5)


def test_a_session(world: World, connection: int) -> None:
    before = set(os.listdir("/proc/self/fd"))

    assert world.say(message(), [connection]) == b"+\x07"
    assert world.calls[0][0] == b"s"
    assert world.calls[0][1][b"A"] == b"1"
    assert world.calls[0][2] == [0]
    settled(before)


def test_a_message(world: World, connection: int) -> None:
    pipe = os.pipe()
    assert world.say(message(b"q", b"\0\1\2\6"), [pipe[0], connection, 2, pipe[1]]) == b"+\x07"
    assert world.calls[0][2] == [0, 1, 2, 6]
    for fd in pipe:
        os.close(fd)


def test_byte_by_byte(world: World, connection: int) -> None:
    with world.connect() as client:
        data = message(block=b"A=1\0B=2\0")
        send(client, data[:1], [connection])
        for byte in data[1:-1]:
            client.send(bytes([byte]))
            assert not world.calls
        client.send(data[-1:])
        assert rest(client) == b"+\x07"


def test_a_large_environment(world: World, connection: int) -> None:
    """All of it; one byte more is not taken, for a part of an environment says something else."""
    block = b"".join(b"V%05d=%b\0" % (number, b"x" * 100) for number in range(1200))
    block += b"Z=" + b"z" * (ENVIRONMENT_MAX - len(block) - 3) + b"\0"
    assert len(block) == ENVIRONMENT_MAX

    assert world.say(message(block=block), [connection]) == b"+\x07"
    assert len([name for name in world.calls[0][1] if name[:1] in (b"V", b"Z")]) == 1201
    assert world.say(message(block=block + b"\0"), [connection]) == b""


BAD = {
    "another version": (message(version=b"2"), 1),
    "another kind": (message(kind=b"x"), 1),
    "a count too high": (HEAD.pack(b"1", b"q", 200, b"\0\1", 4) + b"A=1\0", 2),
    "no descriptor": (message(), 0),
    "a descriptor too many": (message(), 2),
    "a number too many": (message(numbers=b"\0\1"), 1),
    "another number": (message(numbers=b"\1"), 1),
    "the same number twice": (message(b"q", b"\0\1\1"), 3),
    "a message without its envelope": (message(b"q", b"\0\2"), 2),
    "bytes behind it": (message() + b"x", 1),
    "an environment that does not end": (message(block=b"A=1"), 1),
    "ten descriptors": (message(), 10),
    "two hundred": (message(), 200),
}


@pytest.mark.parametrize(("data", "count"), BAD.values(), ids=BAD)
def test_what_is_not_taken(world: World, connection: int, data: bytes, count: int) -> None:
    """A75: no ACK, nothing begun, no descriptor kept, and the next is served."""
    before = set(os.listdir("/proc/self/fd"))

    assert world.say(data, [connection] * count) == b""
    assert not world.calls
    settled(before)
    assert world.say(message(), [connection]) == b"+\x07"


@pytest.mark.parametrize("what", ["pipe", "file", "directory", "datagram", "listener"])
def test_a_session_is_a_connection(world: World, tmp_path: Path, what: str) -> None:
    """A75: a descriptor of something else."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener = socket.create_server(("127.0.0.1", 0))
    pipe = os.pipe()
    fd = {"pipe": pipe[0], "file": os.open(tmp_path / "file", os.O_CREAT), "directory": os.open(tmp_path, os.O_RDONLY),
          "datagram": one.fileno(), "listener": listener.fileno()}[what]

    assert world.say(message(), [fd]) == b""
    assert not world.calls
    for each in (one, other, listener):
        each.close()
    for each_fd in pipe:
        os.close(each_fd)


@pytest.mark.parametrize("what", ["directory", "/dev/null"])
def test_a_message_is_data(world: World, tmp_path: Path, what: str) -> None:
    fd = os.open(tmp_path if what == "directory" else what, os.O_RDONLY)

    assert world.say(message(b"q", b"\0\1"), [fd, fd]) == b""
    os.close(fd)


def test_who_falls_silent_is_sent_away(world: World, connection: int) -> None:
    before = set(os.listdir("/proc/self/fd"))
    started = time.monotonic()
    with world.connect() as client:
        send(client, message()[:10], [connection])
        assert rest(client) == b""
    assert 0.9 < time.monotonic() - started < 5
    settled(before)


def test_nothing_begins_for_who_waits_no_more(world: World, connection: int) -> None:
    """handoff has given up waiting for ACK and become the cold program: there would be two sessions on one connection."""
    with world.connect() as client:
        send(client, message()[:-1], [connection])
        client.shutdown(socket.SHUT_RD)
        client.send(message()[-1:])
        wait_until(lambda: world.service.handed is not None and not world.service.handed.waiting)
        time.sleep(0.1)
    assert not world.calls


def test_too_many_who_wait(world: World, connection: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handed, "WAITING_MAX", 3)
    silent = [world.connect() for _ in range(5)]
    wait_until(lambda: world.service.handed is not None and len(world.service.handed.waiting) == 3)

    assert world.say(message(), [connection]) == b""
    for each in silent:
        each.close()
    wait_until(lambda: world.service.handed is not None and not world.service.handed.waiting)
    assert world.say(message(), [connection]) == b"+\x07"


@pytest.mark.parametrize(("kind", "numbers", "code"), [(b"s", b"\0", 1), (b"q", b"\0\1", 71)])
def test_a_fault_is_temporary(tmp_path: Path, connection: int, kind: bytes, numbers: bytes, code: int) -> None:
    """And told to the log."""
    async def broken(_kind: bytes, _variables: dict[bytes, bytes], fds: dict[int, int]) -> int:
        close_all(fds)
        raise ValueError("of ours")

    world = World(tmp_path / "frontline/service")
    with serving(world.path, broken) as service:
        assert world.say(message(kind, numbers), [connection] * len(numbers)) == b"+" + bytes([code])
        assert "ValueError: of ours" in str(service.log)


def test_so_many_messages_at_once(tmp_path: Path, connection: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes when there is no room for a message does the work himself; sessions are another matter."""
    monkeypatch.setattr(handed, "MESSAGES_MAX", 2)
    goes_on = threading.Event()

    async def patient(_kind: bytes, _variables: dict[bytes, bytes], fds: dict[int, int]) -> int:
        close_all(fds)
        while not goes_on.is_set():
            await asyncio.sleep(0.01)
        return 0

    world = World(tmp_path / "frontline/service")
    with serving(world.path, patient) as service:
        clients = [world.connect() for _ in range(2)]
        for client in clients:
            send(client, message(b"q", b"\0\1"), [connection] * 2)
            assert client.recv(1) == b"+"
        assert world.say(message(b"q", b"\0\1"), [connection] * 2) == b""
        with world.connect() as session:
            send(session, message(), [connection])
            assert session.recv(1) == b"+"
            goes_on.set()
            assert [client.recv(1) for client in (*clients, session)] == [b"\0"] * 3
        for client in clients:
            client.close()
        wait_until(lambda: service.handed is not None and service.handed.messages == 0)
        assert world.say(message(b"q", b"\0\1"), [connection] * 2) == b"+\0"


def test_the_process_of_handoff_is_known(tmp_path: Path, connection: int) -> None:
    """By its number the caller calls the message; the kernel says it."""
    async def told(_variables: dict[bytes, bytes], fds: dict[int, int], pid: int) -> int:
        close_all(fds)
        return pid == os.getpid()

    async def served() -> bytes:
        listens = listening(str(tmp_path / "frontline/service"))
        taken = handed.Handed(listens, {b"q": told}, lambda *_: None)
        taken.start()
        said = await asyncio.to_thread(World(tmp_path / "frontline/service").say, message(b"q", b"\0\1"), [connection] * 2)
        taken.close()
        return said
    (tmp_path / "frontline").mkdir(mode=0o700)
    assert asyncio.run(served()) == b"+\1"


def test_a_handoff_that_dies_ends_its_session(tmp_path: Path, connection: int) -> None:
    """Once: what the handler does on its way out is not disturbed."""
    heard: list[str] = []

    async def patient(_kind: bytes, _variables: dict[bytes, bytes], fds: dict[int, int]) -> int:
        close_all(fds)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.2)
            heard.append("ended")
        return 0

    world = World(tmp_path / "frontline/service")
    with serving(world.path, patient) as service:
        with world.connect() as client:
            send(client, message(), [connection])
            assert client.recv(1) == b"+"
        wait_until(lambda: heard == ["ended"], 5)
        wait_until(lambda: service.handed is not None and not service.handed.running)


def test_a_service_that_ends(world: World, connection: int) -> None:
    """Who has no ACK yet is sent away at once; who comes later is refused by the kernel."""
    with world.connect() as client:
        send(client, message()[:5], [connection])
        wait_until(lambda: world.service.handed is not None and bool(world.service.handed.waiting))
        world.service.stop()
        assert rest(client) == b""
    with pytest.raises(ConnectionRefusedError):
        world.connect()


def test_no_descriptor_left_to_accept_with(world: World, connection: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A138: a pause, not a busy loop; then it goes on."""
    monkeypatch.setattr(handed, "ACCEPT_PAUSE", 0.3)
    service = world.service
    assert service.handed is not None
    real = service.handed._listener
    tries: list[int] = []

    class Full:
        """A listener that says EMFILE three times."""

        def fileno(self) -> int:
            return real.fileno()

        def close(self) -> None:
            real.close()

        def accept(self) -> object:
            tries.append(1)
            if len(tries) <= 3:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return real.accept()

    service.handed._listener = Full()  # type: ignore[assignment]
    started = time.monotonic()
    assert world.say(message(), [connection]) == b"+\x07"
    assert time.monotonic() - started > 0.8
    assert len(service.log) == 3


def test_the_socket_is_ours_alone(tmp_path: Path) -> None:
    """A75"""
    place = tmp_path / "frontline"
    place.mkdir(mode=0o700)
    with listening(str(place / "service")):
        assert stat.S_IMODE((place / "service").stat().st_mode) == 0o600
        with pytest.raises(FileExistsError):
            listening(str(place / "service"))
    with listening(str(place / "service")):  # the old one was nobody's any more
        pass


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o1777])
def test_a_directory_that_others_get_into(tmp_path: Path, mode: int) -> None:
    place = tmp_path / "frontline"
    place.mkdir()
    place.chmod(mode)

    with pytest.raises(PermissionError, match="0700"):
        listening(str(place / "service"))
    assert not list(place.iterdir())


@pytest.mark.root
def test_a_directory_of_somebody_else(tmp_path: Path) -> None:
    place = tmp_path / "frontline"
    place.mkdir(mode=0o700)
    os.chown(place, 65534, 65534)

    with pytest.raises(PermissionError):
        listening(str(place / "service"))


def test_something_else_in_the_sockets_place(tmp_path: Path) -> None:
    """It is not removed."""
    place = tmp_path / "frontline"
    place.mkdir(mode=0o700)
    (place / "service").write_text("somebody's")

    with pytest.raises(FileExistsError, match="not a socket"):
        listening(str(place / "service"))
    assert (place / "service").read_text() == "somebody's"


def test_what_is_for_us_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """A75: a forged environment cannot lead us to other files or other code; the rest is as tcpserver set it."""
    for name in ("CONTROLDIR", "LD_PRELOAD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QMAILHOME", "/our/home")
    monkeypatch.setenv("TCPREMOTEIP", "ours")
    block = (b"QMAILHOME=/evil\0CONTROLDIR=/evil\0LD_PRELOAD=/evil\0LD_LIBRARY_PATH=/evil\0PYTHONPATH=/evil\0PYTHONHOME=/evil\0"
             b"PATH=/evil\0TCPREMOTEIP=192.0.2.1\0TCPREMOTEIP=second\0RELAYCLIENT=\0ODD\0=x\0TCPREMOTEHOST=a=b\xff\n\0")
    found = environment(block, len(block))

    assert b"/evil" not in found.values()
    assert found[b"QMAILHOME"] == b"/our/home"
    assert found[b"PATH"] == os.environb[b"PATH"]
    assert (found[b"TCPREMOTEIP"], found[b"RELAYCLIENT"], found[b"TCPREMOTEHOST"]) == (b"192.0.2.1", b"", b"a=b\xff\n")
    assert not {b"ODD", b""} & set(found)


@given(st.dictionaries(st.binary(min_size=1, max_size=8).filter(lambda name: not {0, 61} & set(name)),
                       st.binary(max_size=8).filter(lambda value: 0 not in value)))
def test_every_environment_comes_through(variables: dict[bytes, bytes]) -> None:
    block = b"".join(b"T%b=%b\0" % pair for pair in variables.items())

    assert {b"T" + name: value for name, value in variables.items()}.items() <= environment(block, len(block)).items()


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_an_environment_or_an_error(block: bytes) -> None:
    try:
        found = environment(block, len(block))
    except HandedError:
        assert block[-1:] != b"\0"
    else:
        assert not block or block[-1:] == b"\0"
        assert b"" not in found


@given(st.binary(max_size=9), st.lists(st.integers(0, 2), max_size=9))
def test_any_numbers_are_right_or_an_error(numbers: bytes, fds: list[int]) -> None:
    """Every one that is taken has its place."""
    try:
        found = fitting(b"q", numbers, fds)
    except HandedError:
        return
    assert {0, 1} <= set(found)
    assert len(found) == len(fds)


def test_the_head_is_sixteen_bytes() -> None:
    """As in handoff.c: twelve characters, and a number at its natural place."""
    assert HEAD.size == 12 + struct.calcsize("I") == 16
