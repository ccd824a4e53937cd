"""Messages committed by many sessions at once: durable before the reply, whole or not there, whatever fails."""

import asyncio
import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdq.heldfile import HeldFile
from holdq.incoming import Arrival
from holdq.layout import poke
from qsmtpd.drivers.committed import MEMORY_MAX, CommittedQueue, Spool
from qsmtpd.drivers.committer import Committer
from qsmtpd.qmail import durable
from qsmtpd.qmail.outcome import Outcome
from tests.budgets import budget
from tests.byhand import Stepped, by_hand, together
from tests.holdq.site import END, Site
from tests.queueprograms import QUEUED, RECIPIENTS, SENDER, Reply
from tests.servers import wait_until

ROOT = Path(__file__).parents[3]
DISK_FULL = (451, "4.3.0", ("qq write error or disk full",))
SEED = 4

Log = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


class World:
    """A spool, its threads and a log; made on a loop."""

    def __init__(self, site: Site, threads: int = 8, patience: float = 60.0, memory: int = 1 << 30) -> None:
        self.committer = Committer(threads, lambda: poke(site.spool))
        self.budget = budget(memory)
        self.spool = Spool(
            lambda number, now: Arrival(site.spool, os.getuid(), number, -1, now), self.committer, self.budget, patience)
        self.log: Log = []

    def queue(self) -> CommittedQueue:
        return CommittedQueue(self.spool, lambda event, pairs: self.log.append((event, dict(pairs))))

    async def give(self, message: bytes = END, recipients: list[bytes] = RECIPIENTS) -> Reply:
        queue = self.queue()
        await queue.open({}, False)
        for start in range(0, len(message), 50_000):
            await queue.write(message[start:start + 50_000])
        return shown(await queue.finish(SENDER, recipients))


def shown(outcome: Outcome) -> Reply:
    return outcome.code, outcome.status, outcome.lines


def give(site: Site, *messages: bytes, recipients: list[bytes] = RECIPIENTS) -> tuple[list[Reply], Log]:
    """What becomes of the messages, given all at once."""
    async def run() -> tuple[list[Reply], Log]:
        world = World(site)
        replies = await together(*[world.give(message, recipients) for message in messages])
        world.committer.close()
        await asyncio.sleep(0)
        assert world.budget.taken == 0
        return replies, world.log

    return by_hand(run)


def stored(site: Site) -> dict[str, bytes]:
    """The messages that are there and whole, by their ID, without our Received field."""
    found = {}
    for identity in site.store.arrivals()[0]:
        with HeldFile(f"{site.spool.incoming}/{identity}", lock=False) as file:
            file.counts()
            found[identity] = b"".join(file.body()).partition(b"\n")[2]
    return found


@pytest.mark.parametrize("size", [0, 1, MEMORY_MAX, MEMORY_MAX + 1, 3 * MEMORY_MAX])
def test_a_message_is_held(site: Site, size: int) -> None:
    message = b"x" * size + END
    replies, log = give(site, message)
    (identity, text), = stored(site).items()

    assert replies == [QUEUED]
    assert text == message
    event, pairs = log[0]
    assert (event, pairs["id"], pairs["from"], pairs["to"], pairs["rcpts"]) == (
        "hold", identity.encode(), SENDER, RECIPIENTS[0], 2)
    with HeldFile(f"{site.spool.incoming}/{identity}", lock=True) as file:
        assert file.sender == SENDER
        assert [each.address for each in file.recipients()] == RECIPIENTS
        assert file.trailer.message == pairs["size"]
        assert file.trailer.pid == pairs["hold"]


def test_the_file_is_the_one_that_holdq_queue_writes(site: Site) -> None:
    """One format: but for number and time the bytes are the same."""
    give(site, b"Subject: x\n\n" + END, recipients=[b"x@y.z"])
    site.queue(b"Subject: x\n\n" + END, b"Fa@example.org\0Tx@y.z\0\0")
    one, other = [Path(site.spool.incoming, name) for name in site.store.arrivals()[0]]

    assert one.stat().st_mode == other.stat().st_mode
    assert one.read_bytes().partition(b"\n")[2][:-93] == other.read_bytes().partition(b"\n")[2][:-93]


def test_many_at_once(site: Site) -> None:
    """Each is there once, under a number of its own, and directories are synced less often than there are messages."""
    async def run() -> tuple[list[Reply], Log, int]:
        world = World(site)
        messages = [b"%d\n" % number * (number % 7 * 9000 + 1) + END for number in range(300)]
        replies = await together(*[world.give(message) for message in messages])
        world.committer.close()
        assert set(stored(site).values()) == set(messages)
        return replies, world.log, world.committer.syncs

    replies, log, syncs = by_hand(run)
    assert replies == [QUEUED] * 300
    assert len({pairs["hold"] for _, pairs in log}) == 300
    assert syncs < 300


