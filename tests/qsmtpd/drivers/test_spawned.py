"""Queue programs of many sessions at once: the same outcomes as for one session, few at a time, and nothing left over."""

import asyncio
import errno
import gc
import os
import posix
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from qsmtpd.drivers import spawned
from qsmtpd.drivers.blockingqueue import BlockingQueue
from qsmtpd.drivers.spawned import Room, SpawnedQueue
from qsmtpd.qmail import queue
from qsmtpd.qmail.outcome import Outcome
from qsmtpd.rules.atonce import complete
from tests.budgets import budget
from tests.byhand import Stepped, by_hand, together
from tests.queueprograms import ENVELOPE, PROGRAMS, QUEUED, READ_ALL, RECIPIENTS, SENDER, Program, Reply
from tests.servers import wait_until

ENVIRONMENT = {b"PATH": b"/usr/bin:/bin"}
BUSY = (451, "4.3.2", ("too many messages at the moment",))


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    """Makes an executable shell script; returns its path."""
    def make(text: str) -> str:
        path = tmp_path / f"program{len(list(tmp_path.glob('program*')))}"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return make


Script = Callable[[str], str]


@pytest.fixture(autouse=True, scope="module")
def first_loop() -> None:
    """What the first loop of a process opens for all others is nobody's leak."""
    by_hand(lambda: asyncio.sleep(0))


def shown(outcome: Outcome) -> Reply:
    return outcome.code, outcome.status, outcome.lines


def spawning(program: str, room: Room | None = None, told: list[tuple[str, object]] | None = None) -> SpawnedQueue:
    log = told if told is not None else []
    return SpawnedQueue(
        room or Room(10, budget()), program, "holding", lambda: ENVIRONMENT, lambda event, pairs: log.append((event, pairs)))


async def give(to: Any, message: bytes = b"x\n", recipients: list[bytes] = RECIPIENTS) -> Reply:
    await to.open({}, False)
    for start in range(0, len(message), 50_000):
        await to.write(message[start:start + 50_000])
    return shown(await to.finish(SENDER, recipients))


def descriptors() -> set[str]:
    gc.collect()  # what other tests have left open is closed now, not in the midst of one
    return set(os.listdir("/proc/self/fd"))


def children() -> list[str]:
    """The process ids of our children, zombies too, but for the scanners that run while all tests do."""
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [pid for pid in found if Path(f"/proc/{pid}/comm").read_text().strip() not in ("clamd", "spamd")]


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.parametrize("driver", ["blocking", "spawned"])
def test_every_program(script: Script, driver: str, program: Program) -> None:
    """A10, A44, A52, A140, A143: the two drivers cannot be told apart by what the client is told."""
    before = descriptors()
    path = script(program.body)
    started = time.monotonic()
    if driver == "blocking":
        reply = complete(give(BlockingQueue(path, path), program.message, program.recipients))
    else:
        reply = by_hand(lambda: give(spawning(path), program.message, program.recipients))

    assert reply == program.reply
    assert time.monotonic() - started < 10
    assert descriptors() == before
    assert not children()


def test_what_the_program_sees(script: Script, tmp_path: Path) -> None:
    """Message, envelope, and the environment of its connection, not that of the process."""
    place = tmp_path / "queued"
    program = script(
        f"cd {tmp_path}; cat >queued.message; cat <&1 >queued.envelope\n"
        "cat /proc/self/environ >queued.environ; echo $$ >queued.pid")
    one = SpawnedQueue(Room(1, budget()), "usual", program, lambda: {
        **ENVIRONMENT, b"TCPREMOTEHOST": b"odd\xff\nname", b"QMAILQUEUE": b"bin/qqshim"}, lambda *_: None)

    async def check() -> Outcome:
        await one.open({b"QQTAGS": b"3"}, True)
        await one.write(b"Subject: x\n\n")
        await one.write(b"")
        await one.write(b"body\0\xff\r\n")
        return await one.finish(SENDER, RECIPIENTS)

    assert shown(by_hand(check)) == QUEUED
    assert Path(f"{place}.message").read_bytes() == b"Subject: x\n\nbody\0\xff\r\n"
    assert Path(f"{place}.envelope").read_bytes() == ENVELOPE
    assert int(Path(f"{place}.pid").read_text()) == one.number
    variables = set(Path(f"{place}.environ").read_bytes().split(b"\0"))
    assert {b"QQREPLY=6", b"QQTAGS=3", b"TCPREMOTEHOST=odd\xff\nname"} <= variables
    assert not [each for each in variables if each.startswith((b"QMAILQUEUE=", b"HOME="))]


