"""What is different for a service of many messages: nobody waits for anybody else, and whoever goes away leaves nothing."""

import asyncio
import gc
import os
import resource
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import qqshim.service
from qqshim.service import Service
from qqshim.spool import Spool
from qsmtpd.qmail.control import Control
from tests.conftest import QmailHome
from tests.qqshim.callers import ENVELOPE, MESSAGE, NOTQMAIL, OURS, HandedShim, Shim, spawn
from tests.scanners import lying, read_instream
from tests.servers import wait_until

LARGE = MESSAGE + b"A line of the body.\n" * 40_000


class World:
    """A service on a loop of this process, its log, and its calls."""

    def __init__(self, home: QmailHome) -> None:
        self.home = home
        self.log: list[dict[str, object]] = []
        self._service: Service | None = None

    def service(self) -> Service:
        """To be called on the loop."""
        if self._service is None:
            self._service = Service(
                Control(str(self.home.control)), lambda event, pairs: self.log.append({"event": event, **dict(pairs)}), 0.0)
        return self._service

    async def call(self, message: int, envelope: int, words: int | None = None, **variables: str) -> int:
        """A message on descriptors of ours, which stay open."""
        environment = {b"PROTO": b"TCP", b"PATH": b"/usr/bin:/bin", b"QQNEXT": os.fsencode(self.home.path / "bin/qmail-queue")}
        environment |= {name.upper().encode(): value.encode() for name, value in variables.items()}
        given = {0: os.dup(message), 1: os.dup(envelope)} | ({} if words is None else {6: os.dup(words)})
        return await self.service()(environment, given, 4712)


@pytest.fixture
def world(qmail_home: QmailHome) -> World:
    return World(qmail_home)


@contextmanager
def pipes(*contents: bytes) -> Iterator[list[int]]:
    """For each a descriptor that it can be read from."""
    made = [os.pipe() for _ in contents]
    for (_, write), text in zip(made, contents, strict=True):
        os.write(write, text)
        os.close(write)
    try:
        yield [read for read, _ in made]
    finally:
        for read, _ in made:
            os.close(read)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("message", [MESSAGE, LARGE], ids=["memory", "disk"])
def test_files_and_sockets(world: World, tmp_path: Path, message: bytes) -> None:
    """Not only pipes; and no descriptor stays."""
    for name, text in (("message", message), ("envelope", ENVELOPE)):
        (tmp_path / name).write_bytes(text)

    async def both() -> list[int]:
        codes = []
        for _ in range(2):
            with (tmp_path / "message").open("rb") as file, (tmp_path / "envelope").open("rb") as envelope:
                codes.append(await world.call(file.fileno(), envelope.fileno()))
        ours, theirs = socket.socketpair()
        feeder = threading.Thread(target=lambda: (ours.sendall(message), ours.close()))
        feeder.start()
        with theirs, pipes(ENVELOPE) as (envelope_end,):
            codes.append(await world.call(theirs.fileno(), envelope_end))
        feeder.join()
        return codes

    async def counted() -> tuple[list[int], int, int]:
        await both()
        before = open_descriptors()
        return await both(), before, open_descriptors()
    codes, before, after = asyncio.run(counted())

    assert codes == [0, 0, 0]
    assert after == before
    assert [whole.endswith(message) for whole, _ in world.home.messages()] == [True] * 6


class Watch:
    """Of a loop in this thread: what it does at one go, and where the disk is waited for.

    longest  seconds that the thread computed for one callback
    on_disk  pieces that were written to a file of the disk in this thread
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.longest = 0.0
        self.on_disk = 0
        here, run = threading.get_ident(), asyncio.events.Handle._run

        def timed(handle: asyncio.events.Handle) -> None:
            before = time.thread_time()
            run(handle)
            self.longest = max(self.longest, time.thread_time() - before)

        def watched(work: Callable[[Spool, Any], None]) -> Callable[[Spool, Any], None]:
            def done(spool: Spool, what: Any) -> None:
                work(spool, what)
                self.on_disk += threading.get_ident() == here and not spool.has_room(0)
            return done
        monkeypatch.setattr(asyncio.events.Handle, "_run", timed)
        monkeypatch.setattr(Spool, "write", watched(Spool.write))
        monkeypatch.setattr(Spool, "append", watched(Spool.append))


def test_the_loop_is_never_late(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty messages at once, small ones, large ones, and one with twenty thousand recipients, each with a line in the log."""
    world.home.write("rules", 'not-addressed & size < 5000 quarantine\nvirus refuse\nsize > 1000 header "X-Large: yes"\n')
    world.home.write("quarantineto", "heap@bench.test")
    many = b"Fa@b\0" + b"".join(b"Tuser%d@bench.test\0" % number for number in range(20_000)) + b"\0"

    async def one(number: int, where: str) -> int:
        message, envelope = os.pipe(), os.pipe()

        def feed() -> None:
            for (_, write), text in ((message, LARGE if number % 2 else MESSAGE), (envelope, ENVELOPE if number else many)):
                with open(write, "wb") as pipe:
                    pipe.write(text)
        feeder = threading.Thread(target=feed)
        feeder.start()
        code = await world.call(message[0], envelope[0], clamd=where)
        feeder.join()
        os.close(message[0])
        os.close(envelope[0])
        return code

    async def all_at_once(where: str) -> list[int]:
        return await asyncio.gather(*[one(number, where) for number in range(20)])

    def clean(peer: socket.socket) -> None:
        read_instream(peer)
        time.sleep(0.2)
        peer.sendall(b"stream: OK\0")

    with lying(tmp_path / "clamd", clean) as server:
        asyncio.run(one(1, server.unix))  # what is imported is there, as in a service that has begun
        gc.collect()
        gc.freeze()  # as a worker does, or it would be the tests before this one that are collected
        watch = Watch(monkeypatch)
        assert asyncio.run(all_at_once(server.unix)) == [0] * 20
        gc.unfreeze()
    assert len(world.home.messages()) == 21
    assert sum(line["event"] == "aside" for line in world.log) == 20_000 + 9
    assert watch.on_disk == 0
    assert watch.longest < 0.01


