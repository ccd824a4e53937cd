"""Running a QMAILQUEUE program as qmail.c does: message on its descriptor 0, envelope on 1, its own words on 6.

The program is told by QQREPLY=6 that the caller is ours, and what it may say is in outcome.py.  QMAILQUEUE is not in its
environment, or a queue program that starts a mailer would loop.
"""

import posix
import select
import time
from _signal import SIGKILL, pidfd_send_signal

from . import env, envelope
from .exitcodes import CRASHED, NO_EXIT_CODE, QUEUED
from .outcome import WORDS_MAX, Outcome, from_exit_code, temporary, told
from .process import spawn

CHANNEL = 6
LIFETIME = 86460.0
"""Seconds from start to end: qmail-queue's own alarm (DEATH, 24 hours) and a minute; what lives longer is killed."""


FAREWELL = 5.0
"""Seconds for a program that is to queue nothing to see that for itself."""


class QueueProgram:
    """A queue program that was started: the part of it that does not wait, for those who block and those who do not.

    pid  its process id, which is the "qp" of the log
    """

    __slots__ = ("_channel", "_deadline", "_envelope", "_failed", "_message", "_process", "_said", "_talks", "pid")

    def __init__(
            self, program: str, told: "Mapping[bytes, bytes] | None" = None, environment: "Mapping[bytes, bytes] | None" = None,
    ) -> None:
        """Start the program, in our working directory (a caller stands in QMAILHOME).

        told         variables for its environment besides the others
        environment  those others, without ours; None: those of this process

        Descriptors 0 to 2 must be open, and SIGCHLD must not be ignored: process.prepare() sees to both.

        Raises:
            OSError: it cannot be executed, or there is no room for another process, pipe or descriptor.
        """
        message, self._message, envelope_, self._envelope, self._channel, channel = _three_pipes()
        variables = env.without("QMAILQUEUE") if environment is None else dict(environment)
        variables.pop(b"QMAILQUEUE", None)
        variables[b"QQREPLY"] = b"%d" % CHANNEL
        variables.update(told or {})
        try:
            self.pid = spawn(program, {0: message, 1: envelope_, CHANNEL: channel}, variables)
        except BaseException:
            _close(self._message, self._envelope, self._channel)
            raise
        finally:
            _close(message, envelope_, channel)
        for fd in (self._message, self._envelope, self._channel):
            posix.set_blocking(fd, False)
        self._process = self._watch()
        self._deadline = time.monotonic() + LIFETIME
        self._failed = False
        self._talks = True
        self._said = b""

    def _watch(self) -> int:
        """A descriptor of the process; without one there is no run."""
        try:
            return posix.pidfd_open(self.pid)
        except OSError:
            posix.kill(self.pid, SIGKILL)
            posix.waitpid(self.pid, 0)
            _close(self._message, self._envelope, self._channel)
            raise

    def _listen(self) -> None:
        """Take what the program has said on the channel by now."""
        try:
            piece = posix.read(self._channel, WORDS_MAX)
        except BlockingIOError:
            return
        self._talks = bool(piece)
        self._said = (self._said + piece)[:WORDS_MAX]

    def _kill(self) -> None:
        pidfd_send_signal(self._process, SIGKILL)

    def _bury(self, written: bool) -> Outcome:
        """What became of the message, once the process has ended, or has been killed.

        written  message and envelope went out whole
        """
        _close(self._channel, self._process)
        try:
            _, wait_status = posix.waitpid(self.pid, 0)
        except ChildProcessError:
            return temporary(*NO_EXIT_CODE)
        if posix.WIFSIGNALED(wait_status):
            return temporary(*CRASHED)
        code = posix.WEXITSTATUS(wait_status)
        score, said = told(self._said)
        if code == QUEUED and written:
            return Outcome(0, "2.0.0", (), score)
        return from_exit_code(code, said)


class QueueRun(QueueProgram):
    """One run of a queue program, waited for; ended by finish() or by abort(), once."""

    __slots__ = ()

    def write(self, data: bytes) -> None:
        """Give the program the next piece of the message.  One that no longer reads says why when it ends."""
        if not self._failed:
            self._failed = not self._put(self._message, data)

    def finish(self, sender: bytes, recipients: list[bytes]) -> Outcome:
        """Give the envelope, and wait for what the program says and for its end."""
        posix.close(self._message)
        try:
            text = envelope.build(sender, recipients)
        except envelope.EnvelopeError as error:
            self._give_up()
            return from_exit_code(error.exit_code, b"")
        written = not self._failed and self._put(self._envelope, text)
        posix.close(self._envelope)
        return self._end(written)

    def abort(self) -> None:
        """Close the pipes before the final NUL, so that nothing is queued; a program that does not end soon is killed."""
        self._deadline = min(self._deadline, time.monotonic() + FAREWELL)
        posix.close(self._message)
        self._give_up()

    def _give_up(self) -> None:
        posix.close(self._envelope)
        self._end(written=False)

    def _put(self, pipe: int, data: bytes) -> bool:
        """False when the program does not take all of it: it closed the pipe, has ended, or took too long."""
        view = memoryview(data)
        try:
            while view:
                try:
                    view = view[posix.write(pipe, view):]
                except BlockingIOError:
                    ready = self._wait(pipe)
                    if not ready or (self._process in ready and pipe not in ready):
                        return False
        except OSError:
            return False
        return True

    def _wait(self, pipe: int = -1) -> list[int]:
        """Wait until something happens; returns where, none when the time is over.

        pipe  one that we want to write to

        A daemon that the program left behind may hold a pipe for ever, so the process is always waited for beside it; and
        a program may talk before it reads, so its words are always taken.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            return []
        poll = select.poll()
        poll.register(self._process, select.POLLIN)
        if pipe >= 0:
            poll.register(pipe, select.POLLOUT)
        if self._talks:
            poll.register(self._channel, select.POLLIN)
        ready = [fd for fd, _ in poll.poll(left * 1000)]
        if self._channel in ready:
            self._listen()
        return ready

    def _outlive(self) -> None:
        """Wait for the program's end, or bring it about when the time is over."""
        while ready := self._wait():
            if self._process in ready:
                self._listen()  # its last words: the end may have come between the two
                return
        self._kill()

    def _end(self, written: bool) -> Outcome:
        self._outlive()
        return self._bury(written)


def _three_pipes() -> list[int]:
    """Read end, write end, three times.

    Raises:
        OSError: there is no room for so many; none is left open.
    """
    opened: list[int] = []
    try:
        for _ in range(3):
            opened += posix.pipe()
    except OSError:
        _close(*opened)
        raise
    return opened


def _close(*descriptors: int) -> None:
    for fd in descriptors:
        posix.close(fd)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