class Recorder:
    """Notes what is synced and renamed, when it begins and when it is done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        real_fsync, real_rename = os.fsync, os.rename

        def fsync(fd: int) -> None:
            name = os.path.basename(os.readlink(f"/proc/self/fd/{fd}")).removeprefix("part.")
            self.done.append(f"syncing {name}")
            real_fsync(fd)
            self.done.append(f"synced {name}")

        def rename(source: str, target: str) -> None:
            self.done.append(f"renaming {os.path.basename(target)}")
            real_rename(source, target)
            self.done.append(f"renamed {os.path.basename(target)}")

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "rename", rename)


def test_the_order_of_every_message_of_many(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A134: its bytes, its name, a sync of the directory that began after that, and only then the reply."""
    recorder = Recorder(monkeypatch)

    async def run() -> None:
        world = World(site)

        async def one() -> None:
            queue = world.queue()
            queue._note = lambda _, pairs: recorder.done.append(f"told {dict(pairs)['id'].decode()}")  # type: ignore[arg-type,index,union-attr]
            await queue.open({}, False)
            await queue.write(END)
            await queue.finish(SENDER, RECIPIENTS)

        await together(*[one() for _ in range(60)])
        world.committer.close()

    by_hand(run)
    done = recorder.done
    identities = [what.removeprefix("told ") for what in done if what.startswith("told ")]
    assert len(identities) == 60
    for identity in identities:
        assert done.index(f"synced {identity}") < done.index(f"renaming {identity}")
        rest = done[done.index(f"renamed {identity}"):done.index(f"told {identity}")]
        assert "synced incoming" in rest[rest.index("syncing incoming"):]


def fails(monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException, when: Callable[[], bool] = lambda: True) -> None:
    real = getattr(durable, name)

    def call(*arguments: Any) -> Any:
        if when():
            raise error
        return real(*arguments)

    monkeypatch.setattr(durable, name, call)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("step", ["write_all", "sync_file", "rename", "sync_directory"])
@pytest.mark.parametrize("size", [1, 3 * MEMORY_MAX])
def test_a_disk_that_fails(site: Site, monkeypatch: pytest.MonkeyPatch, step: str, number: int, size: int) -> None:
    """A136, A137: temporary, nothing is left, the log says why, and it goes on when the disk does."""
    broken = True
    fails(monkeypatch, step, OSError(number, os.strerror(number)), lambda: broken)
    replies, log = give(site, b"x" * size, b"y" * size)
    broken = False

    assert replies == [DISK_FULL] * 2
    assert [(event, pairs["code"]) for event, pairs in log] == [("fault", 53)] * 2
    assert os.strerror(number) in str(log)
    assert site.left() == []
    assert give(site, END)[0] == [QUEUED]