@pytest.mark.parametrize("what", ["missing", "not executable", "no interpreter"])
def test_no_program(tmp_path: Path, what: str) -> None:
    """A138, A140: temporary, with the reason in the log, and its place is free again."""
    program = tmp_path / "program"
    if what != "missing":
        program.write_text("#!/nowhere/at/all\n")
        program.chmod(0o755 if what == "no interpreter" else 0o644)
    room, log = Room(1, budget()), list[tuple[str, object]]()
    before = descriptors()

    async def check() -> list[Reply]:
        one = spawning(str(program), room, log)
        return [await give(one), await give(one)]

    assert by_hand(check) == [(451, "4.3.0", ("unable to exec qq",))] * 2
    assert [event for event, _ in log] == ["fault", "fault"]
    assert str(program) in str(log[0])
    assert descriptors() == before


@pytest.mark.parametrize("function", ["pipe", "posix_spawn", "pidfd_open"])
def test_no_room_for_a_process(script: Script, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    """A138: EMFILE, EAGAIN: temporary, and neither a descriptor nor a process is left."""
    def fail(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    before = descriptors()
    monkeypatch.setattr(posix, function, fail)

    assert by_hand(lambda: give(spawning(script("exec sleep 60")))) == (451, "4.3.0", ("unable to exec qq",))
    assert descriptors() == before
    assert not children()


def test_a_hundred_at_once_ten_at_a_time(script: Script, tmp_path: Path) -> None:
    """Never more than ten, all of them served; a slow client is none of the ten."""
    program = script(f"cd {tmp_path}; touch run.$$; ls | grep -c run. >>seen; {READ_ALL}; sleep 0.02; rm run.$$")
    room = Room(10, budget())
    before = descriptors()

    async def check() -> list[Reply]:
        slow = spawning(program, room)
        await slow.open({}, False)
        await slow.write(b"a message that never ends")
        replies = await together(*[give(spawning(program, room), b"x" * (size % 3 * 150_000)) for size in range(100)])
        await slow.abort()
        return replies

    assert by_hand(check) == [QUEUED] * 100
    seen = [int(line) for line in (tmp_path / "seen").read_text().split()]
    assert len(seen) == 100
    assert 2 <= max(seen) <= 10
    assert descriptors() == before
    assert not children()


def test_who_waits_too_long_is_told_to_come_again(script: Script) -> None:
    room = Room(1, budget(), patience=0.2)

    async def check() -> list[Reply]:
        replies = await together(*[give(spawning(script(f"{READ_ALL}; sleep 0.8"), room)) for _ in range(3)])
        return [*replies, await give(spawning(script(READ_ALL), room))]

    assert by_hand(check) == [QUEUED, BUSY, BUSY, QUEUED]


def test_the_order_is_that_of_arrival(script: Script, tmp_path: Path) -> None:
    room = Room(1, budget())
    program = script(f"cat >>{tmp_path}/order; cat <&1 >/dev/null")

    by_hand(lambda: together(*[give(spawning(program, room), b"%d\n" % each) for each in range(10)]))
    assert (tmp_path / "order").read_text().split() == [str(each) for each in range(10)]


@pytest.mark.parametrize("size", [1, 1_000_000])
@pytest.mark.parametrize("body", [
    "exec sleep 60",
    "exec 6>&-; exec sleep 60",
    "exec cat /dev/zero >&6",
    "trap '' TERM INT HUP; while :; do read line || sleep 1; done",
])
def test_a_program_that_never_ends(script: Script, monkeypatch: pytest.MonkeyPatch, body: str, size: int) -> None:
    """Others are served meanwhile; at the end of its time it is killed."""
    monkeypatch.setattr(queue, "LIFETIME", 1.0)
    before = descriptors()

    async def check() -> list[Reply]:
        return await together(give(spawning(script(body)), b"x" * size), *[give(spawning(script(READ_ALL))) for _ in range(3)])

    assert by_hand(check) == [(451, "4.3.0", ("qq crashed",)), QUEUED, QUEUED, QUEUED]
    assert descriptors() == before
    assert not children()


def test_abort(script: Script, tmp_path: Path) -> None:
    """A10: nothing is started, and the number looks like any other."""
    async def check() -> tuple[int, int]:
        room = Room(1, budget())
        await give(spawning(script(READ_ALL), room))
        one = spawning(script(f"echo >{tmp_path}/started"), room)
        await one.open({}, False)
        await one.write(b"half a mess")
        await one.abort()
        await one.abort()
        return one.number, room.last

    number, last = by_hand(check)
    assert number == last + 1
    assert not (tmp_path / "started").exists()


def interrupted(script: Script, body: str, size: int, how: str) -> Callable[[], Coroutine[Any, Any, Reply]]:
    """Somebody gives a message and is stopped in the middle of it, then another uses the only place that there is."""
    program, after = script(body), script(READ_ALL)

    async def check() -> Reply:
        room = Room(1, budget())
        if how == "task":
            task = asyncio.create_task(give(spawning(program, room), b"x" * size))
            await asyncio.sleep(0.3)
            task.cancel()
        else:
            stepped = Stepped(give(spawning(program, room), b"x" * size))
            await asyncio.sleep(0.3)
            stepped.throw(ConnectionError())
            with pytest.raises(ConnectionError):
                await stepped.end
        return await give(spawning(after, room))

    return check


@pytest.mark.parametrize("how", ["task", "by hand"])
@pytest.mark.parametrize("size", [1, 1_000_000])
@pytest.mark.parametrize("body", ["exec sleep 60", "sleep 0.5; cat >/dev/null; cat <&1 >$0.envelope"])
def test_who_waits_is_stopped(
        script: Script, monkeypatch: pytest.MonkeyPatch, *, body: str, size: int, how: str) -> None:
    """The program is killed if it does not end by itself, reaped, and its place is free."""
    monkeypatch.setattr(spawned, "FAREWELL", 1.0)
    before = descriptors()

    assert by_hand(interrupted(script, body, size, how)) == QUEUED
    assert descriptors() == before
    wait_until(lambda: not children())


def test_a_disk_that_is_full(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """A137: a large message cannot be kept: temporary, no program is started, the log says why."""
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.TemporaryFile", fail)
    log: list[tuple[str, object]] = []

    assert by_hand(lambda: give(spawning(script(READ_ALL), None, log), b"x" * 600_000)) == (
        451, "4.3.0", ("qq write error or disk full",))
    assert "No space left" in str(log)
    assert len(log) == 1


def test_no_memory(script: Script, tmp_path: Path) -> None:
    """A138: temporary, no program is started, and the next one has the room that this one had."""
    room, log = Room(10, budget(40_000)), list[tuple[str, object]]()
    program = script(f"{READ_ALL}; echo >>{tmp_path}/started")

    async def check() -> list[Reply]:
        one = spawning(program, room, log)
        return [await give(one, b"x" * 200_000), await give(one, b"x" * 20_000)]

    assert by_hand(check) == [(451, "4.3.0", ("qq out of memory",)), QUEUED]
    assert room.budget.taken == 0
    assert (tmp_path / "started").read_text() == "\n"
    assert len(log) == 1


def test_the_loop_is_not_held_up(script: Script) -> None:
    """While programs take their time, and others are started, whoever else is served waits for 50 ms at most."""
    async def check() -> float:
        loop = asyncio.get_running_loop()
        ends = [Stepped(give(spawning(script(f"sleep 0.3; {READ_ALL}")), b"x" * 500_000)).end for _ in range(5)]
        worst, last = 0.0, loop.time()
        while not all(end.done() for end in ends):
            await asyncio.sleep(0.005)
            worst, last = max(worst, loop.time() - last), loop.time()
        return worst

    assert by_hand(check) < 0.055


def test_exit_code_lost(script: Script) -> None:
    """As qmail.c says it, where somebody else has reaped the process."""
    async def check() -> Reply:
        one = spawning(script("sleep 0.3; " + READ_ALL))
        stepped = Stepped(give(one))
        await asyncio.sleep(0.1)
        os.waitpid(one.number, 0)
        return await stepped.end

    assert by_hand(check) == (451, "4.3.0", ("qq waitpid surprise",))
