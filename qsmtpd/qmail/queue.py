"""Running a QMAILQUEUE program as qmail.c does: message on its descriptor 0, envelope on 1, its own words on 6.

The program is told by QQREPLY=6 that the caller is ours, and what it may say is in outcome.py.  QMAILQUEUE is not in its
environment, or a queue program that starts a mailer would loop.
"""

import os
import select
import time
from _signal import SIGKILL, pidfd_send_signal

from . import env, envelope
from .exitcodes import CRASHED, NO_EXIT_CODE, QUEUED
from .outcome import WORDS_MAX, Outcome, from_exit_code, temporary
from .process import spawn

CHANNEL = 6
LIFETIME = 86460.0
"""Seconds from start to end: qmail-queue's own alarm (DEATH, 24 hours) and a minute; what lives longer is killed."""


class QueueRun:
    """One run of a queue program; ended by finish() or by abort(), once.

    pid  its process id, which is the "qp" of the log
    """

    __slots__ = ("_channel", "_deadline", "_envelope", "_failed", "_message", "_process", "pid")

    def __init__(self, program: str) -> None:
        """Start the program, in our working directory (a caller stands in QMAILHOME).

        Descriptors 0 to 2 must be open, and SIGCHLD must not be ignored: process.prepare() sees to both.

        Raises:
            OSError: it cannot be executed, or there is no room for another process, pipe or descriptor.
        """
        message, self._message, envelope_, self._envelope, self._channel, channel = _three_pipes()
        environment = env.without("QMAILQUEUE")
        environment[b"QQREPLY"] = b"%d" % CHANNEL
        try:
            self.pid = spawn(program, {0: message, 1: envelope_, CHANNEL: channel}, environment)
        except BaseException:
            _close(self._message, self._envelope, self._channel)
            raise
        finally:
            _close(message, envelope_, channel)
        for fd in (self._message, self._envelope, self._channel):
            os.set_blocking(fd, False)
        self._process = self._watch()
        self._deadline = time.monotonic() + LIFETIME
        self._failed = False

    def write(self, data: bytes) -> None:
        """Give the program the next piece of the message.  One that no longer reads says why when it ends."""
        if not self._failed:
            self._failed = not self._put(self._message, data)

    def finish(self, sender: bytes, recipients: list[bytes]) -> Outcome:
        """Give the envelope, and wait for what the program says and for its end."""
        os.close(self._message)
        try:
            text = envelope.build(sender, recipients)
        except envelope.EnvelopeError as error:
            self._give_up()
            return from_exit_code(error.exit_code, b"")
        written = not self._failed and self._put(self._envelope, text)
        os.close(self._envelope)
        return self._end(written)

    def abort(self) -> None:
        """Close the pipes before the final NUL, so that nothing is queued, and wait for the program's end."""
        os.close(self._message)
        self._give_up()

    def _give_up(self) -> None:
        os.close(self._envelope)
        self._end(written=False)

    def _put(self, pipe: int, data: bytes) -> bool:
        """False when the program does not take all of it: it closed the pipe, has ended, or took too long."""
        view = memoryview(data)
        try:
            while view:
                try:
                    view = view[os.write(pipe, view):]
                except BlockingIOError:
                    if pipe not in self._wait(select.POLLOUT, pipe):
                        return False
        except OSError:
            return False
        return True

    def _watch(self) -> int:
        """A descriptor of the process; without one there is no run."""
        try:
            return os.pidfd_open(self.pid)
        except OSError:
            os.kill(self.pid, SIGKILL)
            os.waitpid(self.pid, 0)
            _close(self._message, self._envelope, self._channel)
            raise

    def _wait(self, event: int, *pipes: int) -> list[int]:
        """The descriptors on which something happened, of the pipes and the process; none when the time is over.

        A daemon that the program left behind may hold a pipe for ever, so the process is always waited for beside it.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            return []
        poll = select.poll()
        poll.register(self._process, select.POLLIN)
        for pipe in pipes:
            poll.register(pipe, event)
        return [fd for fd, _ in poll.poll(left * 1000)]

    def _words(self) -> bytes:
        """What the program writes on the channel until it ends, or has to be ended."""
        said = b""
        pipes: tuple[int, ...] = (self._channel,)
        while ready := self._wait(select.POLLIN, *pipes):
            piece = _read_some(self._channel)
            said = (said + piece)[:WORDS_MAX]
            if self._process in ready:
                return said
            if not piece:
                pipes = ()  # it closed the channel, and works on
        pidfd_send_signal(self._process, SIGKILL)
        return said

    def _end(self, written: bool) -> Outcome:
        said = self._words()
        _close(self._channel, self._process)
        try:
            _, wait_status = os.waitpid(self.pid, 0)
        except ChildProcessError:
            return temporary(*NO_EXIT_CODE)
        if os.WIFSIGNALED(wait_status):
            return temporary(*CRASHED)
        code = os.WEXITSTATUS(wait_status)
        if code == QUEUED and written:
            return Outcome(0, "2.0.0", ())
        return from_exit_code(code, said)


def _read_some(channel: int) -> bytes:
    """What is there now; b"" at the end, and when there is nothing."""
    try:
        return os.read(channel, WORDS_MAX)
    except BlockingIOError:
        return b""


def _three_pipes() -> list[int]:
    """Read end, write end, three times.

    Raises:
        OSError: there is no room for so many; none is left open.
    """
    opened: list[int] = []
    try:
        for _ in range(3):
            opened += os.pipe()
    except OSError:
        _close(*opened)
        raise
    return opened


def _close(*descriptors: int) -> None:
    for fd in descriptors:
        os.close(fd)
