"""The listener under faults, for a minute or for half an hour: nothing that was answered with 250 is lost, and nothing leaks.

All kinds of clients talk with two workers all the time, while one thing after the other is killed, stopped, filled or broken.
Now and then everybody is quiet, and what the workers hold is counted.  SOAK_SECONDS is how long the long form lasts; SOAK_SEED
plays a run again, as far as clients and faults go.
"""

import asyncio
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import QmailHome
from tests.soak.clients import GREY, LARGE, PROGRAM, SPOOL, Load
from tests.soak.faults import Faults
from tests.soak.parcels import Ledger
from tests.soak.site import DRAIN, Site, site
from tests.soak.watch import Log, Sample, children, descriptors, growth, zombies

SECONDS = int(os.environ.get("SOAK_SECONDS", "1800"))
SEED = int(os.environ.get("SOAK_SEED", "20261122"))
GROWTH_MAX = 512
"""KiB that a worker may have grown by in the last third of its life."""
SETTLING = 20.0
"""Seconds until all is gone that somebody has left to the deadlines: timeoutsmtpd, and a slow machine."""
SAMPLES_MIN = 9
"""Below that nothing is said about memory."""


@pytest.fixture(scope="module")
def equipped(installation: Path) -> Path:
    """With the libraries of SPF and Redis."""
    library = Path("lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")
    shutil.copy(Path(sys.prefix) / library / "spf.py", installation / library)
    for name in ("redis", "async_timeout"):
        shutil.copytree(Path(sys.prefix) / library / name, installation / library / name, dirs_exist_ok=True)
    return installation