def test_who_goes_away_leaves_nothing(world: World, tmp_path: Path) -> None:
    """Cancelled while it reads, while a scanner has the message, while the next program runs: killed, closed, not queued."""
    world.home.queue_program(f'touch {tmp_path}/begun; sleep 30; mv "$d" "${{d%.part}}"')
    silent = threading.Event()

    async def cancelled(until: Callable[[], bool], message: int, envelope: int, **settings: str) -> None:
        task = asyncio.ensure_future(world.call(message, envelope, **settings))
        await asyncio.sleep(0.05)
        while not until():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def each(where: str) -> tuple[int, int]:
        before = 0
        for _ in range(2):
            read, write = os.pipe()
            await cancelled(lambda: True, read, read)
            os.close(read)
            os.close(write)
            silent.clear()
            with pipes(MESSAGE, ENVELOPE) as (message, envelope):
                await cancelled(silent.is_set, message, envelope, clamd=where)
            with pipes(MESSAGE, ENVELOPE) as (message, envelope):
                await cancelled((tmp_path / "begun").exists, message, envelope)
            (tmp_path / "begun").unlink()
            await asyncio.sleep(0.1)
            before, after = before or open_descriptors(), open_descriptors()
        return before, after

    def stand_still(peer: socket.socket) -> None:
        read_instream(peer)
        silent.set()
        peer.recv(1)

    with lying(tmp_path / "clamd", stand_still) as server:
        before, after = asyncio.run(each(server.unix))
    assert before == after
    assert world.home.messages() == []


def test_a_channel_that_takes_nothing(world: World) -> None:
    """A caller that does not read: the code that needs no words, and nobody waits for him."""
    world.home.write("rules", "size > 1 refuse\n")
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 65536)
    except BlockingIOError:
        os.set_blocking(write, True)

    async def call() -> tuple[int, int]:
        with pipes(MESSAGE, ENVELOPE) as given:
            full = await world.call(*given, write)
        os.read(read, 65536)
        with pipes(MESSAGE, ENVELOPE) as given:
            return full, await world.call(*given, write)
    assert asyncio.run(call()) == (31, 82)
    os.close(read)
    os.close(write)


def test_a_day_is_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qqshim.service, "LIFETIME", 0.1)
    read, write = os.pipe()

    assert asyncio.run(world.call(read, read)) == 52
    assert world.log[-1]["why"] == b"not done within a day"
    os.close(read)
    os.close(write)


