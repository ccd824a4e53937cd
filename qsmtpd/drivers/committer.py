"""The threads that write messages into a spool, for all sessions of a process.

Each writes a whole message, syncs the file and renames it.  The directory is synced by whichever of them finds that nobody does
so now, for all messages that were renamed before it began; the others go on with the next message meanwhile.  The file system
puts their syncs together too, so that fifty sessions at once cost little more time than one.
"""

import asyncio
import threading
from abc import ABC, abstractmethod
from queue import SimpleQueue

from ..qmail import durable

THREADS = 16


class Committer:
    """A Job is handed in on the loop, which hears of its end; several that end together wake it once.

    syncs  of directories so far
    """

    def __init__(self, threads: int = THREADS) -> None:
        """Starts the threads; on the loop.

        Raises:
            RuntimeError: there is no room for them.
        """
        self.syncs = 0
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._guard = threading.Lock()
        self._renamed: list[Job] = []
        self._syncing = threading.Lock()
        self._threads = [threading.Thread(target=self._work, name=f"commit {each}", daemon=True) for each in range(threads)]
        for thread in self._threads:
            thread.start()

    def run(self, job: "Job") -> "asyncio.Future[int]":
        """Have a thread do it; the result is its exit code."""
        job.future = self._loop.create_future()
        self._jobs.put(job)
        return job.future

    def close(self) -> None:
        """Do what was handed in, and end the threads."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while job := self._jobs.get():
            job.do()
            if job.directory:
                with self._guard:
                    self._renamed.append(job)
                self._sync()
            else:
                self._tell([job])

    def _sync(self) -> None:
        """Sync until there is nothing to sync; who finds another at it leaves it to him, for he looks again when he is done."""
        while self._renamed and self._syncing.acquire(blocking=False):
            try:
                with self._guard:
                    together, self._renamed = self._renamed, []
                if together:
                    self._settle(together)
            finally:
                self._syncing.release()

    def _settle(self, together: "list[Job]") -> None:
        """After an fsync that failed none of them is safe, and it is not tried again."""
        failure: BaseException | None = None
        try:
            for directory in {job.directory for job in together}:
                self.syncs += 1
                durable.sync_directory(directory)
        except BaseException as error:
            failure = error
        for job in together:
            job.settle(failure)
        self._tell(together)

    def _tell(self, jobs: "list[Job]") -> None:
        try:
            self._loop.call_soon_threadsafe(_resolve, jobs)
        except RuntimeError:
            pass  # the loop is closed: nobody waits


class Job(ABC):
    """What a thread does.  After do() the exit code is there, or a directory, and settle() has the last word.

    code       the exit code
    directory  which one has to be synced first; "": none
    """

    __slots__ = ("code", "directory", "future")

    def __init__(self) -> None:
        self.code = 0
        self.directory = ""
        self.future: asyncio.Future[int]

    @abstractmethod
    def do(self) -> None:
        """Raises nothing."""

    def settle(self, failure: BaseException | None) -> None:  # noqa: B027 - most have nothing to say then
        """The directory was synced, or could not be; raises nothing."""


def _resolve(jobs: list[Job]) -> None:
    for job in jobs:
        if not job.future.done():
            job.future.set_result(job.code)