class Soak:
    """One run.

    samples    of each worker at quiet times, by process id
    left_open  what a worker had open at a quiet time, and should not
    recovery   the longest time after a fault until good mail was accepted, in seconds, and the fault
    """

    def __init__(self, place: Site, seed: int, seconds: float, fault: float) -> None:
        self.site = place
        self.chance = random.Random(seed)
        self.ledger = place.ledger = Ledger(seed)
        self.load = Load(place.port, seed, self.ledger)
        self.log = Log()
        self.samples: dict[int, list[Sample]] = {}
        self.left_open: list[str] = []
        self.recovery = (0.0, "")
        self._seconds = seconds
        self._fault = fault
        self._usual: dict[str, int] | None = None
        self._begin = time.monotonic()

    async def run(self) -> None:
        """From the start to the end after SIGTERM."""
        theirs = await self.log.open()
        self.listener = await asyncio.to_thread(self.site.listener, theirs)
        os.close(theirs)
        self.faults = Faults(self.site, self.load, self.log, self.listener.pid, self._fault)
        collecting = asyncio.create_task(self._collect())
        try:
            await self.faults.start()
            self.faults.lives = self.faults.workers()[0]
            self.load.start(12)
            await self._go_through_everything()
            await self._end()
        finally:
            await self.load.stop()
            if self.listener.poll() is None:
                os.killpg(self.listener.pid, signal.SIGKILL)
            await asyncio.to_thread(self.listener.wait)
            collecting.cancel()
            self.faults.stop()
            await self.log.close()

    async def _go_through_everything(self) -> None:
        """Each fault at least once, in any order; and again, until the time is over, some while a worker is killed."""
        await asyncio.sleep(1)
        await self._quiet_time()
        again = False
        while not again or time.monotonic() - self._begin < self._seconds:
            faults = self.faults.all()
            self.chance.shuffle(faults)
            for number, fault in enumerate(faults, 1):
                await asyncio.sleep(self.chance.uniform(0.2, self._fault))
                await self._have(fault, killing=again and fault != self.faults.worker_killed and self.chance.random() < 0.3)
                if number == len(faults) or (number == len(faults) // 2 and self._seconds):
                    await self._quiet_time()
            again = True

    async def _have(self, fault: Callable[[], Awaitable[None]], *, killing: bool) -> None:
        """A fault, and its end."""
        self._say(fault.__name__ + " and worker_killed" * killing)
        self.faults.killing = killing
        if killing:
            await asyncio.gather(fault(), self.faults.worker_killed())
        else:
            await fault()
        over = time.monotonic()
        await self.faults.accepted(SPOOL, PROGRAM)
        self.recovery = max(self.recovery, (time.monotonic() - over, fault.__name__))
        await self.faults.accepted(GREY)
        assert (self.ledger.wrong, self.log.bad) == ([], [])

    async def _end(self) -> None:
        """Kill the worker that has lived so long, and end in the midst of it all."""
        await self.faults.kill(self.faults.lives)
        await self.faults.accepted(SPOOL, PROGRAM)
        self._say("TERM")
        started = time.monotonic()
        os.kill(self.listener.pid, signal.SIGTERM)
        await asyncio.to_thread(self.listener.wait, DRAIN + 8)
        self._say(f"ended after {time.monotonic() - started:.1f} s")
        self._say("slowest recovery: {:.1f} s, {}".format(*self.recovery))

    async def _collect(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            await asyncio.to_thread(self.site.collect)

    # Quiet times

    async def _quiet_time(self) -> None:
        """Nobody talks but we: the same in each, so that workers are in the same state."""
        await self.load.quiet(40)
        await self._have_everything_used()
        await self._settled()
        for pid in self.faults.workers():
            await self._measure(pid)
        self.load.go_on()

    async def _have_everything_used(self) -> None:
        """Mail by all ways to both workers, so that all is open that will be."""
        await self.faults.accepted(SPOOL, PROGRAM, GREY, times=8)
        await asyncio.gather(*[self.load.try_once(way, LARGE) for way in (SPOOL, PROGRAM) * 3])

    async def _settled(self) -> None:
        """No connection stands, no child is dead, no file is left over."""
        pids = [self.listener.pid, *self.faults.workers()]
        until = time.monotonic() + SETTLING
        while time.monotonic() < until:
            await asyncio.sleep(0.3)
            programs = [child for pid in pids[1:] for child in children(pid)]
            rest = [self.log.standing, zombies(pids), self.site.left_over(), programs]
            if not any(rest):
                return
        raise AssertionError(f"connections, zombies, files, programs that are still there: {rest}")

    async def _measure(self, pid: int) -> None:
        """Every worker, young or old, has the same open at a quiet time."""
        until = time.monotonic() + SETTLING
        if self._usual is None:
            await asyncio.sleep(2)
            self._usual = descriptors(pid)
        while (found := descriptors(pid)) != self._usual and time.monotonic() < until:
            await asyncio.sleep(0.3)
        self.samples.setdefault(pid, []).append(Sample(pid, self.log.events["session"]))
        sample = self.samples[pid][-1]
        self._say(f"worker {pid}: {sum(found.values())} descriptors, {sample.memory} KiB, {sample.sessions} sessions so far")
        if found != self._usual:
            self.left_open.append(f"{pid}: {found}, usually {self._usual}")
            self._say(self.left_open[-1])

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._begin:7.1f} {text}", flush=True)


@pytest.fixture
def place(equipped: Path, qmail_home: QmailHome) -> Iterator[Site]:
    with site(qmail_home, equipped) as made:
        yield made


def soak(place: Site, seconds: float, fault: float) -> Soak:
    """Run it, and judge."""
    print(f"SOAK_SEED={SEED}")
    done = Soak(place, SEED, seconds, fault)
    try:
        asyncio.run(done.run())
    finally:
        (place.home.path / "log.tail").write_bytes(b"".join(done.log.tail))
        print(done.ledger.summary(), dict(done.load.said), dict(done.log.events), f"log: {place.home.path}/log.tail", sep="\n")
    odd = place.sweep()
    while place.collect():
        pass

    print(done.ledger.summary())
    assert done.ledger.wrong[:10] == []
    assert done.ledger.lost() == []
    assert done.ledger.doubled() == []
    assert done.log.bad[:10] == []
    assert done.left_open == []
    assert done.listener.returncode == 0
    assert (odd, place.left_over()) == ([], [])
    return done


@pytest.mark.root
@pytest.mark.timeout(240)
def test_a_minute_of_faults(place: Site) -> None:
    """A10, A33 to A37, A95, A110, A130, A131, A137, A139, A140, A144: each fault once."""
    done = soak(place, 0, 0.8)

    assert done.load.said["listed 554"] > 0, "nobody has asked the DNS"
    assert done.load.said["flood 421"] > 0
    assert done.load.said["denied, and served"] == 0


@pytest.mark.soak
@pytest.mark.root
@pytest.mark.timeout(SECONDS * 2 + 600)
def test_half_an_hour_of_faults(place: Site) -> None:
    """The same, again and again; and the memory of the worker that lives through it does not grow."""
    done = soak(place, SECONDS, 4.0)
    samples = done.samples[done.faults.lives]
    grown, sessions = growth(samples)

    print(f"{grown} KiB in {sessions} sessions")
    assert len(samples) >= SAMPLES_MIN
    assert grown <= GROWTH_MAX
