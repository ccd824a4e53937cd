"""The threads that write messages into a spool, for all sessions of a process.

Each writes a whole message, syncs the file and renames it.  The directory is synced for all messages that were renamed before
that began, by one thread at a time.

A thread that comes back from a system call has to wait for the loop, and makes the loop wait: so while the disk is quick one of
them does everything, and others are called, or begun, when somebody has to wait for his turn.  The file system puts their syncs
together, so that fifty sessions at once cost a slow disk little more time than one.

Who has worked last is called first: malloc keeps for each thread what it has freed, and memory that was used just now is near.
"""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections import deque
from queue import SimpleQueue
from time import monotonic

from ..qmail import durable

THREADS = 16
TURN = 0.01
"""Seconds: who has waited so long calls another thread; and so long messages gather for a sync of the directory."""


class Committer:
    """A Job is handed in on the loop, which hears of its end; several that end together wake it once.

    syncs  of directories so far
    """

    def __init__(self, threads: int = THREADS, announce: "Callable[[], None]" = lambda: None) -> None:
        """On the loop.

        threads   at most
        announce  is called when jobs were settled well, once for all of them

        Raises:
            RuntimeError: there is no room for a thread.
        """
        self.syncs = 0
        self._announce = announce
        self._loop = asyncio.get_running_loop()
        self._guard = threading.Lock()
        self._jobs: deque[Job] = deque()
        self._watching = False
        self._renamed: list[Job] = []
        self._syncing = threading.Lock()
        self._most = threads
        self._threads: dict[SimpleQueue[bool], threading.Thread] = {}
        self._idle = [self._begin()]

    def run(self, job: "Job") -> "asyncio.Future[int]":
        """Have a thread do it; the result is its exit code."""
        job.future = self._loop.create_future()
        job.came = monotonic()
        with self._guard:
            self._jobs.append(job)
            nobody_works = len(self._idle) == len(self._threads)
        if nobody_works:
            self._call()
        elif not self._watching:
            self._watching = True
            self._loop.call_later(TURN, self._watch)
        return job.future

    def close(self) -> None:
        """Do what was handed in, and end the threads."""
        for calls in self._threads:
            calls.put(False)
        for thread in self._threads.values():
            thread.join()

    def _watch(self) -> None:
        """Look, as long as somebody waits, for who has waited for long."""
        with self._guard:
            came = self._jobs[0].came if self._jobs else None
        self._watching = came is not None
        if came is not None:
            if monotonic() > came + TURN:
                self._call()
            self._loop.call_later(TURN, self._watch)

    def _call(self) -> None:
        """Call a thread, if there is one left and something to do."""
        with self._guard:
            if not self._jobs:
                return
            idle = self._idle.pop() if self._idle else None
        if idle is None and len(self._threads) < self._most:
            try:
                idle = self._begin()
            except RuntimeError:
                pass  # there is no room for one: those that there are do it
        if idle is not None:
            idle.put(True)

    def _begin(self) -> "SimpleQueue[bool]":
        """Start a thread; what it is to be called by."""
        calls: SimpleQueue[bool] = SimpleQueue()
        thread = threading.Thread(target=self._work, args=(calls,), name=f"commit {len(self._threads)}", daemon=True)
        thread.start()
        self._threads[calls] = thread
        return calls

    def _work(self, calls: "SimpleQueue[bool]") -> None:
        """What a thread does: whenever it is called, all that there is."""
        while calls.get():
            while done := self._do_some(calls):
                self._tell([job for job in done if not job.directory])
                with self._guard:
                    self._renamed += [job for job in done if job.directory]
                self._sync()

    def _do_some(self, calls: "SimpleQueue[bool]") -> "list[Job]":
        """Do jobs for a turn; none were there: the thread is idle from now on."""
        done: list[Job] = []
        until = monotonic() + TURN
        while job := self._next(done, calls):
            job.do()
            done.append(job)
            if monotonic() > until:
                break
        return done

    def _next(self, done: "list[Job]", calls: "SimpleQueue[bool]") -> "Job | None":
        with self._guard:
            if self._jobs:
                return self._jobs.popleft()
            if not done:
                self._idle.append(calls)
        return None

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
        if failure is None:
            self._announce()
        self._tell(together)

    def _tell(self, jobs: "list[Job]") -> None:
        if jobs:
            try:
                self._loop.call_soon_threadsafe(_resolve, jobs)
            except RuntimeError:
                pass  # the loop is closed: nobody waits


class Job(ABC):
    """What a thread does.  After do() the exit code is there, or a directory, and settle() has the last word.

    came       when it was handed in
    code       the exit code
    directory  which one has to be synced first; "": none
    """

    __slots__ = ("came", "code", "directory", "future")

    def __init__(self) -> None:
        self.came = 0.0
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


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