def test_out_of_memory_in_a_thread(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A138"""
    fails(monkeypatch, "write_all", MemoryError())

    assert give(site, END)[0] == [(451, "4.3.0", ("qq out of memory",))]
    assert site.left() == []


def test_no_spool(tmp_path: Path, site: Site) -> None:
    Path(site.spool.incoming).rmdir()

    assert give(site, END)[0] == [DISK_FULL]


@pytest.mark.parametrize(("recipient", "reply"), [
    (b"b@c.d\0Tx@elsewhere.test", (451, "4.3.0", ("qq internal bug",))),
    (b"x" * 1003, (554, "5.1.3", ("envelope address too long for qq",))),
])
@pytest.mark.parametrize("size", [1, 3 * MEMORY_MAX])
def test_addresses_that_cannot_be_queued(site: Site, recipient: bytes, reply: Reply, size: int) -> None:
    """A50, A52."""
    assert give(site, b"x" * size, recipients=[recipient])[0] == [reply]
    assert site.left() == []


@pytest.mark.parametrize("size", [1, MEMORY_MAX, 3 * MEMORY_MAX])
def test_abort(site: Site, size: int) -> None:
    """A10."""
    async def run() -> int:
        world = World(site)
        queue = world.queue()
        await queue.open({}, False)
        await queue.write(b"x" * size)
        await queue.abort()
        await queue.abort()
        world.committer.close()
        return world.budget.taken

    assert by_hand(run) == 0
    assert site.left() == []


@pytest.mark.parametrize("size", [1, 3 * MEMORY_MAX])
def test_a_session_that_ends_while_the_disk_works(site: Site, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Thrown out of a piece it leaves nothing, thrown out of the commit the whole message: never a part."""
    real = durable.write_all

    def slow(fd: int, data: bytes) -> None:
        time.sleep(0.1)
        real(fd, data)

    monkeypatch.setattr(durable, "write_all", slow)

    async def session(queue: CommittedQueue) -> None:
        try:
            await queue.open({}, False)
            await queue.write(b"x" * size + END)
            await queue.finish(SENDER, RECIPIENTS)
        finally:
            await queue.abort()

    async def run() -> int:
        world = World(site)
        stepped = Stepped(session(world.queue()))
        await asyncio.sleep(0.05)
        stepped.throw(ConnectionError())
        with pytest.raises(ConnectionError):
            await stepped.end
        await asyncio.sleep(1.0)
        world.committer.close()
        return world.budget.taken

    assert by_hand(run) == 0
    assert set(stored(site).values()) == (set() if size > MEMORY_MAX else {b"x" + END})
    assert site.store.parts() == []


@pytest.mark.parametrize("size", [1, 3 * MEMORY_MAX])
def test_a_disk_that_stands_still(site: Site, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """The client is told to come again; a commit that ends later leaves the message, for it is whole, anything else nothing."""
    real = durable.write_all
    monkeypatch.setattr(durable, "write_all", lambda fd, data: (time.sleep(0.3), real(fd, data)))

    async def run() -> Reply:
        world = World(site, patience=0.1)
        reply = await world.give(b"x" * size)
        await asyncio.sleep(1.5)
        world.committer.close()
        assert world.budget.taken == 0
        assert [pairs["code"] for _, pairs in world.log] == [52]
        return reply

    assert by_hand(run) == (451, "4.3.0", ("qq timeout",))
    assert len(stored(site)) == (1 if size == 1 else 0)
    assert site.store.parts() == []


def test_memory_of_all_together(site: Site) -> None:
    """A88: when there are many, small ones go to the disk at once too."""
    async def run() -> int:
        world = World(site, memory=400_000)
        queues = [world.queue() for _ in range(20)]
        for queue in queues:
            await queue.open({}, False)
            await queue.write(b"x" * 20_000)
        most = world.budget.taken
        for queue in queues:
            await queue.write(END)
            assert shown(await queue.finish(SENDER, RECIPIENTS)) == QUEUED
        world.committer.close()
        return most

    assert by_hand(run) <= 120_000
    assert len(stored(site)) == 20


@pytest.mark.parametrize("before", [0, MEMORY_MAX + 1])
def test_no_memory(site: Site, before: int) -> None:
    """A138: temporary, nothing of it is left in memory or on the disk, and others are not touched."""
    async def run() -> list[Reply]:
        world = World(site, memory=400_000)
        other, queue = world.queue(), world.queue()
        for each in (other, queue):
            await each.open({}, False)
        await queue.write(b"x" * before)
        await other.write(b"y" * 90_000)
        await queue.write(b"x" * 400_000)
        await queue.write(b"x" * 50_000)
        replies = [shown(await each.finish(SENDER, RECIPIENTS)) for each in (queue, other)]
        await queue.abort()
        world.committer.close()
        await asyncio.sleep(0)
        assert world.budget.taken == 0
        return replies

    assert by_hand(run) == [(451, "4.3.0", ("qq out of memory",)), QUEUED]
    assert list(stored(site).values()) == [b"y" * 90_000]
    assert site.store.parts() == []


def test_numbers_are_the_process_and_a_count(site: Site) -> None:
    async def run() -> list[int]:
        world = World(site, threads=1)
        numbers = [world.spool.number() for _ in range(1001)]
        world.committer.close()
        return numbers

    numbers = by_hand(run)
    assert numbers[:2] == [os.getpid() * 1000, os.getpid() * 1000 + 1]
    assert len(set(numbers)) == 1000
    assert len(str(4194304 * 1000 + 999)) <= 10


WRITERS = """
import asyncio, os, sys
sys.path.insert(0, {root!r})
from holdq.incoming import Arrival
from holdq.layout import Spool as Place
from qsmtpd.drivers.budget import Budget
from qsmtpd.drivers.committed import CommittedQueue, Spool
from qsmtpd.drivers.committer import Committer

async def main():
    place = Place({spool!r})
    budget = Budget(1 << 30, 100, lambda: 0)
    spool = Spool(lambda number, now: Arrival(place, os.getuid(), number, -1, now), Committer(), budget)
    def told(event, pairs):
        assert event == "hold", pairs
        os.write(1, dict(pairs)["id"] + b"\\n")
    async def writer(number):
        queue = CommittedQueue(spool, told)
        while True:
            await queue.open({{}}, False)
            await queue.write(b"x" * (number % 5 * 100_000))
            await queue.write(b"the end\\n")
            assert not (await queue.finish(b"a@b.c", [b"x@y.z"])).code
    await asyncio.gather(*[writer(number) for number in range(50)])

asyncio.run(main())
"""


def test_killed_at_any_moment(site: Site) -> None:
    """A139: fifty writers, kill -9 a dozen times: what was promised is there and whole, what was not is whole or is swept."""
    chance = random.Random(SEED)
    promised: set[str] = set()
    for _ in range(12):
        code = WRITERS.format(root=str(ROOT), spool=site.spool.directory)
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as writers:
            assert writers.stdout
            first = writers.stdout.readline()
            time.sleep(chance.random() * 0.3)
            writers.send_signal(signal.SIGKILL)
            told = (first + writers.stdout.read()).decode()
        promised |= {line for line in told.split("\n")[:-1] if line}

    assert len(promised) > 100
    there = stored(site)
    assert promised <= set(there)
    assert all(text.endswith(END) for text in there.values())
    assert len(there) - len(promised) <= 12 * 50
    site.recover()
    assert site.store.parts() == []


def test_the_runner_hears_of_it(site: Site) -> None:
    with site.runner() as runner:
        assert give(site, *[b"%d\n" % number + END for number in range(5)])[0] == [QUEUED] * 5
        wait_until(lambda: len(site.mail()) == 10, what=runner.output())
        assert "fault" not in runner.output()