def test_so_many_programs_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others wait for one to end, and not for ever."""
    monkeypatch.setattr(qqshim.service, "PROGRAMS", 1)
    monkeypatch.setattr(qqshim.service, "PATIENCE", 0.6)
    world.home.queue_program('cat > "$d/message"; cat <&1 > "$d/envelope"; sleep 0.4; mv "$d" "${d%.part}"')

    async def three() -> list[int]:
        with pipes(*[MESSAGE, ENVELOPE] * 3) as given:
            return await asyncio.gather(*[world.call(*given[place:place + 2]) for place in (0, 2, 4)])
    assert sorted(asyncio.run(three())) == [0, 0, 71]
    assert len(world.home.messages()) == 2
    assert [line["why"] for line in world.log if line["verdict"] == b"failed"] == [b"too many messages at the moment"]


def test_no_room_for_descriptors(world: World) -> None:
    """A138: temporary."""
    async def call() -> int:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with pipes(MESSAGE, ENVELOPE) as (message, envelope):
            world.service()
            resource.setrlimit(resource.RLIMIT_NOFILE, (open_descriptors() + 3, hard))
            try:
                return await world.call(message, envelope)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert asyncio.run(call()) in (51, 53, 81)
    assert world.home.messages() == []


def test_a_bug_is_temporary(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(qqshim.service.Warm, "recognize", broken)
    with pipes(MESSAGE, ENVELOPE) as (message, envelope):
        assert asyncio.run(world.call(message, envelope)) == 81
    assert str(world.log[0]["why"]).startswith("b'ZeroDivisionError: ")


# With handoff-qqshim, and the service in another process

def test_a_little_memory(handed: Shim) -> None:
    """The budget is 1 MiB for who waits."""
    sizes: list[int] = []

    def look(pid: int) -> None:
        time.sleep(0.2)
        sizes.append(int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]))
        os.close(held)

    read, held = os.pipe()
    handed(extra={1: read}, during=look)
    os.close(read)
    assert sizes[0] <= 1024


def test_thirty_megabytes(handed: HandedShim, qmail_home: QmailHome, tmp_path: Path) -> None:
    """A32: the service does not grow with the message, also while a scanner reads."""
    message = b"Subject: " + b"x" * 20_000_000 + b"\n\n" + b"A line of the body.\n" * 500_000
    service = int(subprocess.run(
        ["pgrep", "-f", handed.environment["QSMTPD_SERVICE"]], capture_output=True, check=True).stdout.split()[0])

    def peak() -> int:
        return int(Path(f"/proc/{service}/status").read_text().partition("VmHWM:")[2].split()[0])

    def clean(peer: socket.socket) -> None:
        read_instream(peer)
        peer.sendall(b"stream: OK\0")

    assert handed().reply == (250, "ok")
    before = peak()
    with lying(tmp_path / "s", clean) as server:
        assert handed(message, clamd=server.unix).reply == (250, "ok")
    assert peak() - before < 8192
    assert qmail_home.messages()[-1][0].endswith(message)


def test_what_the_next_program_finds(handed: Shim, qmail_home: QmailHome) -> None:
    """A143: three descriptors and the caller's channel, default signals, no QMAILQUEUE, our directory, and no group of ours."""
    qmail_home.queue_program(
        'ls /proc/self/fd > "$d/fds"; grep SigIgn /proc/self/status > "$d/signals"; env > "$d/env"; pwd > "$d/pwd"; '
        'cat > "$d/message"; cat <&1 > "$d/envelope"; echo -n said >&6; mv "$d" "${d%.part}"')
    called = handed(LARGE, family=NOTQMAIL, QQTAGS="vip")
    (place,) = qmail_home.queued.iterdir()

    assert called.reply == (250, "ok")
    assert called.words == b"said"
    assert (place / "fds").read_text().split() == ["0", "1", "2", "3", "6"], "3 is the directory that ls reads"
    assert int((place / "signals").read_text().split()[1], 16) & (1 << 12 | 1 << 24) == 0
    variables = dict(line.split("=", 1) for line in (place / "env").read_text().split("\n") if "=" in line)
    assert not {"QMAILQUEUE", "QQTAGS"}.intersection(variables)
    assert (place / "pwd").read_text().strip() == str(qmail_home.path)


@pytest.mark.parametrize("chain", ["handed", "cold and handed"])
def test_chains_that_lead_back(handed: Shim, cold: Shim, chain: str) -> None:
    """By whatever way: else they would go round until the end of time."""
    first = handed if chain == "handed" else cold
    environment = {"QSMTPD_SERVICE": handed.environment["QSMTPD_SERVICE"]}
    called = first(qqnext=handed.argv[0], **environment)

    assert called.exit_code == 55


def test_the_mark_of_another_message_is_none(handed: Shim) -> None:
    """A daemon that a next program has started may send mail of its own, with what it has inherited."""
    assert handed(QQSHIM_PID="1").reply == (250, "ok")


def test_the_service_dies(handed: HandedShim, qmail_home: QmailHome) -> None:
    """Then 71, the sender's server tries again; never both a refusal and a message."""
    service = int(subprocess.run(
        ["pgrep", "-f", handed.environment["QSMTPD_SERVICE"]], capture_output=True, check=True).stdout.split()[0])
    message, envelope = os.pipe(), os.pipe()
    pid = spawn(handed.argv, handed.environment, {0: message[0], 1: envelope[0]}, closed=(2, 4, 6))
    os.write(message[1], MESSAGE)
    wait_until(lambda: len(os.listdir(f"/proc/{service}/fd")) > 10)
    time.sleep(0.1)
    os.kill(service, 9)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    for fd in (*message, *envelope):
        os.close(fd)

    assert code == 71
    assert qmail_home.messages() == []
    assert handed(family=OURS).exit_code == 120, "nobody is there, and nothing beside it that could do the work"
