"""The threads: what is promised is on the disk, directories are synced together, a failure is everybody's."""

import asyncio
import errno
import os
import threading
import time
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
    """A136: those who come later have a sync of their own."""
    asked: list[str] = []

    def sync(path: str) -> None:
        asked.append(path)
        time.sleep(0.02)
        if len(asked) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(durable, "sync_directory", sync)

    async def check() -> tuple[list[int], list[int]]:
        committer = Committer(8)
        first = await asyncio.gather(*[committer.run(Touch(tmp_path / str(number), [])) for number in range(6)])
        return first, await run(committer, [Touch(tmp_path / "later", [])])

    first, later = by_hand(check)
    assert sorted(set(first)) == [0, 53]
    assert later == [0]
    assert len(asked) < 7


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
