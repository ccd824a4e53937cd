"""The threads: what is promised is on the disk, directories are synced together, a failure is everybody's."""

import asyncio
import errno
import os
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from qsmtpd.drivers.committer import Committer, Job
from qsmtpd.qmail import durable
from tests.byhand import by_hand


class Touch(Job):
    """Makes a file, in a directory that has to be synced."""

    def __init__(self, path: Path, log: list[str]) -> None:
        super().__init__()
        self.path = path
        self.log = log

    def do(self) -> None:
        self.path.touch()
        self.log.append(f"made {self.path.name}")
        self.directory = str(self.path.parent)

    def settle(self, failure: BaseException | None) -> None:
        self.code = 53 if failure else 0


class Sum(Job):
    """Needs no directory."""

    def do(self) -> None:
        self.code = 7


async def run(committer: Committer, jobs: list[Job]) -> list[int]:
    codes = await asyncio.gather(*[committer.run(job) for job in jobs])
    committer.close()
    return codes


def test_a_job_without_a_directory() -> None:
    async def check() -> list[int]:
        committer = Committer(2)
        codes = await run(committer, [Sum() for _ in range(20)])
        assert not committer.syncs
        return codes

    assert by_hand(check) == [7] * 20


def test_every_file_is_there_before_a_sync_that_counts_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A134: and slow syncs are shared by all who came meanwhile."""
    log: list[str] = []
    resolved: list[str] = []

    def sync(path: str) -> None:
        log.append("begins")
        time.sleep(0.01)
        log.append("ends")

    monkeypatch.setattr(durable, "sync_directory", sync)

    async def check() -> int:
        committer = Committer(8)
        jobs = [Touch(tmp_path / str(number), log) for number in range(200)]
        futures = [committer.run(job) for job in jobs]
        for job, future in zip(jobs, futures, strict=True):
            future.add_done_callback(lambda _, name=job.path.name: (log.append(f"told {name}"), resolved.append(name)))
        await asyncio.gather(*futures)
        committer.close()
        return committer.syncs

    syncs = by_hand(check)
    assert len(resolved) == 200
    assert log.count("begins") == syncs < 150
    for name in resolved:
        between = log[log.index(f"made {name}"):log.index(f"told {name}")]
        assert "ends" in between[between.index("begins"):]


def test_one_sync_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = threading.Lock()

    def sync(path: str) -> None:
        assert busy.acquire(blocking=False)
        time.sleep(0.001)
        busy.release()

    monkeypatch.setattr(durable, "sync_directory", sync)

    async def check() -> list[int]:
        return await run(Committer(16), [Touch(tmp_path / str(number), []) for number in range(300)])

    assert by_hand(check) == [0] * 300


def test_a_sync_that_fails_is_tried_once_and_fails_all_who_share_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A136: those who come before or later have a sync of their own."""
    asked: list[str] = []

    def sync(path: str) -> None:
        asked.append(path)
        time.sleep(0.02)
        if len(asked) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(durable, "sync_directory", sync)

    async def check() -> tuple[list[int], list[int], list[int]]:
        committer = Committer(8)
        before = await committer.run(Touch(tmp_path / "before", []))
        some = await asyncio.gather(*[committer.run(Touch(tmp_path / str(number), [])) for number in range(6)])
        return [before], some, await run(committer, [Touch(tmp_path / "later", [])])

    before, some, later = by_hand(check)
    assert (before, later) == ([0], [0])
    assert 53 in some
    assert set(some) <= {0, 53}
    assert len(asked) < 8


