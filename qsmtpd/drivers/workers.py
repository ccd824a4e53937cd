"""The processes that take connections, and the one that starts them: it forks while it is small, and does nothing else.

It keeps all sockets open.  A worker that dies takes nobody else with it, and what waits at its socket is for its replacement.
"""

import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from socket import socket

from ..qmail import logline
from .admission import tallies
from .options import Options
from .sockets import Sockets

Serve = Callable[[list[socket], Options], int]
"""What a worker does, given its sockets: returns its exit code once SIGTERM has come, its listening sockets are closed, and
the transactions in hand are at their ends or have had Options.drain seconds.  SIGHUP: everything is read again."""

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
TROUBLE = 111

GRACE = 5.0
"""Seconds that a worker has beyond Options.drain before it is killed."""
SETTLED = 60.0
"""Seconds after which a worker that dies is replaced at once."""
PAUSE, PAUSE_MAX = 0.1, 10.0
"""Seconds before one that lived less long is replaced: the first time, doubled each time, and at most."""

_IDLE = 3600.0
_PR_SET_PDEATHSIG = 1


class _Worker:
    """A place for a worker.

    pid       0: there is none
    started   when, in seconds of time.monotonic(); due: when the next one will be
    failures  how many in a row did not live long
    """

    __slots__ = ("due", "failures", "number", "pid", "started")

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid = 0
        self.started = self.due = 0.0
        self.failures = 0

    def postpone(self, now: float) -> None:
        """Say when the next one is due: its predecessor ended now."""
        lived = now - self.started if self.started else 0.0
        self.failures = 0 if lived >= SETTLED else self.failures + 1
        self.due = now + min(PAUSE_MAX, PAUSE * 2.0 ** (self.failures - 1)) if self.failures else now
        self.pid, self.started = 0, 0.0


class Master:
    """Starts the workers, and replaces them, until SIGTERM."""

    def __init__(self, sockets: Sockets, options: Options, serve: Serve) -> None:
        self._sockets = sockets
        self._options = options
        self._serve = serve
        self._workers = [_Worker(number) for number in range(options.workers)]
        self._tallies = tallies(options.workers)
        self._deadline: float | None = None

    def run(self) -> int:
        """Until the last worker has ended after SIGTERM; returns the exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        while self._deadline is None or any(worker.pid for worker in self._workers):
            if self._deadline is None:
                self._start_those_due()
            came = signal.sigtimedwait(SIGNALS, self._patience())
            if came and came.si_signo == signal.SIGHUP:
                self._tell(signal.SIGHUP)
            elif came and came.si_signo in (signal.SIGTERM, signal.SIGINT) and self._deadline is None:
                self._stop()
            self._bury()
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self._tell(signal.SIGKILL)
        return 0

    def _patience(self) -> float:
        """Seconds until there is something to do even if no signal comes."""
        if self._deadline is not None:
            return max(0.1, self._deadline - time.monotonic())
        due = [worker.due for worker in self._workers if not worker.pid]
        return max(0.0, min(due) - time.monotonic()) if due else _IDLE

    def _start_those_due(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if not worker.pid and worker.due <= now:
                self._start(worker, now)

    def _start(self, worker: _Worker, now: float) -> None:
        """A138: when there is no room for a process, it is tried again later."""
        master = os.getpid()
        try:
            worker.pid = os.fork()
        except OSError as error:
            worker.postpone(now)
            self._say(1, "worker", number=worker.number, why=error.strerror)
            return
        if not worker.pid:
            self._work(worker.number, master)
        worker.started = now
        self._say(2, "worker", number=worker.number, pid=worker.pid)

    def _work(self, number: int, master: int) -> None:
        """In the worker: never returns.  SIGHUP is nothing until it knows better, SIGINT is the master's."""
        code = TROUBLE
        try:
            _end_with(master)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            self._sockets.close(but_of=number)
            options = replace(self._options, tally=self._tallies[number])
            code = self._serve(self._sockets.of_worker(number), options)
        except BaseException:
            traceback.print_exc()
        finally:
            try:
                sys.stderr.flush()
            finally:
                os._exit(code)

    def _stop(self) -> None:
        """Nobody takes connections any more, neither they nor we: the next ones are refused, and try another MX."""
        self._deadline = time.monotonic() + self._options.drain + GRACE
        self._sockets.close()
        self._tell(signal.SIGTERM)

    def _tell(self, number: int) -> None:
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, number)

    def _bury(self) -> None:
        """Take note of the workers that have ended."""
        while any(worker.pid for worker in self._workers):
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            for worker in self._workers:
                if worker.pid == pid:
                    self._note_end(worker, os.waitstatus_to_exitcode(status))

    def _note_end(self, worker: _Worker, code: int) -> None:
        now = time.monotonic()
        self._tallies[worker.number].put(0)
        wanted = self._deadline is not None and code == 0
        self._say(2 if wanted else 1, "worker", number=worker.number, pid=worker.pid, lived=int(now - worker.started),
                  exit=code if code >= 0 else None, signal=-code if code < 0 else None)
        worker.postpone(now)

    def _say(self, verbosity: int, event: str, **pairs: str | int | None) -> None:
        """A line for the log, if it was asked for so many."""
        if self._options.verbosity >= verbosity:
            logline.write(event, [(name, value.encode() if isinstance(value, str) else value) for name, value in pairs.items()])


def _end_with(master: int) -> None:
    """Get SIGTERM when the master is gone, however that came about: a port without its master could not be had again.

    Raises:
        ProcessLookupError: it is gone already.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != master:
        raise ProcessLookupError