def test_who_waits_for_mail_hears_of_it_once_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is there, and not when it is not."""
    log: list[str] = []

    class Settled(Touch):
        def settle(self, failure: BaseException | None) -> None:
            self.log.append("lost" if failure else "settled")

    def sync(path: str) -> None:
        log.append("sync")
        time.sleep(0.01)
        if log.count("sync") == 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(durable, "sync_directory", sync)

    async def check() -> None:
        committer = Committer(4, lambda: log.append("announced"))
        await committer.run(Settled(tmp_path / "lost", log))
        await run(committer, [Settled(tmp_path / str(number), log) for number in range(30)])

    by_hand(check)
    assert log[:3] == ["made lost", "sync", "lost"]
    assert log.count("settled") == 30
    assert log.count("announced") == log.count("sync") - 1 < 30
    assert log.index("announced") > log.index("settled")
    assert log[-1] == "announced"


def test_who_waits_for_a_slow_disk_gets_a_thread_of_his_own(tmp_path: Path) -> None:
    """A134: nobody waits for a message that takes long, as long as there is a thread."""
    over = threading.Event()

    class Slow(Job):
        def do(self) -> None:
            over.wait(20)

    async def check() -> list[int]:
        committer = Committer(4)
        slow = [committer.run(Slow()) for _ in range(3)]
        codes = await asyncio.gather(*[committer.run(Sum()) for _ in range(5)])
        over.set()
        return codes + await asyncio.gather(*slow) + await run(committer, [])

    before = time.monotonic()
    assert by_hand(check) == [7] * 5 + [0] * 3
    assert time.monotonic() - before < 15


def test_one_thread_is_enough_for_a_quick_disk() -> None:
    """Each that takes part is one more for the loop to wait for."""
    at_once = 0
    most: list[int] = []

    class Quick(Job):
        def do(self) -> None:
            nonlocal at_once
            at_once += 1
            most[-1] = max(most[-1], at_once)
            time.sleep(0.0002)
            at_once -= 1

    async def check() -> None:
        committer = Committer(16)
        for _ in range(100):
            most.append(0)
            await asyncio.gather(*[committer.run(Quick()) for _ in range(8)])
        committer.close()

    by_hand(check)
    assert sorted(most)[50] == 1


def test_who_has_worked_last_is_called_first() -> None:
    """The others were needed once, and their memory stays as it was."""
    workers: Counter[int] = Counter()
    over = threading.Event()

    class Slow(Job):
        def do(self) -> None:
            over.wait(20)

    class Noted(Job):
        def do(self) -> None:
            workers[threading.get_ident()] += 1

    async def check() -> None:
        committer = Committer(4)
        slow = [committer.run(Slow()) for _ in range(4)]
        while threading.active_count() < before + 4:
            await asyncio.sleep(0.01)
        over.set()
        await asyncio.gather(*slow)
        for _ in range(50):
            await committer.run(Noted())
        committer.close()

    before = threading.active_count()
    by_hand(check)
    assert workers.most_common(1)[0][1] >= 40


def test_a_thread_is_begun_when_it_is_needed() -> None:
    before = threading.active_count()

    async def check() -> int:
        committer = Committer(16)
        await committer.run(Sum())
        running = threading.active_count()
        committer.close()
        return running

    assert by_hand(check) == before + 1


def test_no_room_for_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that there are do it all the same."""
    class Long(Job):
        def do(self) -> None:
            time.sleep(0.02)

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def check() -> list[int]:
        committer = Committer(4)
        monkeypatch.setattr(threading.Thread, "start", start)
        return await run(committer, [Long() for _ in range(10)])

    assert by_hand(check) == [0] * 10


def test_threads_end(tmp_path: Path) -> None:
    """What was handed in before close() is done."""
    before = threading.active_count()

    async def check() -> int:
        committer = Committer(4)
        for number in range(50):
            committer.run(Touch(tmp_path / str(number), []))
        committer.close()
        return threading.active_count()

    assert by_hand(check) == before
    assert len(list(tmp_path.iterdir())) == 50


def test_a_loop_that_is_gone_disturbs_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is ending: the message is stored, and nobody is there to be told."""
    monkeypatch.setattr(durable, "sync_directory", lambda _: time.sleep(0.2))
    committers: list[Committer] = []

    async def check() -> None:
        committers.append(Committer(2))
        committers[0].run(Touch(tmp_path / "file", []))

    by_hand(check)
    committers[0].close()
    assert (tmp_path / "file").exists()
